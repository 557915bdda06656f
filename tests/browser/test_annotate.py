"""The annotator's canvas, on a fake segmenter: pointer, brush, polygon, labels, preview, and what the browser keeps."""

from __future__ import annotations

import pytest

from tests.browser.canvas_app import HOVERS, PROMPTS, SAID
from tests.browser.conftest import reload
from tests.browser.test_canvas import PHONE


def test_only_left_and_right_click_and_a_click_can_be_moved_and_deleted(board):
    page, keyboard = board.page, board.page.keyboard
    session = page.context.new_cdp_session(page)
    x, y = board.client(150, 60)
    page.evaluate("history.pushState(null, '', '#here')")    # so that the browser's own back stays in the page
    for button in ("back", "forward"):
        for kind in ("mousePressed", "mouseReleased"):
            session.send("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, "button": button, "clickCount": 1})
    assert board.steps() == []
    board.click(50, 60)
    keyboard.down("Control")
    board.click(100, 60)
    keyboard.up("Control")
    board.click(200, 60)
    assert [step["point"] for step in board.steps()] == [[50, 60, 1], [100, 60, 0], [200, 60, 1]]
    page.mouse.move(*board.client(20, 20))
    page.mouse.down()
    page.mouse.move(*board.client(90, 90), steps=3)
    page.keyboard.press("Escape")
    page.mouse.up()
    assert len(board.steps()) == 3                           # a box that Esc ended leaves the clicks
    board.drag((100, 60), (120, 80))
    assert board.steps()[1]["point"] == [120, 80, 0]
    board.settled()
    board.until(lambda: PROMPTS[-1]["objects"][0]["steps"][1:2] == board.steps()[1:2])
    board.click(50, 60)
    board.press("Delete")
    assert [step["point"][0] for step in board.steps()] == [120, 200]
    board.click(200, 60)
    board.tool("unclick")
    assert [step["point"][0] for step in board.steps()] == [120]
    keyboard.down("Alt")
    board.click(120, 80)
    keyboard.up("Alt")
    assert board.steps() == []
    for left in (1, 2, 3):
        board.press("z")
        assert len(board.steps()) == left


def test_the_bare_wheel_scrolls_the_page_until_a_click_and_a_pinch_zooms_at_a_usable_rate(board):
    page = board.page
    page.set_viewport_size({"width": 1280, "height": 420})
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(*board.client(150, 60))
    page.evaluate("scrollTo(0, 0)")
    start = board.state()["view"]["scale"]
    board.wheel(120, None)
    page.wait_for_function("scrollY > 50")
    assert board.state()["view"]["scale"] == start
    board.click(150, 60)
    board.wheel(-120, None)
    page.wait_for_function("([s, k]) => document.querySelector(s + ' .gx-canvas').__gx.state().view.scale > k",
                           arg=[board.root, start])
    board.tool("fit")
    scale = board.state()["view"]["scale"]
    pinch = """([s, n]) => { const c = document.querySelector(s + ' .gx-canvas'), r = c.getBoundingClientRect();
        for (let i = 0; i < n; i++) c.dispatchEvent(new WheelEvent('wheel', {deltaY: -4, ctrlKey: true,
            clientX: r.x + r.width / 2, clientY: r.y + r.height / 2, bubbles: true, cancelable: true})); }"""
    page.evaluate(pinch, [board.root, 20])                   # what a touchpad sends for fingers spread by about half
    assert 1.8 < board.state()["view"]["scale"] / scale < 3


def test_one_finger_scrolls_the_page_and_draws_a_box_after_a_pause(open_board):
    board = open_board(**{**PHONE, "viewport": {"width": 390, "height": 500}})
    page = board.page
    page.evaluate("scrollTo(0, 0)")
    x, y = board.client(150, 60)
    for kind, dy in (("touchStart", 0), *(("touchMove", -12 * i) for i in range(1, 8))):
        board.touch(kind, (x, y + dy))
    board.touch("touchEnd")
    page.wait_for_function("scrollY > 20")
    page.wait_for_function("() => { const was = window.seenY; return (window.seenY = scrollY) === was; }", polling=300)
    assert board.steps() == []
    a, b = board.client(60, 30), board.client(140, 90)
    board.touch("touchStart", a)
    page.wait_for_timeout(600)
    scrolled = page.evaluate("scrollY")
    for t in (0.3, 0.6, 1.0):
        board.touch("touchMove", (a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])))
    board.touch("touchEnd")
    assert board.steps() == [{"box": [60, 30, 140, 90], "choice": None}] and page.evaluate("scrollY") == scrolled


LEAVING = ("signal is aborted", "Connection errored out")
"""What gradio's client says of events that are under way when a page is left."""


def vertices(board, least=3):
    enough = "([s, n]) => +document.querySelector(s).dataset.vertices >= n"
    board.page.wait_for_function(enough, arg=[board.root, least])
    return board.state()["rings"]


def test_brush_eraser_and_polygon_change_the_mask_and_everything_can_be_undone(board):
    page = board.page
    board.click(150, 60)
    clicked = board.settled().state()["areas"]
    board.press("b")
    board.drag((20, 60), (60, 60))
    painted = board.settled().state()
    assert painted["areas"][1] > clicked[1] + 40 * 2 * painted["radius"] - 10
    assert [step.get("stroke", [None])[0] for step in board.steps()] == [None, 1]
    board.press("e")
    board.drag((140, 60), (170, 60))
    assert board.settled().state()["areas"][1] < painted["areas"][1]
    size = board.state()["radius"]
    board.press("]", "]")
    page.mouse.move(*board.client(150, 20))
    board.wheel(-100, "Alt")
    page.wait_for_function("([s, r]) => document.querySelector(s + ' .gx-canvas').__gx.state().radius > 1.4 * r",
                           arg=[board.root, size])
    board.press("p")
    [*_, ring] = sorted(vertices(board), key=len)
    drawn = board.state()["areas"][1]
    x, y = min(ring)
    board.drag((x - 0.5, y - 0.5), (x + 30, y))
    assert len(board.steps()) == 4 and len(board.settled().state()["areas"]) == len(clicked)
    rings = vertices(board)
    assert [x, y] not in [corner for one in rings for corner in one] and board.state()["areas"][0] != drawn
    count = sum(map(len, rings))
    (x0, y0), (x1, y1) = max(rings, key=len)[:2]
    page.mouse.click(*board.client((x0 + x1) / 2 - 0.5, (y0 + y1) / 2 - 0.5))
    board.settled()
    assert sum(map(len, vertices(board, count + 1))) == count + 1 and len(board.steps()) == 4
    board.press("Delete")
    page.wait_for_function("([s, n]) => +document.querySelector(s).dataset.vertices === n", arg=[board.root, count])
    board.press("v", *"zzzzz")
    assert [step["point"] for step in board.steps()] == [[150, 60, 1]]
    assert board.settled().state()["areas"] == clicked
    board.press("Escape", "p")
    for corner in ((50, 20), (100, 20), (100, 80), (50, 80)):
        board.click(*corner)
    board.press("Enter")
    assert board.settled().state()["areas"][0] == pytest.approx(50 * 60, abs=2)


def test_labels_have_a_list_keys_and_colours_and_survive_a_reload(open_board):
    board = open_board(allow=LEAVING)
    page = board.page
    board.click(60, 60)
    for name in ("cat", "<b>猫</b>"):
        page.click(f"{board.root} .gx-new-label")
        page.fill(f"{board.root} .gx-labels input", name)
        board.press("Enter")
    assert board.state()["objects"][0]["label"] == "<b>猫</b>" and page.locator(".gx-labels b").count() == 0
    page.focus(f"{board.root} .gx-canvas")
    board.press("1", "n")
    board.click(220, 60)
    board.settled()
    assert [o["label"] for o in board.state()["objects"]] == ["cat", "cat"]
    first, second = (board.page.locator(f"{board.root} .gx-objects .gx-swatch").nth(i).evaluate(
        "node => node.style.background") for i in (0, 1))
    assert first == second
    board.press("2", "Shift+Digit3")
    board.settled()
    assert board.state()["objects"][1]["label"] == "<b>猫</b>" and board.state()["chosen"] == 2
    board.until(lambda: [o["label"] for o in PROMPTS[-1]["objects"]][1:] == ["<b>猫</b>"])
    reload(page)
    board.ready("wide")
    assert [o["label"] for o in board.state()["objects"]] == ["cat", "<b>猫</b>"] == board.state()["labels"]
    page.locator(f"{board.root} .gx-drop-label").first.click()
    assert [o["label"] for o in board.state()["objects"]] == ["object", "<b>猫</b>"]
    board.tool("undo")
    assert board.state()["objects"][0]["label"] == "cat"


def test_the_mask_under_the_pointer_is_previewed_and_changes_nothing(board):
    page = board.page
    board.click(150, 60)
    board.settled()
    said, before, link = len(SAID), board.state(), page.url
    page.mouse.move(*board.client(60, 60))
    page.wait_for_function("s => document.querySelector(s).dataset.ghost === '60,60'", arg=board.root)
    ghost = board.state()["ghostArea"]
    asked = len(HOVERS)
    for x in range(61, 100, 2):
        page.mouse.move(*board.client(x, 60))
    page.wait_for_function("s => document.querySelector(s).dataset.ghost === '99,60'", arg=board.root)
    assert len(HOVERS) - asked <= 20 and HOVERS[-1]["point"] == [99, 60, 1]
    assert board.state()["objects"] == before["objects"] and len(SAID) == said and page.url == link
    assert page.is_disabled(f"{board.root} .gx-redo")
    board.click(60, 60)
    assert board.settled().state()["areas"][1] == ghost      # a click gives the mask that was previewed
    board.press("h")
    asked = len(HOVERS)
    page.mouse.move(*board.client(200, 60))
    board.click(220, 60)
    board.settled()
    assert len(HOVERS) == asked and page.evaluate("localStorage.getItem('glassbox-segment-preview')") == "off"
    board.press("h")


def test_a_click_does_not_wait_for_previews(board):
    page = board.page
    board.click(150, 60)
    board.settled()
    for x in range(40, 140, 3):
        page.mouse.move(*board.client(x, 40))
    asked = len(HOVERS)
    board.click(250, 60)
    board.settled()
    assert len(HOVERS) - asked <= 2 and len(board.steps()) == 2


def test_work_is_kept_across_pictures_reloads_and_closed_tabs_until_it_is_forgotten(open_board):
    board = open_board(allow=LEAVING)
    page, context = board.page, board.page.context
    board.click(150, 60)
    board.press("b")
    board.drag((20, 20), (60, 20))
    board.settled()
    wide = board.state()["objects"]
    board.sample("tall")
    assert board.steps() == []
    board.tool("tool-click")
    board.click(60, 150)
    board.settled()
    assert board.text("progress") == "2 of 2 annotated"
    board.sample("wide")
    assert board.state()["objects"] == wide
    page.focus(f"{board.root} .gx-canvas")
    board.press("PageDown")
    board.ready("tall")
    assert board.steps()[0]["point"] == [60, 150, 1]
    page.wait_for_function(KEPT, arg=["tall", 1])
    reload(page)
    board.ready("wide")
    assert board.state()["objects"] == wide
    address = page.url
    page.close()
    board.page = context.new_page()
    board.page.goto(address)
    board.ready("wide")
    assert board.state()["objects"] == wide and board.text("progress") == "2 of 2 annotated"
    board.tool("forget")
    board.page.wait_for_function(KEPT, arg=["tall", None])
    assert board.state()["objects"] == wide and board.page.is_hidden(f"{board.root} .gx-strip")


KEPT = """([key, many]) => new Promise((done) => { const open = indexedDB.open('glassbox-segment');
    open.onsuccess = () => { const get = open.result.transaction('pictures').objectStore('pictures').get(key);
        get.onsuccess = () => { open.result.close(); const one = get.result;
            done(many === null ? !one : Boolean(one) && one.objects.length === many); }; }; })"""
