"""The home view opens links in place, and the tour walks, is left and goes on, by keys alone."""


def test_a_card_opens_in_place_and_the_tour_goes_on_where_it_was_left(page):
    page.evaluate("window.here = true")
    page.click("[data-glassbox=home]")
    page.wait_for_selector("#gb-home[open] .gb-tile img")
    assert page.locator("#gb-home .gb-tile").count() == 8
    page.click("#gb-home .gb-card-of:has-text('1/d is flat')")
    page.wait_for_selector("#scale-plot .main-svg")
    page.wait_for_selector("#scale-notice li[data-ok=true]:has-text('1/d is flat')")
    assert page.evaluate("window.here") and "tab=scale" in page.url and not page.is_visible("#gb-home")
    page.go_back()                                       # a card, as a preset, is a step of the browser's history
    page.wait_for_function("() => location.search.includes('tab=segment')")
    page.wait_for_selector("#tab-segment-button[aria-selected=true]")
    assert page.evaluate("window.here")
    page.focus("[data-glassbox=tour]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#gb-tour :text('1 / 8')")
    page.wait_for_function("() => location.search.includes('tab=segment')")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#swin-notice li[data-ok=true]:has-text('Mask off: the leak')")
    page.keyboard.press("Escape")
    assert not page.locator("#gb-tour").count()
    page.keyboard.press("Enter")                         # the focus is on the button again
    page.wait_for_selector("#gb-tour :text('2 / 8')")
    page.wait_for_function("() => document.activeElement.textContent === 'Next'")
    page.keyboard.press("Enter")
    page.wait_for_selector("#deformable-notice li[data-ok=true]:has-text('The star')")
