"""A browser that is behind with what it was sent still gets the figure: gradio's client writes each difference into the
objects that components were given."""

from types import SimpleNamespace

import gradio as gr
import plotly.graph_objects as go
import pytest
from gradio.utils import diff

from backends.attention.params import AttentionParams
from tests.conftest import played
from tests.ui.conftest import asked
from ui.core.again import again
from ui.core.frame import Frame
from ui.core.page import Page
from ui.tabs.attention import TAB


@pytest.fixture
def page():
    """The page of Attention, not drawn."""
    stage = SimpleNamespace(GRADIO_CACHE="")
    return Page(TAB, Frame(), SimpleNamespace(widgets=TAB.declared, shown=[None] * 6, stage=stage))


def sent(value):
    """As it travels."""
    return {"type": "plotly", "plot": value.to_json()} if isinstance(value, go.Figure) else value


def behind(answers):
    """What a component finds that looks at all answers only after the last: those of one output, as the client keeps
    them."""
    base, seen = dict(answers[0]), []
    before, seen = answers[0], [base]
    for now in answers[1:]:
        for what, path, value in diff(before, now):
            if not path:
                base = value
            elif what == "delete":
                del base[path[-1]]
            else:
                base[path[-1]] = base[path[-1]] + value if what == "append" else value
        before = now
        seen.append(base)
    return seen


def run(page, params):
    async def collect():
        request = SimpleNamespace(session_hash="ann", client=None)
        return [out async for out in page.begin(request, *page.write(params))]

    return played(collect())


def test_a_late_browser_finds_the_last_figure_of_a_run(page):
    answers = run(page, AttentionParams(lesson="cost", kinds=("softmax", "elu1"), text="a cat"))
    plots = [sent(out[len(TAB.declared) + 2]) for out in answers]
    assert plots[0] == gr.skip() and answers[-1][-1] == {"running": False, "place": None}
    assert behind(plots)[-1] == plots[-1] and plots[-1]["type"] == "plotly" and plots[-1]["plot"].count("elu + 1") == 1
    assert behind([*plots, gr.skip()])[-2] == gr.skip()         # the client is as it is described


def test_a_run_that_was_left_for_an_instant_view_draws_nothing_more(page):
    left = AttentionParams(lesson="cost", kinds=("softmax", "elu1"), text="a cat")
    instant = AttentionParams(lesson="mask")
    request = SimpleNamespace(session_hash="ann", client=None)

    async def collect():
        going = page.begin(request, *page.write(left))
        before = [await anext(going), await anext(going)]
        there = [out async for out in page.answered(request, instant)]
        return before, there, [out async for out in going]

    before, there, after = played(collect())
    shown = slice(len(TAB.declared), len(TAB.declared) + 6)
    assert before[-1][-1]["running"] and there and any(value != gr.skip() for value in there[-1][shown])
    assert [out[shown] for out in after] == [[gr.skip()] * 6] and after[-1][-1] == {"running": False, "place": None}
    assert page.frame.kept.get("ann", TAB.slug).params == instant


@pytest.mark.parametrize("before", [None, [{"turn": 1}, "words", go.Figure()]])
def test_what_is_left_alone_is_given_again(before):
    now = [gr.skip(), "new", gr.skip()]
    assert again(before, now) == ([before[0], "new", before[2]] if before else now)


@pytest.mark.parametrize("message", [
    {"kind": "preset", "index": 0}, {"kind": "open", "link": "?tab=attention&source=synthetic&n=8"},
    {"kind": "set", "values": {"n": 8}}, {"kind": "note", "values": {"step": 3}}])
def test_no_event_ends_with_values_of_widgets_that_a_hand_may_have_moved_since(page, message):
    first, last = asked(page, message, AttentionParams(source="synthetic", n=12))
    values = slice(len(TAB.declared))
    assert any(value != gr.skip() for value in first[values]) and last[values] == page.out()[values]
    assert last[values.stop:] == first[values.stop:]


def test_a_preset_that_has_to_wait_for_its_run_leaves_nothing_of_the_view_before(page):
    long = next(at for at, one in enumerate(TAB.presets) if TAB.view(one.params).plan(one.params)["streamed"])

    async def instant():
        return [out async for out in page.answered(SimpleNamespace(session_hash="ann"), AttentionParams(lesson="mask"))]

    there, kept = played(instant()), page.frame.kept.get("ann", TAB.slug)
    first, last = asked(page, {"kind": "preset", "index": long}, AttentionParams())
    shown = slice(len(TAB.declared), len(TAB.declared) + 6)
    assert kept and any(there[-1][shown]) and first[-1]["begin"] and page.frame.kept.get("ann", TAB.slug) is None
    assert first[shown] == last[shown] == ["", {"turn": 5, "scenes": []}, None, "", "", ""]


def test_a_link_that_cannot_be_shown_stands_in_the_widgets_with_its_sentence(page):
    said, last = asked(page, {"kind": "open", "link": "?tab=attention&text="}, AttentionParams())
    assert said[list(TAB.declared).index("text")] == "" and "The text is empty" in said[len(TAB.declared)]
    assert last[-1]["turn"] == 5 and last[: len(TAB.declared)] == page.out()[: len(TAB.declared)]
