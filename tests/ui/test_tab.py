"""What a tab promises: presets hold, scripts and tables follow, prose is there in two languages."""

import base64
import json
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest

from backends.plain import numbers
from tests.ui.toy import GROWING, TEXT, TOY, TOYS
from tests.ui.toy_backend import WaveParams, run
from ui import TABS, explain, export, markup
from ui.figures import scenes, theme
from ui.memo import Memo
from ui.tab import ParamError, Table, View, declared

ALL = (*TABS, *TOYS)
PRESETS = [pytest.param(tab, p, id=f"{tab.slug}-{p.name}") for tab in ALL for p in tab.presets]


@dataclass(frozen=True)
class Measured:
    """A result with a field that is too large for printed numbers, and a timing."""

    a: object
    large: object = field(metadata={"numbers": False})
    milliseconds: float = 0.0


def final(tab, params):
    """The last result of a run."""
    return list(tab.results(params))[-1]


@pytest.mark.parametrize(("tab", "preset"), PRESETS)
def test_each_preset_shows_what_it_promises(tab, preset):
    assert preset.holds(final(tab, preset.params)) is True


@pytest.mark.parametrize("tab", ALL, ids=lambda t: t.slug)
def test_each_tab_has_unique_preset_names_and_defaults_that_run(tab):
    assert len({p.name for p in tab.presets}) == len(tab.presets)
    assert final(tab, tab.opening) is not None


@pytest.mark.parametrize("tab", TABS, ids=lambda t: t.slug)
def test_each_shipped_tab_is_explained_in_english_and_chinese(tab):
    assert explain.prose(tab, "en").body
    chinese = explain.prose(tab, "zh")
    assert chinese.body != explain.prose(tab, "en").body and chinese.question != tab.question


def test_controls_follow_from_types_and_metadata():
    kinds = {p.name: p.control.kind for p in declared(WaveParams)}
    assert kinds == {
        **{"terms": "slider", "damping": "slider", "shape": "radio", "note": "text"},
        **{"flip": "checkbox", "gains": "json", "seed": "slider", "pause": "slider"},
    }
    assert [p.control.label for p in declared(WaveParams)][2] == "Base wave"


def test_a_generator_makes_a_tab_that_streams():
    assert GROWING.streams and not TOY.streams
    assert len(list(GROWING.results(WaveParams(terms=4)))) == 5


def test_prose_may_name_its_title_and_question():
    prose = explain.parse("# 玩具\n\n> 为什么？\n\n正文", "Toy", "Why?")
    assert (prose.title, prose.question, prose.body) == ("玩具", "为什么？", "正文")
    assert explain.parse("Only text", "Toy", "Why?") == explain.Prose("Toy", "Why?", "Only text")
    both = explain.parse("Text, a ## b.\n\n### Look\n\n1. here", "Toy", "Why?")
    assert (both.body, both.look) == ("Text, a ## b.", "### Look\n\n1. here")


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.slug)
def test_each_tab_says_in_two_languages_what_to_look_at(tab):
    english, chinese = (explain.prose(tab, language) for language in ("en", "zh"))
    assert english.body and english.look and chinese.body and chinese.look and chinese.body != english.body


def test_the_numbers_of_a_result_are_plain_json():
    import torch

    result = Measured(torch.tensor([1.5, float("nan")]), torch.ones(9), 3.0)
    assert numbers(result) == {"a": [1.5, "nan"]}
    assert numbers({"x": np.float32(2.0), "y": (True, None, np.arange(2))}) == {"x": 2.0, "y": [True, None, [0, 1]]}
    big = numbers(np.ones((100, 100)))
    assert big == {"shape": [100, 100], "mean": 1.0, "min": 1.0, "max": 1.0}
    json.dumps(numbers(run(WaveParams())), allow_nan=False)


def test_a_script_is_valid_python_for_hostile_texts():
    code = export.script(TOY, WaveParams(note=TEXT))
    compile(code, "script", "exec")
    assert repr(TEXT) in code and "from tests.ui.toy_backend import WaveParams, run" in code


def test_tables_and_checks_escape_every_text():
    html = markup.table(Table(("<i>",), ((TEXT,),)), "<b>")
    html += markup.checks((SimpleNamespace(name="<u>", value=1.0, bound=2, ok=True, text=TEXT),))
    assert "<img" not in html and "<i>" not in html and "<u>" not in html and "<b>&lt;u&gt;</b>" in html


def test_a_table_twin_is_read_off_lines_and_maps():
    figure = theme.figure()
    figure.add_scatter(x=[1, 2], y=[3, 4], name="a")
    assert markup.table_of(View("v", lambda r: figure), None).rows == (("a", 1, 3), ("a", 2, 4))
    grid = theme.figure()
    grid.add_heatmap(z=np.eye(2))
    assert markup.table_of(View("v", lambda r: grid), None) == Table(("y \\ x", "0", "1"), ((0, 1.0, 0.0), (1, 0.0, 1.0)))
    assert markup.csv_of(Table(("a", "b"), ((1, 'say "hi"'),))) == 'a,b\n1,"say ""hi"""\n'


def test_a_scene_keeps_its_scale_in_one_byte_a_cell():
    scene = scenes.matrix([[0.0, 1.0, 2.0], [np.nan, 4.0, 2.0]])
    levels = np.frombuffer(base64.b64decode(scene["data"]), np.uint8)
    assert (scene["rows"], scene["columns"], scene["low"], scene["high"]) == (2, 3, 0.0, 4.0)
    assert levels.tolist() == [0, 64, 128, 0, 255, 128]
    assert [scenes.matrix([[-1.0, 3.0]], signed=True)[k] for k in ("low", "high")] == [-3.0, 3.0]
    assert scenes.matrix([[2.0]])["high"] == 3.0
    with pytest.raises(ValueError, match="rows and columns"):
        scenes.matrix([1.0])


def test_a_scene_without_a_table_is_refused():
    with pytest.raises(ValueError, match="needs a table"):
        View("map", lambda r: {}, kind="scene")


def test_the_memory_of_results_is_bounded_and_runs_once():
    calls = []
    tab = replace(TOY, run=lambda p: calls.append(p) or run(p))
    memo = Memo(entries=2)
    for terms in (1, 1, 2, 3, 3, 1):
        memo.last(tab, WaveParams(terms=terms))
    assert [p.terms for p in calls] == [1, 2, 3, 1]


def test_a_json_field_that_cannot_be_read_is_named():
    from ui.panels import from_widget

    gains = next(p for p in declared(WaveParams) if p.name == "gains")
    assert from_widget(gains, "[1, 2]") == [1, 2]
    with pytest.raises(ParamError, match="Gains must be written as JSON"):
        from_widget(gains, "[1,")


@pytest.mark.parametrize(("typed", "taken"), [(0, 2), (2, 2), (3.5, 3.5), (99, 8), (None, None)])
def test_a_number_typed_beyond_a_slider_s_ends_is_the_end(typed, taken):
    from ui.panels import Slider

    slider = Slider(2, 8, value=4)
    assert slider.preprocess(typed) == taken and slider.get_block_name() == "slider"
