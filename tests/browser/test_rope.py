"""The RoPE tab in Chromium: views, streaming and stopping, what settings show, files, links."""

import json
from pathlib import Path

import pytest

from backends.rope.params import RopeParams
from tests.browser.board import PHONE, WIDTH, calm, narrow
from tests.conftest import ROOT
from ui.core import permalink

QUICK = {"methods": ("none", "rerope"), "samples": 1, "longest": 2}


@pytest.fixture
def start(open_tab):
    """Open the tab with settings; the page comes back when its checks are on screen."""

    def opened(params, **context):
        page = open_tab("rope", params, **context)
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
    marks = page.locator("#rope-checks li").evaluate_all("all => all.map(one => one.dataset.ok)")
    assert all(mark == "true" for mark in marks)
    shaded = page.locator("#rope-below .gb-theirs:visible").all_inner_texts()
    assert "24.17" in shaded and "RoPE, untouched" not in shaded
    assert "RoPE, untouched" in page.inner_text("#rope-below table >> nth=0")
    assert "5158.07" not in page.inner_text("#rope-below")
    page.click("#rope-twin button")
    page.wait_for_function("() => document.querySelectorAll('#rope-table tbody tr').length === 2 * 4")
    page.click("#rope-below [data-fold=rope-rules] summary")
    page.wait_for_function("() => document.querySelector('.gb-rulebook')?.innerText.includes('2104.09864')")
    assert page.locator("#rope-window").is_visible()


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
    page.wait_for_function("() => document.querySelector('#rope-below')?.innerText.includes('5158.07')")
    page.wait_for_selector("#rope-plot .main-svg")           # an empty plot is not on the page
    assert not page.locator("#rope-stage").is_visible()


def test_moving_a_setting_moves_the_clocks_at_once(start):
    page = start(RopeParams(view="clocks", methods=("yarn",)))
    page.wait_for_selector(".gb-face[data-state=safe]")
    safe = page.locator(".gb-face[data-state=safe]").count()
    page.click("#rope-folded button.label-wrap")
    calm(page, "#rope-folded")
    page.fill("#rope-tau input[type=number]", "60")
    page.keyboard.press("Tab")
    page.wait_for_function("n => document.querySelectorAll('.gb-face[data-state=safe]').length !== n", arg=safe)


def test_the_key_that_is_read_and_what_is_unfolded_stay_when_a_setting_draws_them_anew(start):
    page = start(RopeParams(view="distance", methods=("none", "rerope")))
    page.locator("#rope-stage canvas").nth(1).focus()
    for key in ("ArrowUp", "ArrowUp", "ArrowRight"):
        page.keyboard.press(key)
    read = page.inner_text("#rope-stage [aria-live]")
    page.click("#rope-below [data-fold=rope-rules] summary")
    drawn = page.get_attribute("#rope-stage .gb-stages", "data-drawn")
    page.locator("#rope-stage canvas").nth(1).focus()
    message = "{ kind: 'set', values: { window: 100 } }"
    page.evaluate(f"import(new URL('glass/js/wire.js', location)).then((m) => m.say('rope', {message}))")
    page.wait_for_function("n => document.querySelector('#rope-stage .gb-stages').dataset.drawn !== n", arg=drawn)
    page.wait_for_function("() => document.querySelectorAll('.gb-distance')[1].innerText.includes('100 tokens away')")
    assert page.inner_text("#rope-stage [aria-live]") == read
    assert page.evaluate("document.activeElement === document.querySelectorAll('#rope-stage canvas')[1]")
    assert page.locator("#rope-below [data-fold=rope-rules]").evaluate("one => one.open")


def test_a_long_run_streams_and_stops_and_keeps_what_it_has(start):
    page = start(RopeParams(**QUICK))
    page.click("#rope-twin button")
    page.wait_for_selector("#rope-table tbody tr")
    page.fill("#rope-samples input[type=number]", "16")
    page.keyboard.press("Tab")
    page.fill("#rope-longest input[type=number]", "16")
    page.keyboard.press("Tab")
    page.wait_for_selector("#rope-stale:visible")
    page.click("#rope-go")
    page.wait_for_function("() => !document.querySelector('#rope-checks .gb-checks')")
    page.click("#rope-stop")
    page.wait_for_selector("#rope-going[data-running=false]")
    assert 0 < page.locator("#rope-table tbody tr").count() < 16


def test_a_config_fills_the_calculator_and_a_bad_one_leaves_it(start, tmp_path):
    page = start(RopeParams(view="calculator"))
    good, bad = tmp_path / "config.json", tmp_path / "bad.json"
    numbers = {"hidden_size": 4096, "num_attention_heads": 32, "rope_theta": 500000.0, "max_position_embeddings": 8192}
    good.write_text(json.dumps(numbers))
    bad.write_text('{"hidden_size": -3')
    choose(page, "#rope-upload-2", good)
    page.wait_for_function("() => document.querySelector('#rope-below pre')?.innerText.includes('500000')")
    assert page.input_value("#rope-trained input") == "8192"
    assert page.input_value("#rope-head_dim input[type=number]") == "128"
    assert "max_position_embeddings is taken as the trained length" in page.inner_text("[data-held='2']")
    assert "29 of 64 pairs" in page.inner_text("#rope-below")
    assert page.locator("#rope-below table >> nth=0").locator("tbody tr").count() == 10
    assert page.locator("#rope-below table >> nth=0").locator("tbody td").first.inner_text() == "as configured: default"
    choose(page, "#rope-upload-2", bad)
    page.wait_for_selector(".toast-body")
    assert page.input_value("#rope-trained input") == "8192" and "500000" in page.inner_text("#rope-below pre")


def test_a_model_s_own_rule_comes_with_its_config_and_travels_in_a_link(start, tmp_path):
    file = tmp_path / "config.json"
    real = json.loads((ROOT / "tests/backends/rope/configs.json").read_text("utf-8"))
    file.write_text(json.dumps(real["qwen2.5-7b-documented-yarn"]["config"]))
    page = start(RopeParams(view="calculator"), viewport={"width": 390, "height": 844})
    choose(page, "#rope-upload-2", file)
    page.wait_for_function("() => document.querySelector('#rope-stage h4')?.innerText.includes('as configured')")
    first = page.locator("#rope-below tbody tr >> nth=0").inner_text().split()
    assert " ".join(first) == "as configured: yarn, factor 4 0 16 48 20253023 1.1386 1.2965 yarn"
    assert "32768" in page.inner_text("#rope-below pre") and "rope_scaling" in page.inner_text("#rope-below pre")
    assert "the larger is meant" in page.inner_text("[data-held='2']")
    assert page.input_value("#rope-target input") == "131072"
    assert page.evaluate(WIDTH) <= 390
    page.wait_for_function("() => location.search.includes('own=')")
    other = start(permalink.decode(RopeParams, page.evaluate("location.search"))[0])
    assert other.locator("#rope-below tbody tr >> nth=0").inner_text().split() == first
    other.fill("#rope-head_dim input[type=number]", "64")
    other.keyboard.press("Tab")
    other.wait_for_function("() => document.querySelector('#rope-notice')?.innerText.includes('128 rotated channels')")
    assert "as configured" not in other.inner_text("#rope-below table >> nth=0")


def test_the_block_is_copied_and_the_rows_on_screen_are_saved(start):
    page = start(RopeParams(view="calculator", method="pi"), permissions=["clipboard-read", "clipboard-write"])
    page.click("#rope-below [data-copy]")
    page.wait_for_function("() => document.querySelector('#rope-below [data-copy]').innerText === 'Copied.'")
    block = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert block["rope_parameters"]["rope_type"] == "linear"
    with page.expect_download() as saved:
        page.click("#rope-csv")
    rows = Path(saved.value.path()).read_text().splitlines()
    assert rows[0].startswith('pair,"wavelength, tokens"') and len(rows) == 17


def test_chinese_reaches_the_stage_the_block_and_the_rules(start):
    page = start(RopeParams(view="calculator", method="parts"), locale="zh-CN")
    page.wait_for_selector("html[data-translated=zh]", state="attached")
    page.wait_for_function("() => document.querySelector('#rope-stage')?.innerText.includes('每对通道一个钟')")
    below = page.inner_text("#rope-below")
    assert "从未转满一圈" in below and "llama3" in below and "位置插值 PI" in below
    assert "通道对" in page.text_content("#rope-stage .gb-waves")
    page.click("[data-glassbox=language]")
    page.wait_for_function("() => document.querySelector('#rope-below').innerText.includes('never completed a turn')")


def test_a_link_restores_the_view_and_an_own_text_in_a_fresh_browser(start):
    params = RopeParams(view="live", text="def f(x):\n    return x\n" * 8, methods=("none", "window"), seed=3)
    page = start(params)
    assert page.input_value("#rope-text textarea") == params.text
    assert page.locator("#rope-view input[value=live]").is_checked()
    page.wait_for_selector("#rope-plot .js-plotly-plot .scatterlayer")
    assert page.locator("#rope-stop").is_visible() and not page.locator("#rope-stage").is_visible()


def test_a_phone_needs_no_sideways_scrolling(start):
    page = start(RopeParams(view="curve", longest=1, samples=1, methods=("none", "rerope")), viewport=PHONE)
    narrow(page, "rope", "curve", "passkey", "clocks", "distance", "calculator")


def settings(page):
    """Which of the settings that depend on the model are on screen."""
    names = ("repeat", "longest", "seed", "reads", "tokens", "lengths", "samples")
    return [name for name in names if page.locator(f"#rope-{name}").is_visible()]


def test_settings_follow_the_menu_of_models(start, open_page, app_url):
    """Chosen by hand, set by a message, and brought by a link; no answer has to come first."""
    page = start(RopeParams(view="curve", **QUICK))
    assert settings(page) == ["repeat", "longest", "seed", "lengths", "samples"]
    page.click("#rope-model input")
    page.get_by_role("option", name="SmolLM2-135M-Instruct").click()
    page.wait_for_selector("#rope-repeat", state="hidden")
    assert settings(page) == ["reads", "lengths", "samples"]
    pick(page, "tax")
    page.wait_for_selector("#rope-repeat", state="visible")
    assert settings(page) == ["repeat", "longest", "seed", "samples"]
    page.evaluate("import(new URL('glass/js/wire.js', location)).then((m) => m.say('rope', { kind: 'set', values: "
                  "{ view: 'clocks', model: 'bytes' } }))")
    page.wait_for_selector("#rope-model[data-chosen=bytes]", state="attached")
    link = permalink.encode("rope", RopeParams(view="live", model="smollm2-135m"))
    page = open_page(f"{app_url}?{link}")
    page.wait_for_selector("#rope-tokens", state="visible")
    assert settings(page) == ["reads", "tokens"]


def test_lengths_are_typed_freely_and_a_wrong_one_is_said(start):
    page = start(RopeParams(view="curve", **QUICK))
    page.fill("#rope-lengths textarea, #rope-lengths input", "300 100, 200")
    page.keyboard.press("Tab")
    page.wait_for_function("() => location.search.includes('lengths')")
    page.click("#rope-go")
    page.click("#rope-twin button")
    page.wait_for_function("() => document.querySelector('#rope-table tbody')?.innerText.includes('300')")
    page.fill("#rope-lengths textarea, #rope-lengths input", "300, many")
    page.keyboard.press("Tab")
    page.wait_for_selector(".toast-body >> text=Lengths must be whole numbers with commas between")
    field = page.locator("#rope-lengths [aria-invalid=true]")          # it stays, and says what counts instead
    assert field.input_value() == "300, many" and "many" not in page.evaluate("location.search")
    assert "Still in use: 300, 100, 200." in page.inner_text(f"[id='{field.get_attribute('aria-describedby')}']")
