"""axe-core finds no serious violation on any tab, the home view or the tour: light in English, dark in Chinese."""

import pytest

from ui import TABS

SERIOUS = ("serious", "critical")


def violations(page, part):
    """(rule, first element) of what axe-core calls serious or worse in a part of the page, now."""
    found = page.evaluate("(part) => axe.run(part, { resultTypes: ['violations'] })", part)["violations"]
    return [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in SERIOUS]


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("zh", "dark")])
def test_no_serious_violation_on_any_tab(open_page, app_url, language, scheme):
    from axe_playwright_python import base as axe

    page = open_page(f"{app_url}?lang={language}", color_scheme=scheme)
    page.evaluate(axe.AXE_SCRIPT)
    wrong = {}
    for tab in TABS:
        page.click(f"#tab-{tab.slug}-button")
        page.wait_for_selector(f"#tab-{tab.slug}[data-answered], #{tab.slug}-canvas[data-shown]", state="attached")
        wrong[tab.slug] = violations(page, f"#tab-{tab.slug}")
    page.click("[data-glassbox=home]")
    page.wait_for_selector("#gb-home[open] .gb-tile")
    wrong["home"] = violations(page, "#gb-home")
    page.keyboard.press("Escape")
    page.click("[data-glassbox=tour]")
    page.wait_for_selector("#gb-tour b")
    wrong["tour"] = violations(page, "#gb-tour")
    wrong["header"] = violations(page, "#gb-header")
    assert {place: found for place, found in wrong.items() if found} == {}
