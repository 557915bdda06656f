"""axe-core finds no serious violation on any tab, the home view or the tour, and a keyboard reaches everything on a tab
and shows where it is: light in English, dark in Chinese (keys in light alone)."""

from axe_playwright_python.base import AXE_SCRIPT

from ui import TABS

SERIOUS = ("serious", "critical")
REACHED = """part => [...document.querySelector(part).querySelectorAll(
    'a[href], button, input, select, textarea, summary, [contenteditable], [tabindex]')].filter((el) => el.tabIndex >= 0
    && !el.disabled && el.checkVisibility({ visibilityProperty: true }) && !(el.type === 'radio' && !el.checked
    && document.querySelector(`input[name="${el.name}"]:checked`)))"""
UNSEEN = """elements => {
  const look = (el) => { const now = getComputedStyle(el); return `${now.outline} ${now.boxShadow}`; };
  const said = [];
  for (const el of elements) {
    document.activeElement.blur();
    const shown = [el, ...el.labels || []], before = shown.map(look);
    el.focus();
    const boxes = shown.map((one) => one.getBoundingClientRect());
    const wide = boxes.some((box) => Math.min(box.width, box.height) > 8);
    const wrong = [['takes no focus', document.activeElement !== el], ['has no size', !wide],
      ['shows no focus', shown.every((one, k) => look(one) === before[k])],
      ['keeps Tab', !el.dispatchEvent(new KeyboardEvent('keydown', { key: 'Tab', bubbles: true, cancelable: true }))]];
    for (const [what, holds] of wrong) if (holds) said.push([what, el.outerHTML.slice(0, 200)]);
  }
  return said;
}"""
AT = "elements => elements.indexOf(document.activeElement)"
PRESSES = 8


def violations(page, part):
    """(rule, first element) of what axe-core calls serious or worse in a part of the page, now."""
    found = page.evaluate("(part) => axe.run(part, { resultTypes: ['violations'] })", part)["violations"]
    return [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in SERIOUS]


def by_key(page, part):
    """What a keyboard cannot do in a part of the page: each element takes the focus and shows it by its outline or
    shadow, the first ones come one after the other, and after the last one the focus leaves."""
    page.keyboard.press("Tab")                       # from here on the browser shows where the focus is
    elements = page.evaluate_handle(REACHED, part)
    said = elements.evaluate(UNSEEN)
    elements.evaluate("elements => elements[0].focus()")
    order = [elements.evaluate(AT)]
    for _ in range(PRESSES):
        page.keyboard.press("Tab")
        order.append(elements.evaluate(AT))
    elements.evaluate("elements => elements.at(-1).focus()")
    page.keyboard.press("Tab")
    left = elements.evaluate(AT) == -1 and page.evaluate(
        "part => !document.querySelector(part).contains(document.activeElement)", part)
    wanted = list(range(PRESSES + 1))
    return said + [("order", order)] * (order != wanted) + [("does not leave", part)] * (not left)


def everywhere(page, keys=False):
    """(place, what is wrong) of every tab, the home view, the tour and the header; ``keys``: by keyboard, too."""
    for tab in TABS:
        page.click(f"#tab-{tab.slug}-button")
        page.wait_for_selector(f"#tab-{tab.slug}[data-answered], #{tab.slug}-canvas[data-shown]", state="attached")
        yield tab.slug, violations(page, f"#tab-{tab.slug}") + (by_key(page, f"#tab-{tab.slug}") if keys else [])
    page.click("[data-glassbox=home]")
    page.wait_for_selector("#gb-home[open] .gb-tile")
    yield "home", violations(page, "#gb-home")
    page.keyboard.press("Escape")
    page.click("[data-glassbox=tour]")
    page.wait_for_selector("#gb-tour b")
    yield "tour", violations(page, "#gb-tour")
    page.click("#gb-tour >> text=/^(End|结束)$/")
    yield "header", violations(page, "#gb-header")


def test_nothing_serious_and_all_by_key_on_any_tab_in_light_english_and_dark_chinese(page):
    page.evaluate(AXE_SCRIPT)
    assert {place: found for place, found in everywhere(page, keys=True) if found} == {}
    page.click("[data-glassbox=theme]")
    page.click("[data-glassbox=language]")
    page.wait_for_selector("html[data-translated=zh] body.dark", state="attached")
    assert {place: found for place, found in everywhere(page) if found} == {}
