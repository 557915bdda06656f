"""The Deformable tab in Chromium: a clicked place, a dragged tap, keys, modulation, views, an own picture, bad input, a phone."""

import json

import pytest
from PIL import Image

from backends.deform.params import DeformParams
from tests.browser.board import calm
from ui import permalink

CELLS = "#deformable-stage .gb-reads figure:first-child canvas"
STAGE = "() => document.querySelector('#deformable-stage .gb-stage').dataset.output"


@pytest.fixture
def start(open_page, app_url):
    """Open the tab with settings; the page comes back when its stage or its figure is there."""

    def opened(params, **context):
        page = open_page(f"{app_url}?{permalink.encode('deformable', params)}", **context)
        page.wait_for_selector("#deformable-stage canvas, #deformable-stage table, #deformable-plot .main-svg")
        if params.view == "taps":
            page.wait_for_selector("#deformable-stage .gb-stage[data-output]")
            calm(page, "#deformable-stage")
        return page

    return opened


def field(page, name):
    return json.loads(page.input_value(f"#deformable-{name} textarea, #deformable-{name} input"))


def spot(page, y, x, rows, columns):
    """Page coordinates of the centre of a place in cells."""
    page.locator(CELLS).scroll_into_view_if_needed()
    box = page.locator(CELLS).bounding_box()
    return box["x"] + (x + 0.5) / columns * box["width"], box["y"] + (y + 0.5) / rows * box["height"]


def test_a_click_moves_the_output(start):
    page = start(DeformParams(operator="dcn2", cells=24))
    before = page.evaluate(STAGE)
    page.mouse.click(*spot(page, 2, 3, 16, 24))
    page.wait_for_function("old => document.querySelector('#deformable-stage .gb-stage').dataset.output !== old", arg=before)
    assert field(page, "at") == pytest.approx([2.5 / 16, 3.5 / 24], abs=1e-3)


def test_a_dragged_tap_changes_the_sum_at_once_and_stays(start):
    page = start(DeformParams(operator="dcn1", cells=24, dilation=3, turn=0.0, grow=1.0, at=(0.5, 0.5)))
    before = page.evaluate(STAGE)
    page.mouse.move(*spot(page, 5, 9, 16, 24))
    page.mouse.down()
    page.mouse.move(*spot(page, 2, 4, 16, 24), steps=5)
    during = page.evaluate(STAGE)
    page.mouse.up()
    assert during != before
    page.wait_for_selector("#deformable-stage button:has-text('Back to the pattern')")
    assert field(page, "offsets")[0] == pytest.approx([-3, -5], abs=0.1)
    page.wait_for_timeout(900)
    after = page.evaluate(STAGE)
    assert [float(v) for v in after.split()] == pytest.approx([float(v) for v in during.split()], abs=5e-3)
    page.click("#deformable-stage button:has-text('Back to the pattern')")
    page.wait_for_function("old => document.querySelector('#deformable-stage .gb-stage').dataset.output === old", arg=before)


def test_keys_choose_and_move_and_the_slider_modulates(start):
    page = start(DeformParams(operator="dcn2", cells=24, turn=0.0, grow=1.0))
    page.locator(CELLS).focus()
    page.keyboard.press("n")
    assert "tap 3" in page.inner_text("#deformable-stage .gb-reads")
    for _ in range(2):
        page.keyboard.press("Shift+ArrowUp")
    page.wait_for_function("()=>document.querySelector('#deformable-offsets textarea, #deformable-offsets input')?.value.includes('-0.5')")
    page.locator("#deformable-stage .gb-raw input").fill("3")
    page.wait_for_function("() => document.querySelector('#deformable-raw textarea, #deformable-raw input')?.value.includes('3')")
    page.wait_for_function("() => document.querySelector('#deformable-notice')?.innerText.includes('4.95')")


def test_the_photograph_lies_beneath_the_points_and_cells_can_be_shown(start):
    page = start(DeformParams())
    wait = "() => document.querySelector('#deformable-stage .gb-stage').gbTaps.photo?.naturalWidth === 600"
    page.wait_for_function(wait)
    assert page.locator("#deformable-stage .gb-level").all_inner_texts()[3] == "level 4: 6 × 9 cells"
    drawn = "() => document.querySelector('#deformable-stage canvas').toDataURL()"
    before = page.evaluate(drawn)
    page.click("#deformable-stage button:has-text('Show all cells')")
    assert page.evaluate(drawn) != before


def test_settings_that_do_nothing_are_hidden(start):
    page = start(DeformParams())
    assert page.is_visible("#deformable-head") and not page.is_visible("#deformable-kernel") and not page.is_visible("#deformable-stride")
    page.click("#deformable-operator label:has-text('DCNv3')")
    page.wait_for_function("() => document.querySelector('#deformable-notice')?.innerText.startsWith('9 points')")
    assert page.is_visible("#deformable-scale") and not page.is_visible("#deformable-kernel") and not page.is_visible("#deformable-head")


def test_three_layers_are_clicked_on(start):
    page = start(DeformParams(view="stack"))
    page.wait_for_function("() => document.querySelector('#deformable-stage .gb-stage').dataset.cell")
    assert "729 places" in page.inner_text("#deformable-stage")
    page.locator("#deformable-stage canvas").first.click(position={"x": 20, "y": 30})
    near = "() => document.querySelector('#deformable-stage .gb-stage').dataset.cell.split(' ').every((v) => Number(v) < 4)"
    page.wait_for_function(near)


def test_offsets_learn_on_the_page_and_stop(start):
    page = start(DeformParams(view="fit", steps=400))
    page.wait_for_function("() => Number(document.querySelector('#deformable-stage .gb-stage').dataset.step) > 5")
    page.click("#deformable-halt")
    page.wait_for_timeout(1500)
    step = page.evaluate("() => document.querySelector('#deformable-stage .gb-stage').dataset.step")
    page.wait_for_timeout(1500)
    assert page.evaluate("() => document.querySelector('#deformable-stage .gb-stage').dataset.step") == step


def test_an_own_picture_is_read_and_a_wrong_file_keeps_it(start, tmp_path):
    page = start(DeformParams(operator="dcn1", cells=8, dilation=1, turn=0.0, grow=1.0))
    before = page.evaluate(STAGE)
    Image.new("RGB", (64, 64), (255, 0, 0)).save(tmp_path / "red.png")
    page.set_input_files("#deformable-pictures input[type=file]", tmp_path / "red.png")
    page.wait_for_function("old => document.querySelector('#deformable-stage .gb-stage').dataset.output !== old", arg=before)
    red = page.evaluate(STAGE)
    assert red.startswith("1.0000 0.0000 0.0000")
    (tmp_path / "no.png").write_text("not a picture")
    page.set_input_files("#deformable-pictures input[type=file]", tmp_path / "no.png")
    page.wait_for_selector(".toast-body")
    assert page.evaluate(STAGE) == red


def test_bad_offsets_are_one_sentence_and_nothing_is_lost(start):
    page = start(DeformParams(operator="dcn2"))
    before = page.evaluate(STAGE)
    assert not page.is_visible("#deformable-offsets")
    page.click("#deformable-stage button:has-text('Exact numbers')")
    page.fill("#deformable-offsets textarea, #deformable-offsets input", "[[1, 2]]")
    page.wait_for_selector(".toast-body:has-text('9 pairs')")
    assert page.evaluate(STAGE) == before


@pytest.mark.parametrize("view", ["taps", "stack", "fit", "conventions"])
def test_a_phone_needs_no_sideways_scrolling(start, view):
    page = start(DeformParams(view=view, steps=10), viewport={"width": 390, "height": 844})
    page.wait_for_timeout(800)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
