"""A value that cannot be used stays in its box with its sentence; everything else goes by the one accepted before."""

from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest

from tests.conftest import played
from tests.ui.test_tab import Wave
from ui import TABS
from ui.core import language, permalink
from ui.core.frame import Frame
from ui.core.page import Page
from ui.core.refused import Refused
from ui.core.tab import Tab
from ui.parts.widgets import to_widget

BUILT = [tab for tab in TABS if tab.page is None]
BAD = {"slider": None, "number": None, "json": "[x,"}


def widgets(tab, params, **changed):
    values = {p.name: to_widget(tab, p, getattr(params, p.name)) for p in tab.declared.values()}
    return list((values | changed).values())


def tried(refused, given, hand):
    """The parameters of the first attempt that fits together, as the page takes them."""
    for make in refused.attempts("me", given, hand):
        try:
            params = make()
        except ValueError as error:
            why = str(error)
            continue
        refused.took("me", params)
        return params
    refused.refuse("me", given, hand, why)
    return None


@pytest.mark.parametrize("tab", BUILT, ids=lambda tab: tab.slug)
def test_every_box_may_hold_what_cannot_be_used_and_nothing_else_is_lost(tab):
    for name, param in tab.declared.items():
        if param.control.kind not in BAD or name in tab.held or name in tab.titles:
            continue
        refused = Refused(tab)
        given = widgets(tab, tab.opening, **{name: BAD[param.control.kind]})
        assert tried(refused, given, name) == tab.opening == refused.read("me", given), name
        [(marked, sentence)] = refused.sentences("me").items()
        assert marked == name and language.known(sentence), sentence
        assert tried(refused, widgets(tab, tab.opening), name) == tab.opening and not refused.names("me")


def test_what_does_not_fit_together_is_tried_again_with_every_change():
    tab = Tab("wave", "Wave", "Why?", Wave, run=None)
    refused = Refused(tab)
    assert tried(refused, widgets(tab, Wave(), flip=True), "flip") == Wave(flip=True)
    given = widgets(tab, Wave(flip=True), terms=7)
    assert tried(refused, given, "terms") is None and refused.read("me", given) == Wave(flip=True)
    assert refused.sentences("me") == {"terms": "Seven harmonics cannot be flipped. Still in use: 3."}
    assert tried(refused, widgets(tab, Wave(flip=True), terms=7, note="x"), "note") == Wave(flip=True, note="x")
    assert [*refused.names("me")] == ["terms"]                  # another setting moves on; the box waits
    assert tried(refused, widgets(tab, Wave(note="x"), terms=7), "flip") == Wave(terms=7, note="x")
    assert not refused.names("me") and not refused.names("you")
    refused.drop("me")
    assert refused.last("me") == Wave()


def test_what_the_server_writes_is_not_refused():
    tab = Tab("wave", "Wave", "Why?", Wave, run=None)
    refused = Refused(tab)
    refused.read("me", widgets(tab, Wave(), gains="[1,"))
    refused.took("me", Wave(terms=4))
    assert refused.sentences("me") == {"gains": "Gains must be written as JSON, for example [1, 2]."}
    refused.took("me", Wave(terms=4), ["gains"])
    assert not refused.names("me")


def test_a_text_that_the_mechanism_refuses_is_marked_and_the_link_keeps_the_old_one(monkeypatch):
    tab = next(t for t in TABS if t.slug == "attention")
    page = Page(tab, Frame(), SimpleNamespace(widgets={name: gr.State() for name in tab.declared}, shown=[None] * 6,
                                            stage=SimpleNamespace(GRADIO_CACHE="")))
    said = []
    monkeypatch.setattr("ui.core.page.warn", said.append)
    monkeypatch.setattr(page.wrote, "tells", lambda *args: False)
    request = SimpleNamespace(session_hash="me", client=None)
    start = replace(tab.opening, kinds=("softmax",), text="a cat")

    def told(params, **changed):
        [hand] = changed or ["text"]
        event = SimpleNamespace(target=SimpleNamespace(elem_id=f"attention-{hand}"))

        async def collect():
            return [out[-1] async for out in page.changed(request, event, *widgets(tab, params, **changed))]

        return played(collect())

    first = told(start)
    for answer in first:            # of two in one flush the browser sees the last, so each says all
        assert answer["link"] == permalink.encode("attention", start) and answer["refused"] == {} and "view" in answer
    assert first and told(start, text="") == [{"refused": {"text": said[0]}}] and "empty" in said[0]
    moved = told(replace(start, text=""), head=3)
    for answer in moved:
        assert "text=a+cat" in answer["link"] and "head=3" in answer["link"] and answer["refused"] == {"text": said[0]}
    assert len(said) == 1 and moved
    [*_, last] = told(replace(start, head=3, text="a dog"))
    assert last["refused"] == {} and "text=a+dog" in last["link"]
