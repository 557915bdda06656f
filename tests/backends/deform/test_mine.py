"""Own offsets: every order and unit against the operator whose habit it is, and files that cannot be used."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backends import images
from backends.deform import answer, mine, operators, own
from backends.deform import sampling as sampled
from backends.deform.dat import dat_reference
from backends.deform.params import DeformParams
from backends.deform.sampling import Window
from tests.backends.deform.test_operators import draw

COFFEE = images.sample("coffee")
MINE = DeformParams(view="own", given="3")


def places(offset, layout):
    """Where the points read, (P, Ho, Wo, 2)."""
    cells = mine.decoded(offset, layout)
    return mine.regular(layout, len(cells), tuple(offset.shape[1:])) + cells


def test_torchvision_s_order_with_groups_stride_and_dilation():
    window = Window((3, 3), (2, 2), (2, 2), (2, 2))
    ho, wo = window.size(10, 18)
    offset = draw(0, 1, 36, ho, wo)
    expected = sampled.regular(window, 10, 18) + sampled.unpack(offset, window)[0]
    found = places(offset[0], mine.Layout(groups=2, dilation=2, stride=2)).unflatten(0, (2, 9))
    assert (found - expected).abs().max() < 1e-12


def test_dcnv3_s_order_runs_column_by_column():
    offset = draw(0, 1, 5, 9, 36)
    at = operators.dcnv3_positions(offset, Window(), (5, 9), 2, 1.0)[0].flip(-1)             # (G, 5, 9, K, 2)
    found = places(offset[0].permute(2, 0, 1), mine.Layout("xy", "cells", 3, "columns", 2)).unflatten(0, (2, 9))
    ours = found.unflatten(1, (3, 3)).transpose(1, 2).flatten(1, 2)                          # taps as DCNv3 counts them
    assert (ours - at.movedim(3, 1)).abs().max() < 1e-12


def test_deformable_detr_s_points_in_cells_and_as_shares():
    size, heads, points = (5, 9), 2, 4
    offset = draw(0, 1, 45, heads, 1, points, 2)
    centres = torch.stack(torch.meshgrid((torch.arange(5.0).double() + 0.5) / 5, (torch.arange(9.0).double() + 0.5) / 9,
                                         indexing="ij"), -1)
    reference = centres.flip(-1).view(1, 45, 1, 2)
    at = operators.locations(reference, offset, [size])[0, :, :, 0]                          # (N, M, P, 2), (x, y)
    cells = at.flip(-1) * torch.tensor(size) - 0.5
    given = offset[0, :, :, 0].flatten(1).T.unflatten(1, size)
    expected = cells.permute(1, 2, 0, 3).flatten(0, 1).unflatten(1, size)
    assert (places(given, mine.Layout("xy", "cells", 0, groups=heads)) - expected).abs().max() < 1e-12
    shares = (offset / torch.tensor([9, 5]))[0, :, :, 0].flatten(1).T.unflatten(1, size)
    assert (places(shares, mine.Layout("xy", "unit", 0, groups=heads)) - expected).abs().max() < 1e-12


def test_dat_s_unit_is_half_of_the_map_less_a_cell():
    offset = 0.1 * draw(0, 2, 5, 9)
    moved = mine.decoded(offset, mine.Layout("yx", "minus", 0))[0]
    at = dat_reference(5, 9) + offset.movedim(0, -1)
    cells = [(v + 1) / 2 * torch.tensor([4, 8]) for v in (at, dat_reference(5, 9))]
    assert (moved - (cells[0] - cells[1])).abs().max() < 1e-12


@pytest.mark.parametrize("order", ["yx", "xy", "split", "split_x"])
def test_what_is_decoded_is_written_back(order):
    for unit, kernel, scan, groups, stride in (("minus", 3, "columns", 2, 2), ("unit", 0, "rows", 3, 1),
                                               ("strides", 5, "columns", 1, 3), ("cells", 1, "rows", 4, 1)):
        layout = mine.Layout(order, unit, kernel, scan, groups, 1, stride)
        offset = draw(0, 2 * groups * (kernel**2 or 2), 5, 9)
        assert (mine.written(mine.decoded(offset, layout), layout, groups) - offset).abs().max() < 1e-12
    two = draw(1, 4, 5, 9)                                             # two points without a grid: the second one's
    expected = {"yx": (2, 3), "xy": (3, 2), "split": (1, 3), "split_x": (3, 1)}[order]
    assert mine.decoded(two, mine.Layout(order, kernel=0))[1, 2, 3].tolist() == two[list(expected), 2, 3].tolist()


def test_they_are_shown_on_the_picture_with_masks_as_weights():
    given = mine.Given(draw(0, 36, 10, 15).float(), torch.rand(18, 10, 15))
    result = answer(replace(MINE, frame=(2, 1, 1), at=(0.5, 0.5)), image=COFFEE, mine=given)
    assert all(check.ok for check in result.checks) and len(result.body.points) == 18
    assert [p.share for p in result.body.points] == pytest.approx(given.mask[:, 5, 7].tolist())
    for k, point in enumerate(result.body.points):
        moved = np.subtract(point.at, point.ghost)
        assert moved == pytest.approx(given.offset[2 * k:2 * k + 2, 5, 7].tolist(), abs=1e-6)
    one = answer(replace(MINE, frame=(2, 1, 1), head=2, at=(0.5, 0.5)), image=COFFEE, mine=given).body
    assert [p.at for p in one.points] == [p.at for p in result.body.points[9:]]
    still = answer(MINE, image=COFFEE, mine=mine.Given(torch.zeros(18, 10, 15), None)).body
    assert still.whole == pytest.approx(still.regular) and still.total == 9


def test_a_large_map_is_drawn_small_and_another_shape_is_stretched():
    result = answer(MINE, image=COFFEE, mine=mine.Given(torch.zeros(18, 200, 300), None))
    assert max(result.body.map.shape[:2]) == mine.DRAWN and "200 x 300 cells" in result.notice
    square = answer(MINE, image=COFFEE, mine=mine.Given(torch.zeros(18, 20, 20), None))
    assert "stretched" in square.notice


def file(tmp_path, tensors):
    path = tmp_path / "mine.safetensors"
    save_file(tensors, path)
    return path


def test_files_that_can_be_read(tmp_path):
    assert own.read(file(tmp_path, {"offset": torch.rand(1, 18, 5, 9), "mask": torch.rand(1, 9, 5, 9)})) == (
        "offsets with 18 channels, 5 x 9 cells, and masks")
    for k, tensors in enumerate(({"conv": torch.rand(18, 5, 9).half()}, {"offsets": torch.rand(4, 2, 5, 9)},
                                 {"offset": torch.rand(18, 5, 9).bfloat16(), "more": torch.rand(3)})):
        (tmp_path / str(k)).mkdir()
        assert own.load(file(tmp_path / str(k), tensors), MINE).offset.dtype == torch.float32


SHORT = json.dumps({"offset": {"dtype": "F32", "shape": [18, 5, 9], "data_offsets": [0, 9]}}).encode()
HUGE = struct.pack("<Q", 1 << 40) + b"{}"
BAD = [
    ({"offset": torch.full((18, 5, 9), float("nan"))}, "not finite"),
    ({"offset": torch.rand(2, 18, 5, 9)}, "batch of 2"),
    ({"offset": torch.rand(18, 45)}, "(18, 45)"), ({"offset": torch.rand(1, 45, 8, 1, 4, 2)}, "should be (channels"),
    ({"offset": torch.rand(17, 5, 9)}, "two numbers for each tap"), ({"offset": torch.ones(18, 5, 9).int()}, "int32"),
    ({"offset": torch.rand(18, 5, 9), "mask": torch.rand(18, 5, 9)}, "mask has shape"),
    ({"a": torch.rand(2), "b": torch.rand(2)}, "a tensor called offset"),
    ({"offset": torch.rand(18, 0, 9)}, "empty axis"), ({"offset": torch.rand(18, 5, 2000)}, "1024 cells"),
    (HUGE, "impossible length"), (b"PK\x03\x04" * 20, "not a safetensors"),
    (struct.pack("<Q", 4) + b"null", "holds no tensors"), (struct.pack("<Q", 80) + SHORT.ljust(80), "damaged"),
]


def test_every_bad_file_gets_one_sentence(tmp_path):
    for k, (content, sentence) in enumerate(BAD):
        path = tmp_path / f"{k}.safetensors"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            save_file(content, path)
        with pytest.raises(ValueError) as told:
            own.read(path)
        said = str(told.value)
        assert sentence in said and "\n" not in said and said.endswith("."), content


@pytest.mark.parametrize(("change", "sentence"), [
    ({"given": "5"}, "need 100 channels, but the offsets have 36."), ({"frame": (1, 1, 1)}, "2 groups would fit"),
    ({"given": "0", "frame": (5, 1, 1)}, "multiple of 10"), ({"head": 3}, "have 2 groups"),
    ({"unit": "unit"}, "another unit")])
def test_a_declaration_that_does_not_fit_is_one_sentence(change, sentence):
    given = mine.Given(torch.full((36, 30, 45), 400.0), None)
    with pytest.raises(ValueError, match=sentence):
        answer(replace(MINE, **({"frame": (2, 1, 1)} | change)), image=COFFEE, mine=given)
