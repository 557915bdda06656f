"""The Deformable tab without a browser: scenes, figures, tables, links, the script of an own picture."""

import json
from base64 import b64decode
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from backends.deform import stream
from backends.deform.params import OPERATORS, DeformParams
from backends.plain import numbers
from ui import permalink
from ui.deformable import LAB, TAB
from ui.figures import deformable

SMALL = DeformParams(samples=10, steps=10)
RESULTS = {view: list(stream(replace(SMALL, view=view))) for view in LAB.views}


@pytest.mark.parametrize("view", LAB.views)
def test_every_step_of_every_view_is_drawn_tabled_and_checked(view):
    params = replace(SMALL, view=view)
    for result in RESULTS[view]:
        table = deformable.TABLES[view](result.body)
        assert table.rows and all(len(row) == len(table.columns) for row in table.rows) and len(set(table.columns)) == len(table.columns)
        assert view in deformable.FIGURES or view in deformable.SCENES
        if view in deformable.FIGURES:
            assert len(deformable.FIGURES[view](result.body).to_json()) < 200_000
        if view in deformable.SCENES:
            assert len(json.dumps(deformable.SCENES[view](params, result.body))) < 200_000
    last = RESULTS[view][-1]
    assert last.finished and all(check.ok for check in last.checks)
    assert len(json.dumps(numbers(last))) < 200_000


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_browser_has_what_it_needs_to_add_up(operator):
    params = replace(SMALL, operator=operator, cells=24, raw=(1.0,) * 9, noise=1.0)
    *_, result = stream(params)
    scene = deformable.taps_scene(params, result.body)
    rgb = np.frombuffer(b64decode(scene["map"]), np.uint8)
    assert rgb.size == 3 * scene["rows"] * scene["columns"] and len(scene["raw"]) == 9
    points = np.frombuffer(b64decode(scene["packed"]), "<f4").reshape(-1, 10)
    assert points[:, 4] @ points[:, 6:9] == pytest.approx(scene["output"], abs=2e-3)
    assert points[:, :2] == pytest.approx(np.array([p.at for p in result.body.points]), abs=1e-4)
    assert scene["names"] == ([] if operator == "dat" else [p.name for p in result.body.points])
    photo = Image.open(BytesIO(b64decode(scene["photo"].split(",")[1])))
    assert photo.size == (600, 400) and scene["photo"].startswith("data:image/jpeg")
    assert deformable.taps_words(params, result.body).endswith(".")


def test_the_largest_scene_fits():
    for operator in ("dat", "msda"):
        params = replace(SMALL, operator=operator, cells=80, stride=4, noise=1.0)
        *_, result = stream(params)
        assert len(json.dumps(deformable.taps_scene(params, result.body))) < 200_000


def test_a_picture_of_noise_fits_too():
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), dtype=np.uint8)
    for params in (replace(SMALL, cells=80, noise=1.0), replace(SMALL, view="stack", source="picture")):
        *_, result = stream(params, noise)
        assert len(json.dumps(deformable.SCENES[params.view](params, result.body))) < 200_000


def test_widgets_round_trip_and_own_pictures_stay():
    own = replace(SMALL, picture="own-0123456789abcdef", offsets=((0.5, -1.0),) * 9, raw=(0.5,) * 9, at=(0.25, 0.75))
    assert LAB.read(*LAB.write(own)) == own
    assert permalink.decode(DeformParams, permalink.encode("deformable", own))[0] == own
    assert "cannot travel" in TAB.caveat(own) and TAB.caveat(SMALL) == ""
    with pytest.raises(ValueError, match="not here"):
        next(LAB.results("nobody", own))


def test_the_script_of_an_own_picture_reads_a_file(tmp_path, monkeypatch):
    text = TAB.snippet(replace(SMALL, picture="own-0123456789abcdef"))
    assert 'images.load("my-picture.png")' in text and "answer(params, image)" in text
    assert "images" not in TAB.snippet(SMALL).split("params =")[0]
    compile(text, "script", "exec")
