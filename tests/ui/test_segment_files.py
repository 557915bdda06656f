"""What leaves the Segment tab and what comes back: masks of the page, names and labels of the user, COCO files."""

import json
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from backends import images
from backends.segment import SegmentError, interact, rle
from tests.ui.segmenting import SAID, picture
from ui.parts import pictures
from ui.tabs.segment import TAB, answers, downloads, models, page
from ui.tabs.segment.state import Params, format_things, message_of, new_state, parse, things_of

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # inside pycocotools


@pytest.mark.parametrize("asked", [True, False], ids=["kept", "anew"])
def test_downloads_hold_exactly_the_masks_on_the_page(fake, kept, asked, monkeypatch):
    embedding = fake.embed(images.sample("scene-a"))
    expected = [interact.replay(fake, embedding, answers.backend_steps(t.steps), SAID.smallest)
                for t in SAID.things[:2]]
    if asked:
        answers.reply("ann", SAID, {"objects": message_of(SAID.things), "want": [0, 1]}, kept)
        monkeypatch.setattr(models, "segmenter", None)
    [(_, one, _), (_, two, _)] = answers.objects_of("ann", SAID, kept)
    one, two = rle.decode(one), rle.decode(two)
    assert np.array_equal(one, expected[0].mask) and np.array_equal(two, expected[1].mask)
    file = downloads.file_of("ann", SAID, "cutout", kept)
    rgba = np.asarray(Image.open(BytesIO(file.content)))
    assert file.name == "scene-a-two-cutout.png" and np.array_equal(rgba[..., 3] == 255, two)
    assert np.array_equal(rgba[two][:, :3], images.sample("scene-a")[two])
    alone = Image.open(BytesIO(downloads.file_of("ann", SAID, "mask", kept).content))
    assert np.array_equal(np.asarray(alone) > 0, two)
    data = json.loads(downloads.file_of("ann", SAID, "coco", kept).content)
    assert [i["file_name"] for i in data["images"]] == ["scene-a.png"]
    for note, mask in zip(data["annotations"], (one, two), strict=True):
        assert np.array_equal(rle.decode(note["segmentation"]), mask)


def test_the_regions_on_screen_are_downloaded_without_finding_them_again(fake, kept, monkeypatch):
    params = Params(picture="scene-a", points_per_side=6)
    with pytest.raises(SegmentError, match="no regions"):
        downloads.file_of("ann", params, "coco", kept, regions=True)
    [*_, last] = answers.regions("ann", params, kept)
    monkeypatch.setattr(models, "segmenter", None)
    file = downloads.file_of("ann", params, "coco", kept, regions=True)
    assert [a["area"] for a in json.loads(file.content)["annotations"]] == [r["area"] for r in last["records"]]
    for kind in ("polygons", "labels"):
        assert downloads.file_of("ann", params, kind, kept, regions=True).content
    with pytest.raises(SegmentError, match="no regions"):
        downloads.file_of("ann", Params(picture="scene-b"), "coco", kept, regions=True)


def test_more_regions_than_a_page_has_objects_can_be_exported(kept):
    height, width = images.sample("scene-a").shape[:2]
    found = [({"size": [height, width], "counts": rle.pack([i, 1, height * width - 1 - i])}, 0.5) for i in range(60)]
    kept.put("ann", answers.REGIONS, Params(picture="scene-a"), answers.Regions(tuple(found)))
    file = downloads.file_of("ann", Params(picture="scene-a"), "coco", kept, regions=True)
    assert len(json.loads(file.content)["annotations"]) == 60


def test_the_file_keeps_the_users_name_and_the_label_becomes_its_category(fake, kept, folder):
    own = pictures.add("ann", str(picture(folder / "x.png")), "C:\\me\\猫 photo #1.png")
    params = Params(picture=own, objects="Tom:20,20+:cat|Kim:9,9+:dog", active=1)
    file = downloads.file_of("ann", params, "coco", kept)
    data = json.loads(file.content)
    assert file.name == "猫 photo #1-coco.json" and data["images"][0]["file_name"] == "猫 photo #1.png"
    assert [c["name"] for c in data["categories"]] == ["cat", "dog"]
    assert [a["name"] for a in data["annotations"]] == ["Tom", "Kim"]
    assert downloads.file_of("ann", params, "mask", kept).name == "猫 photo #1-Kim-mask.png"
    assert pictures.file_name("ann", "rocket") == "rocket.jpg"


def test_many_pictures_make_one_file_and_two_of_one_name_stay_apart(fake, kept, folder):
    own = [pictures.add("ann", str(picture(folder / f"{w}.png", (w, 40))), "cat.png") for w in (64, 70)]
    asked = [{"picture": name, "objects": message_of(parse("a:20,20+"))} for name in (*own, "scene-a")]
    *told, file = downloads.files_of("ann", Params(), "coco", asked, kept)
    data = json.loads(file.content)
    assert told[1] == "1 of 3 pictures" and file.name == "glassbox-coco.json"
    assert [i["file_name"] for i in data["images"]] == ["cat.png", "cat (2).png", "scene-a.png"]
    assert [a["image_id"] for a in data["annotations"]] == [1, 2, 3]


def test_an_imported_object_is_shown_exported_and_refined(fake, kept, folder):
    file = downloads.file_of("ann", SAID, "polygons", kept)
    (folder / "coco.json").write_bytes(file.content)
    made, lacks = downloads.read("bob", Params(picture="scene-a"), str(folder / "coco.json"))
    assert [(o["name"], o["label"]) for o in made] == [("one", "object"), ("two", "object")] and lacks == ""
    things = things_of(json.loads(json.dumps(made)))
    assert list(parse(format_things(things))) == list(things) and message_of(things) == made
    params = Params(picture="scene-a", objects=format_things(things))
    again = json.loads(downloads.file_of("bob", params, "coco", kept).content)
    first = json.loads(downloads.file_of("ann", SAID, "coco", kept).content)
    assert [a["segmentation"] for a in again["annotations"]] == [a["segmentation"] for a in first["annotations"]]
    assert "score" not in again["annotations"][0]
    made[0]["steps"].append({"point": [100, 120, 1], "choice": None})
    ask = {"objects": made, "want": [0, 1]}
    refined, bare = answers.reply("bob", params, json.loads(json.dumps(ask)), kept)["results"]
    assert len(refined["masks"]) == 3 and bare["scores"] == (None,)
    assert bare["areas"] == [again["annotations"][1]["area"]]
    assert "Imported masks" in TAB.caveat(params)
    assert page.usable("bob", new_state(Params(objects=f"a:m{'0' * 24}")))[1] is not None


def test_an_import_that_cannot_be_used_is_one_sentence(fake, kept, folder):
    (folder / "bad.json").write_text("no")
    for params, path, says in ((Params(), folder / "bad.json", "not a COCO file"),
                               (Params(), "/etc/passwd", "uploaded"),
                               (Params(objects="|".join(["a:1,2+"] * 24)), folder / "bad.json", "at most 24")):
        with pytest.raises(ValueError, match=says):
            downloads.read("ann", params, str(path))


def test_nothing_to_export_is_one_sentence(fake, kept):
    for params in (Params(picture="scene-a"), Params(picture="scene-a", objects=SAID.objects, active=2)):
        with pytest.raises(SegmentError):
            downloads.file_of("ann", params, "mask", kept)
