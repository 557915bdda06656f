"""The Swin tab in Chromium: stepping and choosing tokens, partners without the server, settings, pictures, the bias, a
trained model."""

import pytest

from backends.swin.params import SwinParams
from tests.browser.board import PHONE, narrow
from ui.core import permalink

OPENING = SwinParams()
BOARD = "#swin-stage .gb-stages"
FIRST = "document.querySelector('#swin-stage .gb-stage').gbTokens"
CHOSEN = f"() => {{ const s = {FIRST}; return [s.scene.token, s.chosen.partners.length]; }}"
BIAS = "document.querySelector('#swin-stage [data-kind=bias]').gbBias"
OWN, WORK, THIRD = (f".gb-board-panels .gb-panel:nth-child({n}) canvas" for n in (1, 2, 3))


@pytest.fixture
def start(open_tab):
    """Open the tab with settings; the page comes back when its stage is drawn."""

    def opened(params=OPENING, **context):
        page = open_tab("swin", params, **context)
        page.wait_for_selector(f"{BOARD}[data-drawn]")
        return page

    return opened


def drawn(page, act):
    """Do ``act`` and wait until the stage was drawn anew."""
    before = page.get_attribute(BOARD, "data-drawn")
    act()
    page.wait_for_function("([s, b]) => document.querySelector(s).dataset.drawn !== b", arg=[BOARD, before])


def click_token(page, canvas, row, column, rows=14, columns=14):
    """Click the middle of a token of a canvas."""
    page.locator(canvas).scroll_into_view_if_needed()
    box = page.locator(canvas).bounding_box()
    page.mouse.click(box["x"] + box["width"] * (column + 0.5) / columns, box["y"] + box["height"] * (row + 0.5) / rows)


def wait_for(page, script):
    page.wait_for_function(script)


def test_a_token_lights_up_its_partners_in_both_coordinates(start):
    page = start()
    assert page.evaluate(CHOSEN) == [[11, 11], 16]
    drawn(page, lambda: click_token(page, OWN, 6, 6))
    assert page.evaluate(CHOSEN) == [[6, 6], 49] and "49 tokens of the 49" in page.inner_text(".gb-board-say")
    page.click(".gb-board-steps button:has-text('Windows')")
    wait_for(page, f"() => {FIRST}.now.gap === 1")
    # what stands there was rolled over both edges
    drawn(page, lambda: click_token(page, WORK, 13, 13))
    assert page.evaluate(CHOSEN) == [[2, 2], 9]
    drawn(page, lambda: page.locator(OWN).press("ArrowRight"))
    assert page.evaluate(CHOSEN) == [[2, 3], 21]


def computed(page):
    """What asks the server to compute from now on: everything but notes; grows while the test goes on."""
    found = []
    page.on("request", lambda one: found.append(one.post_data) if "queue/join" in one.url
            and '"kind":"note"' not in one.post_data else None)
    return found


def test_steps_go_forward_back_and_play_and_compute_nothing(start):
    page = start(SwinParams(step="picture"), again=False)
    wait_for(page, "() => document.querySelector('#tab-swin').dataset.answered")
    asked = computed(page)
    page.click("#swin-stage >> text=Forward")
    page.wait_for_selector("#swin-stage [data-step=roll]")
    page.click("#swin-stage >> text=Play")
    page.wait_for_selector("#swin-stage [data-step=regions]")
    page.click("#swin-stage >> text=Pause")
    page.click("#swin-stage >> text='Back'")
    page.wait_for_selector("#swin-stage [data-step=windows]")
    wait_for(page, "() => new URLSearchParams(location.search).get('step') === 'windows'")
    assert page.get_attribute(BOARD, "data-drawn") == "1" and asked == []


def test_an_answer_takes_back_no_step_and_no_token_that_came_after_its_question(start):
    page = start()
    click_token(page, OWN, 3, 3)
    page.click("#swin-stage .gb-board-steps button:has-text('Windows')")
    click_token(page, OWN, 6, 6)
    page.click("#swin-stage .gb-board-steps button:has-text('Attention')")
    page.click("#swin-link")
    page.wait_for_selector("#gb-share[open]")
    link = page.input_value("#gb-share-text")
    assert "step=attention" in link and f"y={6.5 / 14}"[:10] in link
    assert page.evaluate(CHOSEN)[0] == [6, 6]
    assert page.get_attribute("#swin-stage .gb-stage", "data-step") == "attention"


def test_settings_answer_and_the_reason_of_a_red_check_is_on_the_page(start):
    page = start()
    drawn(page, lambda: page.click("#swin-view input[value=orders]"))
    wait_for(page, "() => document.querySelectorAll('#swin-checks [data-ok=true]').length === 4")
    page.wait_for_selector("#swin-plot .js-plotly-plot .barlayer", state="attached")          # empty: none differs
    assert not page.locator("#swin-masked").is_visible()
    page.fill("#swin-rows input[type=number]", "16")
    drawn(page, lambda: page.keyboard.press("Tab"))
    wait_for(page, "() => document.querySelector('#swin-checks [data-ok=false]')?.innerText.includes('mask separates')")
    assert page.locator("#swin-stage .gb-board-steps button:has-text('Pad')").count() == 1
    page.fill("#swin-window input[type=number]", "12")
    page.keyboard.press("Tab")
    page.fill("#swin-rows input[type=number]", "4")
    page.keyboard.press("Tab")
    wait_for(page, "() => document.querySelector('#swin-notice').innerText.includes('the window shrinks to the map')")


def test_an_own_picture_replaces_the_sample_and_a_bad_file_is_named(start, tmp_path):
    from PIL import Image

    page = start(SwinParams(rows=6, columns=9, window=3))
    Image.new("RGB", (60, 40), "teal").save(tmp_path / "mine.png")
    (tmp_path / "bad.png").write_text("no picture")
    drawn(page, lambda: page.set_input_files("#swin-pictures input[type=file]", str(tmp_path / "mine.png")))
    assert page.evaluate(f"() => {FIRST}.tools.value.picture").startswith("own-")
    page.set_input_files("#swin-pictures input[type=file]", str(tmp_path / "bad.png"))
    page.wait_for_selector(".toast-body")
    drawn(page, lambda: page.click("#swin-pictures .gb-sample[data-value=coins]"))
    page.wait_for_selector("#swin-pictures .gb-sample[data-value=coins][aria-pressed=true]")
    assert page.evaluate(f"() => {FIRST}.tools.value.picture") == "coins"


def test_a_cell_of_the_bias_moves_the_attention_and_its_link_comes_back(start):
    page = start(SwinParams(view="bias", bias="none", step="attention"))
    page.wait_for_selector("#swin-stage [data-head='4'] canvas")
    page.locator("#swin-stage [data-kind=bias] canvas").first.focus()
    page.keyboard.press("ArrowRight")
    before = page.evaluate(f"() => Math.max(...{FIRST}.chosen.row)")
    for _ in range(3):                                                             # faster than answers come
        page.click("#swin-stage >> text='+5'")
    wait_for(page, "() => (new URLSearchParams(location.search).get('edits') || '') === '[[0,1,15.0]]'")
    wait_for(page, f"() => Math.max(...{FIRST}.chosen.row) > {max(0.5, before)}")
    drawn(page, lambda: page.click("#swin-stage >> text='Reset all'"))
    wait_for(page, "() => !new URLSearchParams(location.search).get('edits')")


def test_a_cell_of_the_bias_marks_its_pairs_and_a_pair_its_cell(start):
    page = start(SwinParams(view="bias", y=0.5, x=0.5))
    page.wait_for_selector("#swin-stage [data-head='4'] canvas")
    linked = f"() => {BIAS}.linked"
    read = f"async () => (await import(new URL('glass/tabs/swin/pairs.js', location.href))).reads({FIRST})?.token"
    assert page.evaluate(linked) == {"dy": 0, "dx": 0} and page.evaluate(read) == 7 * 14 + 7
    page.locator("#swin-stage [data-kind=bias] canvas").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(linked) == {"dy": 0, "dx": 1} and page.evaluate(read) == 7 * 14 + 6
    assert "the 42 pairs" in page.inner_text("#swin-stage [data-kind=bias]")
    page.locator(".gb-board-pairs canvas").scroll_into_view_if_needed()
    box = page.locator(".gb-board-pairs canvas").bounding_box()
    # query (0, 0), key (1, 1)
    page.mouse.move(box["x"] + box["width"] * 8.5 / 49, box["y"] + box["height"] * 0.5 / 49)
    assert page.evaluate(f"() => {BIAS}.pair") == {"dy": -1, "dx": -1}
    drawn(page, lambda: page.click("#swin-stage >> text='+5'"))
    assert page.get_attribute("#swin-stage .gb-stage", "data-step") == "attention"


def test_two_conventions_stand_side_by_side(start):
    page = start(SwinParams(view="orders", rows=16, columns=16))
    captions = page.locator(".gb-board-panels figure:visible figcaption").all_inner_texts()
    assert captions[1:] == ["timm: roll, then pad", "torchvision: pad, then roll"]
    chosen = f"() => {{ const {{ twin: t }} = {FIRST}; return [t.scene.token, t.chosen.partners.length]; }}"
    drawn(page, lambda: click_token(page, THIRD, 12, 12, 21, 21))
    token, partners = page.evaluate(chosen)
    assert token == [15, 15] and partners == 6 * 6


def test_a_trained_swin_shows_blocks_heads_and_its_answer(start):
    page = start(SwinParams(view="model", picture="horse", y=0.3, x=0.75))
    assert page.locator(".gb-board-lists .gb-board-cards").first.locator("button").count() == 8
    drawn(page, lambda: page.locator(".gb-board-card:has-text('Stage 2·2')").click())
    assert page.locator(".gb-board-cards").nth(1).locator("button").count() == 1 + 4
    drawn(page, lambda: page.locator(".gb-board-card:has-text('Head 2')").click())
    assert "Head 2 gives" in page.inner_text(".gb-board-say")
    page.click("#swin-stage >> text=Its region, says the model")
    assert page.get_attribute("#swin-stage button:has-text('Its region')", "aria-pressed") == "true"


NETWORK = "#swin-stage [data-kind=network]"


def test_a_press_in_the_network_leads_to_blocks_and_views(start):
    page = start(SwinParams(view="network"))
    assert page.locator(f"{NETWORK} .gb-net-stage").count() == 3
    assert page.locator(f"{NETWORK} [data-number]").count() == 8
    page.click(f"{NETWORK} [data-number='4']")
    assert "Block 2·2 from inside" in page.inner_text(f"{NETWORK} > h4")
    wait_for(page, "() => new URLSearchParams(location.search).get('map_block') === '4'")
    page.locator(f"{NETWORK} >> text=Softmax: attention").focus()
    drawn(page, lambda: page.keyboard.press("Enter"))
    page.wait_for_selector(".gb-board-card[aria-pressed=true]:has-text('Stage 2·2')")
    drawn(page, lambda: page.click("#swin-view input[value=network]"))
    drawn(page, lambda: page.click(f"{NETWORK} >> text=Roll by"))
    wait_for(page, "() => location.search.includes('window=8') && location.search.includes('shift=4')")
    assert page.get_attribute("#swin-stage .gb-stage", "data-step") == "roll"


def test_each_step_of_the_network_leads_to_its_view(start):
    page = start(SwinParams(view="network", map_block=2))
    for text, view in (("Merge 2 × 2", "merge"), ("+ position bias", "bias"), ("+ mask", "leak"),
                       ("q · k / √d", "cosine"), ("Roll back", "reach"), ("Where a patch comes from", "rollout")):
        drawn(page, page.locator(f"{NETWORK} button:has-text('{text}')").first.click)
        wait_for(page, f"() => new URLSearchParams(location.search).get('view') === '{view}'")
        assert page.is_checked(f"#swin-view input[value={view}]")
        drawn(page, page.locator("#swin-view input[value=network]").check)


def test_the_rollout_follows_the_patch_and_the_block(start):
    page = start(SwinParams(view="rollout", picture="horse", y=0.3, x=0.75))
    drawn(page, lambda: page.click("#swin-stage >> text=Block 1·2"))
    assert "depends on 256 of 12288 patches" in page.inner_text(".gb-board-say")
    drawn(page, lambda: page.locator(OWN).press("ArrowRight"))
    assert page.evaluate("document.querySelector('#swin-stage .gb-stage').gbRollout.scene.token") == [28, 97]
    page.wait_for_selector("#swin-checks [data-ok=true]:has-text('Rows sum to 1')")


def test_the_picture_below_can_be_switched_off(start):
    page = start(SwinParams(view="roll", step="attention"))
    assert page.is_visible(".gb-swin-scale") and page.is_visible("#swin-stage >> text=Picture below")
    before = page.evaluate(f"() => document.querySelector('{OWN}').toDataURL()")
    page.click("#swin-stage >> text=Picture below")
    assert page.evaluate(f"() => document.querySelector('{OWN}').toDataURL()") != before
    page.click(".gb-board-steps button:has-text('Mask')")
    page.wait_for_selector(".gb-swin-scale", state="hidden")


@pytest.mark.parametrize("size", [(200, 600), (600, 200)])
def test_portraits_and_panoramas_fit_the_screen(start, tmp_path, size):
    from PIL import Image

    page = start(SwinParams(view="network"), viewport={"width": 1280, "height": 800})
    Image.new("RGB", size, "teal").save(tmp_path / "mine.png")
    drawn(page, lambda: page.set_input_files("#swin-pictures input[type=file]", str(tmp_path / "mine.png")))
    for view in ("network", "roll", "model", "merge", "rollout"):
        if view != "network":
            drawn(page, page.locator(f"#swin-view input[value={view}]").check)
        boxes = page.evaluate("[...document.querySelectorAll('#swin-stage canvas')].filter((c) => c.offsetHeight)"
                              ".map((c) => c.getBoundingClientRect()).map((b) => [b.width, b.height])")
        assert boxes and max(height for _, height in boxes) <= 0.75 * 800, view
        largest = max(boxes, key=lambda box: box[0] * box[1])
        assert largest[0] / largest[1] == pytest.approx(size[0] / size[1], rel=0.05) or view == "roll", view


def test_cost_is_timed_map_by_map(start, open_page, app_url):
    page = open_page(f"{app_url}?{permalink.encode('swin', SwinParams(view='cost', channels=32))}")
    page.wait_for_selector("#swin-plot .js-plotly-plot .scatterlayer")
    page.click("#swin-twin button")
    page.wait_for_selector("#swin-table tbody tr")
    assert page.locator("#swin-table tbody tr").count() == 6 and not page.locator("#swin-stage").is_visible()


def test_own_weights_that_are_not_there_show_nothing_but_what_to_do(start):
    page = start(SwinParams(view="model"))
    page.click("#swin-model label:has-text('My own weights')")
    page.wait_for_selector("#swin-offer:has-text('about 113 MB from huggingface.co')")
    page.wait_for_selector("#swin-notice:has-text('choose a file with weights first')")
    assert page.is_visible("#swin-hub") and page.locator(f"{BOARD} canvas").count() == 0
    assert not page.inner_text("#swin-checks")
    page.click("#swin-csv")
    page.wait_for_selector(".toast-body:has-text('nothing on screen')")
    page.click("#swin-model label:has-text('The shipped small Swin')")
    page.wait_for_selector(f"{BOARD} canvas")
    assert not page.is_visible("#swin-hub")


def test_a_phone_needs_no_sideways_scrolling(start):
    page = start(SwinParams(view="roll"), viewport=PHONE)
    narrow(page, "swin", "roll", "bias", "merge", "model", "network", "rollout")
