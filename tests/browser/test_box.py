"""The opened box in the real app: from a click to its views, and back to the mask on screen."""

import pytest

from tests.browser.board import Board, asking


def drawn(page, count=0):
    """Wait for a stage that was drawn more than ``count`` times; how often it was drawn."""
    page.wait_for_function("n => +document.querySelector('#box-stage .gb-stages').dataset.drawn > n", arg=count)
    return int(page.get_attribute("#box-stage .gb-stages", "data-drawn"))


def values(page):
    """What the maps say of the place under the pointer."""
    return page.locator("#box-stage .gx-map figcaption b").all_inner_texts()


@pytest.fixture
def board(page):
    return Board(page, "segment-canvas").ready("chelsea")


def test_a_click_is_followed_from_the_maps_to_the_mask(board):
    page = board.page
    board.click(230, 150)
    board.settled()
    asked = asking(page, "#segment-box")
    assert not page.locator("#tab-box").is_visible() and not asked
    page.click("#segment-box")
    count = drawn(page)
    assert page.locator("#box-checks li[data-ok=true]").count() == 3
    page.wait_for_function("location.search.includes('inside=click')")
    page.mouse.move(*board.client(230, 150))
    similar = [v for v, name in zip(values(page)[1:], page.locator("#box-stage option").all_inner_texts(), strict=True)
               if name.startswith("similarity")]
    assert len(similar) == 8 and all(float(v) > 0.99 for v in similar)
    map_ = page.locator("#box-stage .gx-map canvas").nth(3)
    map_.scroll_into_view_if_needed()
    map_.hover(position={"x": 4, "y": 4})
    assert all(values(page)[1:]) and float(values(page)[4]) > 0
    page.click("#box-view input[value=logits]")
    count = drawn(page, count)
    cut = page.locator("#box-stage [data-kind=cut]")
    rows, every = 150, 2                                  # the cat has 451 x 300 px
    state = board.state()
    pixels = int(cut.get_attribute("data-pixels"))
    assert abs(pixels * every * every / state["areas"][state["chosen"]] - 1) < 0.02 and pixels < rows * 226
    cut.locator("input").fill("40")
    assert int(cut.get_attribute("data-pixels")) < pixels
    board.click(60, 60, button="right")
    drawn(page, count)
    assert page.locator("#box-checks li[data-ok=true]").count() == 1
    page.click("#segment-box")
    page.wait_for_function("!location.search.includes('inside=')")
    turns = page.get_attribute("#tab-box", "data-answered")
    board.click(300, 200)
    board.settled()
    assert page.get_attribute("#tab-box", "data-answered") == turns


def test_a_link_opens_the_box_on_its_view(open_page, app_url):
    page = open_page(app_url + "?tab=segment&v=1&picture=scene-a&objects=a%3A200%2C200%2B%3B60%2C60-&inside=left")
    Board(page, "segment-canvas").ready("scene-a")
    drawn(page)
    assert page.locator("#box-stage .gx-map").count() == 3
    assert page.is_checked("#box-view input[value=left]") and "matters most" in page.inner_text("#box-notice")
