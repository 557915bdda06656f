"""The Attention tab's views of whole models, without a browser; its presets on SmolLM2."""

import base64
import json
from collections import deque
from dataclasses import replace

import numpy as np
import pytest
import torch

from backends import smollm
from backends.attention import answer
from backends.attention.params import AttentionParams
from backends.attention.results import Sheet
from backends.attention.sheet import SIDE, side
from tests.conftest import fetched
from tests.ui.words import shown
from ui.core import permalink
from ui.core.language import known
from ui.parts import sources
from ui.tabs.attention import TAB, figures, scenes

HEADS = AttentionParams(lesson="heads")
COST = AttentionParams(lesson="cost", kinds=("softmax", "elu1", "longformer", "linformer"))
REAL = [preset for preset in TAB.presets if fetched(TAB, preset.params)]


def broken(result):
    """The same result with other numbers, of which no promise should hold."""
    body = result.body
    if hasattr(body, "first"):
        return replace(result, body=replace(body, first=0 * body.first, induction=body.baseline))
    if hasattr(body, "prices"):
        return replace(result, body=replace(body, own=replace(body.own, loss=0.0)))
    cards = tuple(replace(card, metrics={**card.metrics, "sink": 0.5}) for card in body.cards)
    return replace(result, body=replace(body, cards=cards))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("preset", REAL, ids=lambda preset: preset.name)
def test_a_preset_on_a_real_model_shows_what_it_promises_and_could_fail(preset, smollm_home):
    result = deque(TAB.run.stream(preset.params), 1)[0]
    assert preset.holds(result) is True and not preset.holds(broken(result))
    assert all(check.ok for check in result.checks) and result.checks


def test_presets_name_the_model_and_the_model_names_no_other_preset():
    assert len(REAL) == 5 and all(preset.params.source == "model" for preset in REAL)
    assert "bytes" not in TAB.titles["model"] and smollm.ID in TAB.titles["model"]


@pytest.mark.parametrize(("layers", "heads", "cells"), [(30, 9, 24), (32, 32, 11), (80, 64, 5)])
def test_a_sheet_of_any_model_travels_in_200_kilobytes(layers, heads, cells):
    random = np.random.default_rng(0)
    maps = np.tril(random.integers(0, 256, (layers, heads, cells, cells), np.uint8))
    scores = [torch.tensor(random.random((layers, heads))) for _ in range(6)]
    body = Sheet("m", "token", 512, torch.tensor(maps), *scores[:4], 64, *scores[4:])
    scene = scenes.heads(HEADS, body)
    assert len(json.dumps(scene)) <= 200_000 and scene["side"] == cells <= SIDE
    levels = np.frombuffer(base64.b64decode(scene["maps"]), np.uint8).reshape(layers, heads, -1)
    back = np.zeros_like(maps)
    back[:, :, *np.tril_indices(cells)] = levels
    assert np.array_equal(back, maps)
    packed = scene["scores"]["induction"]
    found = packed["bound"] * np.frombuffer(base64.b64decode(packed["data"]), "<u2") / 65535
    assert np.abs(found.reshape(layers, heads) - body.induction.numpy()).max() < 1e-4


def test_the_cells_of_a_sheet_follow_the_size_of_the_model():
    from types import SimpleNamespace

    sizes = [side(SimpleNamespace(layers=a, heads=b), 512) for a, b in ((4, 4), (30, 9), (32, 32), (80, 64))]
    assert sizes == [24, 23, 12, 5]


def test_the_sheet_grows_and_its_table_has_every_score_of_every_head():
    early, last = answer.stream(HEADS)
    assert "induction" not in scenes.heads(HEADS, early.body)["scores"]
    scene = scenes.heads(replace(HEADS, layer=3, head=2), last.body)
    assert (scene["layer"], scene["head"], scene["source"], scene["layers"], scene["heads"]) == (3, 2, "text", 4, 4)
    table = TAB.views["heads"].table(last.body)
    assert len(table.rows) == 16 and table.columns[:3] == ("layer", "head", "on the first token")
    assert table.rows[6][:2] == (2, 3) and table.rows[6][3] == pytest.approx(float(last.body.previous[1, 2]))


def test_the_cost_is_a_bar_for_each_kind_and_grows():
    results = list(answer.stream(COST))
    assert [len(figures.cost(result.body).data[0].y) for result in results] == [1, 2, 3, 4]
    bars = figures.cost(results[-1].body).data[0]
    assert bars.y[0] == "The model as it is" and bars.x[1] < bars.x[2]
    assert bars.x[1] == pytest.approx(bars.x[0], abs=1e-4)
    assert TAB.views["cost"].table(results[-1].body).rows[2][2] == pytest.approx(bars.x[2] - bars.x[0])


@pytest.mark.parametrize("params", [HEADS, COST, AttentionParams(kinds=("softmax",))], ids=lambda p: p.lesson)
def test_every_visible_text_of_a_model_is_in_the_catalogue(params):
    unknown = {text for text in shown(TAB, params, list(answer.stream(params))) if not known(text)}
    assert {text for text in unknown if len(text) > 1} == set()


def test_a_model_that_is_not_here_is_said_in_place_beside_its_offer(tmp_path, monkeypatch):
    monkeypatch.setattr(smollm, "folder", lambda: tmp_path / "none")
    from backends import models

    models.shelf.cache_clear()
    params = AttentionParams(source="model")
    with pytest.raises(sources.MissingError) as missing:
        sources.inputs(TAB, "me", params)
    assert "not on this machine yet; please download it first. SmolLM2" in str(missing.value)
    assert known(str(missing.value)) and sources.offers(TAB, params) == {"0": (smollm.OFFER, True)}
    assert sources.inputs(TAB, "me", AttentionParams()) == {} == sources.offers(TAB, AttentionParams())


def test_layers_and_heads_of_large_models_survive_the_link():
    params = AttentionParams(source="model", model="hub:me/large", layer=126, head=128, scope="layer", lesson="cost")
    assert permalink.decode(AttentionParams, permalink.encode("attention", params)) == (params, ())
    with pytest.raises(ValueError, match="between 1 and 128"):
        AttentionParams(layer=129)
