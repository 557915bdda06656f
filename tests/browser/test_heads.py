"""The sheet of all heads in Chromium: reading, sorting and opening heads by hand and by keys, and what a kind costs."""

from dataclasses import replace

import pytest

from backends.attention import answer
from backends.attention.params import AttentionParams
from tests.browser.board import WIDTH

HEADS = AttentionParams(lesson="heads", kinds=("softmax", "elu1"))
SHEET = ".gb-stage[data-kind=heads]"


@pytest.fixture
def start(open_tab):
    """Open the sheet; the page comes back when all scores are there."""

    def opened(params=HEADS, ready=f"{SHEET}[data-induction=true]", **context):
        page = open_tab("attention", params, **context)
        page.wait_for_selector(ready)
        return page

    return opened


def test_sorting_by_a_score_finds_a_head_and_a_click_opens_it(start):
    page = start()
    assert page.locator(".gb-head-map").count() == 16 == int(page.get_attribute(SHEET, "data-count"))
    page.click("[data-order=previous]")
    previous = answer(HEADS).body.previous
    layer, head = int(previous.argmax()) // 4 + 1, int(previous.argmax()) % 4 + 1
    assert page.get_attribute(SHEET, "data-at") == f"{layer}.{head}"
    values = [float(text.split()[-1]) for text in page.locator(".gb-head-map").all_inner_texts()]
    assert values == sorted(values, reverse=True) and values[0] == pytest.approx(float(previous.max()), abs=0.006)
    page.wait_for_function("() => location.search.includes('order=previous')")
    page.locator(".gb-head-map").first.click()
    page.wait_for_selector(".gb-cards[data-drawn]")
    page.wait_for_function("part => location.search.includes(part)", arg=f"head={head}")
    assert page.input_value("#attention-layer input") == str(layer)


def test_a_preset_sorts_and_a_link_keeps_the_order(start):
    page = start(replace(HEADS, order="entropy"))
    assert page.get_attribute("[data-order=entropy]", "aria-pressed") == "true"
    page.click("[data-order=layers]")
    page.wait_for_function("() => !location.search.includes('order=')")
    page.get_by_role("button", name="All heads of the small model").click()
    page.wait_for_selector("[data-order=previous][aria-pressed=true]")
    assert page.get_attribute(SHEET, "data-at") == "2.3"


def test_the_keys_alone_reach_and_open_a_head(start):
    page = start()
    page.locator(".gb-head-map[tabindex='0']").focus()
    for key, at in (("ArrowRight", "1.2"), ("ArrowDown", "2.2"), ("ArrowLeft", "2.1"), ("ArrowUp", "1.1"),
                    ("ArrowUp", "1.1"), ("ArrowDown", "2.1")):
        page.keyboard.press(key)
        assert page.get_attribute(SHEET, "data-at") == at
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Layer 2, head 1"
    assert page.inner_text(".gb-peek .gb-note").startswith("Layer 2, head 1: ")
    page.keyboard.press("Enter")
    page.wait_for_selector(".gb-cards[data-drawn]")
    page.wait_for_function("() => location.search.includes('layer=2')")


def test_settings_of_the_cards_are_not_on_the_sheet(start):
    page = start()
    shown = [name for name in ("text", "source", "kinds", "head", "layer", "norm", "reading", "scope", "model")
             if page.locator(f"#attention-{name}").is_visible()]
    assert shown == ["text", "source"]
    page.get_by_label("My text, through a language model").check()
    page.wait_for_selector("#attention-own-model", state="visible")


def test_a_model_that_is_not_here_is_said_in_place(start):
    page = start(AttentionParams(source="model"), "#attention-notice >> text=is not on this machine yet")
    page.wait_for_selector("#attention-own-model >> text=Download")
    assert page.locator(".toast-body").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_every_head_of_a_layer_without_horizontal_scroll(start, scheme):
    page = start(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    assert page.evaluate(WIDTH) <= 390
    tops = page.evaluate("[...document.querySelectorAll('.gb-heads-row:first-child .gb-head-map')]"
                         ".map(node => node.getBoundingClientRect().top)")
    assert len(tops) == 4 and len(set(tops)) == 1


def test_the_cost_of_a_kind_is_drawn_bar_by_bar(start):
    params = AttentionParams(lesson="cost", kinds=("softmax", "elu1"))
    page = start(params, "#attention-checks >> text=softmax in its own place")
    page.wait_for_function("() => document.querySelectorAll('#attention-plot .bars .point').length === 3")
    page.get_by_text("nothing is trained again").first.wait_for()
    assert not page.locator("#attention-layer").is_visible()
    page.get_by_label("One layer").check()
    page.wait_for_selector("#attention-layer", state="visible")


def test_a_token_that_is_a_word_of_the_page_is_not_translated(start):
    params = AttentionParams(text="é", kinds=("softmax",))
    page = start(params, ".gb-cards[data-drawn]", locale="zh-CN")
    page.wait_for_function("() => document.querySelector('.gb-cards-at').textContent.includes('é 2/2')")
    say = """word => { const cards = document.querySelector('[data-kind=cards]').cards; cards.scene.labels[1] = word;
        cards.grid.querySelector('canvas').dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowUp' }));
        cards.grid.querySelector('canvas').dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown' })); }"""
    page.evaluate(say, "Model")
    page.wait_for_function("() => /查询 1.*Model/.test(document.querySelector('.gb-cards-at').textContent)")
