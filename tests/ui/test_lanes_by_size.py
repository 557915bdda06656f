"""A view of a real model is instant or a long run by what it still has to work out."""

from dataclasses import replace

import pytest

from backends import pace
from backends.attention import answer
from backends.attention.params import AttentionParams
from ui.core.language import known
from ui.tabs.attention import CARDS, TAB


@pytest.fixture
def params(shelved):
    return AttentionParams(source="model", model=shelved("small"), text="a cat sat on a mat", kinds=("softmax",),
                           lesson="heads")


def plan(params):
    return TAB.views[params.lesson].plan(params)


@pytest.mark.parametrize("lesson", ["heads", "none"])
def test_a_slow_model_is_a_long_run_that_says_its_time_and_a_quick_one_is_instant(params, lesson, monkeypatch):
    params = replace(params, lesson=lesson)
    monkeypatch.setattr(pace, "speeds", lambda: (1e12, 1e12))
    assert plan(params) == {"streamed": False, "forecast": ""}
    monkeypatch.setattr(pace, "speeds", lambda: (1e4, 1e4))
    slow = plan(params)
    assert slow["streamed"] and slow["forecast"].startswith("About ") and known(slow["forecast"])
    assert not plan(replace(params, source="text"))["streamed"]
    assert not plan(replace(params, model="folder:none"))["streamed"]        # a sentence says so at once


def test_q_k_v_that_are_kept_answer_at_once_whatever_the_model(params, monkeypatch):
    monkeypatch.setattr(pace, "speeds", lambda: (1e4, 1e4))
    params = replace(params, lesson="none")
    assert plan(params)["streamed"]
    answer(params)
    assert not plan(replace(params, norm=2.0))["streamed"] and plan(replace(params, text="another text"))["streamed"]
    assert plan(replace(params, lesson="heads"))["streamed"]


def test_each_view_of_a_model_may_be_a_long_run_and_those_of_the_small_one_are_what_they_were():
    small = {name: view.plan(AttentionParams(lesson=name))["streamed"] for name, view in TAB.views.items()}
    assert [name for name, long in small.items() if long] == ["cost", "bracket"]
    assert all(callable(TAB.views[name].streamed) for name in CARDS if name != "bracket")
