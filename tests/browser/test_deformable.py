"""The Deformable tab in Chromium: a clicked place, a dragged tap, keys, modulation, views, an own picture, bad input, a
phone."""

import json
from urllib.parse import parse_qs

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from backends.deform.params import DeformParams
from tests.browser.board import PHONE, narrow
from ui.tabs.deformable.presets import PRESETS

CELLS = "#deformable-stage .gb-reads figure:first-child canvas"
STAGE = "document.querySelector('#deformable-stage .gb-stage')"
OUTPUT = "() => document.querySelector('#deformable-stage .gb-stage').dataset.output"
OTHER = "old => document.querySelector('#deformable-stage .gb-stage').dataset.output !== old"
TAPS = DeformParams(operator="dcn1", cells=24, dilation=3, turn=0.0, grow=1.0, at=(0.5, 0.5))


@pytest.fixture
def start(open_tab):
    """Open the tab with settings; the page comes back when its stage or its figure is there."""

    def opened(params, **context):
        page = open_tab("deformable", params, **context)
        page.wait_for_selector("#deformable-stage canvas, #deformable-stage table, #deformable-plot .main-svg")
        if params.view == "taps":
            page.wait_for_selector("#deformable-stage .gb-stage[data-output]")
        return page

    return opened


def linked(page, name):
    """A setting as the address bar has it; None for its default."""
    found = parse_qs(page.evaluate("location.search.slice(1)")).get(name)
    return json.loads(found[0]) if found else None


def wait_linked(page, script, arg=None):
    """Wait until the link's settings are such: ``script`` is a function of (get, arg), get(name) -> value or null."""
    query = "const q = new URLSearchParams(location.search)"
    wait = f"arg => {{ {query}; return ({script})((n) => JSON.parse(q.get(n)), arg); }}"
    page.wait_for_function(wait, arg=arg)


def copied(page, name):
    """A setting of the link that *Copy link* gives, which is answered after all that was said before."""
    page.click("#deformable-link")
    page.wait_for_selector("#gb-share[open]")
    link = page.input_value("#gb-share-text")
    page.click("#gb-share-close")
    return json.loads(parse_qs(link.partition("?")[2])[name][0])


def spot(page, y, x, rows=16, columns=24):
    """Page coordinates of the centre of a place in cells."""
    page.locator(CELLS).scroll_into_view_if_needed()
    box = page.locator(CELLS).bounding_box()
    return box["x"] + (x + 0.5) / columns * box["width"], box["y"] + (y + 0.5) / rows * box["height"]


def test_a_click_moves_the_output(start):
    page = start(DeformParams(operator="dcn2", cells=24))
    before = page.evaluate(OUTPUT)
    page.mouse.click(*spot(page, 2, 3))
    page.wait_for_function(OTHER, arg=before)
    wait_linked(page, "(get) => get('at')")
    assert linked(page, "at") == pytest.approx([2.5 / 16, 3.5 / 24], abs=1e-3)


def test_arrow_keys_that_come_faster_than_answers_all_count(start):
    page = start(DeformParams(operator="dcn2", cells=24, at=(0.5, 0.5)))
    page.locator(CELLS).focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    wait_linked(page, "(get, x) => Math.abs(get('at')[1] - x) < 1e-3", 17.5 / 24)
    assert linked(page, "at") == pytest.approx([8.5 / 16, 17.5 / 24], abs=1e-3)


def test_a_dragged_tap_changes_the_sum_at_once_and_stays(start):
    page = start(TAPS)
    before = page.evaluate(OUTPUT)
    page.mouse.move(*spot(page, 5, 9))
    page.mouse.down()
    page.mouse.move(*spot(page, 2, 4), steps=5)
    during = page.evaluate(OUTPUT)
    page.mouse.up()
    assert during != before
    assert copied(page, "offsets")[0] == pytest.approx([-3, -5], abs=0.1)
    assert linked(page, "tap") == 0                                    # a link shows the same tap
    after = page.evaluate(OUTPUT)
    assert [float(v) for v in after.split()] == pytest.approx([float(v) for v in during.split()], abs=5e-3)
    page.click("#deformable-stage button:has-text('Back to the pattern')")
    page.wait_for_function("old => document.querySelector('#deformable-stage .gb-stage').dataset.output === old",
                           arg=before)


def test_a_tap_that_was_dragged_off_the_edge_and_back_stays_where_it_was_left(start):
    page = start(TAPS)
    page.evaluate("""() => { window.seen = []; const place = document.querySelector('#deformable-stage .gb-stage');
        new MutationObserver(() => window.seen.push(place.gbTaps.scene.points[0].at.join()))
            .observe(place, { attributes: true }); }""")
    page.mouse.move(*spot(page, 5, 9))
    page.mouse.down()
    page.mouse.move(*spot(page, -4, -6), steps=12)
    page.mouse.move(*spot(page, 3, 6), steps=12)
    for _ in range(3):                                      # the sentences above may have grown or shrunk by a line
        page.evaluate("() => new Promise(requestAnimationFrame)")
        page.mouse.move(*spot(page, 3, 6))
    page.mouse.up()
    left = page.evaluate("() => document.querySelector('#deformable-stage .gb-stage').gbTaps.scene.points[0].at")
    seen = page.evaluate("() => window.seen.length")
    assert left == pytest.approx([3, 6], abs=0.1)
    assert copied(page, "offsets")[0] == pytest.approx([-2, -3], abs=0.1)
    page.wait_for_selector("#deformable-stage button:has-text('Back to the pattern'):visible")
    now = "() => document.querySelector('#deformable-stage .gb-stage').gbTaps.scene.points[0].at"
    assert page.evaluate(now) == pytest.approx(left, abs=2e-3)
    later = [[float(v) for v in place.split(",")] for place in page.evaluate("() => window.seen")[seen:]]
    assert all(place == pytest.approx(left, abs=2e-3) for place in later)          # no older answer moved it in between


def test_the_picture_does_not_move_under_the_pointer(start):
    """Neither when the preset's sentence goes, nor when one on points off the map comes."""
    page = start(next(p for p in PRESETS if p.name == "Along the edge").params)
    page.wait_for_selector("#deformable-notice .gb-checks")
    rows, columns = page.evaluate(f"() => {{ const s = {STAGE}.gbTaps.scene; return [s.rows, s.columns]; }}")
    y, x = page.evaluate(f"() => {STAGE}.gbTaps.scene.points[0].at")
    page.mouse.move(*spot(page, y, x, rows, columns))
    tops = [page.locator(CELLS).bounding_box()["y"]]
    page.mouse.down()
    page.mouse.move(*spot(page, y - 1, x, rows, columns), steps=3)
    page.wait_for_function("() => !document.querySelector('#deformable-notice .gb-checks')")
    tops.append(page.locator(CELLS).bounding_box()["y"])
    page.mouse.move(*spot(page, -9, -9, rows, columns), steps=3)
    page.wait_for_function("() => document.querySelector('#deformable-notice').innerText.includes('1 of 9 points')")
    tops.append(page.locator(CELLS).bounding_box()["y"])
    page.mouse.up()
    assert tops == [tops[0]] * 3


def test_own_offsets_are_shown_and_a_bad_file_leaves_them(start, tmp_path):
    """Every layer's offset is two cells down; then files that cannot be used, and a declaration that does not fit."""
    page = start(DeformParams(view="own", at=(0.5, 0.5)))
    assert len(page.evaluate(f"() => {STAGE}.gbTaps.scene.points")) == 9
    offset = torch.zeros(36, 10, 15)
    offset[::2] = 2
    save_file({"offset": offset}, tmp_path / "mine.safetensors")
    page.click("#deformable-given label:has-text('mine: 3 × 3')")
    page.wait_for_selector("#deformable-notice:has-text('choose a file')")
    page.set_input_files("#deformable-own-mine input[type=file]", tmp_path / "mine.safetensors")
    page.wait_for_selector(".toast-body:has-text('2 groups would fit')")
    page.fill("#deformable-frame textarea, #deformable-frame input", "[2, 1, 1]")
    page.wait_for_function(f"() => {STAGE}?.gbTaps?.scene.points.length === 18")
    moved = f"() => {STAGE}.gbTaps.scene.points.map((p) => [p.at[0] - p.ghost[0], p.at[1] - p.ghost[1]])"
    assert np.allclose(page.evaluate(moved), [2, 0], atol=1e-4)
    before = page.evaluate(OUTPUT)
    save_file({"offset": offset * float("nan")}, tmp_path / "nan.safetensors")
    (tmp_path / "no.safetensors").write_bytes(b"PK" * 40)
    for name, sentence in (("nan", "not finite"), ("no", "not a safetensors file")):
        page.set_input_files("#deformable-own-mine input[type=file]", tmp_path / f"{name}.safetensors")
        page.wait_for_selector(f".toast-body:has-text('{sentence}')")
        assert page.evaluate(OUTPUT) == before
    page.mouse.click(*spot(page, 2, 3, 10, 15))
    page.wait_for_function(OTHER, arg=before)
    page.click("[data-glassbox=language]")
    page.wait_for_selector("#deformable-stage >> text=/列：读取位置 y [0-9.]+、x [0-9.]+，权重 [0-9.]+。$/")


def test_keys_choose_and_move_and_the_slider_modulates(start):
    page = start(DeformParams(operator="dcn2", cells=24, turn=0.0, grow=1.0))
    page.locator(CELLS).focus()
    page.keyboard.press("n")
    assert "tap 3" in page.inner_text("#deformable-stage .gb-reads")
    for _ in range(2):
        page.keyboard.press("Shift+ArrowUp")
    wait_linked(page, "(get) => get('offsets')?.[3][0] === -0.5")
    page.locator("#deformable-stage .gb-raw input").fill("3")
    wait_linked(page, "(get) => get('raw')?.includes(3)")
    page.wait_for_function("() => document.querySelector('#deformable-notice')?.innerText.includes('4.95')")
    assert linked(page, "offsets")[3][0] == -0.5


def test_the_photograph_lies_beneath_the_points_and_cells_can_be_shown(start):
    page = start(DeformParams())
    assert page.evaluate("() => document.querySelector('#deformable-stage "
                         ".gb-stage').gbTaps.tools.picture.naturalWidth") == 600
    assert page.locator("#deformable-stage .gb-level").all_inner_texts()[3] == "level 4: 6 × 9 cells"
    drawn = "() => document.querySelector('#deformable-stage canvas').toDataURL()"
    before = page.evaluate(drawn)
    page.click("#deformable-stage button:has-text('Show all cells')")
    assert page.evaluate(drawn) != before


def test_settings_that_do_nothing_are_hidden(start):
    page = start(DeformParams())
    assert page.is_visible("#deformable-head") and not page.is_visible("#deformable-kernel")
    assert not page.is_visible("#deformable-stride")
    page.click("#deformable-operator label:has-text('DCNv3')")
    page.wait_for_selector("#deformable-notice:has-text('9 points, moved by')")
    assert page.is_visible("#deformable-scale") and not page.is_visible("#deformable-kernel")
    assert not page.is_visible("#deformable-head")
    assert page.is_visible("#deformable-heading h2")
    page.click("#deformable-view input[value=own]")          # the shipped layer has one group, and no head to choose
    page.wait_for_selector("#deformable-given", state="visible")
    assert not page.is_visible("#deformable-head")


def test_three_layers_are_clicked_on(start):
    page = start(DeformParams(view="stack"))
    page.wait_for_function("() => document.querySelector('#deformable-stage .gb-stage').dataset.cell")
    assert "729 places" in page.inner_text("#deformable-stage") and not page.is_visible("#deformable-pictures")
    page.locator("#deformable-stage canvas").first.click(position={"x": 20, "y": 30})
    near = ("() => document.querySelector('#deformable-stage .gb-stage').dataset.cell.split(' ').every((v) => "
            "Number(v) < 4)")
    page.wait_for_function(near)
    page.click("#deformable-source label:has-text('the picture')")
    page.wait_for_selector("#deformable-pictures:visible")
    page.wait_for_function("() => document.querySelector('#deformable-notice').innerText.includes('rendered "
                           "things only')")


def test_offsets_learn_on_the_page_and_stop(start):
    page = start(DeformParams(view="fit", steps=400))
    step = "() => Number(document.querySelector('#deformable-stage .gb-stage').dataset.step)"
    page.wait_for_function(f"{step.replace('() => ', '() => 5 < ')}")
    page.click("#deformable-stop")
    page.wait_for_selector("#deformable-going[data-running=false]", state="attached")
    stopped = page.evaluate(step)
    page.click("#deformable-link")                                                 # answered after all that came before
    page.wait_for_selector("#gb-share[open]")
    assert page.evaluate(step) == stopped <= 401                                   # a slow browser may be told too late


def test_a_download_has_the_rows_of_the_screen(start):
    page = start(TAPS)
    with page.expect_download() as told:
        page.click("#deformable-csv")
    rows = told.value.path().read_text("utf-8").splitlines()
    assert rows[0].startswith("point,reads at y,x") and len(rows) == 10
    assert rows[1].startswith('"tap 0: row 0, column 0",5.0,9.0')


def test_an_own_picture_is_read_and_a_wrong_file_keeps_it(start, tmp_path):
    page = start(DeformParams(operator="dcn1", cells=8, dilation=1, turn=0.0, grow=1.0))
    before = page.evaluate(OUTPUT)
    assert page.get_attribute(".gb-tab-deformable .gb-sample[data-value=coffee]", "aria-pressed") == "true"
    Image.new("RGB", (64, 64), (255, 0, 0)).save(tmp_path / "red.png")
    page.set_input_files("#deformable-pictures input[type=file]", tmp_path / "red.png")
    page.wait_for_function(OTHER, arg=before)
    red = page.evaluate(OUTPUT)
    assert red.startswith("1.0000 0.0000 0.0000")
    (tmp_path / "no.png").write_text("not a picture")
    page.set_input_files("#deformable-pictures input[type=file]", tmp_path / "no.png")
    page.wait_for_selector(".toast-body")
    assert page.evaluate(OUTPUT) == red
    page.click(".gb-tab-deformable .gb-sample[data-value=coffee]")
    page.wait_for_function("old => document.querySelector('#deformable-stage .gb-stage').dataset.output === old",
                           arg=before)


def test_bad_offsets_are_one_sentence_and_nothing_is_lost(start):
    page = start(DeformParams(operator="dcn2"))
    before = page.evaluate(OUTPUT)
    field = page.locator("#deformable-offsets textarea, #deformable-offsets input")
    assert not field.is_visible()
    page.click("#deformable-folded button")
    field.fill("[[1, 2]]")
    page.wait_for_selector(".toast-body:has-text('9 pairs')")
    assert page.evaluate(OUTPUT) == before


def test_a_phone_needs_no_sideways_scrolling(start):
    page = start(DeformParams(view="taps", steps=10), viewport=PHONE)
    narrow(page, "deformable", "taps", "stack", "fit", "conventions")
