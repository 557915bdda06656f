"""The Segment tab in the real frame, with the disc segmenter in the place of the shipped model."""

import json
import time
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image

from backends.segment import rle
from tests.browser.board import WIDTH, Board, quadrants, saved
from tests.browser.conftest import reload
from tests.conftest import serving
from ui.core import permalink
from ui.tabs.segment.state import Params

CANVAS = "segment-canvas"
LEAVING = ("signal is aborted", "Connection errored out")
"""What gradio says of the stream that a page leaves open."""
DPR2 = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with serving(["-m", "tests.browser.segment_app", "--device", "cpu"], tmp_path_factory.mktemp("segment")) as address:
        yield address


@pytest.fixture
def start(open_page, url):
    """Open the tab in a new browser context; gives the board of its canvas."""

    def opened(picture="chelsea", query="", **context) -> Board:
        return Board(open_page(url + query, **context), CANVAS).ready(picture)

    return opened


def upload(board: Board, path: Path) -> Board:
    epoch = board.page.get_attribute(board.root, "data-epoch")
    board.page.set_input_files(f"{board.root} .gx-file", path)
    board.page.wait_for_function("([s, e]) => document.querySelector(s).dataset.epoch !== e", arg=[board.root, epoch])
    return board.settled()


def error_text(board: Board) -> str:
    board.page.wait_for_selector(f"{board.root} .gx-error:not([hidden])")
    return board.text("error-text")


def test_a_click_gives_masks_with_scores_and_times(start):
    board = start()
    assert "encoder" in board.text("figures")
    board.click(200, 150)
    board.settled()
    state = board.state()
    assert state["scores"] == pytest.approx([0.75, 0.95, 0.85]) and state["chosen"] == 1
    assert "0.950" in board.text("figures") and "last click" in board.text("figures")
    first = state["areas"][1]
    board.click(230, 150, button="right")
    board.settled()
    assert board.state()["areas"][1] < first


def test_a_procedural_scene_shows_iou_against_its_truth(start):
    board = start()
    board.sample("scene-a")
    board.click(200, 200)
    board.settled()
    assert "IoU vs truth" in board.text("figures")


def test_a_link_shows_the_same_objects_and_numbers_in_another_browser(start, url):
    board = start()
    board.sample("scene-b")
    board.click(180, 160)
    board.settled()
    board.press("3")
    board.click(220, 160, button="right")
    board.tool("add")
    board.drag((60, 60), (140, 120))
    board.settled()
    board.page.locator(f"{board.root} .gx-rename").nth(1).click()
    board.page.fill(f"{board.root} .gx-input", "box; 名|:%~")
    board.press("Enter")
    board.settled()
    board.page.click("#segment-link")
    board.page.wait_for_function("document.querySelector('#gb-share-text')?.value")
    link = board.page.input_value("#gb-share-text")
    mine = board.state()
    query = parse_qs(urlsplit(link).query)
    assert query["picture"] == ["scene-b"]
    assert query["objects"] == ["object 1:180,160+~2;220,160-|box%3B 名%7C%3A%25~:b60,60,140,120"]
    other = start("scene-b", "?" + urlsplit(link).query)
    theirs = other.state()
    for key in ("objects", "active", "scores", "areas", "chosen"):
        assert theirs[key] == mine[key], key
    other.page.locator(f"{other.root} .gx-name").first.click()
    board.page.click("#gb-share-close")
    board.page.locator(f"{board.root} .gx-name").first.click()
    assert other.settled().state()["areas"] == board.settled().state()["areas"]


def test_copied_python_holds_the_objects_of_the_page(start):
    board = start()
    board.click(200, 150)
    board.settled()
    board.page.click("#segment-python")
    board.page.wait_for_function("document.querySelector('#gb-share-text')?.value")
    text = board.page.input_value("#gb-share-text")
    assert "Step(points=((200, 150, 1),)" in text and "images.sample('chelsea')" in text


def saved_as(board, kind):
    """Name and content of what the menu's format gives."""
    board.page.select_option(f"{board.root} .gx-format", kind)
    with board.page.expect_download() as download:
        board.tool("download")
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_a_picture_is_annotated_exported_and_imported_under_its_own_name(start, tmp_path):
    board = start()
    upload(board, saved(tmp_path / "猫 photo #1.png", quadrants()))
    assert board.page.is_disabled(f"{board.root} .gx-download")
    board.click(20, 15)
    board.settled()
    area, (width, height) = board.state()["areas"][board.state()["chosen"]], board.state()["size"]
    files = {kind: saved_as(board, kind) for kind in ("cutout", "mask", "coco", "yolo")}
    assert [name for name, _ in files.values()] == [f"猫 photo #1-{end}" for end in (
        "object 1-cutout.png", "object 1-mask.png", "coco.json", "yolo.zip")]
    rgba, mask = (np.asarray(Image.open(BytesIO(files[k][1]))) for k in ("cutout", "mask"))
    assert rgba.shape == (height, width, 4) and (rgba[..., 3] == 255).sum() == area == (mask > 0).sum()
    coco = json.loads(files["coco"][1])
    assert coco["images"][0]["file_name"] == "猫 photo #1.png"
    assert np.array_equal(rle.decode(coco["annotations"][0]["segmentation"]), mask > 0)
    board.tool("add")
    board.settled()
    board.page.select_option(f"{board.root} .gx-format", "mask")
    board.tool("download")
    assert "no click yet" in error_text(board)
    coco["annotations"][0]["name"] = "<b>Tom</b>"
    for name, content in (("good.json", json.dumps(coco)), ("bad.json", "{}")):
        (tmp_path / name).write_text(content)
        board.page.set_input_files(f"{board.root} .gx-coco", tmp_path / name)
        if name == "good.json":
            board.until(lambda: board.state()["objects"][-1]["name"] == "<b>Tom</b>")
            board.settled()
        else:
            assert "not a COCO file" in error_text(board)
    state = board.state()
    assert [o["name"] for o in state["objects"]] == ["object 1", "<b>Tom</b>"]
    assert (state["active"], state["areas"], state["scores"]) == (1, [area], [None])
    board.click(22, 17)
    board.settled()
    assert len(board.state()["areas"]) == 3
    board.tool("undo")
    board.tool("undo")
    board.settled()
    assert [o["name"] for o in board.state()["objects"]] == ["object 1", "object 2"]


@pytest.mark.parametrize("orientation", [6, 3])
def test_an_exif_rotated_picture_stands_upright_and_clicks_are_in_its_frame(start, tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "turned.jpg", quadrants(), exif=exif, quality=95)
    board = start()
    upload(board, path)
    size = {6: [60, 90], 3: [90, 60]}[orientation]
    assert board.state()["size"] == size
    red = {6: (size[0] - 5, 5), 3: (size[0] - 5, size[1] - 5)}[orientation]
    r, g, b, _ = board.pixel(*red)
    assert r > 200 and g < 60 and b < 60
    board.click(*red)
    assert board.steps()[-1]["point"] == [*red, 1]


def test_bad_uploads_are_one_sentence_and_leave_the_session_alone(start, tmp_path):
    board = start()
    board.click(200, 150)
    board.settled()
    before = board.state()
    whole = saved(tmp_path / "whole.png", quadrants()).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("hello <b>world</b>")
    (tmp_path / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    for name in ("cut.png", "text.png", "drawing.svg"):
        board.page.set_input_files(f"{board.root} .gx-file", tmp_path / name)
        text = error_text(board)
        assert text.endswith(".") and text.count("\n") == 0 and "Traceback" not in text
        board.tool("error-close")
    after = board.state()
    assert after["objects"] == before["objects"] and after["size"] == before["size"]
    board.click(230, 150, button="right")
    assert board.settled().state()["areas"][1] < before["areas"][1]


def test_two_browsers_never_see_each_others_picture(start, tmp_path):
    ann, bob = start(), start()
    upload(ann, saved(tmp_path / "ann.png", quadrants((80, 50))))
    upload(bob, saved(tmp_path / "bob.png", quadrants((50, 80))))
    for _ in range(2):
        for board, size in ((ann, [80, 50]), (bob, [50, 80])):
            board.click(20, 20)
            board.settled()
            assert board.state()["size"] == size
    own = ann.page.evaluate("s => document.querySelector(s).dataset.ready", ann.root)
    assert own.startswith("own-") and own != bob.page.get_attribute(bob.root, "data-ready")
    ann.page.click("#segment-link")
    ann.page.wait_for_function("document.querySelector('#gb-share-text')?.value")
    eve = start("chelsea", "?" + urlsplit(ann.page.input_value("#gb-share-text")).query)
    assert "own picture" in error_text(eve) and eve.state()["size"] != [80, 50]


def test_a_sentence_that_comes_before_the_canvas_is_shown_all_the_same(start, url):
    board = start(allow=LEAVING)
    board.page.route("**/tabs/segment/wire.js", lambda route: (time.sleep(3), route.continue_()))
    board.page.goto(f"{url}?tab=segment&v=1&picture=own-0123456789abcdef")
    assert "own picture" in error_text(board)
    hear = "([root, message]) => document.querySelector(root + ' .gx-canvas').__gx.hear(message)"
    for smallest in (0, 7):                                # a link's settings tell so when they are there, too
        told = {"kind": "settled", "answer": {"refused": {}}, "smallest": smallest}
        board.page.evaluate(hear, [board.root, told])
    assert "own picture" in error_text(board)


def test_a_model_that_is_not_here_offers_its_download_and_changes_nothing(start):
    board = start()
    board.click(200, 150)
    board.settled()
    board.page.click("#segment-model label:has-text('MobileSAM')")
    board.page.wait_for_selector("#segment-download:has-text('40.7 MB')")
    assert "Apache" in board.page.inner_text("#segment-facts")
    board.click(230, 150, button="right")
    assert board.settled().state()["scores"] == pytest.approx([0.75, 0.95, 0.85])


def test_a_refused_checkpoint_leaves_the_previous_model_active(start, tmp_path):
    (tmp_path / "mine.safetensors").write_bytes(b"\x00" * 64)
    board = start()
    board.page.set_input_files("#segment-upload-0 input", tmp_path / "mine.safetensors")
    assert error_text(board).endswith(".")
    assert board.page.is_checked("#segment-model input[value=tiny]")
    board.click(200, 150)
    assert len(board.settled().state()["areas"]) == 3


def test_everything_streams_regions_and_a_picked_one_equals_its_record(start):
    board = start(query="?" + permalink.encode("segment", Params(crop_n_layers=0)))
    board.sample("scene-a")
    board.page.click("#segment-find")
    board.page.wait_for_selector(f"{board.root}[data-records=final]")
    width, height = board.state()["size"]
    board.click(width // 2, height // 2)
    board.settled()
    state = board.state()
    [step] = board.steps()
    assert state["records"] > 3 and (step["choice"] in (0, 1, 2) or step["mask"]["size"] == [height, width])
    assert state["areas"][state["chosen"]] == state["recordAreas"][state["hovered"]]


def test_everything_can_be_stopped(start):
    strict = Params(points_per_side=32, crop_n_layers=0, pred_iou_thresh=0.7, stability_score_thresh=0.85)
    board = start(query="?" + permalink.encode("segment", strict))
    board.page.click("#segment-find")
    board.page.wait_for_selector("#segment-finding:has-text('1024 points')")
    board.page.click("#segment-stop")
    board.page.wait_for_selector("#segment-finding p", state="detached")
    found = board.page.get_attribute(board.root, "data-records")
    assert found != "final" and board.state()["records"] > 0
    board.page.wait_for_timeout(600)
    assert board.page.get_attribute(board.root, "data-records") == found


def test_the_public_endpoints_answer_and_open_no_path(url, tmp_path):
    client = Client(url, verbose=False)
    path = saved(tmp_path / "mine.png", quadrants())
    answer = client.predict(handle_file(path), [[20, 20]], [1], None, "tiny", api_name="/segment")
    assert rle.decode(answer["masks"][0]).shape == (60, 90) and len(answer["scores"]) == 3
    boxed = client.predict("scene-a", None, None, [10, 10, 90, 90], api_name="/segment")
    assert len(boxed["masks"]) == 1 and boxed["milliseconds"]["click"] > 0
    found = client.predict("scene-a", points_per_side=3, api_name="/everything")
    assert found["records"][0]["area"] > 0
    for bad in ("/etc/passwd", {"path": "/etc/passwd"}):
        with pytest.raises(Exception, match=r"Send a picture|not uploaded|allowed|Cannot|File"):
            client.predict(bad, [[1, 1]], api_name="/segment")
    assert not [name for name in client.view_api(return_format="dict")["named_endpoints"]
                if name not in ("/segment", "/everything")]


def test_an_old_or_damaged_link_opens_the_defaults_with_one_sentence(start):
    board = start("chelsea", "?tab=segment&v=1&objects=%3Cimg%20src%3Dx%3E&picture=nowhere")
    assert board.state()["objects"] == [{"name": "object 1", "label": "object", "steps": []}]


def test_the_tab_fits_a_phone_and_clicks_are_exact_there(start):
    board = start(**DPR2)
    assert board.page.evaluate(WIDTH) <= 390
    width, height = board.state()["size"]
    board.page.locator(f"{board.root} .gx-canvas").scroll_into_view_if_needed()
    for x, y in ((0, 0), (width - 1, height - 1), (width // 2, height // 2)):
        board.click(x, y)
        px, py, _ = board.steps()[-1]["point"]
        assert abs(px - x) <= 1 and abs(py - y) <= 1


def test_several_pictures_stay_through_a_reload_are_asked_about_and_leave_in_one_file(start, tmp_path):
    paths = [saved(tmp_path / f"p{i} 猫.png", quadrants((90 + i, 60))) for i in range(3)]
    board = start(allow=LEAVING)
    page, asked = board.page, []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    epoch = page.get_attribute(board.root, "data-epoch")
    page.set_input_files(f"{board.root} .gx-file", paths)
    page.wait_for_function("([s, e]) => document.querySelector(s).dataset.epoch !== e", arg=[board.root, epoch])
    board.settled()
    sizes, ready = [], "([s, id]) => document.querySelector(s).dataset.ready !== id"
    for k in range(3):
        sizes.append(board.state()["size"][0])
        board.click(20 + k, 15)
        board.settled()
        page.focus(f"{board.root} .gx-canvas")
        shown = page.get_attribute(board.root, "data-ready")
        if k < 2:
            board.press("PageDown")
            page.wait_for_function(ready, arg=[board.root, shown])
            board.settled()
    assert sizes == [90, 91, 92] and board.text("progress") == "3 of 3 annotated"
    page.wait_for_selector(f'{board.root}[data-keeping="0"]')
    page.wait_for_function("id => location.search.includes(id)", arg=shown)
    reload(page)
    board.ready(shown)
    assert asked == ["beforeunload"]
    assert board.steps()[0]["point"] == [22, 15, 1] and page.is_hidden(f"{board.root} .gx-error")
    page.select_option(f"{board.root} .gx-of", "pictures")
    _, content = saved_as(board, "coco")
    coco = json.loads(content)
    wanted = [(path.name, size) for path, size in zip(paths, sizes, strict=True)]
    assert [(p["file_name"], p["width"]) for p in coco["images"]] == wanted
    areas = [rle.decode(one["segmentation"]).sum() for one in coco["annotations"]]
    assert len(areas) == 3 and min(areas) > 0
    page.wait_for_function("id => location.search.includes(id)", arg=shown)
    reload(page)
    board.ready(shown)
    assert asked == ["beforeunload"]                         # what was exported needs no question
