"""What a tab promises: presets hold, declarations fit together, widgets and tables follow."""

import json
import re
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from backends.plain import numbers
from tests.conftest import fetched
from tests.ui.words import shown
from ui import TABS
from ui.core import language, prose
from ui.core.tab import ParamError, Tab, Table, View, declared, pairs
from ui.parts import markup, plots

HEARD = {"said": "wire", "begin": "runs", "change": "changes", "input": "changes"}
"""Events of a built page, and the element that brings the browser what their answers say."""
SLUGS = [tab.slug for tab in TABS]
BUILT = [tab for tab in TABS if tab.page is None]
TEXT = '<img src=x onerror="window.hacked=1"> ${window.hacked=1} {{note}} "quoted" \'single\' 你好\nsecond line'


@dataclass(frozen=True)
class Wave:
    """Parameters of every kind of control."""

    terms: int = field(default=3, metadata={"range": (0, 12), "step": 1})
    damping: float = field(default=0.5, metadata={"range": (0.0, 2.0)})
    shape: str = field(default="sine", metadata={"label": "Base wave", "choices": ("sine", "cosine")})
    note: str = "hello"
    flip: bool = False
    gains: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self):
        if self.terms == 7 and self.flip:
            raise ValueError("Seven harmonics cannot be flipped.")


@dataclass(frozen=True)
class Measured:
    """A result with a field that is too large for printed numbers, and a timing."""

    a: object
    large: object = field(metadata={"numbers": False})
    milliseconds: float = 0.0


@pytest.mark.parametrize("tab", TABS, ids=SLUGS)
def test_each_preset_shows_what_it_promises(tab, answers):
    """Those of a model that is fetched first have tests of their own."""
    here = [preset for preset in tab.presets if not fetched(tab, preset.params)]
    wrong = [preset.name for preset in here if preset.holds(answers(tab.run, preset.params)) is not True]
    assert here and not wrong


@pytest.mark.parametrize("tab", BUILT, ids=lambda tab: tab.slug)
def test_what_each_preset_shows_is_translated(tab, answers):
    here = [preset for preset in tab.presets if not fetched(tab, preset.params)]
    texts = {text for preset in here for text in shown(tab, preset.params, [answers(tab.run, preset.params)])}
    letters = re.compile(r"(\S )*\S")                   # bytes of a text
    assert not [text for text in texts if text and not letters.fullmatch(text) and not language.known(text)]


@pytest.mark.parametrize("tab", TABS, ids=SLUGS)
def test_each_tab_has_unique_preset_names_and_an_opening_that_runs(tab, answers):
    assert len({p.name for p in tab.presets}) == len(tab.presets)
    assert answers(tab.run, tab.opening) is not None


@pytest.mark.parametrize("tab", BUILT, ids=lambda tab: tab.slug)
def test_declarations_name_views_and_parameters_that_exist(tab):
    parts = {s.id for s in tab.sources} | {s.field for s in tab.sources} | {"count"}
    assert tab.chooser in tab.declared or len(tab.views) == 1
    assert not {"bytes", "notice", "stage", "plot", "below", "checks", "table"} & {*tab.declared}, "a part's own id"
    assert {view for views in tab.uses.values() for view in views} <= {*tab.views}
    assert {*tab.needs} <= {*tab.declared} | parts
    for choices in tab.needs.values():
        for name, value in pairs(choices):
            known = tab.views if name == tab.chooser else tab.titles.get(name) or tab.declared[name].control.choices
            assert value.removeprefix("!") in known, (name, value)
    assert all(view.figure or view.stage for view in tab.views.values())


@pytest.mark.parametrize("tab", BUILT, ids=lambda tab: tab.slug)
def test_every_view_is_taught_by_a_preset_or_opens_the_tab(tab):
    shown = {getattr(p.params, tab.chooser) for p in tab.presets} | {getattr(tab.opening, tab.chooser)}
    assert shown == {*tab.views}


def test_only_segment_draws_a_page_of_its_own():
    assert [tab.slug for tab in TABS if tab.page is not None] == ["segment"] * ("segment" in SLUGS)


def test_controls_follow_from_types_and_metadata():
    kinds = {p.name: p.control.kind for p in declared(Wave)}
    assert kinds == {"terms": "slider", "damping": "slider", "shape": "radio", "note": "text", "flip": "checkbox",
                     "gains": "json"}
    assert [p.control.label for p in declared(Wave)][2] == "Base wave"


def test_a_tab_names_only_parameters_that_exist():
    with pytest.raises(ValueError, match="have no"):
        Tab("wave", "Wave", "Why?", Wave, numbers, held=("phase",))


def test_prose_says_first_what_to_look_at_and_keeps_the_texts_of_views():
    text = prose.parse("Body, a ### in it.\n\n### Look\n\n1. here\n\n## first\n\nOf the first.\n\n## second\n\nOf "
                       "the second.\n")
    assert prose.parse("Text.\n\n### Look\n\n1. here").text == "### Look\n\n1. here\n\nText."
    assert text.views == {"first": "Of the first.", "second": "Of the second."}


def test_the_numbers_of_a_result_are_plain_json():
    import torch

    result = Measured(torch.tensor([1.5, float("nan")]), torch.ones(9), 3.0)
    assert numbers(result) == {"a": [1.5, "nan"]}
    assert numbers({"x": np.float32(2.0), "y": (True, None, np.arange(2))}) == {"x": 2.0, "y": [True, None, [0, 1]]}
    big = numbers(np.ones((100, 100)))
    assert big == {"shape": [100, 100], "mean": 1.0, "min": 1.0, "max": 1.0}


def test_tables_and_checks_escape_every_text():
    html = markup.table(Table(("<i>",), ((TEXT,),)), "<b>")
    html += markup.checks((SimpleNamespace(name="<u>", value=1.0, bound=2, ok=True, text=TEXT),))
    assert "<img" not in html and "<i>" not in html and "<u>" not in html and "<b>&lt;u&gt;</b>" in html


def test_rows_leave_as_csv_and_json():
    rows = Table(("a", "b"), ((1, 'say "hi"'), (0.1, "猫")))
    assert markup.csv_of(rows) == 'a,b\n1,"say ""hi"""\n0.1,猫\n'
    assert json.loads(markup.json_of(rows)) == [{"a": 1, "b": 'say "hi"'}, {"a": 0.1, "b": "猫"}]


def test_panels_have_axes_of_their_own_and_stacked_ones_share_theirs():
    figure = plots.panels(1, 2, ("left", "right"), ("up",), ("one", "two"))
    assert figure.layout.xaxis2.title.text == "right"
    assert figure.layout.yaxis.title.text == "up" and len(figure.layout.annotations) == 2
    stacked = plots.stacked("n", ("a", "b"), (1, 2, 4), log_y=(True, False))
    plots.line(stacked, (1, 2), (3.0, None), "x", 0, 1)
    assert stacked.layout.xaxis.matches == "x2" and stacked.layout.yaxis.type == "log" and stacked.data[0].yaxis == "y2"


def test_a_view_needs_rows():
    with pytest.raises(TypeError):
        View("without a table")


@pytest.mark.parametrize(("typed", "taken"), [(0, 2), (2, 2), (3.5, 3.5), (99, 8), (None, None)])
def test_a_number_typed_beyond_a_slider_s_ends_is_the_end(typed, taken):
    from ui.parts.widgets import Slider

    slider = Slider(2, 8, value=4)
    assert slider.preprocess(typed) == taken and slider.get_block_name() == "slider"


def test_a_json_field_that_cannot_be_read_is_named():
    from ui.parts.widgets import from_widget

    tab = Tab("wave", "Wave", "Why?", Wave, numbers)
    assert from_widget(tab, tab.declared["gains"], "[1, 2]") == [1, 2]
    with pytest.raises(ParamError, match="Gains must be written as JSON"):
        from_widget(tab, tab.declared["gains"], "[1,")


def test_a_text_that_tells_what_the_server_wrote_is_no_change(monkeypatch):
    import gradio as gr

    from backends.deform.params import DeformParams
    from ui.core.frame import Frame
    from ui.core.page import draw

    tab = next(t for t in TABS if t.slug == "deformable")
    with gr.Blocks():
        page = draw(tab, Frame())
    text, names = page.parts.widgets["at"], tab.declared
    first, second = (page.written("me", DeformParams(at=at), names) for at in ((0.1, 0.2), (0.3, 0.4)))
    half = [first[i] if name == "at" else second[i] for i, name in enumerate(names)]
    assert not page.echoes("you", text, tuple(half))
    assert page.echoes("me", text, tuple(half)) and page.echoes("me", text, tuple(second))
    assert not page.echoes("me", text, tuple(second))        # told once; from now on a hand has typed it
    page.written("me", DeformParams(at=(0.1, 0.2)), names)
    assert not page.echoes("me", text, tuple(second)) and not page.echoes("me", text, tuple(first))
    moved = page.written("me", DeformParams(turn=30.0), names)
    assert not page.echoes("me", page.parts.widgets["turn"], tuple(moved))  # a slider's input is always a hand's
    monkeypatch.setattr("ui.core.echoes.LATE", 0)
    assert not page.echoes("me", text, tuple(moved))                            # long ago


@pytest.mark.parametrize("tab", BUILT, ids=lambda tab: tab.slug)
def test_answers_that_can_come_at_once_reach_the_browser_through_different_elements(tab, config):
    """One element holds one value: of a message's answer and a change's in one, the browser would see the last."""
    places = {one["id"]: one["props"].get("elem_id") for one in config["components"]}
    seen = {event: places[dependency["outputs"][-1]] for dependency in config["dependencies"]
            if dependency["outputs"] for target, event in dependency["targets"]
            if (places.get(target) or "").startswith(f"{tab.slug}-") and event in HEARD}
    assert {"said", "begin"} < seen.keys()
    assert seen == {event: f"{tab.slug}-{HEARD[event]}" for event in seen}


def test_what_a_logarithmic_axis_cannot_show_is_marked_at_its_edge():
    figure = plots.stacked("n", ("a", "b"), (1, 2, 4), log_y=(True, False))
    plots.line(figure, (1, 2, 4), (0.0, 3e-3, None), "x", 0)
    plots.line(figure, (1, 2, 4), (0.0, 1.0, 2.0), "y", 1, 1)
    plots.grounded(figure)
    line, linear, marks = figure.data
    assert line.y == (None, 3e-3, None) and linear.y == (0.0, 1.0, 2.0)
    assert marks.x == (1.0,) and marks.y == (1e-3,) and marks.name == plots.ZERO and language.known(marks.name)
    dead = plots.stacked("n", ("a",), (1, 2), log_y=(True,))
    plots.line(dead, (1, 2), (0.0, 1e-14), "x", 0)
    plots.grounded(dead, 1e-12)
    assert dead.data[1].y == (1e-12, 1e-12) and "1e-12" in dead.data[1].name and language.known(dead.data[1].name)


def test_numbers_of_an_axis_do_not_touch_on_a_phone():
    assert plots.spaced((0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4), log=False)["ticktext"] == [
        "0.25", "", "", "1", "", "1.5", "2", "3", "4"]
    assert plots.spaced((128, 256, 512, 1024))["ticktext"] == ["128", "256", "512", "1024"]
    assert plots.spaced(())["ticktext"] == []
