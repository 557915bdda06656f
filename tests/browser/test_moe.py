"""The MoE tab in Chromium: the coloured text, dragged experts, the live race and its Stop, bad input, links."""


import pytest

from backends.moe.params import OPENING, MoeParams
from tests.browser.board import PHONE, WIDTH, narrow
from tests.conftest import serving
from tests.families import written
from ui.core import permalink

CODE = "def double(x):\n    return 2 * x  # twice\n" * 4


@pytest.fixture
def start(open_tab):
    """Open the tab with settings; the page comes back when its first figure or stage is there."""

    def opened(params, **context):
        page = open_tab("moe", params, **context)
        page.wait_for_selector("#moe-stage canvas, #moe-stage .gb-byte, #moe-stage .gb-sheet, #moe-plot "
                               ".js-plotly-plot .main-svg")
        return page

    return opened


def test_the_own_text_is_coloured_told_and_filtered(start):
    page = start(MoeParams(text=CODE))
    assert page.locator("#moe-stage .gb-routed").count() == 2
    assert page.locator("#moe-stage .gb-byte").count() == 2 * len(CODE)
    page.wait_for_selector(f"#moe-bytes:has-text('{len(CODE)} of 3600')", state="visible")
    page.locator("#moe-stage .gb-routed").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#moe-stage .gb-at")
    assert "expert" in page.inner_text("#moe-stage .gb-at") and page.locator("#moe-stage .gb-took").count() == 4
    page.click("#moe-stage .gb-expert >> nth=0")
    faint = page.locator("#moe-stage .gb-faint").count()
    zero = page.locator("#moe-stage .gb-byte[data-expert='0']").count()
    assert faint + zero == 2 * len(CODE) and 0 < zero < faint


def test_less_capacity_drops_bytes_and_says_how_many(start):
    page = start(MoeParams(text=CODE, router="switch", factor=4.0))
    assert " 0 dropped" in page.inner_text("#moe-notice")
    page.fill("#moe-factor input[type=number]", "0.5")
    page.keyboard.press("Tab")
    page.wait_for_function("() => !document.querySelector('#moe-notice')?.innerText.includes(' 0 dropped')")
    page.wait_for_selector("#moe-stage .gb-state-2")


@pytest.fixture(scope="module")
def shelf_url(tmp_path_factory):
    """The app with three tiny models on its shelf: Qwen-MoE with dense layers, OLMoE with many experts, Llama."""
    shelf = tmp_path_factory.mktemp("shelf")
    written(shelf / "sparse", "qwen2_moe", decoder_sparse_step=2)
    written(shelf / "many", "olmoe", num_experts=64, num_local_experts=64, num_experts_per_tok=8)
    written(shelf / "dense", "llama")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLASSBOX_MODELS", str(shelf))
        with serving(["app.py", "--device", "cpu"], tmp_path_factory.mktemp("app")) as url:
            yield url


def _pixel(box, x, y):
    """Page coordinates of the point (x, y) of [-1, 1]² on a canvas with this bounding box."""
    return box["x"] + (1 + x) / 2 * box["width"], box["y"] + (1 - y) / 2 * box["height"]


PLACES = """() => JSON.parse(new URLSearchParams(location.search).get('prototypes') || 'null')"""


def test_an_expert_moves_by_keys_and_by_pointer_and_the_link_follows(start):
    page = start(MoeParams(view="plane"))
    before = [list(place) for place in MoeParams().prototypes]
    canvas = page.locator("#moe-stage canvas").first
    canvas.scroll_into_view_if_needed()
    canvas.focus()
    page.keyboard.press("2")
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    moved = f"x => Math.abs((({PLACES})() || [])[2]?.[0] - x) < 1e-6"
    page.wait_for_function(moved, arg=before[2][0] - 0.2)
    assert canvas.evaluate("c => document.activeElement === c")
    box = canvas.bounding_box()
    page.mouse.move(*_pixel(box, *before[0]))
    page.mouse.down()
    page.mouse.move(*_pixel(box, 0.0, 0.0), steps=6)
    page.mouse.up()
    page.wait_for_function(f"() => Math.abs((({PLACES})() || [])[0]?.[0]) < 0.05")


def test_a_dragged_expert_ends_where_it_was_left_whatever_answers_come_late(start):
    page = start(MoeParams(view="plane"))
    canvas = page.locator("#moe-stage canvas").first
    canvas.scroll_into_view_if_needed()
    box, home = canvas.bounding_box(), MoeParams().prototypes[0]
    page.mouse.move(*_pixel(box, *home))
    page.mouse.down()
    for x, y in ((0.9, 0.9), (-0.9, -0.9), (0.9, -0.9), (0.25, 0.25)):
        page.mouse.move(*_pixel(box, x, y), steps=8)
    page.mouse.up()
    page.wait_for_function(f"() => Math.abs((({PLACES})() || [])[0]?.[0] - 0.25) < 0.03")
    stage = "document.querySelector('#moe-stage .gb-stage').gbPlane.scene.prototypes[0]"
    page.wait_for_function(f"() => Math.abs({stage}[0] - 0.25) < 0.03 && Math.abs({stage}[1] - 0.25) < 0.03")


def test_the_race_streams_and_stops_and_keeps_what_it_has(open_page, app_url):
    page = open_page(f"{app_url}?{permalink.encode('moe', MoeParams(view='race'))}")
    page.wait_for_function("() => document.querySelector('#moe-notice')?.innerText.includes('After step')")
    page.click("#moe-twin button")
    page.wait_for_function("() => document.querySelectorAll('#moe-table tbody tr').length > 4")
    page.click("#moe-stop")
    page.wait_for_selector("#moe-going[data-running=false]")
    assert page.locator("#moe-table tbody tr").count() > 4 and "After step" in page.inner_text("#moe-notice")
    page.wait_for_selector("#moe-plot .js-plotly-plot .main-svg")


def test_one_byte_is_said_to_be_too_short_and_the_rest_stays(start):
    page = start(MoeParams(text=CODE))
    loss = "document.querySelector('#moe-notice').innerText.match(/Loss [0-9.]+/)?.[0]"
    said = page.wait_for_function(f"() => {loss}").json_value()
    page.fill("#moe-text textarea", "x")
    page.wait_for_selector(".toast-body")
    assert page.evaluate(loss) == said and page.locator("#moe-stage .gb-byte").count() == 2 * len(CODE)


def test_a_hostile_text_stays_text(start):
    page = start(MoeParams(text="<img src=x onerror=alert(1)>"))
    assert page.locator("#moe-stage img").count() == 0 and page.locator("#moe-stage .gb-byte").count() == 2 * 28


def test_a_link_restores_view_and_settings_in_a_fresh_browser(start):
    page = start(MoeParams(view="calculator", public="OLMoE-1B-7B", batch=8))
    assert page.locator("#moe-view input[value=calculator]").is_checked()
    assert page.input_value("#moe-batch input[type=number]") == "8"
    assert "6.9 billion" in page.inner_text("#moe-notice") and not page.locator("#moe-text").is_visible()


def test_the_page_opens_with_its_own_text_and_only_the_settings_that_matter(start):
    page = start(MoeParams())
    assert page.input_value("#moe-text textarea") == OPENING and "+0.0000" in page.inner_text("#moe-notice")
    hidden = ("factor", "order", "scope", "noise", "updates", "speed", "expert", "layer", "counted")
    assert not [name for name in hidden if page.locator(f"#moe-{name}").is_visible()]
    page.check("#moe-router input[value=switch]")
    page.wait_for_function("() => document.querySelector('#moe-notice')?.innerText.includes('for want of places')")
    assert page.locator("#moe-factor").is_visible()
    assert page.locator("#moe-order").is_visible() and not page.locator("#moe-k").is_visible()
    page.check("#moe-touch input[value=disable]")
    page.wait_for_function("() => document.querySelector('#moe-notice')?.innerText.includes('without expert 0')")
    assert page.locator("#moe-expert").is_visible() and page.locator("#moe-layer").is_visible()


def test_token_classes_and_formulas_stand_on_the_page(start):
    page = start(MoeParams(view="classes"))
    assert page.locator("#moe-stage .gb-sheet tbody tr").count() == 16 and "↵" in page.inner_text("#moe-stage")
    assert not page.locator("#moe-text").is_visible()
    page.check("#moe-counted input[value=text]")
    page.wait_for_function("() => !document.querySelector('#moe-notice')?.innerText.includes('held-out')")
    assert page.locator("#moe-text").is_visible()
    page.check("#moe-view input[value=calculator]")
    page.wait_for_function("() => document.querySelector('#moe-stage')?.innerText.includes('D d (2 H + 2 G)')")
    assert "mistral.ai/news/mixtral-of-experts" in page.inner_text("#moe-stage")
    assert "12.9 B" in page.inner_text("#moe-stage")


def test_a_phone_needs_no_sideways_scrolling(start):
    page = start(MoeParams(view="text"), viewport=PHONE)
    narrow(page, "moe", "text", "own", "classes", "plane", "capacity", "calculator")


def own(page):
    """The page once the view of one's own model has what it measures."""
    page.wait_for_selector("#moe-stage .gb-byte")
    page.wait_for_selector("#moe-checks li[data-ok=true] >> text=our rule")
    assert page.locator("#moe-checks li[data-ok=false]").count() == 0
    return page


def test_a_model_of_the_shelf_shows_its_tokens_and_what_an_expert_is_worth(open_page, shelf_url):
    params = MoeParams(view="own", mixture="folder:sparse", text="Hello <b>there</b>, experts!", change="disabled",
                       one=1)
    page = own(open_page(f"{shelf_url}?{permalink.encode('moe', params)}"))
    said = page.inner_text("#moe-notice")
    assert "Layers with experts: 2, 4, of 4" in said and "Without expert 1 of layer 2" in said and "aux_loss" in said
    assert page.locator("#moe-stage b >> text=there").count() == 0
    assert page.locator("#moe-stage h4").all_inner_texts() == ["Layer 2", "Layer 4"]
    assert page.locator("#moe-stage .gb-byte").count() == 2 * len(params.text)
    page.click("#moe-stage .gb-expert >> nth=0")
    faint, zero = (page.locator(f"#moe-stage {which}").count() for which in (".gb-faint", ".gb-byte[data-expert='0']"))
    assert faint + zero == 2 * len(params.text) and 0 < zero < faint
    page.locator("#moe-stage .gb-routed").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#moe-stage .gb-at >> text=token")
    assert "weight" in page.inner_text("#moe-stage .gb-at") and page.locator("#moe-stage .gb-took").count() == 4
    page.wait_for_selector("#moe-plot .main-svg")


def test_a_dense_model_is_said_to_have_no_experts(open_page, shelf_url):
    page = open_page(f"{shelf_url}?{permalink.encode('moe', MoeParams(view='own', mixture='folder:dense'))}")
    page.wait_for_selector(".toast-body >> text=dense is a dense model")


def test_many_experts_fit_a_phone_and_a_dark_page(open_page, shelf_url):
    params = MoeParams(view="own", mixture="folder:many", site=3)
    page = own(open_page(f"{shelf_url}?{permalink.encode('moe', params)}", viewport={"width": 390, "height": 844},
                         color_scheme="dark"))
    assert page.evaluate(WIDTH) <= 390
    assert page.locator("#moe-stage .gb-expert").count() == 16
    assert page.locator("#moe-stage h4").all_inner_texts() == ["Layer 3", "Layer 4"]


def test_a_text_far_from_home_is_said_to_be_so(start):
    page = start(MoeParams(text="今天天气很好，我们去公园散步。" * 3))
    assert "far from what the model was trained on, Python source" in page.inner_text("#moe-notice")
    assert "ln 256 = 5.5452" in page.inner_text("#moe-notice")
