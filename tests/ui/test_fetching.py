"""A preset whose model is not here yet says so, offers it in place, and what is long waits for Run."""

from types import SimpleNamespace

import gradio as gr
import pytest

from backends import smollm
from tests.conftest import fetched, played
from ui import TABS
from ui.core import language
from ui.core.frame import Frame
from ui.core.messages import ACTS, Said
from ui.core.page import Page
from ui.parts import sources

ROPE = next(tab for tab in TABS if tab.slug == "rope")
LIVE = next(p.params for p in ROPE.presets if p.params.view == "live" and fetched(ROPE, p.params))
REQUEST = SimpleNamespace(session_hash="me", client=None)


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine without the model."""
    monkeypatch.setattr(smollm, "folder", lambda: tmp_path / smollm.ID)
    from backends import models

    for cached in (models.offered, models.shelf):
        getattr(cached, "cache_clear", lambda: None)()
    yield tmp_path / smollm.ID
    for cached in (models.offered, models.shelf):
        getattr(cached, "cache_clear", lambda: None)()


@pytest.fixture
def page():
    return Page(ROPE, Frame(), SimpleNamespace(widgets={name: gr.State() for name in ROPE.declared}, shown=[None] * 6))


def test_presets_of_a_model_that_is_not_here_are_named_and_the_others_are_not(bare):
    for tab in TABS:
        wanted = {str(k) for k, preset in enumerate(tab.presets) if fetched(tab, preset.params)}
        lacking = sources.lacking(tab)
        assert lacking.keys() == wanted and all("93 MB" in said and language.known(said) for said in lacking.values())


def test_where_the_model_is_missed_a_button_fetches_it(bare, page):
    [[said, *_]] = page.steps("me", LIVE, 1)
    assert "is not on this machine yet" in said and 'id="rope-here"' in said and "&quot;fetch&quot;" in said


def test_after_the_download_a_long_run_waits_for_its_button(page, monkeypatch):
    monkeypatch.setattr(sources, "fetched", lambda *args: iter(["93 of 93 MB", "The model is on this machine now."]))
    monkeypatch.setattr(sources, "offers", lambda tab, params: {"0": ("Here.", False)})
    monkeypatch.setattr(sources, "lacking", lambda tab: {})
    said = Said(page, REQUEST, {"kind": "fetch", "source": 0, "turn": 4}, tuple(page.write(LIVE)))

    async def collect():
        return [out async for out in ACTS["fetch"](said)]

    answers = played(collect())
    told = [out[-1] for out in answers]
    assert told[0] == {"running": True} and told[1]["held"] == {"0": "93 of 93 MB"}
    assert told[-1]["streamed"] and told[-1]["running"] is False and not any("begin" in one for one in told)
    assert "Press Run to begin." in answers[-1][len(ROPE.declared)] and language.known("Press Run to begin.")
