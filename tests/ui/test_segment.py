"""The Segment tab without a browser: the codec of its links, its pictures, its answers, its files."""

import json
from io import BytesIO
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

from backends import images, weights
from backends.segment import SegmentError, interact, rle
from backends.segment.tiny import build_tiny
from tests.discs import discs
from ui import permalink, segment
from ui.segmenting import answers, downloads, endpoints, models, pictures
from ui.segmenting.state import (
    Params,
    StateError,
    Step,
    Thing,
    clean_name,
    format_things,
    message_of,
    new_scene,
    parse,
    settings,
    things_of,
)

COORDINATE = st.one_of(st.integers(0, 9999), st.floats(0.001, 9999, allow_nan=False).filter(lambda v: "e" not in repr(v)))
CHOICE = st.one_of(st.none(), st.integers(0, 2))
POINT = st.builds(lambda x, y, label, c: Step(point=(x, y, label), choice=c), COORDINATE, COORDINATE, st.integers(0, 1), CHOICE)
BOX = st.builds(lambda box, c: Step(box=box, choice=c), st.tuples(*[COORDINATE] * 4), CHOICE)
NAME = st.text(max_size=60).map(clean_name)
THINGS = st.lists(st.builds(Thing, NAME, st.lists(st.one_of(POINT, BOX), min_size=1, max_size=6).map(tuple)), max_size=5)


@given(THINGS)
def test_objects_survive_the_text_the_message_and_the_link(things):
    text = format_things(things)
    assert list(parse(text)) == things
    assert list(things_of(json.loads(json.dumps(message_of(things))))) == things
    params = Params(objects=text, active=3)
    assert permalink.decode(Params, permalink.encode("segment", params)) == (params, ())


def test_the_text_of_objects_is_readable():
    steps = (Step(point=(120, 80, 1), choice=1), Step(point=(200.5, 90, 0)), Step(box=(10, 10, 60, 50)))
    assert format_things([Thing("cat", steps), Thing("a:b|c", (Step(point=(5, 6, 1)),))]) == (
        "cat:120,80+~1;200.5,90-;b10,10,60,50|a%3Ab%7Cc:5,6+"
    )


def test_showing_a_scene_leaves_its_state_alone_so_that_a_preset_pressed_meanwhile_is_not_undone(tmp_path):
    opening, own = new_scene(Params()), new_scene(Params(picture="own-gone"))
    kept, shown, said = segment.show_scene("nobody", opening, str(tmp_path))
    assert kept == gr.skip() == said and shown["epoch"] == opening["epoch"] and shown["image_id"] == opening["picture"]
    kept, shown, said = segment.show_scene("nobody", own, str(tmp_path))
    assert kept["picture"] == Params().picture and kept["epoch"] == shown["epoch"] != own["epoch"] and "not here" in said["text"]


MANY = ("|".join(["a:1,2+"] * 99), "a:" + ";".join(["1,2+"] * 99))


@pytest.mark.parametrize("bad", ["cat", "cat:1,2", "cat:1,2+~7", "a:-1,2+", "a:1,2+;;", "a:nan,2+", *MANY])
def test_a_damaged_link_is_one_sentence_and_the_defaults(bad):
    params, sentences = permalink.decode(Params, {"tab": "segment", "v": "1", "objects": bad})
    assert params == Params() and len(sentences) == 1 and sentences[0].count("\n") == 0


STRANGE = [{"point": [1, 2]}, {"point": ["x", 2, 1]}, {"box": [1, 2]}, {"point": [-1, 2, 1]}, {"point": [1, 2, 1], "choice": "<b>"}]


@pytest.mark.parametrize("step", [*STRANGE, {}, None])
def test_a_message_that_no_canvas_would_send_is_refused(step):
    for message in ([{"name": "a", "steps": [step]}], [{"steps": []}], None, 5):
        with pytest.raises(StateError):
            things_of(message)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    (tmp_path / "gradio" / "abc").mkdir(parents=True)
    return tmp_path / "gradio" / "abc"


def picture(path: Path, size=(64, 40)) -> Path:
    pixels = np.random.default_rng(size[0]).integers(0, 255, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_only_files_inside_the_upload_folder_are_opened(folder, tmp_path):
    inside, outside = picture(folder / "a.png"), picture(tmp_path / "b.png")
    (folder / "link.png").symlink_to(outside)
    assert pictures.uploaded(str(inside)) == inside.resolve()
    above = folder / ".." / ".." / "b.png"
    for path in (outside, folder / "link.png", above, "/etc/passwd", folder, folder / "none.png", "\0", None, {"path": "x"}):
        with pytest.raises(images.ImageError):
            pictures.uploaded(path)


def test_an_own_picture_belongs_to_one_session(folder):
    name = pictures.add("ann", str(picture(folder / "a.png")))
    assert pictures.pixels("ann", name).shape == (40, 64, 3) and pictures.known("ann", name)
    assert not pictures.known("bob", name)
    with pytest.raises(images.ImageError):
        pictures.pixels("bob", name)


def test_a_session_keeps_its_last_pictures_only_and_can_be_forgotten(folder):
    shelf = pictures.Shelf(2, 3)
    paths = [picture(folder / f"{i}.png", (20 + i, 20)) for i in range(3)]
    for i, path in enumerate(paths):
        shelf.put("ann", str(i), path)
    assert [shelf.get("ann", str(i)) is not None for i in range(3)] == [False, True, True]
    shelf.put("bob", "x", paths[0])
    shelf.put("bob", "y", paths[0])
    assert shelf.get("ann", "1") is None and shelf.get("ann", "2") is not None
    shelf.drop("ann")
    assert shelf.get("ann", "2") is None and shelf.get("bob", "y") is not None


def test_a_bad_upload_is_one_sentence(folder):
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 30)
    with pytest.raises(images.ImageError) as error:
        pictures.add("ann", str(folder / "bad.png"))
    assert "\n" not in str(error.value) and str(folder) not in str(error.value)


@pytest.fixture
def fake(monkeypatch):
    segmenter = discs()
    monkeypatch.setattr(models, "_segmenter", lambda name: segmenter)
    monkeypatch.setattr(models, "available", lambda model: model == "tiny")
    return segmenter


SAID = Params(picture="scene-a", objects="one:100,120+~0;130,120-|two:b200,200,300,280~2|empty:", active=1)


def test_a_prompt_gets_the_wanted_masks_only_with_scores_areas_and_truth(fake):
    ask = {"objects": message_of(SAID.things), "want": [1, 7, -1, "0"]}
    [item] = answers.reply("ann", "tiny", "scene-a", ask)["results"]
    assert item["index"] == 1 and item["chosen"] == 2 and len(item["masks"]) == 3 == len(item["truth"])
    assert [int(rle.from_runs(m).sum()) for m in item["masks"]] == item["areas"]


def test_a_click_is_honoured_when_its_pixel_is_on_the_side_of_its_sign():
    mask = np.zeros((4, 6), bool)
    mask[1, 2] = True
    steps = [Step((2, 1, 1)), Step((1, 2, 1)), Step((5, 3, 0)), Step((2.9, 1.9, 0)), Step(box=(0, 0, 3, 3))]
    assert answers.honoured(mask, steps) == [2, 4] and answers.honoured(~mask, steps) == [2, 4] and answers.honoured(mask, []) == [0, 0]


def test_truth_is_the_best_overlap_with_one_true_object():
    ids = np.zeros((10, 10), np.uint8)
    ids[:5, :4], ids[5:, :4] = 1, 2
    mask = np.zeros((10, 10), bool)
    mask[4:, :4] = True
    assert answers.best_overlap(mask, ids) == pytest.approx(20 / 24)
    assert answers.best_overlap(mask, ids * 0) is None and answers.best_overlap(mask & False, ids) == 0


def test_masks_of_large_pictures_are_thinned_for_the_browser():
    mask = np.zeros((40, 3000), bool)
    mask[:, 1500:] = True
    small = answers.shrunk(mask)
    assert max(small.shape) <= answers.DISPLAY and small.mean() == pytest.approx(0.5, abs=0.01)


def test_regions_stream_and_the_last_message_is_the_final_list(fake):
    messages = list(answers.regions("ann", Params(picture="scene-a")))
    assert messages[-1]["final"] and messages[-1]["done"] == 144 and not any(m["final"] for m in messages[:-1])
    exact = list(fake.everything(images.sample("scene-a"), **settings(Params())))[-1].records
    assert messages[-1]["first"] == 0 and [r["area"] for r in messages[-1]["records"]] == [r["area"] for r in exact]


def test_a_batch_of_everything_mode_carries_only_what_is_new(fake):
    known = 0
    for message in list(answers.regions("ann", Params(picture="scene-a")))[:-1]:
        assert message["first"] == known
        known += len(message["records"])
    assert known > 0


def test_the_script_prints_the_numbers_of_the_page(fake, monkeypatch, capsys):
    monkeypatch.setattr("backends.segment.Segmenter", lambda name: fake)
    result = answers.run(SAID)
    exec(compile(answers.script(SAID), "script", "exec"), {})
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(answers.as_dict(result)))
    assert [o.name for o in result.objects] == ["one", "two"]


def test_downloads_hold_exactly_the_masks_on_the_page(fake):
    [(_, one), (_, two)] = answers.objects_of("ann", SAID)
    name, content = downloads.file_of("ann", SAID, "cutout")
    rgba = np.asarray(Image.open(BytesIO(content)))
    assert name == "scene-a-two-cutout.png" and np.array_equal(rgba[..., 3] == 255, two.mask)
    assert np.array_equal(rgba[two.mask][:, :3], images.sample("scene-a")[two.mask])
    assert np.array_equal(np.asarray(Image.open(BytesIO(downloads.file_of("ann", SAID, "mask")[1]))) > 0, two.mask)
    data = json.loads(downloads.file_of("ann", SAID, "coco")[1])
    for note, result in zip(data["annotations"], (one, two), strict=True):
        assert np.array_equal(rle.decode(note["segmentation"]), result.mask)
    shapes = json.loads(downloads.file_of("ann", SAID, "polygons")[1])
    assert [o["name"] for o in shapes["objects"]] == ["one", "two"] and shapes["width"] == images.sample("scene-a").shape[1]


def test_nothing_to_export_is_one_sentence(fake):
    for params in (Params(picture="scene-a"), Params(picture="scene-a", objects=SAID.objects, active=2)):
        with pytest.raises(SegmentError):
            downloads.file_of("ann", params, "mask")


def test_the_endpoint_answers_with_rle_scores_and_milliseconds(fake):
    answer = endpoints.segment("scene-a", [[100, 120], [130, 120]], [1, 0])
    assert len(answer["masks"]) == 1 == len(answer["scores"])
    assert rle.decode(answer["masks"][0]).shape == images.sample("scene-a").shape[:2]
    assert len(endpoints.segment("scene-a", [[100, 120]])["masks"]) == 3 and set(answer["milliseconds"]) == {"encoder", "click", "total"}
    found = endpoints.everything("scene-a", points_per_side=2, pred_iou_thresh=0.5)
    assert {"segmentation", "area", "bbox", "predicted_iou", "point_coords", "stability_score", "crop_box"} <= set(found["records"][0])
    json.dumps([answer, found])


@pytest.mark.parametrize("picture", ["/etc/passwd", {"path": "/etc/passwd"}, {"url": "http://x"}, None, 3])
def test_the_endpoint_opens_no_path(fake, folder, picture):
    with pytest.raises(images.ImageError):
        endpoints.segment(picture, [[1, 1]])


def test_a_model_that_is_not_here_and_a_file_that_is_no_checkpoint_are_refused(fake, folder):
    with pytest.raises(weights.WeightsError, match="download it first"):
        models.activate("ann", "vit_b")
    (folder / "x.safetensors").write_bytes(b"no")
    (folder / "x.pth").write_bytes(b"no")
    with pytest.raises(weights.WeightsError, match="safetensors"):
        models.add_checkpoint("ann", str(folder / "x.pth"))


def test_a_good_checkpoint_of_ones_own_is_found_by_its_session_only(folder, monkeypatch):
    save_file({k: v.clone() for k, v in build_tiny().state_dict().items()}, folder / "mine.safetensors")
    model = models.add_checkpoint("ann", str(folder / "mine.safetensors"))
    assert models.segmenter("ann", model).sam.mask_threshold == 0 and "Your own" in models.facts("ann", model)
    with pytest.raises(weights.WeightsError, match="not here any more"):
        models.segmenter("bob", model)


def test_replay_and_page_agree_on_steps():
    [thing] = parse("a:1,2+~2;b1,2,30,40")
    assert answers.backend_steps(thing.steps) == [interact.Step(((1, 2, 1),), None, 2), interact.Step((), (1, 2, 30, 40), None)]
