"""axe-core finds no serious violation on any tab, the home view or the tour: light in English, dark in Chinese."""

from axe_playwright_python.base import AXE_SCRIPT

from ui import TABS

SERIOUS = ("serious", "critical")


def violations(page, part):
    """(rule, first element) of what axe-core calls serious or worse in a part of the page, now."""
    found = page.evaluate("(part) => axe.run(part, { resultTypes: ['violations'] })", part)["violations"]
    return [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in SERIOUS]


def everywhere(page):
    """(place, its violations) of every tab, the home view, the tour and the header."""
    for tab in TABS:
        page.click(f"#tab-{tab.slug}-button")
        page.wait_for_selector(f"#tab-{tab.slug}[data-answered], #{tab.slug}-canvas[data-shown]", state="attached")
        yield tab.slug, violations(page, f"#tab-{tab.slug}")
    page.click("[data-glassbox=home]")
    page.wait_for_selector("#gb-home[open] .gb-tile")
    yield "home", violations(page, "#gb-home")
    page.keyboard.press("Escape")
    page.click("[data-glassbox=tour]")
    page.wait_for_selector("#gb-tour b")
    yield "tour", violations(page, "#gb-tour")
    page.click("#gb-tour >> text=/^(End|结束)$/")
    yield "header", violations(page, "#gb-header")


def test_no_serious_violation_on_any_tab_in_light_english_and_dark_chinese(page):
    page.evaluate(AXE_SCRIPT)
    assert {place: found for place, found in everywhere(page) if found} == {}
    page.click("[data-glassbox=theme]")
    page.click("[data-glassbox=language]")
    page.wait_for_selector("html[data-translated=zh] body.dark", state="attached")
    assert {place: found for place, found in everywhere(page) if found} == {}
