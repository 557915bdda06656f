"""The Scale tab in Chromium: the dial answers, training streams and stops, links, phones."""

import pytest

from backends.scale.params import ScaleParams
from tests.browser.board import PHONE, narrow


@pytest.fixture
def start(open_tab):
    """Open the tab with settings; the page comes back when a figure is on screen."""

    def opened(params, **context):
        page = open_tab("scale", params, **context)
        page.wait_for_selector("#scale-plot .js-plotly-plot .main-svg")
        return page

    return opened


def said(page, words):
    """Wait until the notice says ``words``."""
    page.wait_for_function("(words) => document.querySelector('#scale-notice')?.innerText.includes(words)", arg=words)


def test_the_dial_answers_a_moved_exponent(start):
    page = start(ScaleParams())
    said(page, "saturated")
    before = page.inner_text("#scale-notice")
    box = page.locator("#scale-exponent input[type=number]")
    box.fill("0.5")
    box.press("Enter")
    said(page, " 0.0 % of the rows")
    assert page.inner_text("#scale-notice") != before and not page.locator("#scale-going").is_visible()


def test_a_number_beyond_its_slider_is_said_until_another_is_typed(start):
    page = start(ScaleParams())
    box = page.locator("#scale-d input[type=number]")
    box.fill("99999")
    box.press("Tab")
    page.wait_for_selector("#scale-d .gb-beyond >> text=99999 is beyond the slider's end: 1024 is in use.")
    said(page, "saturated")
    assert box.input_value() == "1024"
    page.evaluate("() => new Promise((done) => { setTimeout(done, 900); })")       # longer than a pause in typing
    assert page.locator("#scale-d .gb-beyond").count() == 1
    box.fill("64")
    assert not page.locator("#scale-d .gb-beyond").count()
    box.fill("2000")                                     # said without leaving the box, too
    page.wait_for_selector("#scale-d .gb-beyond >> text=2000 is beyond")


def test_training_streams_and_what_is_there_stays_when_stopped(start):
    page = start(ScaleParams(view="training", steps=200))
    said(page, "Loss below 1 nat")
    page.click("#scale-stop")
    page.wait_for_selector("#scale-going[data-running=false]")
    assert "1/sqrt(d)" in page.inner_text("#scale-notice") and page.locator("#scale-checks .gb-checks").count() == 0


def test_settings_of_other_views_are_hidden_and_a_link_restores(start):
    page = start(ScaleParams(view="depth", norm="deepnorm", layers=8))
    assert page.locator("#scale-view input[value=depth]").is_checked()
    said(page, "From layer 0 to 8")
    assert page.locator("#scale-layers").is_visible() and not page.locator("#scale-exponent").is_visible()


def test_a_phone_needs_no_sideways_scrolling(start):
    page = start(ScaleParams(view="dial"), viewport=PHONE)
    narrow(page, "scale", "dial", "depth", "truncated")
