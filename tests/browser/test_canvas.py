"""The click canvas alone, on a fake segmenter: every gesture gives the pixel and the step that it should."""

from __future__ import annotations

import pytest

from tests.browser.board import WIDTH
from tests.browser.canvas_app import PROMPTS, SAID, SIZES
from tests.browser.conftest import WIDE

NARROW = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}
PHONE = {**NARROW, "has_touch": True, "is_mobile": True}


def five_pixels(name):
    w, h = SIZES[name]
    return [(0, 0), (w - 1, 0), (0, h - 1), (w - 1, h - 1), (w // 2, h // 2)]


@pytest.mark.parametrize("options", [WIDE, NARROW], ids=["desktop", "390px-dpr2"])
def test_a_click_reports_the_exact_pixel_in_three_aspect_ratios_and_zoomed(open_board, options):
    board = open_board(**options)
    for name in ("wide", "tall", "square"):
        board.sample(name)
        board.page.locator(f"{board.root} .gx-canvas").scroll_into_view_if_needed()
        for x, y in five_pixels(name):
            board.click(x, y)
            assert board.steps()[-1]["point"] == [x, y, 1]
        board.tool("clear")
        for x, y in five_pixels(name):
            board.tool("fit")
            board.page.mouse.move(*board.client(x, y))
            board.wheel(-700)
            board.page.wait_for_function("s => document.querySelector(s).__gx.state().view.custom",
                                         arg=f"{board.root} .gx-canvas")
            board.click(x, y)
            assert board.steps()[-1]["point"] == [x, y, 1]
        board.settled()
        assert PROMPTS[-1]["objects"][0]["steps"] == board.steps()


def test_a_large_picture_is_exact_when_zoomed_and_close_when_not(open_board):
    board = open_board(**NARROW)
    board.sample("large")
    for x, y in five_pixels("large"):
        board.click(x, y)
        px, py, _ = board.steps()[-1]["point"]
        assert abs(px - x) <= 1 and abs(py - y) <= 1


def test_after_zoom_a_resize_keeps_the_middle_and_clicks_stay_exact(board):
    board.page.mouse.move(*board.client(200, 40))
    board.wheel(-600)
    board.page.wait_for_timeout(100)
    box = board.page.locator(f"{board.root} .gx-canvas").bounding_box()
    middle = board.under(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    board.page.set_viewport_size({"width": 600, "height": 900})
    resized = """s => { const c = document.querySelector(s), w = c.getBoundingClientRect().width;
        return w < 600 && c.width === Math.round(w); }"""
    board.page.wait_for_function(resized, arg=f"{board.root} .gx-canvas")
    box = board.page.locator(f"{board.root} .gx-canvas").bounding_box()
    after = board.under(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert abs(after[0] - middle[0]) < 2 and abs(after[1] - middle[1]) < 2
    x, y = int(after[0]), int(after[1])
    board.click(x, y)
    assert board.steps()[-1]["point"] == [x, y, 1]


def test_right_click_toggle_and_shift_click_exclude(board):
    board.click(50, 50)
    board.click(60, 50, button="right")
    board.tool("exclude")
    board.click(70, 50)
    board.page.keyboard.down("Shift")
    board.click(80, 50)
    board.page.keyboard.up("Shift")
    board.tool("include")
    board.click(90, 50)
    assert [step["point"][2] for step in board.steps()] == [1, 0, 0, 1, 1]


def test_a_drag_is_a_box_of_ordered_pixel_indices(board):
    board.drag((120, 90), (40, 20))
    assert board.steps() == [{"box": [40, 20, 120, 90], "choice": None}]
    board.settled()
    assert board.state()["areas"][0] == 81 * 71


def test_a_drag_out_of_the_picture_is_clamped_to_it(board):
    board.sample("tall")
    board.drag((60, 200), (300, 299))
    assert board.steps()[-1]["box"] == [60, 200, 119, 299]


def test_clicks_outside_the_picture_do_nothing(board):
    board.sample("tall")
    board.page.mouse.click(*board.client(-40, 100))
    assert board.steps() == []


def test_undo_redo_and_clear_walk_through_the_history(board):
    for x in (40, 60, 80):
        board.click(x, 60)
    board.tool("undo")
    board.press("Control+z")
    assert len(board.steps()) == 1
    board.tool("redo")
    assert len(board.steps()) == 2
    board.tool("clear")
    assert board.steps() == []
    board.tool("undo")
    assert [step["point"][0] for step in board.steps()] == [40, 60]
    board.click(90, 60)
    assert board.page.is_disabled(f"{board.root} .gx-redo")


def test_the_keyboard_alone_can_do_everything(board):
    page = board.page
    page.focus(f"{board.root} .gx-open")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "gx-canvas"
    board.press("ArrowRight", "Shift+ArrowDown", "Alt+ArrowRight")
    assert "154" in board.text("live")
    board.press("Enter")
    assert board.steps()[-1]["point"] == [154, 75, 1]
    board.press("-", "ArrowLeft", "Enter")
    assert board.steps()[-1]["point"] == [151, 75, 0]
    board.press("+", "z")
    assert len(board.steps()) == 1
    board.press("y")
    board.settled()
    board.press("3")
    assert board.state()["chosen"] == 2 and board.steps()[-1]["choice"] == 2
    board.press("Escape")
    assert board.steps() == []
    zoom = board.state()["view"]["scale"]
    board.press("i")
    assert board.state()["view"]["scale"] > zoom
    board.press("f", "n")
    assert board.state()["view"]["scale"] == zoom and len(board.state()["objects"]) == 2


def test_the_wheel_zooms_about_the_pointer_and_the_middle_button_and_space_pan(board):
    at = [round(v) for v in board.client(220, 30)]
    board.page.mouse.move(*at)
    before = board.under(*at)
    board.wheel(-500)
    board.page.wait_for_function("s => document.querySelector(s).__gx.state().view.custom",
                                 arg=f"{board.root} .gx-canvas")
    assert board.under(*at) == pytest.approx(before, abs=0.01)
    for button, key in (("middle", None), ("left", "Space")):
        at = board.client(220, 30)
        if key:
            board.page.focus(f"{board.root} .gx-canvas")
            board.page.keyboard.down(key)
        board.page.mouse.move(*at)
        board.page.mouse.down(button=button)
        board.page.mouse.move(at[0] + 60, at[1] + 25, steps=3)
        board.page.mouse.up(button=button)
        if key:
            board.page.keyboard.up(key)
        assert board.client(220, 30) == pytest.approx((at[0] + 60, at[1] + 25), abs=0.6)
    assert board.steps() == []


def test_on_touch_a_tap_includes_a_long_press_excludes_and_two_fingers_zoom(open_board):
    board = open_board(**PHONE)
    board.page.locator(f"{board.root} .gx-canvas").scroll_into_view_if_needed()
    board.page.touchscreen.tap(*board.client(100, 60))
    assert board.steps()[-1]["point"][2] == 1
    board.touch("touchStart", board.client(200, 60))
    board.page.wait_for_timeout(650)
    board.touch("touchEnd")
    assert board.steps()[-1]["point"] == [200, 60, 0] and len(board.steps()) == 2
    scale, a, b = board.state()["view"]["scale"], board.client(120, 60), board.client(180, 60)
    board.slide((a, b), (-40, 0), (40, 0))
    assert board.state()["view"]["scale"] > 1.5 * scale and len(board.steps()) == 2


def test_two_fingers_side_by_side_pan_without_zooming_or_clicking(open_board):
    board = open_board(**PHONE)
    board.page.locator(f"{board.root} .gx-canvas").scroll_into_view_if_needed()
    board.slide((board.client(120, 60), board.client(180, 60)), (-40, -40), (40, -40))
    scale, a, b = board.state()["view"]["scale"], board.client(140, 60), board.client(160, 60)
    under = board.under(*a)
    board.slide((a, b), (24, 10), (24, 10))
    assert board.state()["view"]["scale"] == pytest.approx(scale, rel=0.01) and not board.steps()
    assert board.under(a[0] + 24, a[1] + 10) == pytest.approx(under, abs=0.6)


def test_three_masks_are_offered_and_a_hover_previews_without_asking_the_server(board):
    board.click(150, 60)
    board.settled()
    chips = board.page.locator(f"{board.root} .gx-candidate")
    assert chips.count() == 3 and chips.nth(1).get_attribute("aria-pressed") == "true"
    asked = len(PROMPTS)
    chips.nth(2).hover()
    assert board.state()["preview"] == 2 and len(PROMPTS) == asked
    chips.nth(2).click()
    board.settled()
    assert PROMPTS[-1]["objects"][0]["steps"][0]["choice"] == 2 and PROMPTS[-1]["want"] == []
    assert "0.800" in board.text("figures")


def test_the_chosen_mask_is_painted_exactly_where_it_is(board):
    clean = [board.pixel(x, 60) for x in (150, 185, 195)]
    board.click(150, 60)
    board.settled()
    board.page.mouse.move(5, 5)
    radius = 0.13 * 300                                      # the best-scored candidate
    inside, outside = board.pixel(150 + int(radius) - 4, 60), board.pixel(150 + int(radius) + 6, 60)
    assert inside != clean[1] and outside == clean[2]


def test_objects_have_names_that_stay_text(board):
    evil = '<img src=x onerror="window.pwned=1">${window.pwned=1}{{value}}' + "x" * 80
    board.click(50, 60)
    board.tool("add")
    board.click(220, 60)
    row = board.page.locator(f"{board.root} .gx-objects li").nth(1)
    row.locator(".gx-rename").click()
    board.page.fill(f"{board.root} .gx-input", evil)
    board.press("Enter")
    name = board.state()["objects"][1]["name"]
    assert name == evil[:40] and row.locator(".gx-name span").inner_text() == name
    assert board.page.evaluate("window.pwned") is None
    assert board.page.locator(f"{board.root} .gx-objects img").count() == 0
    board.page.locator(f"{board.root} .gx-objects .gx-name").first.click()
    assert board.state()["active"] == 0
    board.page.locator(f"{board.root} .gx-objects .gx-remove").first.click()
    assert [o["name"] for o in board.state()["objects"]] == [name]
    board.tool("undo")
    assert len(board.state()["objects"]) == 2


def test_a_failure_is_shown_as_text_and_the_next_answer_removes_it(board):
    board.page.locator(f"{board.root} .gx-rename").click()
    board.page.fill(f"{board.root} .gx-input", "boom")
    board.press("Enter")
    board.page.wait_for_selector(f"{board.root}[data-phase=failed]")
    assert board.text("error-text") == "The model <b>failed</b>."
    board.tool("undo")
    board.settled()
    assert board.page.is_hidden(f"{board.root} .gx-error")


def test_an_answer_that_was_overtaken_or_is_for_another_picture_is_dropped(board):
    board.click(150, 60)
    board.settled()
    before = board.state()
    late = """([s, seq, epoch]) => document.querySelector(s + ' .gx-canvas').__gx.hear(
        {kind: 'reply', seq, epoch, error: 'late', results: []})"""
    epoch = board.page.get_attribute(board.root, "data-epoch")
    board.page.evaluate(late, [board.root, before["shown"] - 1, epoch])
    board.page.evaluate(late, [board.root, before["shown"] + 5, "another"])
    assert board.page.is_hidden(f"{board.root} .gx-error") and board.state()["shown"] == before["shown"]


def test_what_was_done_while_a_message_is_under_way_is_said_in_its_last_form(board):
    board.click(40, 60)
    for x in (80, 120, 160, 200):
        board.click(x, 60)
    board.settled()
    board.until(lambda: SAID and SAID[-1]["objects"][0]["steps"] == board.steps())
    assert SAID[-1]["objects"][0]["steps"] == board.steps() and len(board.steps()) == 5


def test_the_server_is_asked_no_more_when_everything_is_answered(board):
    for x in (40, 90, 140, 190):
        board.click(x, 60)
    board.settled()
    board.until(lambda: PROMPTS[-1]["objects"][0]["steps"] == board.steps())
    asked = len(PROMPTS)
    board.page.wait_for_timeout(500)
    assert len(PROMPTS) == asked


def test_another_model_keeps_what_the_user_did_while_it_was_read(board):
    board.click(40, 60)
    board.settled()
    board.click(90, 60)
    other = """([s, epoch]) => import(new URL('glass/tabs/segment/wire.js', location.href)).then((wire) => wire.adopt(
        {epoch, image_id: 'wide', objects: null, active: 0}))"""
    board.page.evaluate(other, [board.root, "another"])
    board.page.wait_for_selector(f"{board.root}[data-epoch=another]")
    assert [step["point"][0] for step in board.steps()] == [40, 90]


def test_a_region_lights_up_under_the_pointer_and_a_click_makes_it_an_object(board):
    board.page.click("#find")
    board.page.wait_for_selector(f"{board.root}[data-records=final]")
    board.page.mouse.move(*board.client(75, 60))
    assert board.state()["hovered"] == 1                     # the small region on top of the large one
    board.click(75, 60)
    board.settled()
    assert board.steps() == [{"point": [75, 60, 1], "choice": 0}]
    board.click(225, 60)
    board.settled()
    assert len(board.state()["objects"]) == 2
    board.tool("regions")
    board.click(20, 20)
    assert len(board.steps()) == 2


def png(tmp_path, size=(40, 30)):
    from PIL import Image

    path = tmp_path / "mine.png"
    Image.new("RGB", size, "teal").save(path)
    return path


FILE_EVENT = """([s, kind, bytes]) => { const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], 'mine.png', {type: 'image/png'}));
    const event = kind === 'paste' ? new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true})
        : new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true});
    document.querySelector(s).dispatchEvent(event); }"""


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
def test_a_picture_can_be_chosen_dropped_or_pasted(board, tmp_path, way):
    path = png(tmp_path)
    if way == "choose":
        board.page.set_input_files(f"{board.root} .gx-file", path)
    else:
        board.page.evaluate(FILE_EVENT, [f"{board.root} .gx-canvas", way, list(path.read_bytes())])
    arrived = "n => document.querySelector('#uploaded textarea, #uploaded input').value.endsWith(n)"
    board.page.wait_for_function(arrived, arg=f" {path.stat().st_size}")
    board.page.wait_for_function("s => document.querySelector(s).textContent.includes('only counted')",
                                 arg=f"{board.root} .gx-error-text")


def test_on_a_phone_nothing_scrolls_sideways_and_tools_are_large_enough(open_board):
    board = open_board(**PHONE)
    assert board.page.evaluate(WIDTH) <= 390
    small = """s => [...document.querySelectorAll(s + ' button')].filter(b => b.offsetParent)
        .map(b => b.getBoundingClientRect()).filter(r => r.height < 39.5 || r.width < 39.5).length"""
    assert board.page.evaluate(small, board.root) == 0
