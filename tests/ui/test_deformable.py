"""The Deformable tab without a browser: scenes, figures, tables, links, the script of an own picture."""

import json
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest

from backends.deform import answer
from backends.deform.params import OPERATORS, DeformParams
from backends.plain import numbers
from ui.core import export, permalink
from ui.parts import sources
from ui.tabs.deformable import TAB, figures

SMALL = DeformParams(samples=10, steps=10)


@pytest.mark.parametrize("view", TAB.views)
def test_every_step_of_every_view_is_drawn_tabled_and_checked(view):
    params, shown, results = replace(SMALL, view=view), TAB.views[view], []
    for result in answer.stream(params):
        results.append(result)
        table = shown.table(result.body)
        assert table.rows and all(len(row) == len(table.columns) for row in table.rows)
        assert len(set(table.columns)) == len(table.columns)
        assert shown.figure or shown.stage
        assert not shown.figure or len(shown.figure(result.body).to_json()) < 200_000
        assert not shown.stage or len(json.dumps(shown.stage(params, result.body))) < 200_000
        assert not shown.words or shown.words(params, result.body).endswith(".")
    assert results[-1].finished and all(check.ok for check in results[-1].checks)
    assert (len(results) > 1) == shown.streamed
    assert len(json.dumps(numbers(results[-1]))) < 200_000


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_browser_has_what_it_needs_to_add_up(operator):
    params = replace(SMALL, operator=operator, cells=24, raw=(1.0,) * 9, noise=1.0)
    result = answer(params)
    scene = figures.taps_scene(params, result.body)
    rgb = np.frombuffer(b64decode(scene["map"]), np.uint8)
    assert rgb.size == 3 * scene["rows"] * scene["columns"] and len(scene["raw"]) == 9
    points = np.frombuffer(b64decode(scene["packed"]), "<f4").reshape(-1, 10)
    assert points[:, 4] @ points[:, 6:9] == pytest.approx(scene["output"], abs=2e-3)
    assert points[:, :2] == pytest.approx(np.array([p.at for p in result.body.points]), abs=1e-4)
    assert scene["names"] == ([] if operator in ("dat", "dat2") else [p.name for p in result.body.points])


@pytest.mark.parametrize("operator", ["dat", "msda"])
def test_the_largest_scene_fits(operator):
    params = replace(SMALL, operator=operator, cells=80, stride=4, noise=1.0)
    assert len(json.dumps(figures.taps_scene(params, answer(params).body))) < 200_000


def test_a_picture_of_noise_fits_too():
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), dtype=np.uint8)
    for params in (replace(SMALL, cells=80, noise=1.0), replace(SMALL, view="stack", source="picture")):
        result = answer(params, image=noise)
        assert len(json.dumps(TAB.view(params).stage(params, result.body))) < 200_000


def test_things_come_with_their_picture_and_photographs_are_loaded_by_the_browser():
    for source, known in (("bent", True), ("picture", False)):
        params = replace(SMALL, view="stack", source=source)
        scene = figures.stack_scene(params, answer(params).body)
        assert (scene["photo"] is not None) == (scene["truth"] is not None) == known


def test_links_carry_everything_and_own_pictures_stay():
    own = replace(SMALL, picture="own-0123456789abcdef", offsets=((0.5, -1.0),) * 9, raw=(0.5,) * 9, at=(0.25, 0.75))
    assert permalink.decode(DeformParams, permalink.encode("deformable", own))[0] == own
    assert "cannot travel" in sources.caveat(TAB, own) and sources.caveat(TAB, SMALL) == ""
    with pytest.raises(ValueError, match="not here"):
        sources.inputs(TAB, "nobody", own)


def test_the_script_of_an_own_picture_reads_a_file():
    text = export.script(TAB, replace(SMALL, picture="own-0123456789abcdef"))
    assert 'images.load("my-picture.png")' in text and "answer(params, image=image)" in text
    assert "images" not in export.script(TAB, SMALL).split("params =")[0]
    compile(text, "script", "exec")
