"""The Attention tab in Chromium: linked hover without the server, locks, colours, settings, lessons, own files."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from backends.attention import answer
from backends.attention.params import AttentionParams
from tests.browser.board import WIDTH, asking, calm
from ui.core import permalink

SMALL = AttentionParams(
    source="synthetic", n=32, dim=8, kinds=("softmax", "elu1", "performer_trig", "linformer"), norm=3.0
)
PHONE = {"width": 390, "height": 844}
READ = """([kind, i, j]) => { const s = document.querySelector('[data-kind=cards]').cards;
    return s.views.get(kind).values[i * s.scene.n + j]; }"""

FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture
def start(open_tab):
    """Open the tab with settings; the page comes back when its cards are drawn."""

    def opened(params=SMALL, **context):
        page = open_tab("attention", params, **context)
        page.wait_for_selector(".gb-cards[data-drawn]")
        return page

    return opened


def canvas(page, kind, part=".gb-map:not(.gb-diff)"):
    """The map of one card."""
    found = page.locator(f".gb-card[data-kind={kind}] {part} canvas").first
    found.scroll_into_view_if_needed()
    return found


def place(page, kind, i, j, n=32):
    """Window position of the middle of a cell."""
    box = canvas(page, kind).bounding_box()
    return box["x"] + box["width"] * (j + 0.5) / n, box["y"] + box["height"] * (i + 0.5) / n


def at(page, cell):
    """Wait until all cards point at ``cell``, such as "20,4"."""
    page.wait_for_selector(f'.gb-cards[data-at="{cell}"]')


def drawn(page, act):
    """Do ``act`` and wait until the cards were drawn anew."""
    before = page.get_attribute(".gb-cards", "data-drawn")
    act()
    page.wait_for_function("b => document.querySelector('.gb-cards').dataset.drawn !== b", arg=before)


def number(page, name, value):
    """Write a number into a control."""
    page.fill(f"#attention-{name} input[type=number]", str(value))
    page.keyboard.press("Tab")


def settled(page, part):
    """Wait until the address bar holds ``part``."""
    page.wait_for_function("part => location.search.includes(part)", arg=part)


def test_pointing_at_a_cell_points_at_it_on_every_card_and_asks_nobody(start):
    page = start()
    asked = asking(page, ".gb-cards")
    for i, j in ((20, 4), (31, 30), (7, 7)):
        page.mouse.move(*place(page, "elu1", i, j))
        at(page, f"{i},{j}")
    lines = page.evaluate("""[...document.querySelectorAll('.gb-map')].filter(m => m.offsetParent).map(m => {
        const [box, line] = [m, m.querySelector('.gb-across')].map(e => e.getBoundingClientRect());
        return (line.top - box.top) / box.height; })""")
    assert len(lines) == 7 and all(abs(share - 7 / 32) < 0.01 for share in lines)
    for card in answer(SMALL).body.cards:
        shown = page.inner_text(f".gb-card[data-kind={card.kind}] .gb-cell").split()[0]
        assert float(shown) == pytest.approx(float(card.weights[0, 7, 7]), rel=0.03, abs=2e-3)
    assert "Query 7 “q7” → key 7 “q7”" in page.inner_text(".gb-cards-at") and asked == []


def test_a_click_holds_the_cell_until_escape(start):
    page = start()
    page.mouse.click(*place(page, "softmax", 10, 3))
    page.wait_for_selector(".gb-cards[data-locked=true]")
    page.mouse.move(*place(page, "elu1", 25, 20))
    page.evaluate(FRAMES)
    at(page, "10,3")
    page.keyboard.press("Escape")
    page.wait_for_selector(".gb-cards[data-locked=false]")
    page.mouse.move(*place(page, "elu1", 25, 21))
    at(page, "25,21")


def test_a_held_cell_survives_new_maps(start):
    page = start()
    page.mouse.click(*place(page, "softmax", 10, 3))
    drawn(page, lambda: number(page, "norm", 1))
    assert (
        page.get_attribute(".gb-cards", "data-at") == "10,3"
        and page.get_attribute(".gb-cards", "data-locked") == "true"
    )
    drawn(page, lambda: number(page, "n", 8))
    assert (
        page.get_attribute(".gb-cards", "data-at") == "7,0"
        and page.get_attribute(".gb-cards", "data-locked") == "false"
    )


def test_a_link_opened_in_place_shows_what_it_shows_in_a_fresh_page(start):
    page = start()
    canvas(page, "elu1").focus()
    for key in ("ArrowUp", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector(".gb-cards[data-locked=true][data-at='30,0']")
    page.evaluate("async (link) => (await import(new URL('glass/js/frame.js', location))).visit(link)",
                  permalink.encode("attention", replace(SMALL, norm=2.0)))
    page.wait_for_selector(".gb-cards[data-locked=false][data-at='31,0']")


def test_the_keyboard_alone_moves_holds_and_lets_go(start):
    page = start()
    canvas(page, "elu1").focus()
    at(page, "31,0")
    for key, cell in (
        ("ArrowUp", "30,0"),
        ("ArrowRight", "30,1"),
        ("Shift+ArrowUp", "20,1"),
        ("ArrowDown", "21,1"),
        ("ArrowLeft", "21,0"),
    ):
        page.keyboard.press(key)
        at(page, cell)
    page.keyboard.press("Enter")
    page.wait_for_selector(".gb-cards[data-locked=true]")
    page.keyboard.press("Escape")
    page.wait_for_selector(".gb-cards[data-locked=false]")
    label = canvas(page, "elu1").get_attribute("aria-label")
    assert (
        label.startswith("Weights of elu + 1: 32 queries by 32 keys")
        and canvas(page, "elu1").get_attribute("role") == "img"
    )


def test_bad_rows_are_red_and_what_sees_the_future_says_so(start):
    page = start()
    bad = next(card.bad_rows for card in answer(SMALL).body.cards if card.kind == "performer_trig")
    red = page.evaluate("""() => { const c = document.querySelector('.gb-card[data-kind=performer_trig] .gb-ticks');
        const d = c.getContext('2d').getImageData(0, 0, 1, c.height).data;
        return [...Array(c.height).keys()].filter(i => d[i * 4 + 3] > 0); }""")
    assert tuple(red) == bad and len(bad) > 3
    assert f"{len(bad)} bad rows" in page.inner_text(".gb-card[data-kind=performer_trig] .gb-badges")
    assert "sees the future" in page.inner_text(".gb-card[data-kind=linformer] .gb-badges")
    assert page.inner_text(".gb-card[data-kind=elu1] .gb-badges").startswith("causal")
    assert "Linformer and the future" in page.inner_text("#attention-checks li[data-ok=false]")


def test_the_difference_and_the_shared_range_are_made_in_the_browser(start):
    page = start()
    asked = asking(page, ".gb-cards")
    delta = page.evaluate(
        "() => document.querySelector('[data-kind=cards]').cards.views.get('elu1').delta[20 * 32 + 4]"
    )
    cells = [page.evaluate(READ, [kind, 20, 4]) for kind in ("elu1", "softmax")]
    assert delta == pytest.approx(cells[0] - cells[1], abs=1e-6)
    own = page.inner_text(".gb-card[data-kind=elu1] .gb-scale").split()
    page.click("[data-set=shared]")
    shared = {page.inner_text(f".gb-card[data-kind={kind}] > .gb-scale").split()[-1] for kind in SMALL.kinds}
    assert len(shared) == 1 and page.get_attribute("[data-set=shared]", "aria-pressed") == "true" and own
    page.click("[data-set=diff]")
    assert not page.locator(".gb-card[data-kind=elu1] .gb-diff").is_visible() and asked == []


def test_a_setting_computes_at_once_and_the_link_follows(start):
    page = start()
    before = page.evaluate(READ, ["softmax", 20, 4])
    drawn(page, lambda: number(page, "norm", 0))
    settled(page, "norm=0")
    assert page.evaluate(READ, ["softmax", 20, 4]) == pytest.approx(1 / 21, rel=0.02) != before
    drawn(page, lambda: page.get_by_label("Taylor 1 + cos").check())
    settled(page, "taylor")
    assert page.locator(".gb-card").count() == 5


def test_a_link_shows_the_same_numbers_to_somebody_else(start):
    params = AttentionParams(layer=3, head=2, text="早安, café!", kinds=("elu1", "softmax"), reading="row")
    page, shows = start(params), "d => document.querySelector('.gb-cards').dataset.digest === d"
    digest = answer(params).body.digest
    page.wait_for_function(shows, arg=digest)  # a text that a link sets may be read once before the layer is
    page.click("#attention-link")
    page.wait_for_function("() => { const n = document.querySelector('#gb-share-note'); return n && n.textContent; }")
    other = start(permalink.decode(AttentionParams, page.input_value("#gb-share-text").partition("?")[2])[0])
    other.wait_for_function(shows, arg=digest)
    assert other.locator(".gb-tokens span").count() == len(params.text.encode())
    assert other.inner_text(".gb-tokens") == params.text


def test_bad_input_gives_one_sentence_and_the_cards_stay(start):
    page = start(AttentionParams(kinds=("softmax", "elu1"), text="abcabc"))
    calm(page, ".gb-cards")
    before = page.get_attribute(".gb-cards", "data-digest")
    page.fill("#attention-text textarea", "")
    page.get_by_text("The text is empty; please type at least one character.").first.wait_for()
    assert page.get_attribute(".gb-cards", "data-digest") == before and page.locator(".gb-card").count() == 2
    drawn(page, lambda: page.fill("#attention-text textarea", "x"))
    assert page.get_attribute(".gb-cards", "data-n") == "1"


def test_a_long_text_is_cut_with_a_notice_and_the_bytes_are_counted(start):
    page = start(AttentionParams(kinds=("softmax",), text="abc"))
    page.wait_for_function("() => document.querySelector('.gb-count')?.innerText.startsWith('3 of 8192')")
    page.fill("#attention-text textarea", "早" * 300)
    page.get_by_text("Only the first 510 bytes of the text are used.").wait_for()
    page.wait_for_selector(".gb-cards[data-n='510']")


def test_hostile_text_is_shown_as_text(start):
    text = "<img src=x onerror=window.hacked=1>${window.hacked=1}{{value}}"
    page = start(AttentionParams(kinds=("softmax", "elu1"), text=text))
    assert page.inner_text(".gb-tokens") == text and page.evaluate("window.hacked") is None


def test_only_the_settings_that_matter_are_on_the_page(start):
    page = start(AttentionParams(kinds=("softmax", "elu1"), text="abc"))

    def seen(*names):
        return [name for name in names if page.locator(f"#attention-{name}").is_visible()]

    assert seen("text", "layer", "dim", "n", "own-tensors") == ["text", "layer"]
    page.get_by_label("Random q, k, v").check()
    assert seen("text", "layer", "dim", "n", "own-tensors") == ["dim", "n"]
    page.get_by_label("Dilution").check()
    assert seen("text", "delta") == ["text"]
    page.get_by_label("An RNN").check()
    assert seen("text", "delta", "depth") == ["delta"]
    page.get_by_label("My own q, k, v").check()
    page.click("#attention-folded button")
    page.wait_for_selector("#attention-radius", state="visible")
    assert seen("own-tensors", "m", "rank") == ["own-tensors"]
    page.get_by_label("Linformer").check()
    page.locator("#attention-rank").wait_for()
    assert seen("m", "rank") == ["rank"]


def own(folder, **change):
    """A safetensors file with q, k, v of 12 tokens."""
    random = torch.Generator().manual_seed(1)
    tensors = {name: torch.randn(2, 12, 4, generator=random) for name in "qkv"} | change
    save_file(tensors, folder / "own.safetensors")
    return folder / "own.safetensors"


def test_own_tensors_are_shown_and_bad_ones_leave_the_cards(start, tmp_path):
    page = start(again=False)       # on a busy machine, the choice that a link has just set may be set once more
    page.get_by_label("My own q, k, v").check()
    page.wait_for_selector("#attention-notice >> text=Please choose a file with q, k and v first")
    page.set_input_files("#attention-own-tensors input[type=file]", own(tmp_path))
    page.wait_for_selector(".gb-cards[data-n='12']")
    page.wait_for_selector("#attention-own-tensors >> text=2 heads, 12 tokens, 4 channels")
    before = page.get_attribute(".gb-cards", "data-digest")
    page.set_input_files(
        "#attention-own-tensors input[type=file]", own(tmp_path, k=torch.full((2, 12, 4), float("nan")))
    )
    page.get_by_text("k holds values that are not finite").first.wait_for()
    assert page.get_attribute(".gb-cards", "data-digest") == before
    page.click("#attention-link")
    page.get_by_text("Your own q, k and v cannot travel in a link").first.wait_for()


RNN = AttentionParams(source="synthetic", n=96, dim=8, kinds=("softmax", "elu1"), lesson="state", step=3)
STATE = ".gb-stage[data-kind=state]"


def test_the_figures_and_a_matrix_can_be_downloaded(start):
    page = start(again=False)
    page.locator("#attention-twin button").first.click()
    page.wait_for_selector("#attention-table tbody tr")
    assert page.locator("#attention-table tbody tr").count() == 4
    with page.expect_download() as metrics:
        page.click("#attention-csv")
    assert metrics.value.path().read_text().startswith("kind,causal,entropy")
    with page.expect_download() as matrix:
        page.locator(".gb-card[data-kind=elu1] .gb-about summary").click()
        page.locator(".gb-card[data-kind=elu1] .gb-matrix").click()
    rows = matrix.value.path().read_text().splitlines()
    assert matrix.value.suggested_filename == "glassbox-attention-elu1.csv" and len(rows) == 33
    assert sum(map(float, rows[20].split(",")[1:])) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_two_cards_side_by_side_without_horizontal_scroll(start, scheme):
    page = start(AttentionParams(lesson="state"), viewport=PHONE, color_scheme=scheme, has_touch=True)
    page.wait_for_selector(f"{STATE} canvas")
    assert page.evaluate(WIDTH) <= 390
    first, second = (page.locator(".gb-card").nth(k).bounding_box() for k in (0, 1))
    assert first["y"] == second["y"] and first["width"] > 140
    page.touchscreen.tap(*place(page, "softmax", 5, 2, int(page.get_attribute(".gb-cards", "data-n"))))
    page.wait_for_selector(".gb-cards[data-locked=true]")


def test_what_travels_to_the_page_is_small(start):
    page = start(AttentionParams(source="synthetic", causal=False))
    size = page.evaluate("() => JSON.stringify(document.querySelector('[data-kind=cards]').cards.scene).length")
    assert 100_000 < size <= 200_000
    assert json.loads(
        page.evaluate("() => JSON.stringify(document.querySelector('[data-kind=cards]').cards.scene.labels)")
    )[:2] == ["q0", "q1"]
