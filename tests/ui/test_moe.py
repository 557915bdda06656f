"""The MoE tab without a browser: figures, tables, scenes, words, and what must not come through."""

import json
from dataclasses import replace

import numpy as np
import pytest

from backends.moe import answer
from backends.moe.own import together
from backends.moe.params import MAX_TEXT, MOST, MoeParams
from backends.moe.results import Load, Own
from tests.families import written
from tests.ui.words import shown
from ui.core import permalink
from ui.core.language import known
from ui.core.page import Page
from ui.parts import sources
from ui.tabs.moe import TAB, mixtures, offer

SMALL = MoeParams(text="def f(x):\n    return x + 1  # one more\n" * 8, steps=25, alphas=("0", "0.1"))
PAGE = Page(TAB, None, None)


@pytest.fixture(scope="module")
def results():
    """All steps of every view, worked out once."""
    return {view: list(answer.stream(replace(SMALL, view=view))) for view in TAB.views}


@pytest.mark.parametrize("name", TAB.views)
def test_every_step_of_every_view_is_drawn_tabled_and_said(results, name):
    params, view = replace(SMALL, view=name), TAB.views[name]
    for result in results[name]:
        table = view.table(result.body)
        assert table.rows and all(len(row) == len(table.columns) for row in table.rows)
        if view.figure:
            figure = view.figure(result.body)
            assert figure.data and len(figure.to_json()) < 200_000
        if view.stage:
            assert len(json.dumps(view.stage(params, result.body))) < 200_000
    last = results[name][-1]
    assert view.words is None or view.words(params, last.body).endswith(".")
    assert last.finished and all(check.ok for check in last.checks)


def test_views_that_stream_grow_and_the_others_answer_once(results):
    assert {name for name, found in results.items() if len(found) > 1} == {n for n, view in TAB.views.items()
                                                                           if view.streamed}


def test_the_longest_text_stays_within_the_payload():
    params = replace(SMALL, text="é" * (MAX_TEXT // 2))
    scene = TAB.views["text"].stage(params, answer(params).body)
    assert len(json.dumps(scene)) < 200_000 and len(scene["text"]) == MAX_TEXT


def test_widgets_round_trip_and_links_leave_out_long_texts():
    assert PAGE.refused.read("me", PAGE.write(SMALL)) == SMALL
    long = replace(SMALL, text="x" * 3000)
    assert PAGE.portable(SMALL) == SMALL and PAGE.portable(long) == replace(long, text="")
    assert "cannot travel" in sources.caveat(TAB, long) and not sources.caveat(TAB, SMALL)
    assert permalink.decode(MoeParams, permalink.encode("moe", SMALL))[0] == SMALL


@pytest.mark.parametrize(("change", "sentence"), [
    ({"k": 9}, "between 1 and 8"), ({"k": 0}, "between 1 and 8"), ({"view": "plane", "k": 5}, "only 4 experts"),
    ({"factor": 0.0}, "between 0.25"), ({"factor": 5.0}, "between 0.25"), ({"text": "é" * 3000}, "longer than"),
    ({"router": "nope"}, "must be one of"),
    ({"alphas": []}, "at least one"), ({"alphas": ["7"]}, "at least one"),
    ({"prototypes": [[0, 0]]}, "between 2 and 8"),
    ({"prototypes": [[0, 0], [2, 0]]}, "between -1 and 1"), ({"public": "GPT-5"}, "must be one of"),
    ({"context": 0}, "context must lie"),
    ({"site": -1}, "between 0 and 1000"), ({"one": 5000}, "between 0 and 4095"),
    ({"expert": 8}, "between 0 and 7"), ({"steps": 1000}, "between 25 and 400"),
])
def test_what_cannot_be_is_one_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        permalink.make(MoeParams, change)
    assert str(caught.value).count(". ") == 0


@pytest.mark.parametrize("text", ["xy", "\n\n", "é", "\0\0", "<img src=x onerror=alert(1)>"])
def test_short_and_hostile_texts_are_read(text):
    result = answer(replace(SMALL, text=text))
    assert result.body.tokens == len(text.encode()) and all(check.ok for check in result.checks)
    assert "<img" not in json.dumps(TAB.views["text"].table(result.body).rows)


def test_one_byte_is_too_short_and_said_so():
    with pytest.raises(ValueError, match="at least 2 are needed"):
        answer(replace(SMALL, text="x"))


def test_the_mean_load_is_that_of_the_experts_that_are_on():
    body, view = answer(MoeParams(touch="disable", expert=1, layer="2")).body, TAB.views["text"]
    shares = [trace.y[0] for trace in view.figure(body).data if trace.name == "even share"]
    assert shares == [2 * body.tokens / 7, 2 * body.tokens / 8]
    first, second = (max(layer.kept) / share for layer, share in zip(body.layers, shares, strict=True))
    assert f"has {first:.2f} and {second:.2f} times the mean load" in view.words(SMALL, body)
    assert [row[4] for row in view.table(body).rows] == ["no limit", "disabled", *["no limit"] * 14]


CHANGES = ({}, {"change": "disabled"}, {"change": "forced", "site": 4, "one": 7}, {"text": "é" * 900})


@pytest.mark.parametrize("params", [*(MoeParams(view="own", **change) for change in CHANGES), MoeParams(),
                                    MoeParams(text="你好，世界！" * 9), MoeParams(touch="force"),
                                    MoeParams(touch="disable", router="switch", factor=0.5)])
def test_two_views_speak_two_languages(params):
    assert [text for text in shown(TAB, params, list(answer.stream(params))) if text and not known(text)] == []


def test_the_picker_offers_mixtures_of_the_shelf_alone(tmp_path, monkeypatch):
    for name in ("mixtral", "llama"):
        written(tmp_path / name, name)
    monkeypatch.setenv("GLASSBOX_MODELS", str(tmp_path))
    assert [*mixtures()] == ["moe", "moe-free", "folder:mixtral"]
    assert offer(MoeParams(mixture="folder:mixtral"))[0].startswith("mixtral is on this machine: mixtral,")
    assert offer(MoeParams())[0].startswith("Small models of bytes")


def many():
    """What DeepSeek-V3 would show: 58 layers of 256 experts, 8 for each of 512 tokens."""
    random = np.random.default_rng(0)
    chosen = [np.stack([random.choice(256, 8, False) for _ in range(MOST)]) for _ in range(58)]
    counts = [tuple(np.bincount(one.ravel(), minlength=256).tolist()) for one in chosen]
    last = [0.1] * 57 + [None]
    loads = tuple(Load(at, f"model.layers.{at - 1}.mlp", counts[at - 4], 7.9, 8.1, last[at - 4], last[at - 4], one,
                       np.full(one.shape, 0.3, np.float32)) for at, one in enumerate(chosen, 4))
    return Own("deep", "deepseek_v3", "your text", MOST, MOST, 61, 256, 8, loads, 2.0, 11.0, "none", 4, 0, None, 0, 8.0,
               None, (4, 5), together(chosen[0], chosen[1], 256), ("<b>你好 ",) * MOST)


def test_the_largest_model_stays_within_the_payload():
    body, view = many(), TAB.views["own"]
    scene = json.dumps(view.stage(MoeParams(view="own"), body))
    assert len(scene) < 200_000 and len(view.figure(body).to_json()) < 200_000
    assert len(set(json.loads(scene)["colours"])) == 256 and len(view.table(body).rows) == 58 * 256
