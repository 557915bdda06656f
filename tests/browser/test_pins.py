"""Pin and compare, a page within a page, and the notebook."""

import hashlib
import json
from pathlib import Path

from backends.scale.params import ScaleParams
from ui.core import permalink

BOTH = "#scale-plot .js-plotly-plot, .gb-pin-figure"
RANGES = ("(both) => [...document.querySelectorAll(both)].map((chart) => "
          "['xaxis', 'yaxis'].map((axis) => chart._fullLayout[axis].range.map((end) => end.toPrecision(6)).join(' ')))")


def equal(page):
    """Wait until pin and figure have the same axes."""
    page.wait_for_function(f"(both) => {{ const [a, b] = ({RANGES})(both); return b && String(a) === String(b); }}",
                           arg=BOTH)


def test_a_pin_stands_beside_what_comes_next_and_travels_in_a_link(open_page, app_url, tmp_path):
    page = open_page(f"{app_url}?{permalink.encode('scale', ScaleParams())}")
    page.wait_for_selector("#scale-plot .main-svg")
    before = page.evaluate(RANGES, "#scale-plot .js-plotly-plot")
    with page.expect_download() as download:
        page.click("#scale-csv")
    digest = hashlib.sha256(Path(download.value.path()).read_bytes()).hexdigest()
    page.click("#scale-pin")
    page.wait_for_selector(".gb-pin .main-svg")
    assert page.inner_text(".gb-pin code") == digest[:12]
    assert page.inner_text(".gb-pin li") == "The settings are the same: change one."
    page.fill("#scale-d input[type=number]", "512")
    page.keyboard.press("Tab")
    page.wait_for_selector(".gb-pin li:has-text('Head dimension d 64 → 512')")
    equal(page)
    boxes = [page.locator(part).bounding_box() for part in (".gb-pin", "#scale-plot")]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"] and boxes[1]["y"] < boxes[0]["y"] + boxes[0]["height"]
    with page.expect_download() as download:
        page.get_by_role("button", name="Both as SVG").click()
    drawing = Path(download.value.path()).read_text("utf-8")
    assert drawing.count("here, d = ") >= 2 and "Head dimension d: 64 → 512" in drawing
    page.click("#scale-link")
    link = page.input_value("#gb-share-text")
    frame = page.input_value("#gb-share-embed textarea")
    assert frame.startswith("<iframe src=") and link.replace("&", "&amp;") + "&amp;embed=1" in frame
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Remove").click()
    page.wait_for_function("() => !location.search.includes('pin=')")
    assert not page.locator(".gb-pin").count() and page.evaluate(RANGES, "#scale-plot .js-plotly-plot") != before

    other = open_page(f"{link}&embed=1")
    other.wait_for_selector(".gb-pin li:has-text('Head dimension d 64 → 512')")
    equal(other)
    assert other.inner_text(".gb-pin code") == digest[:12]
    assert not other.is_visible("#gb-header") and not other.is_visible("[role=tab]") and other.is_visible(".gb-whole")
    other.click("#scale-python")
    with other.expect_download() as download:
        other.click("#gb-share-notebook")
    notebook = json.loads(Path(download.value.path()).read_text("utf-8"))
    kinds = [cell["cell_type"] for cell in notebook["cells"]]
    script = "".join(notebook["cells"][1]["source"])
    assert kinds == ["markdown", "code"] and notebook["nbformat"] == 4 and "ScaleParams" in script
    compile(script, "notebook", "exec")


def test_a_stage_is_pinned_as_its_picture(open_page, app_url):
    page = open_page(f"{app_url}?tab=swin")
    page.wait_for_selector("#swin-stage [data-drawn]")
    page.click("#swin-pin")
    page.wait_for_selector(".gb-pin img")
    page.click("#swin-view input[value=reach]")
    page.wait_for_selector(".gb-pin li:has-text('Roll and mask → Reach')")
    assert page.evaluate("document.querySelector('.gb-pin img').naturalWidth") > 300


def test_the_canvas_of_segment_can_be_pinned_and_its_pin_travels_in_the_address(open_page, app_url):
    page = open_page(f"{app_url}?tab=segment&v=3&objects=cat%3A240%2C70%2B")
    page.wait_for_selector(".gx[data-phase=ready]:not([data-shown='0'])")
    page.click(".gx-pin")
    page.wait_for_selector(".gb-pin img")
    page.focus(".gx-canvas")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector(".gb-pin li:has-text('Objects')")
    digest, address = page.inner_text(".gb-pin code"), page.url
    other = open_page(address)
    other.wait_for_selector(".gb-pin li:has-text('Objects')")
    assert other.inner_text(".gb-pin code") == digest
