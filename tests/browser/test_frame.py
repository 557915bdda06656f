"""The frame in Chromium, driven with the MoE and the Scale tab: links, copying, presets, long runs, downloads, colours,
languages."""

import json
import os
import re
import subprocess
import sys

import pytest

from backends.moe import answer
from backends.moe.params import MoeParams
from backends.plain import numbers
from benchmarks.page import visit
from tests.browser.board import WIDTH
from tests.browser.conftest import Guard, reload
from tests.conftest import ROOT, serving
from tests.ui.test_tab import TEXT
from ui.core import permalink

PHONE = {"width": 390, "height": 844}
BILL = MoeParams(view="calculator", public="OLMoE-1B-7B", batch=8)
DRAWN = "#moe-stage .gb-sheet, #moe-stage .gb-byte, #moe-plot .main-svg"


def linked(url, params):
    """The address of a state of the MoE tab."""
    return f"{url}?{permalink.encode('moe', params)}"


@pytest.fixture
def start(open_tab):
    """Open the MoE tab at a state; the page comes back when it is drawn."""

    def opened(params=BILL, **context):
        page = open_tab("moe", params, **context)
        page.wait_for_selector(DRAWN)
        return page

    return opened


def settled(page, part):
    """Wait until the address bar holds ``part``."""
    page.wait_for_function("part => location.search.includes(part)", arg=part)


def shared(page, kind):
    """Press a copy button and return the text of the dialog."""
    page.click(f"#moe-{kind}")
    page.wait_for_function("() => { const n = document.querySelector('#gb-share-note'); return n && n.textContent; }")
    text = page.input_value("#gb-share-text")
    page.click("#gb-share-close")
    return text


def test_a_control_recomputes_and_the_address_follows(start):
    page = start()
    page.fill("#moe-batch input[type=number]", "16")
    page.keyboard.press("Tab")
    settled(page, "batch=16")
    page.wait_for_function("() => document.querySelector('#moe-notice').innerText.includes('16 tokens')")


def test_a_link_restores_the_state_in_a_fresh_browser_and_on_another_server(start, open_page, tmp_path):
    link = shared(start(), "link")
    assert permalink.decode(MoeParams, link.partition("?")[2]) == (BILL, ())
    with serving(["app.py", "--device", "cpu"], tmp_path) as other:
        page = open_page(linked(other, BILL))
        page.wait_for_selector(DRAWN)
        assert page.input_value("#moe-batch input[type=number]") == "8"
        assert "6.9 billion" in page.inner_text("#moe-notice")


def test_a_link_without_a_version_is_read_and_a_bare_tab_is_no_link(start, open_page, app_url):
    page = open_page(f"{app_url}?tab=moe&view=calculator&public=OLMoE-1B-7B&batch=8")
    page.wait_for_selector(DRAWN)
    assert page.input_value("#moe-batch input[type=number]") == "8"
    settled(page, "v=1")
    bare = open_page(f"{app_url}?tab=moe&__theme=dark")
    bare.wait_for_selector("#moe-stage .gb-byte")


def test_a_word_of_the_glossary_opens_by_key_inside_the_window_and_closes(start):
    page = start(viewport=PHONE)
    page.wait_for_selector("#moe-explain .gb-en .gb-term")
    for word in page.query_selector_all("#moe-explain .gb-en .gb-term, .gb-why .gb-en .gb-term"):
        if word.is_visible():
            word.focus()
            page.keyboard.press("Enter")
            box = page.wait_for_selector(".gb-meaning:popover-open").bounding_box()
            assert 0 <= box["x"] and box["x"] + box["width"] <= PHONE["width"] and box["height"] < 200
            page.keyboard.press("Escape")
            page.wait_for_selector(".gb-meaning:popover-open", state="detached")
    assert page.evaluate(WIDTH) <= PHONE["width"]


@pytest.mark.case("HTML and ${} in a text", "Shown as text; nothing runs.")
def test_hostile_text_is_shown_as_text_and_never_runs(start):
    page = start(MoeParams(text=TEXT))
    assert page.evaluate("window.hacked") is None and page.locator("#moe-stage img, #moe-table img").count() == 0
    assert page.inner_text("#moe-stage .gb-routed").startswith("<img src=x")
    assert TEXT.split("\n")[0][:9] in shared(page, "python")


def test_copy_python_reproduces_the_numbers_of_the_page(start, tmp_path):
    page = start()
    script = tmp_path / "view.py"
    script.write_text(shared(page, "python"), encoding="utf-8")
    assert script.read_text("utf-8").startswith("# Needs Glassbox's backends: run `pip install -e .`")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, str(script)]
    out = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, encoding="utf-8", check=True, timeout=120)
    assert json.loads(out.stdout) == numbers(answer(BILL))
    bare = subprocess.run([sys.executable, "-S", str(script)], cwd=tmp_path, env={"PATH": ""}, capture_output=True,
                          encoding="utf-8")
    assert bare.returncode == 1 and bare.stderr.count("\n") == 1 and "pip install -e ." in bare.stderr


def test_copying_works_without_and_with_the_clipboard_permission(start, app_url):
    page = start(MoeParams(view="calculator"))
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')); }")
    link = shared(page, "link")
    assert page.get_attribute("#gb-share", "data-copied") == "false"
    assert link == f"{app_url}?tab=moe&v=1&view=calculator"
    free = start(permissions=["clipboard-read", "clipboard-write"])
    assert shared(free, "link") == free.evaluate("navigator.clipboard.readText()")
    assert free.get_attribute("#gb-share", "data-copied") == "true"


def test_a_preset_sets_the_controls_and_shows_that_its_observation_holds(start):
    page = start()
    page.click("text=Without one expert")
    page.wait_for_selector("#moe-notice li[data-ok=true] >> text=Disabling one of eight experts")
    settled(page, "touch=disable")
    assert page.locator("#moe-touch input[value=disable]").is_checked()
    page.wait_for_selector(".gb-chip[aria-pressed=true]:has-text('Without one expert')[title^='Disabling one of']")
    page.click("#tab-scale-button")
    page.wait_for_function("() => location.search.includes('tab=scale')")
    page.go_back()                                           # to the tab before, as it was left
    settled(page, "touch=disable")
    page.wait_for_selector("#tab-moe-button[aria-selected=true]")
    page.go_back()                                           # takes the preset back
    page.wait_for_selector("#moe-view input[value=calculator]:checked", state="attached")
    settled(page, "public=OLMoE-1B-7B")


def test_a_bad_value_in_a_link_gives_one_sentence_and_the_default(open_page, app_url):
    page = open_page(f"{app_url}?tab=moe&v=1&view=calculator&k=99&batch=4&unknown=1")
    page.wait_for_selector(DRAWN)
    assert page.get_by_text("The link's value was ignored.").count() == 1
    assert page.input_value("#moe-batch input[type=number]") == "4"


def test_a_long_run_starts_by_itself_from_a_link_alone_and_streams(open_page, app_url):
    page = open_page(f"{app_url}?tab=scale")
    page.wait_for_selector("#scale-plot .main-svg")
    page.click("#tab-moe-button")
    page.wait_for_selector("#moe-stage .gb-byte")
    page.check("#moe-view input[value=race]")
    page.wait_for_function("() => document.querySelector('#moe-notice').innerText.includes('After step')")
    assert page.get_attribute("#moe-going", "data-running") == "true"
    page.click("#moe-stop")
    page.wait_for_selector("#moe-going[data-running=false]")
    assert "After step" in page.inner_text("#moe-notice")


def test_a_stopped_run_shows_what_it_had_and_a_setting_says_that_it_is_old(start):
    page = start(MoeParams(view="race", steps=400, alphas=("0", "0.1")))
    page.wait_for_function("() => document.querySelector('#moe-notice').innerText.includes('After step')")
    page.click("#moe-stop")
    page.wait_for_selector("#moe-going[data-running=false]")
    before = page.inner_text("#moe-notice")
    assert "Stopped: what is drawn is all that was done." in before
    page.check("#moe-zeta input >> nth=-1")
    page.wait_for_selector("#moe-stale:not([hidden])")
    assert page.inner_text("#moe-notice") == before
    page.click("#moe-go")
    page.wait_for_selector("#moe-stale[hidden]", state="attached")
    page.click("#moe-stop")


def test_a_download_is_what_is_on_screen_and_computes_nothing(start):
    page = start(BILL)
    asked = []
    page.on("request", lambda request: asked.append(request.post_data) if "queue/join" in request.url else None)
    for kind, first in (("csv", b"what,"), ("json", b"[")):
        with page.expect_download() as download:
            page.click(f"#moe-{kind}")
        assert download.value.suggested_filename == f"glassbox-moe.{kind}"
        assert download.value.path().read_bytes().startswith(first)
    page.check("#moe-view input[value=plane]")
    page.wait_for_selector("#moe-stage canvas")
    page.wait_for_function("() => location.search.includes('view=plane')")
    computed = len(asked)
    for kind, first in (("png", b"\x89PNG"), ("svg", b"<svg")):
        with page.expect_download() as download:
            page.click(f"#moe-{kind}")
        assert download.value.suggested_filename == f"glassbox-moe.{kind}"
        content = download.value.path().read_bytes()
        assert content.startswith(first) and len(content) > 200
    assert len(asked) == computed and all('"kind":"rows"' in data for data in asked[:2])


def test_the_tab_in_the_address_follows_the_tab_on_screen(start):
    page = start()
    page.focus("#tab-moe-button")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => !location.search.includes('tab=moe')")
    page.click("#tab-moe-button")
    settled(page, "tab=moe&v=1&view=calculator")


def test_the_language_switches_without_a_reload_is_remembered_and_part_of_a_link(start):
    page = start()
    page.wait_for_selector("#moe-plot .main-svg")
    page.click("[data-glassbox=language]")
    page.wait_for_selector("html[data-translated=zh]", state="attached")
    head = page.inner_text("#gb-header") + page.inner_text("#moe-heading") + page.inner_text("#moe-view")
    assert "改变机制" in head and "复制链接" in head and "计算器" in head and "Copy" not in head
    page.wait_for_function("() => document.querySelector('#moe-plot').textContent.includes('总计')")
    page.click("[data-glassbox=language]")
    page.wait_for_function("() => document.querySelector('#moe-heading').innerText.includes('Copy link')")
    page.click("[data-glassbox=language]")
    reload(page)
    page.wait_for_selector("html[data-ready=true][data-translated=zh]", state="attached")
    page.wait_for_selector(DRAWN)
    link = shared(page, "link")
    assert link.endswith("&lang=zh")
    reload(page, link.replace("lang=zh", "lang=en"))         # a link's language comes before what is remembered
    page.wait_for_selector("html[data-ready=true][data-translated=en]", state="attached")


def test_text_of_the_user_is_not_translated(start):
    page = start(MoeParams(text="Run\nStop\nTable\n"))
    page.click("[data-glassbox=language]")
    page.wait_for_selector("html[data-translated=zh]", state="attached")
    assert page.inner_text("#moe-stage .gb-routed").startswith("Run")
    assert page.input_value("#moe-text textarea").startswith("Run")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system_and_the_switch_is_remembered(start, scheme):
    page = start(color_scheme=scheme)
    dark = "() => document.body.classList.contains('dark')"
    assert page.evaluate(dark) == (scheme == "dark")
    page.click("[data-glassbox=theme]")
    reload(page)
    page.wait_for_selector("html[data-ready=true]", state="attached")
    assert page.evaluate(dark) == (scheme == "light")


def test_a_phone_needs_no_sideways_scrolling_and_nothing_in_the_header_overlaps(open_page, app_url):
    page = open_page(app_url, viewport=PHONE)
    page.wait_for_selector("#gb-status .gb-dot[data-state=ok], #gb-status .gb-dot[data-state=bad]")
    assert page.evaluate(WIDTH) <= 390
    boxes = page.evaluate("""['.gb-brand h1', '#gb-status', '.gb-tools']
        .map(s => document.querySelector(s).getBoundingClientRect()).map(b => [b.left, b.top, b.right, b.bottom])""")
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], boxes


def test_every_button_has_a_name_and_the_page_a_language(start):
    page = start()
    named = "b.innerText.trim() || b.ariaLabel || b.title"
    nameless = f"[...document.querySelectorAll('button')].filter(b => b.offsetParent && !({named})).length"
    assert page.evaluate(nameless) == 0
    assert page.get_attribute("html", "lang") == "en"
    page.keyboard.press("Tab")                               # the first thing skips the frame and the settings
    assert page.evaluate("document.activeElement.innerText") == "Skip to the tab"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('#tab-moe .gb-main') !== null")


def test_the_status_names_the_device_and_the_weights(page):
    page.wait_for_selector("#gb-status .gb-dot[data-state=ok], #gb-status .gb-dot[data-state=bad]")
    assert re.search(r"cpu, weights \d+ of \d+", page.inner_text("#gb-status"))


def test_the_guard_catches_a_planted_error_and_an_external_request(open_page, app_url):
    page = open_page(app_url, allow=("planted", "external: https://example.com/", "failed: https://example.com/",
                                     "ERR_NAME_NOT_RESOLVED"))
    page.evaluate("console.error('planted')")
    page.evaluate("setTimeout(() => { throw new Error('planted too'); })")
    page.evaluate("fetch('https://example.com/').catch(() => { window.refused = true; })")
    page.wait_for_function("() => window.refused")
    strict = Guard(page.guard.origin, (), page.guard.complaints)
    text = " ".join(strict.unexpected())
    assert "console: planted" in text and "page error: planted too" in text and "external: https://example.com/" in text


def test_a_first_visit_takes_half_a_megabyte(chromium, app_url):
    assert visit(chromium, app_url)["kB"] <= 500


def test_a_canvas_behind_another_tab_counts_no_seconds_of_waiting(start):
    page = start()
    said = page.evaluate("""() => new Promise((done) => {
        const seen = [], timer = document.querySelector('#segment-canvas .gx-timer');
        new MutationObserver(() => seen.push(timer.textContent)).observe(timer, { childList: true });
        setTimeout(() => done(seen), 350);
    })""")
    assert said == []
