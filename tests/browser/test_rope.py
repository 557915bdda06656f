"""The RoPE tab in Chromium: views, streaming and stopping, what settings show, files, links."""

import json

import pytest

from backends.rope.params import RopeParams
from tests.browser.board import calm
from ui import permalink

QUICK = {"methods": ("none", "rerope"), "samples": 1, "longest": 2}


@pytest.fixture
def start(open_page, app_url):
    """Open the tab with settings; the page comes back when its checks are on screen."""

    def opened(params, **context):
        page = open_page(f"{app_url}?{permalink.encode('rope', params)}", **context)
        page.wait_for_selector("#rope-checks .gb-checks")
        return page

    return opened


def pick(page, view):
    """Choose a view."""
    page.click(f"#rope-view input[value={view}]")


def choose(page, button, file):
    """Give a file to an upload button."""
    with page.expect_file_chooser() as asked:
        page.click(button)
    asked.value.set_files(str(file))


def test_a_run_draws_both_panels_its_table_and_its_checks(start):
    page = start(RopeParams(**QUICK))
    page.wait_for_selector("#rope-plot .js-plotly-plot .scatterlayer")
    assert all(mark == "true" for mark in page.locator("#rope-checks li").evaluate_all("all => all.map(one => one.dataset.ok)"))
    shaded = page.locator("#rope-beside > div .gb-theirs:visible").all_inner_texts()
    assert "24.17" in shaded and "RoPE, untouched" not in shaded and "RoPE, untouched" in page.inner_text("#rope-beside table")
    page.click("#rope-twin button")
    page.wait_for_function("() => document.querySelectorAll('#rope-table tbody tr').length === 2 * 4")
    page.click("#rope-sources button")
    page.wait_for_function("() => document.querySelector('.gb-rulebook')?.innerText.includes('2104.09864')")
    assert page.locator("#rope-streaming").is_hidden() and page.locator("#rope-window").is_visible()


def test_views_show_what_belongs_to_them(start):
    page = start(RopeParams(view="clocks", **QUICK))
    page.wait_for_selector("#rope-stage .gb-face")
    assert page.locator(".gb-waves polyline").count() == 1 and page.locator(".gb-waves circle").count() == 16
    assert page.locator(".gb-clock-row").count() == 2 and not page.locator("#rope-going").is_visible()
    assert not page.locator("#rope-text").is_visible() and page.locator("#rope-head_dim").is_visible()
    pick(page, "distance")
    page.wait_for_selector("#rope-stage .gb-distance canvas")
    page.locator(".gb-distance canvas").nth(1).focus()
    page.keyboard.press("ArrowUp")
    assert "64 tokens away" in page.locator(".gb-distance").nth(1).inner_text()
    pick(page, "sinks")
    page.wait_for_function("() => document.querySelector('#rope-notice')?.innerText.includes('no collapse')")
    assert page.locator("#rope-plot").is_visible() and not page.locator("#rope-stage").is_visible()


def test_moving_a_setting_moves_the_clocks_at_once(start):
    page = start(RopeParams(view="clocks", methods=("yarn",)))
    page.wait_for_selector(".gb-face[data-state=safe]")
    calm(page, "#rope-stage")
    safe = page.locator(".gb-face[data-state=safe]").count()
    page.click("#rope-rules button.label-wrap")
    page.fill("#rope-tau input[type=number]", "60")
    page.keyboard.press("Tab")
    page.wait_for_function("n => document.querySelectorAll('.gb-face[data-state=safe]').length !== n", arg=safe)


def test_a_long_run_streams_and_stops_and_keeps_what_it_has(start):
    page = start(RopeParams(**QUICK))
    page.click("#rope-twin button")
    page.wait_for_selector("#rope-table tbody tr")
    page.fill("#rope-samples input[type=number]", "16")
    page.keyboard.press("Tab")
    page.fill("#rope-longest input[type=number]", "16")
    page.keyboard.press("Tab")
    page.wait_for_function("() => document.querySelector('#rope-stale')?.innerText.includes('Run')")
    page.click("#rope-go")
    page.wait_for_function("() => !document.querySelector('#rope-checks .gb-checks')")
    page.click("#rope-halt")
    page.wait_for_timeout(2500)
    rows = page.locator("#rope-table tbody tr").count()
    page.wait_for_timeout(2500)
    assert page.locator("#rope-table tbody tr").count() == rows < 16 and rows > 0


def test_a_config_fills_the_calculator_and_a_bad_one_leaves_it(start, tmp_path):
    page = start(RopeParams(view="calculator"))
    good, bad = tmp_path / "config.json", tmp_path / "bad.json"
    good.write_text(json.dumps({"hidden_size": 4096, "num_attention_heads": 32, "rope_theta": 500000.0, "max_position_embeddings": 8192}))
    bad.write_text('{"hidden_size": -3')
    choose(page, "#rope-config", good)
    page.wait_for_function("() => document.querySelector('#rope-code')?.innerText.includes('500000')")
    assert page.input_value("#rope-trained input") == "8192" and page.input_value("#rope-head_dim input[type=number]") == "128"
    assert "max_position_embeddings is taken as the trained length" in page.inner_text("#rope-loaded")
    assert "29 of 64 pairs" in page.inner_text("#rope-remark") and page.locator("#rope-remark tbody tr").count() == 9
    choose(page, "#rope-config", bad)
    page.wait_for_selector(".toast-body")
    assert page.input_value("#rope-trained input") == "8192" and "500000" in page.inner_text("#rope-code")


def test_a_link_restores_the_view_and_an_own_text_in_a_fresh_browser(start):
    params = RopeParams(view="live", text="def f(x):\n    return x\n" * 8, methods=("none", "window"), seed=3)
    page = start(params)
    assert page.input_value("#rope-text textarea") == params.text and page.locator("#rope-view input[value=live]").is_checked()
    page.wait_for_selector("#rope-plot .js-plotly-plot .scatterlayer")
    assert page.locator("#rope-halt").is_visible() and not page.locator("#rope-stage").is_visible()


@pytest.mark.parametrize("view", ["curve", "passkey", "clocks", "distance", "calculator"])
def test_a_phone_needs_no_sideways_scrolling(start, view):
    page = start(RopeParams(view=view, longest=1, samples=1, methods=("none", "rerope")), viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
