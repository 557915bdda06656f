"""The opened box of the Segment tab without a browser: what each view sends, says and hands out."""

import base64
import json
from types import SimpleNamespace as Body
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch
from segment_anything.build_sam import _build_sam

from backends import images
from backends.segment import Segmenter, interact
from backends.segment.inside import NAMES, Asked, inside
from tests.ui.words import shown as texts
from ui.core import permalink
from ui.core.kept import Kept
from ui.core.language import known
from ui.parts.sources import MissingError
from ui.tabs.segment import TAB, answers, box, figures
from ui.tabs.segment.box import BOX, BoxParams
from ui.tabs.segment.state import Params, Step, message_of

STEPS = (Step(point=(250, 200, 1)), Step(point=(60, 60, 0)), Step(box=(100, 100, 400, 400)))
MOST = 200_000


@pytest.fixture(scope="module", params=["tiny", "sam"])
def results(request):
    """Every view of a square picture, of the shipped model and of SAM's decoder with random weights."""
    torch.manual_seed(0)
    segmenter = (Segmenter("tiny") if request.param == "tiny" else
                 Segmenter.of(_build_sam(32, 2, 2, []).requires_grad_(False), "rough", "digest"))
    image, truth = images.sample("scene-a"), images.truth("scene-a")
    given = {"segmenter": segmenter, "image": image, "steps": answers.backend_steps(STEPS), "truth": truth}
    return {name: list(inside.stream(Asked(name), **given)) for name in NAMES}


def test_the_page_names_the_views_of_the_backend():
    assert get_args(box.View) == NAMES == tuple(BOX.views)
    assert get_args(get_type_hints(Params)["inside"]) == ("", *NAMES)


@pytest.mark.parametrize("view", NAMES)
def test_a_view_is_small_has_a_table_and_speaks_two_languages(results, view):
    params, last = BoxParams(view, "scene-a", steps=STEPS), results[view][-1]
    declared = BOX.views[view]
    scene = json.dumps(declared.stage(params, last.body)) if declared.stage else ""
    assert len(scene) <= MOST and declared.table(last.body).rows
    assert declared.words(params, last.body)
    unknown = [text for text in texts(BOX, params, results[view]) if text and not known(text)]
    assert not unknown
    for part in json.loads(scene) if scene.startswith("[") else [json.loads(scene)] if scene else []:
        assert not [m["name"] for m in part.get("maps", ()) if not (known(m["name"]) and known(m["group"]))]


@pytest.mark.parametrize("view", [*figures.MAPS])
def test_the_cells_of_every_map_can_be_taken(results, view):
    body = results[view][-1].body
    for _, name, values, *_ in figures.MAPS[view](body):
        rows = BOX.views[view].part(body, name)
        assert len(rows.rows) == values.shape[0] * values.shape[1]
        r, c, value, *_ = rows.rows[len(rows.rows) // 3]
        assert value == np.atleast_1d(values[r, c])[0]
    with pytest.raises(ValueError, match="no such map"):
        BOX.views[view].part(body, "<b>")


def test_the_bytes_above_the_middle_are_the_mask(results):
    body = results["logits"][-1].body
    scene, _ = figures.cut(BoxParams("logits", steps=STEPS), body)
    levels = np.frombuffer(base64.b64decode(scene["map"]["data"]), np.uint8).reshape(body.full.shape)
    assert np.array_equal(levels > 127, body.on)
    assert body.on.any() and not body.on.all()


def test_packed_numbers_come_back():
    values = np.array([[-4.0, -1e-9, 0.0], [1e-9, 0.5, 4.0]])
    levels = np.frombuffer(base64.b64decode(figures.signed(values)["data"]), np.uint8)
    assert (levels > 127).tolist() == [False, False, False, True, True, True]
    back = np.where(levels > 127, 1, -1) * 4.0 * (np.abs(levels - 127.5) / 127) ** 2
    np.testing.assert_allclose(back, values.ravel(), atol=0.07)
    large = figures.placed("patches", np.zeros((256, 256, 3)), 4, (1024, 1024), figures.colours)
    assert (large["rows"], large["columns"], large["over"]) == (128, 128, [1, 1])
    flat = figures.between(np.full((2, 2), 3.0))
    assert flat["low"] == flat["bound"] == 3.0 and set(base64.b64decode(flat["data"])) == {0}


def test_without_a_click_there_is_a_sentence_and_the_encoder_needs_none():
    with pytest.raises(MissingError, match="Click on the picture"):
        box.inputs(Kept(), BOX, "ann", BoxParams("click"))
    with pytest.raises(MissingError, match="imported or drawn"):
        box.inputs(Kept(), BOX, "ann", BoxParams("click", clicked=False))
    assert known(box.NO_CLICK) and known(box.BY_HAND)
    assert box.inputs(Kept(), BOX, "ann", BoxParams("encoder"))["steps"] == []


def test_the_mask_on_screen_is_the_one_that_the_check_compares_with():
    kept, params = Kept(), Params("scene-b", objects="one:180,160+;220,160-", inside="left")
    things = message_of(params.things)
    answers.reply("ann", params, {"objects": things, "want": [0]}, kept)
    asked = BoxParams("click", "scene-b", steps=params.things[0].steps)
    segmenter = Segmenter("tiny")
    e = segmenter.embed(images.sample("scene-b"))
    mask = interact.replay(segmenter, e, answers.backend_steps(asked.steps), params.smallest).mask
    assert np.array_equal(box.on_screen("ann", asked, kept), mask)
    assert box.on_screen("bob", asked, kept) is None
    assert box.opened("ann", params, kept).checks[0].ok


def test_the_open_view_travels_in_a_link_and_nothing_is_opened_by_default():
    params = Params(objects="a:10,20+", inside="band")
    assert permalink.decode(Params, permalink.encode("segment", params)) == (params, ())
    assert permalink.decode(Params, permalink.encode("segment", Params()) + "&inside=%3Cb%3E")[0] == Params()
    assert box.opened("ann", Params(objects="a:10,20+"), Kept()) is None
    assert TAB.run(Params(objects="a:200,150+")).inside is None


def test_one_mask_is_not_compared_with_itself():
    once = Body(predicted=np.array([[0.7, 0.5]]), true=np.array([[1.0, 0.4]]), known=False)
    twice = Body(predicted=np.array([[0.7, 0.5], [0.9, 0.9]]), true=np.array([[0.6, 0.4], [1.0, 0.0]]), known=False)
    assert "off" not in figures.rating_words(None, once) and "itself" in figures.rating_words(None, once)
    assert "0.10 off" in figures.rating_words(None, twice)
    assert "0.30 off" in figures.rating_words(None, Body(**{**vars(twice), "known": True}))
