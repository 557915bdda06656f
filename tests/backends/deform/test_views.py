"""The views' mechanisms on pictures: one output, three trained layers, offsets that learn, conventions by probing, bad
input."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from backends import images
from backends.deform import answer, fit, probe, stack, taps
from backends.deform.params import OPERATORS, DeformParams
from backends.deform.results import Fit

COFFEE = images.sample("coffee")
ONE = DeformParams(operator="dcn2")


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("change", [
    {}, {"at": (0.0, 0.0)}, {"at": (1.0, 1.0), "cells": 7}, {"cells": 2}, {"pattern": "edge"},
    {"noise": 2.0, "box": 0.5, "head": 3}, {"raw": (8.0,) * 4 + (-8.0,) * 5}], ids=str)
def test_points_add_up_to_the_output_everywhere(operator, change):
    result = answer(replace(ONE, operator=operator, **change), image=COFFEE)
    body = result.body
    assert all(check.ok for check in result.checks) and len(result.checks) == 2
    added = np.sum([p.weight * np.asarray(p.value) for p in body.points], 0)
    assert added == pytest.approx(body.whole[body.start], abs=1e-4) and body.output == pytest.approx(added, abs=1e-4)
    assert len(body.neighbours) == len(body.points)
    assert all(sum(one.weight for one in four) == pytest.approx(1) for four in body.neighbours)


@pytest.mark.parametrize("operator", ["dcn1", "dcn3"])
def test_a_point_s_value_is_bilinear_in_its_neighbours(operator):
    body = answer(replace(ONE, operator=operator, turn=77.0), image=COFFEE).body
    for point, four in zip(body.points, body.neighbours, strict=True):
        value = sum(one.weight * body.map[one.row, one.column] for one in four if one.inside)
        assert point.value == pytest.approx(value, abs=1e-5)


def test_a_quarter_turn_permutes_the_taps_and_a_growth_dilates():
    turned = answer(replace(ONE, operator="dcn1", turn=90.0, grow=1.0), image=COFFEE).body
    ghosts = [p.ghost for p in turned.points]
    assert [ghosts.index(tuple(np.round(p.at, 6))) for p in turned.points] == [2, 5, 8, 1, 4, 7, 0, 3, 6]
    grown = answer(replace(ONE, operator="dcn1", turn=0.0, grow=2.0, dilation=2), image=COFFEE).body
    dilated = answer(replace(ONE, operator="dcn1", turn=0.0, grow=1.0, dilation=4), image=COFFEE).body
    assert grown.output == pytest.approx(dilated.plain, abs=1e-5)


def test_the_edge_s_direction_is_found():
    rows, columns = np.mgrid[:40, :40]
    for angle in (0.0, 30.0, 75.0, -50.0):
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        way, sure = taps.along(np.tanh((c * (rows - 20) - s * (columns - 20)) / 2))
        assert abs(way[20, 20] @ (s, c)) > 0.999 and sure[20, 20] > 0.99
    assert taps.along(np.full((9, 9), 0.3))[1].max() == 0


def test_a_star_in_a_box_counts_parts_of_its_sides():
    body = answer(replace(ONE, operator="msda", head=1, box=0.5, cells=40),
                  image=np.ascontiguousarray(COFFEE[:, :400])).body
    far = [p.at[1] - body.start[1] for p in body.points]
    assert far == pytest.approx([40 * 0.5 / 2 * step / 4 for _ in range(4) for step in (1, 2, 3, 4)])


def test_three_layers_read_729_places_and_one_reads_nine():
    for layers, count in ((1, 9), (2, 81), (3, 729)):
        body = answer(DeformParams(view="stack", layers=layers)).body
        assert [f.places.shape for f in body.fields] == [(count, 2)] * 2
        assert all(f.weights.sum() == pytest.approx(1, abs=1e-5) for f in body.fields)
    plain = body.fields[1]
    assert plain.outside == 0 and body.fields[0].outside > 0
    middle = np.array(body.cell) * 4 + 1.5
    assert np.abs(plain.places - middle).max() == 12


def test_the_plain_square_is_exactly_what_a_change_of_the_picture_can_reach():
    from backends.deform import small
    model, cell = small.load("plain"), (12, 9)
    x = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        before = model(x)[0, :, cell[0], cell[1]]
        outside = torch.rand(1, 3, 96, 96)
        top, left = (4 * c - stack.REACH for c in cell)
        side = 2 * stack.REACH + 1
        outside[..., top : top + side, left : left + side] = x[..., top : top + side, left : left + side]
        assert torch.equal(model(outside)[0, :, cell[0], cell[1]], before)


def test_a_photograph_has_no_truth_and_a_tiny_one_works():
    result = answer(DeformParams(view="stack", source="picture"), image=COFFEE)
    assert result.body.truth.size == 0 and result.body.own is None and "rendered" in result.notice
    assert max(result.body.image.shape[:2]) == stack.LONGEST and result.body.fields[0].inside is None
    for shape in ((2, 2, 3), (3, 40, 3)):
        for view, operator in (("taps", "dat"), ("taps", "msda"), ("taps", "dcn2"), ("stack", "dcn1")):
            result = answer(DeformParams(view=view, operator=operator, source="picture"),
                            image=np.full(shape, 90, np.uint8))
            assert all(check.ok for check in result.checks)


def test_offsets_find_a_moderate_turn_and_stand_still_where_all_is_flat():
    for turn, grow in ((20.0, 1.0), (-30.0, 1.2), (0.0, 1.5)):
        *_, (body, _, checks) = fit.fit(DeformParams(view="fit", turn=turn, grow=grow, seed=4))
        assert isinstance(body, Fit) and body.error[-1] < 0.15 * body.error[0]
        assert body.losses[-1] < 0.01 * body.losses[0]
        assert all(check.ok for check in checks)
    *_, (body, _, checks) = fit.fit(DeformParams(view="fit", start="flat", steps=20))
    assert body.points == body.ghost and max(body.gradients) == 0 and body.losses[-1] > 0.1 and checks[0].ok


def test_the_texture_is_turned_without_resampling():
    params = DeformParams(view="fit", turn=90.0, grow=1.0)
    texture, (g, _, _, matrix) = fit.Texture(params.seed), fit.scene(params)
    for y, x in ((3, 5), (-7, 2), (0, 0)):
        there = matrix @ torch.tensor([y, x], dtype=torch.float64)
        row, column = (there + torch.tensor(fit.MIDDLE)).round().int().tolist()
        assert g[row, column].item() == pytest.approx(texture(torch.tensor([y, x]).double()).item())


def test_probes_find_the_conventions():
    body, _, (check,) = probe.conventions()
    assert check.ok and check.value == 0 and len(body.rows) == 6
    assert [probe.dcn_reads(tap) for tap in (0, 2, 6)] == [(-1, -1), (-1, 1), (1, -1)]
    assert [probe.dcnv3_reads(tap) for tap in (0, 2, 6)] == [(-1, -1), (1, -1), (-1, 1)]
    assert probe.moved((0, 0)) == "nowhere" and probe.moved((-2, 1)) == "2 up and 1 right"


def test_the_comparison_grows_and_ends():
    results = list(answer.stream(DeformParams(view="twins", samples=10)))
    assert [r.finished for r in results] == [False, True]
    assert [len(r.body.scores[0].accuracy) for r in results] == [5, 10]
    one = results[-1].body.inside[1]
    assert len(one.grid) == len(one.wide) == len(one.points) == len(one.weighted) == 10


@pytest.mark.parametrize(("change", "sentence"), [
    ({"at": (0.5, 1.5)}, "two shares"), ({"at": (float("nan"), 0.5)}, "two shares"),
    ({"offsets": ((1.0, 2.0),)}, "9 pairs"),
    ({"offsets": ((1.0, float("inf")),) * 9}, "at most 500"), ({"offsets": ((1.0,),) * 9}, "at most 500"),
    ({"raw": (1.0,)}, "9 numbers"),
    ({"raw": (float("nan"),) * 9}, "9 numbers"), ({"raw": (9.0,) * 9}, "9 numbers"),
    ({"operator": "dcn9"}, "not known"),
    ({"cells": 1}, "between 2 and 80"), ({"grow": 0.0}, "between 0.25 and 4")])
def test_what_cannot_be_is_one_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        DeformParams(**change)


def test_offsets_off_the_map_read_zeros():
    result = answer(replace(ONE, operator="dcn1", offsets=((-400.0, 400.0),) * 9), image=COFFEE)
    assert result.body.output == (0, 0, 0) and result.notice == "9 of 9 points lie off the map and read zeros."
