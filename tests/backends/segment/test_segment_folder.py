"""A folder of pictures from the command line: progress, going on, bad pictures, and one COCO file that pycocotools
reads."""
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO

from backends import images
from backends.segment import SegmentError, folder
from backends.segment import __main__ as command
from backends.segment.formats import Labelled, Picture, export
from tests.discs import discs
from tests.hostile import LEAVES, hostile

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # inside pycocotools
FOUR = st.lists(st.integers() | st.floats() | st.sampled_from([10**400, "nan", "7", None]), min_size=4, max_size=4)


@pytest.fixture
def fake(monkeypatch):
    segmenter = discs()
    monkeypatch.setattr(type(segmenter), "delay", 0.0)
    monkeypatch.setattr(command, "Segmenter", lambda model, device: segmenter)
    return segmenter


def crops(count):
    """(name, pixels) of crops and flips of the samples."""
    samples = [images.sample(name) for name in images.SAMPLES]
    for k in range(count):
        image = samples[k % len(samples)]
        top, left = (17 * k) % (image.shape[0] - 160), (29 * k) % (image.shape[1] - 200)
        yield f"猫 photo #{k}.png", image[top : top + 160, left : left + 200][:: 1 - 2 * (k % 2)]


@pytest.fixture
def pictures(tmp_path):
    (tmp_path / "in" / "more").mkdir(parents=True)
    for k, (name, pixels) in enumerate(crops(3)):
        Image.fromarray(pixels).save(tmp_path / "in" / ("more" if k == 2 else "") / name)
    return tmp_path / "in"


NAMES = ["more/猫 photo #2.png", "猫 photo #0.png", "猫 photo #1.png"]


def said(pictures, *more):
    return [str(pictures), "--out", str(pictures.parent / "out"), "--points-per-side", "2", *more]


def read(out):
    return COCO(str(out / "annotations.json"))


def test_a_run_writes_each_picture_and_one_coco_file_and_the_next_one_skips_what_is_finished(fake, pictures, capsys):
    out = pictures.parent / "out"
    assert command.main(said(pictures)) == 0
    coco = read(out)
    assert [i["file_name"] for i in coco.loadImgs(coco.getImgIds())] == NAMES
    for image in coco.loadImgs(coco.getImgIds()):
        pixels = images.load(pictures / image["file_name"])
        *_, last = fake.everything(pixels, **{**command.FINDS, "points_per_side": 2})
        notes = coco.loadAnns(coco.getAnnIds(image["id"]))
        assert len(notes) == len(last.records) > 0
        assert all(np.array_equal(coco.annToMask(n), r["segmentation"])
                   for n, r in zip(notes, last.records, strict=True))
        numbers = np.asarray(Image.open(out / f"{image['file_name']}-labels.png"))
        assert numbers.shape == pixels.shape[:2] and set(np.unique(numbers)) <= set(range(len(notes) + 1))
    assert "3 of 3 pictures, 0 of them finished before" in capsys.readouterr().out
    times = {p: p.stat().st_mtime_ns for p in out.rglob("*.coco.json")}
    assert len(times) == 3 and not list(out.rglob("*.part"))
    (out / "猫 photo #0.png.coco.json").write_text("{ a torn file")
    assert command.main(said(pictures)) == 0
    assert "2 of them finished before" in capsys.readouterr().out
    assert len(read(out).getImgIds()) == 3
    assert sum(p.stat().st_mtime_ns != t for p, t in times.items()) == 1
    assert command.main(said(pictures, "--pred-iou-thresh", "0.99")) == 0
    assert "0 of them finished before" in capsys.readouterr().out


@pytest.mark.case("A bad picture in a folder", "The rest is done, and it is named at the end.")
def test_a_bad_picture_does_not_stop_the_rest_and_is_named_at_the_end(fake, pictures, capsys):
    (pictures / "a torn one.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 30)
    assert command.main(said(pictures)) == 1
    told = capsys.readouterr()
    assert "3 of 4 pictures" in told.out and told.err.splitlines()[-1].startswith("a torn one.png: ")
    assert len(read(pictures.parent / "out").getImgIds()) == 3


@pytest.mark.case("A folder is stopped in the middle", "The next run skips what is finished.")
def test_a_stop_in_the_middle_keeps_what_is_finished(fake, pictures, monkeypatch, capsys):
    job = folder.Job(fake, {"points_per_side": 2})
    out = pictures.parent / "out"
    run = folder.run(job, pictures, out, NAMES)
    assert next(run) == folder.Done(NAMES[0])
    run.close()
    assert [d.before for d in folder.run(job, pictures, out, NAMES)] == [True, False, False]


def test_boxes_become_objects_with_their_labels(fake, pictures, tmp_path, capsys):
    boxes = {NAMES[1]: [[10, 10, 60, 50], {"box": [80, 20, 120, 90], "label": "猫"}], NAMES[2]: [[1, 1, 5000, 20]],
             "gone.png": [[1, 2, 3, 4]]}
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    assert command.main(said(pictures, "--prompt", str(tmp_path / "boxes.json"))) == 1
    err = capsys.readouterr().err
    assert f"{NAMES[2]}: " in err and "gone.png: This picture is not in the folder." in err
    coco = read(pictures.parent / "out")
    embedding = fake.embed(images.load(pictures / NAMES[1]))
    for note, (box, label) in zip(coco.loadAnns(coco.getAnnIds()), [([10, 10, 60, 50], "object"),
                                                                    ([80, 20, 120, 90], "猫")], strict=True):
        [mask] = fake.predict(embedding, box=box, multimask=False).masks
        assert np.array_equal(coco.annToMask(note), mask) and coco.cats[note["category_id"]]["name"] == label
    (tmp_path / "again.json").write_bytes((pictures.parent / "out" / "annotations.json").read_bytes())
    again = folder.boxes_of(tmp_path / "again.json")
    assert [label for _, label in again[NAMES[1]]] == ["object", "猫"]


@pytest.mark.parametrize("content", ["", "[]", "5", '{"a.png": 5}', '{"a.png": [[1, 2]]}', '{"annotations": 3}',
                                     '{"a.png": [{"label": "x"}]}', '{"annotations": [{}], "images": []}'])
def test_a_file_of_boxes_that_is_none_is_one_sentence(fake, pictures, tmp_path, content, capsys):
    (tmp_path / "boxes.json").write_text(content)
    assert command.main(said(pictures, "--prompt", str(tmp_path / "boxes.json"))) == 2
    assert capsys.readouterr().err.strip().endswith("or a COCO file with boxes.")


@pytest.mark.case("Any JSON as a file of boxes", "One sentence, or four numbers and a label for each box.")
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hostile(["annotations", "images", "categories", "id", "file_name", "bbox", "image_id", "box", "label", "a.png"])
       | st.fixed_dictionaries({"a.png": st.lists(FOUR | st.fixed_dictionaries({"box": FOUR, "label": LEAVES}))})
       | st.fixed_dictionaries({"images": st.just([{"id": 1, "file_name": "a.png"}]), "annotations": st.lists(
           st.fixed_dictionaries({"image_id": LEAVES | st.just(1), "bbox": FOUR}))}))
def test_hostile_json_is_a_sentence_or_boxes_never_anything_else(tmp_path, value):
    (tmp_path / "boxes.json").write_text(json.dumps(value))
    try:
        found = folder.boxes_of(tmp_path / "boxes.json")
    except SegmentError as error:
        assert str(error).endswith("or a COCO file with boxes.")
    else:
        assert all(isinstance(name, str) and isinstance(label, str) and list(map(type, box)) == [float] * 4
                   for name, rows in found.items() for box, label in rows)


def test_no_folder_no_picture_and_no_file_are_one_sentence_each(fake, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for words in (said(tmp_path / "none"), said(tmp_path / "empty"), said(tmp_path, "--prompt", "no.json")):
        assert command.main(words) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_thirty_annotated_pictures_come_back_from_every_coco_file_to_the_pixel(fake, tmp_path):
    scenes = []
    for name, pixels in crops(30):
        masks = [fake.predict(fake.embed(pixels), points=[p], labels=[1]).masks[1] for p in ((60, 50), (140, 110))]
        things = tuple(Labelled.of(f"object {i}", m, 0.9, f"kind {i}") for i, m in enumerate(masks, 1))
        scenes.append(Picture(name, pixels.shape[:2], things))
    for kind in ("coco", "polygons"):
        (tmp_path / kind).write_bytes(export(kind, scenes).content)
        coco = COCO(str(tmp_path / kind))
        assert [i["file_name"] for i in coco.loadImgs(coco.getImgIds())] == [s.file_name for s in scenes]
        back = [coco.annToMask(note) for note in coco.loadAnns(coco.getAnnIds())]
        given = [thing.mask for scene in scenes for thing in scene.objects]
        overlaps = [(a & b).sum() / (a | b).sum() for a, b in zip(back, given, strict=True)]
        assert len(overlaps) == 60 and min(overlaps) == 1
