"""The frame in Chromium, driven with the toy tabs: links, copying, presets, long runs, hostile text, colours, languages."""

import json
import os
import re
import subprocess
import sys

import pytest

from backends.plain import numbers
from tests.browser.conftest import Guard
from tests.conftest import ROOT, free_port, serving
from tests.ui.toy import TEXT
from tests.ui.toy_backend import WaveParams, run
from ui import permalink

PHONE = {"width": 390, "height": 844}
STATE = WaveParams(terms=0, damping=1.25, shape="cosine", note=TEXT, flip=True, gains=(0.0, -2.0), seed=0)


def linked(url, params, slug="toy"):
    """The address of a toy state."""
    return f"{url}?{permalink.encode(slug, params)}"


def energy(page, slug="toy"):
    """The energy in the table of facts, once it is painted."""
    cell = page.locator(f"#{slug}-figure-1-table td").nth(1)
    cell.wait_for()
    return cell.inner_text()


def settled(page, part):
    """Wait until the address bar holds ``part``."""
    page.wait_for_function("part => location.search.includes(part)", arg=part)


def shared(page, kind):
    """Press a copy button and return the text of the dialog."""
    page.click(f"#toy-{kind}")
    page.wait_for_function("() => { const n = document.querySelector('#gb-share-note'); return n && n.textContent; }")
    text = page.input_value("#gb-share-text")
    page.click("#gb-share-close")
    return text


def test_the_first_tab_computes_by_itself(toy_page):
    assert energy(toy_page) == f"{run(WaveParams()).energy:.4g}"
    toy_page.wait_for_selector("#toy-figure-0 .main-svg")
    assert "mean is zero" in toy_page.inner_text("#toy-checks")


def test_a_control_recomputes_and_the_address_follows(toy_page):
    energy(toy_page)
    toy_page.fill("#toy-terms input[type=number]", "9")
    toy_page.keyboard.press("Tab")
    settled(toy_page, "terms=9")
    assert energy(toy_page) == f"{run(WaveParams(terms=9)).energy:.4g}"


def test_a_link_restores_the_state_in_a_fresh_browser_and_on_another_server(open_page, toy_url, tmp_path):
    expected = f"{run(STATE).energy:.4g}"
    first = open_page(linked(toy_url, STATE))
    assert energy(first) == expected
    link = shared(first, "link")
    assert permalink.decode(WaveParams, link.partition("?")[2]) == (STATE, ())
    second = open_page(link)
    assert energy(second) == expected and second.input_value("#toy-note textarea") == TEXT
    with serving(["-m", "tests.ui.toy"], tmp_path, free_port()) as other:
        assert energy(open_page(linked(other, STATE))) == expected


def test_hostile_text_is_shown_as_text_and_never_runs(open_page, toy_url):
    page = open_page(linked(toy_url, STATE))
    energy(page)
    assert page.locator("#toy-figure-1-table td").first.inner_text() == TEXT
    assert page.evaluate("window.hacked") is None and page.locator("#toy-figure-1-table img").count() == 0
    assert TEXT.split("\n")[0][:9] in shared(page, "python")


def test_copy_python_reproduces_the_numbers_of_the_page(open_page, toy_url, tmp_path):
    page = open_page(linked(toy_url, STATE))
    shown = energy(page)
    script = tmp_path / "view.py"
    script.write_text(shared(page, "python"), encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    out = subprocess.run([sys.executable, str(script)], cwd=ROOT, env=env, capture_output=True, encoding="utf-8", check=True, timeout=120)
    printed = json.loads(out.stdout)
    assert printed == numbers(run(STATE)) and f"{printed['energy']:.4g}" == shown


def test_copying_works_without_and_with_the_clipboard_permission(open_page, toy_url):
    page = open_page(toy_url)
    energy(page)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')); }")
    link = shared(page, "link")
    assert page.get_attribute("#gb-share", "data-copied") == "false" and link == f"{toy_url}?tab=toy&v=1"
    free = open_page(toy_url, permissions=["clipboard-read", "clipboard-write"])
    energy(free)
    assert shared(free, "link") == free.evaluate("navigator.clipboard.readText()")
    assert free.get_attribute("#gb-share", "data-copied") == "true"


def test_a_preset_sets_the_controls_and_shows_that_its_observation_holds(toy_page):
    energy(toy_page)
    toy_page.click("#toy-preset-1")
    toy_page.wait_for_selector("#toy-checks li[data-ok=true] >> text=the energy is above five")
    settled(toy_page, "terms=12")
    assert toy_page.input_value("#toy-terms input[type=number]") == "12"


def test_a_bad_value_in_a_link_gives_one_sentence_and_the_default(open_page, toy_url):
    page = open_page(f"{toy_url}?tab=toy&v=1&terms=99&damping=1&unknown=1")
    assert energy(page) == f"{run(WaveParams(damping=1.0)).energy:.4g}"
    assert page.get_by_text("Terms must lie between 0 and 12. The link's value was ignored.").count() == 1


def test_a_bad_value_on_the_page_gives_one_sentence_and_keeps_what_was_there(toy_page):
    before = energy(toy_page)
    toy_page.fill("#toy-gains textarea, #toy-gains input", "[1, <b>")
    toy_page.get_by_text("Gains must be written as JSON, for example [1, 2].").first.wait_for()
    assert energy(toy_page) == before
    toy_page.wait_for_selector("#toy-figure-0 .main-svg")


def test_a_long_run_starts_on_demand_streams_and_a_link_starts_it(open_page, toy_url):
    page = open_page(toy_url)
    page.click("#tab-growing-button")
    page.wait_for_selector("#growing-run")
    settled(page, "tab=growing")
    assert page.locator("#growing-figure-1-table td").count() == 0
    page.click("#growing-run")
    settled(page, "terms=5")
    assert energy(page, "growing") == f"{run(WaveParams(terms=5)).energy:.4g}"
    state = WaveParams(terms=6)
    fresh = open_page(linked(toy_url, state, "growing"))
    expected = f"{run(state).energy:.4g}"
    fresh.wait_for_function("e => document.querySelector('#growing-figure-1-table')?.innerText.includes(e)", arg=expected)


def test_a_long_run_can_be_stopped_and_shows_what_it_had(open_page, toy_url):
    page = open_page(linked(toy_url, WaveParams(terms=12, pause=0.5), "growing"))
    energy(page, "growing")
    page.click("#growing-stop")
    page.wait_for_timeout(800)
    stopped = energy(page, "growing")
    page.wait_for_timeout(1200)
    assert energy(page, "growing") == stopped != f"{run(WaveParams(terms=12)).energy:.4g}"


def test_the_tab_in_the_address_follows_the_tab_on_screen(toy_page):
    energy(toy_page)
    toy_page.focus("#tab-toy-button")
    toy_page.keyboard.press("ArrowRight")
    settled(toy_page, "tab=growing")
    toy_page.click("#tab-toy-button")
    settled(toy_page, "tab=toy")


def test_the_rows_of_a_figure_can_be_downloaded(toy_page):
    energy(toy_page)
    with toy_page.expect_download() as download:
        toy_page.click("#toy-figure-1-csv")
    assert download.value.suggested_filename == "glassbox-toy-2.csv"
    assert download.value.path().read_text().startswith("note,energy\nhello,")


def test_a_scene_is_drawn_and_answers_pointer_and_keyboard(toy_page):
    energy(toy_page)
    canvas, note = toy_page.locator("#toy-figure-2 canvas"), toy_page.locator("#toy-figure-2 p")
    canvas.scroll_into_view_if_needed()
    assert canvas.evaluate("c => [c.width, c.height]") == [64, 64]
    box = canvas.bounding_box()
    toy_page.mouse.move(box["x"] + box["width"] * 10.5 / 64, box["y"] + box["height"] * 20.5 / 64)
    assert note.inner_text().startswith("sample 20, sample 10: about ")
    canvas.press("ArrowRight")
    assert note.inner_text().startswith("sample 20, sample 11: about ")
    toy_page.click("#toy-preset-0")
    toy_page.wait_for_function("() => document.querySelector('#toy-figure-2 p')?.textContent.includes('e-')")


def test_the_language_is_remembered_and_nothing_but_one_language_is_shown(toy_page):
    energy(toy_page)
    assert "改变机制" not in toy_page.inner_text("#gb-header")
    toy_page.wait_for_selector("#toy-figure-0 .main-svg")
    toy_page.click("[data-glassbox=language]")
    assert "改变机制" in toy_page.inner_text("#gb-header") and "Change the" not in toy_page.inner_text("#gb-header")
    toy_page.reload()
    toy_page.wait_for_selector("html[data-ready=true][data-language=zh]", state="attached")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system_and_the_switch_is_remembered(open_page, toy_url, scheme):
    page = open_page(toy_url, color_scheme=scheme)
    dark = "() => document.body.classList.contains('dark')"
    assert page.evaluate(dark) == (scheme == "dark")
    page.wait_for_selector("#toy-figure-0 .main-svg")
    page.click("[data-glassbox=theme]")
    page.reload()
    page.wait_for_selector("html[data-ready=true]", state="attached")
    assert page.evaluate(dark) == (scheme == "light")


@pytest.mark.parametrize("which", ["app_url", "toy_url"])
def test_a_phone_needs_no_horizontal_scroll(open_page, request, which):
    page = open_page(request.getfixturevalue(which), viewport=PHONE)
    page.wait_for_timeout(1500)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_nothing_in_the_header_overlaps_on_a_phone(open_page, toy_url):
    page = open_page(toy_url, viewport=PHONE)
    page.wait_for_selector("#gb-status .gb-dot[data-state]")
    boxes = page.evaluate("""['.gb-brand h1', '#gb-status', '.gb-tools'].map(s => document.querySelector(s).getBoundingClientRect())
        .map(b => [b.left, b.top, b.right, b.bottom])""")
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], boxes


def test_every_button_has_a_name_and_the_page_a_language(toy_page):
    energy(toy_page)
    named = "b.innerText.trim() || b.ariaLabel || b.title"
    nameless = f"[...document.querySelectorAll('button')].filter(b => b.offsetParent && !({named})).length"
    assert toy_page.evaluate(nameless) == 0
    assert toy_page.get_attribute("html", "lang") == "en"


def test_the_status_names_the_device_and_the_weights(page):
    page.wait_for_selector("#gb-status .gb-dot[data-state=ok], #gb-status .gb-dot[data-state=bad]")
    assert re.search(r"cpu, weights \d+ of \d+", page.inner_text("#gb-status"))


def test_the_guard_catches_a_planted_error_and_an_external_request(open_page, toy_url):
    page = open_page(toy_url, allow=("planted", "external: https://example.com/", "failed: https://example.com/", "ERR_FAILED"))
    page.evaluate("console.error('planted')")
    page.evaluate("setTimeout(() => { throw new Error('planted too'); })")
    page.evaluate("fetch('https://example.com/').catch(() => 0)")
    page.wait_for_timeout(300)
    strict = Guard(page.guard.origin, (), page.guard.complaints)
    text = " ".join(strict.unexpected())
    assert "console: planted" in text and "page error: planted too" in text and "external: https://example.com/" in text
