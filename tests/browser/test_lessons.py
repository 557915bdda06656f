"""The lessons of the Attention tab in Chromium: stepping, the mask designer, the measurement, figures and texts."""

from dataclasses import replace

import pytest

from backends.attention import answer
from backends.attention.params import AttentionParams
from tests.browser.board import asking, calm
from tests.browser.test_attention import RNN, SMALL, STATE, drawn, number, settled


@pytest.fixture
def start(open_tab):
    """Open the tab with settings; the page comes back when its cards are drawn."""

    def opened(params=SMALL, **context):
        page = open_tab("attention", params, **context)
        page.wait_for_selector(".gb-cards[data-drawn]")
        return page

    return opened


def test_the_state_is_stepped_and_played_in_the_browser_and_the_link_follows(start):
    page = start(RNN)
    page.wait_for_selector(f'{STATE}[data-step="3"]')
    calm(page, "#attention-stage")
    drawn_before = page.get_attribute(".gb-stages[data-slug=attention]", "data-drawn")
    page.get_by_role("button", name="Forward").click()
    page.wait_for_selector(f'{STATE}[data-step="4"]')
    settled(page, "step=4")
    asked = asking(page, ".gb-cards")
    page.get_by_role("button", name="Play").click()
    page.wait_for_function(f"() => +document.querySelector('{STATE}').dataset.step > 8")
    assert asked == []  # playing asks nobody; once it stands, the step is noted for the link
    page.get_by_role("button", name="Pause").click()
    page.locator(".gb-step input").press("End")
    page.wait_for_selector(f'{STATE}[data-step="96"]')
    recall = answer(replace(RNN, step=96)).body.lesson.recall
    assert float(page.get_attribute(STATE, "data-mean")) == pytest.approx(float(recall.mean()), rel=1e-3)
    settled(page, "step=96")
    assert page.get_attribute(".gb-stages[data-slug=attention]", "data-drawn") == drawn_before
    page.click("#attention-link")
    page.wait_for_function("() => document.querySelector('#gb-share-text')?.value.includes('step=96')")


def test_an_answer_to_a_setting_leaves_the_step_and_a_preset_sets_it(start):
    page = start(RNN)
    page.wait_for_selector(f'{STATE}[data-step="3"]')
    calm(page, "#attention-stage")
    page.locator(".gb-step input").press("End")
    drawn(page, lambda: number(page, "norm", 2))
    settled(page, "norm=2")
    assert page.get_attribute(STATE, "data-step") == "96" and "step=96" in page.evaluate("location.search")
    page.get_by_role("button", name="An RNN that only adds").click()
    page.wait_for_selector(f'{STATE}[data-step="64"]')


def test_the_mask_designer_reads_reach_under_the_pointer(start):
    page = start(
        AttentionParams(source="synthetic", n=32, kinds=("softmax", "strided"), stride=6, lesson="mask", depth=2)
    )
    page.wait_for_selector(".gb-stage[data-kind=mask] canvas")
    page.locator(".gb-stage[data-kind=mask] canvas").nth(1).focus()
    assert "after 2 layers" in page.inner_text(".gb-stage[data-kind=mask] .gb-note")
    page.keyboard.press("ArrowUp")
    page.wait_for_function(
        "() => document.querySelector('.gb-stage[data-kind=mask] .gb-note')?.innerText.startsWith('Query 30')"
    )
    assert "2 layers: 100 %" in page.inner_text(".gb-layers")


def test_the_measurement_streams_and_stops(start):
    page = start()
    page.get_by_label("Bracket the product").check()
    page.locator("#attention-twin button").first.click()
    page.wait_for_selector("#attention-plot .main-svg")
    page.wait_for_function(
        "() => document.querySelectorAll('#attention-table thead th')[1]?.innerText.includes('seconds')"
    )
    page.click("#attention-stop")
    page.wait_for_selector("#attention-going[data-running=false]", state="attached")
    stopped = page.locator("#attention-table tbody tr").count()
    assert 1 <= stopped <= 11 and page.locator(".gb-card").count() == 4
    page.click("#attention-csv")                            # an answer that comes after the run's last one
    assert page.locator("#attention-table tbody tr").count() == stopped


def test_a_lesson_shows_its_figure_and_its_text_in_one_language(start):
    def texts():
        for lesson in ("favor", "gradient", "training", "dilution"):
            page.evaluate("(lesson) => import(new URL('glass/js/wire.js', document.baseURI))"
                          ".then((wire) => wire.say('attention', { kind: 'set', values: { lesson } }))", lesson)
            page.wait_for_function("(lesson) => location.search.includes(`lesson=${lesson}`)", arg=lesson)
            page.wait_for_selector("#attention-plot .main-svg")
            yield page.inner_text(".gb-tab-attention .gb-main")

    page = start(AttentionParams(text="for i in range(10):\n    print(i)\n", kinds=("softmax", "elu1")))
    for text in texts():
        assert "Look at" in text and "虚线" not in text and "看" not in text
    page.click("[data-glassbox=language]")
    page.wait_for_selector("html[data-translated=zh]", state="attached")
    for text in texts():
        assert "看" in text and "Look at" not in text and "What is drawn" not in text


def test_a_preset_of_the_tab_says_that_its_observation_holds(start):
    page = start()
    page.get_by_role("button", name="Where Performer dies").click()
    page.wait_for_selector("#attention-notice li[data-ok=true] >> text=Where Performer dies")
    settled(page, "norm=2")
