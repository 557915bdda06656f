"""The MoE tab without a browser: figures, tables, scenes, words, and what must not come through."""

import json
from dataclasses import replace

import pytest

from backends.moe import answer
from backends.moe.params import MAX_TEXT, MoeParams
from tests.ui.words import shown
from ui.core import permalink
from ui.core.language import known
from ui.core.page import Page
from ui.parts import sources
from ui.tabs.moe import TAB

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
    assert PAGE.read(*PAGE.write(SMALL)) == SMALL
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


CHANGES = ({}, {"change": "disabled"}, {"change": "forced", "site": 4, "one": 7}, {"text": "é" * 900})


@pytest.mark.parametrize("params", [*(MoeParams(view="own", **change) for change in CHANGES), MoeParams(),
                                    MoeParams(text="你好，世界！" * 9), MoeParams(touch="force"),
                                    MoeParams(touch="disable", router="switch", factor=0.5)])
def test_two_views_speak_two_languages(params):
    assert [text for text in shown(TAB, params, list(answer.stream(params))) if text and not known(text)] == []
