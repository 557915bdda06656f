"""The Memory tab in Chromium: a drawn signal, dragged eigenvalues, an edited string, streaming, files, links."""

import csv
import io

import pytest

from backends.memory.params import MemoryParams, eigenvalues
from tests.browser.board import PHONE, calm, narrow
from ui.tabs.memory.presets import PRESETS


@pytest.fixture
def start(open_tab):
    """Open the tab with settings; the page comes back when its checks are on screen."""

    def opened(params, **context):
        page = open_tab("memory", params, **context)
        page.wait_for_selector("#memory-checks .gb-checks")
        return page

    return opened


def drag(page, canvas, places):
    """Press, move and release at shares (x, y) of the canvas."""
    box = page.locator(canvas).bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=3)
    page.mouse.up()


def test_a_drawn_signal_becomes_the_user_s_own(start):
    page = start(MemoryParams(memories=("legs",)))
    page.locator("#memory-stage canvas").scroll_into_view_if_needed()
    drag(page, "#memory-stage canvas", [(0.2, 0.2), (0.4, 0.8), (0.6, 0.3)])
    page.wait_for_function("() => document.querySelector('#memory-text textarea')?.value.split(',').length > 10")
    page.wait_for_selector("#memory-plot .js-plotly-plot .scatterlayer")
    page.click("#memory-stage button")
    page.wait_for_function("() => document.querySelector('#memory-text textarea').value === ''")
    page.wait_for_function("() => document.querySelector('#memory-stage button').hidden")


def test_a_dragged_eigenvalue_ends_where_it_was_left_whatever_answers_come_late(start):
    page = start(MemoryParams(view="poles", size=2, poles="0.5"))
    page.locator("#memory-stage canvas").scroll_into_view_if_needed()
    place = [(0.5 + x / 2.24, 0.5 - y / 2.24)
             for x, y in ((0.5, 0), (1.1, 0), (1.1, -1.1), (-0.9, 0.3), (0.6, 0.6), (0.3, 0.4))]
    drag(page, "#memory-stage canvas", place)
    page.wait_for_function("""() => {
        const [, x, y] = new URLSearchParams(location.search).get('poles')?.match(/^([\\d.]+)\\+([\\d.]+)i$/) || [];
        return Math.abs(x - 0.3) < 0.02 && Math.abs(y - 0.4) < 0.02; }""")
    calm(page, "#memory-stage")
    assert "|λ| = 0.5" in page.inner_text("#memory-stage") or "|λ| = 0.49" in page.inner_text("#memory-stage")
    (left,) = eigenvalues(page.locator("#memory-poles textarea, #memory-poles input").first.input_value())
    assert abs(left - (0.3 + 0.4j)) < 0.03


def test_a_menu_shows_its_choice_in_chinese_and_still_means_the_same(start):
    page = start(MemoryParams(memories=("legs",)))
    field = page.locator("#memory-signal input")
    shown = "el => Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').get.call(el)"
    english = field.evaluate(shown)
    page.click("[data-glassbox=language]")
    page.wait_for_selector("html[data-translated=zh]", state="attached")
    assert english == field.evaluate("el => el.value") != field.evaluate(shown) and "波" in field.evaluate(shown)
    page.wait_for_function(f"el => el.title === ({shown})(el)", arg=field.element_handle())   # a long one is cut
    field.click()
    page.locator("#memory-signal [role=option]").last.click()
    page.wait_for_function("() => location.search.includes('signal=')")             # the one it opens with has no key
    page.click("[data-glassbox=language]")
    page.wait_for_function("el => /^[ -~]+$/.test(el.value)", arg=field.element_handle())


def test_a_dragged_eigenvalue_stays_inside_the_circle(start):
    page = start(MemoryParams(view="poles", size=2, poles="0.5"))
    page.locator("#memory-stage canvas").scroll_into_view_if_needed()
    canvas = page.locator("#memory-stage canvas")
    canvas.focus()
    for _ in range(60):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("() => parseFloat(document.querySelector('#memory-poles textarea, #memory-poles "
                           "input')?.value) > 0.9")
    field = page.locator("#memory-poles textarea, #memory-poles input").first
    assert all(abs(value) < 1 for value in eigenvalues(field.input_value()))
    page.wait_for_function("() => !document.querySelector('.toast-body')")


def test_an_edited_string_is_read_anew_and_a_wrong_one_is_said(start):
    page = start(MemoryParams(view="selective"))
    page.wait_for_function("() => document.querySelector('#memory-notice')?.innerText.includes('Wanted: bgdf')")
    page.fill("#memory-string textarea, #memory-string input", "9.b60.a.c200.d111.")
    page.wait_for_function("() => document.querySelector('#memory-notice')?.innerText.includes('Wanted: bacd')")
    page.fill("#memory-string textarea, #memory-string input", "..x..")
    page.wait_for_selector(".toast-body")
    assert "Wanted: bacd" in page.inner_text("#memory-notice")


def test_a_size_typed_as_nothing_is_the_smallest_in_box_and_figure(start):
    page = start(MemoryParams(memories=("legs",)))
    page.fill("#memory-size input[type=number]", "0")
    page.keyboard.press("Tab")
    page.wait_for_function("() => document.querySelector('#memory-notice')?.innerText.includes('(1 numbers')")
    assert page.input_value("#memory-size input[type=number]") == "1" and not page.query_selector(".toast-body")


BEGIN = """() => { const { components, dependencies } = window.gradio_config;
    const wire = components.find(c => c.props.elem_id === 'memory-wire').id;
    return dependencies.find(d => d.targets.some(([id, event]) => id === wire && event === 'begin')).id; }"""


def test_a_preset_that_streams_starts_once_and_a_setting_changed_meanwhile_is_said(start):
    page = start(MemoryParams(view="selective", string="9.a9.b"))
    calm(page, "#memory-notice")
    joined = []
    page.on("request", lambda request: joined.append(request.post_data_json["fn_index"])
            if "queue/join" in request.url else None)
    page.click(f"#memory-preset-{next(k for k, one in enumerate(PRESETS) if one.params.view == 'lengths')}")
    page.wait_for_function("() => document.querySelector('#memory-notice')?.innerText.includes('of their 8 heads')")
    page.fill("#memory-seed input[type=number]", "5")
    page.keyboard.press("Tab")
    page.wait_for_function("() => !document.querySelector('#memory-stale').hidden")
    page.click("#memory-stop")
    page.wait_for_selector("#memory-going[data-running=false]")
    calm(page, "#memory-notice")
    assert joined.count(page.evaluate(BEGIN)) == 1
    assert page.locator("#memory-stale").is_visible()


def test_a_download_has_the_times_that_are_on_screen(start):
    page = start(MemoryParams(view="layer", longest=128))
    page.wait_for_selector("#memory-going[data-running=false]")
    page.click("#memory-twin button")
    cells = "() => [...document.querySelectorAll('#memory-table tbody tr')].map(row => row.cells[2].textContent)"
    page.wait_for_selector("#memory-table tbody tr")
    with page.expect_download() as saved:
        page.click("#memory-csv")
    rows = list(csv.reader(io.StringIO(saved.value.path().read_text("utf-8"))))[1:]
    assert [f"{float(row[2]):.4g}" for row in rows] == page.evaluate(cells)


def test_longer_strings_stream_point_by_point(start):
    page = start(MemoryParams(view="lengths", samples=32))
    page.click("#memory-twin button")
    page.wait_for_function("() => document.querySelectorAll('#memory-table tbody tr').length >= 12")


def test_a_csv_file_is_read_and_a_wrong_one_changes_nothing(start, tmp_path):
    page = start(MemoryParams(memories=("legs",)))
    good, bad = tmp_path / "good.csv", tmp_path / "bad.wav"
    good.write_text("\n".join(str(k % 7) for k in range(50)))
    bad.write_bytes(b"RIFF nothing")
    for file, sign in ((good, "() => document.querySelector('#memory-text textarea').value.split(',').length === 50"),
                       (bad, "() => document.querySelector('.toast-body')")):
        with page.expect_file_chooser() as asked:
            page.click("#memory-upload-0")
        asked.value.set_files(str(file))
        page.wait_for_function(sign)
    assert page.input_value("#memory-text textarea").count(",") == 49


def test_a_link_restores_the_view_in_a_fresh_browser(start):
    page = start(MemoryParams(view="family", kind="delta", tokens=12))
    assert page.locator("#memory-view input[value=family]").is_checked()
    page.wait_for_function("() => document.querySelector('#memory-notice')?.innerText.includes('Delta rule')")
    assert not page.locator("#memory-stage").is_visible() and not page.locator("#memory-going").is_visible()


def test_a_phone_needs_no_sideways_scrolling(start):
    page = start(MemoryParams(view="scope"), viewport=PHONE)
    narrow(page, "memory", "scope", "poles", "selective", "family")
