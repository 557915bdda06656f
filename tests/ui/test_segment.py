"""The Segment tab without a browser: the codec of its links, its pictures, its answers, its files."""

import gc
import json
import weakref
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from backends import images, large, weights
from backends.plain import numbers
from backends.segment import interact, rle
from backends.segment.tiny import build_tiny
from tests.ui.segmenting import SAID, picture
from ui.core import permalink
from ui.parts import pictures
from ui.parts.uploads import Shelf, uploaded
from ui.tabs.segment import TAB, answers, endpoints, models, page
from ui.tabs.segment.state import (
    Params,
    StateError,
    Step,
    Thing,
    clean_name,
    format_things,
    message_of,
    new_state,
    parse,
    settings,
    things_of,
)

COORDINATE = st.one_of(st.integers(0, 9999),
                       st.floats(0.001, 9999, allow_nan=False).filter(lambda v: "e" not in repr(v)))
CHOICE = st.one_of(st.none(), st.integers(0, 2))
POINT = st.builds(lambda x, y, label, c: Step(point=(x, y, label), choice=c), COORDINATE, COORDINATE,
                  st.integers(0, 1), CHOICE)
BOX = st.builds(lambda box, c: Step(box=box, choice=c), st.tuples(*[COORDINATE] * 4), CHOICE)
PATH = st.lists(st.tuples(COORDINATE, COORDINATE), min_size=1, max_size=4).map(tuple)
STROKE = st.builds(lambda label, radius, path, c: Step(stroke=(label, radius, path), choice=c), st.integers(0, 1),
                   COORDINATE, PATH, CHOICE)
RINGS = st.builds(lambda rings, c: Step(rings=rings, choice=c), st.lists(PATH, min_size=1, max_size=3).map(tuple),
                  CHOICE)
NAME = st.text(max_size=60).map(clean_name)
LABEL = st.one_of(st.just("object"), NAME.map(lambda name: name or "object"))
STEPS = st.lists(st.one_of(POINT, BOX, STROKE, RINGS), min_size=1, max_size=6).map(tuple)
THINGS = st.lists(st.builds(Thing, NAME, STEPS, LABEL), max_size=5)


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
    drawn = (Step(stroke=(0, 4.5, ((1, 2), (3, 4)))), Step(rings=(((0, 0), (9, 0), (9, 9)), ((2, 2), (4, 2), (3, 4)))))
    assert format_things([Thing("d", drawn)]) == "d:s4.5-1,2,3,4;g0,0,9,0,9,9/2,2,4,2,3,4"
    assert format_things([Thing("Tom", (Step(point=(5, 6, 1)),), "a:b")]) == "Tom:5,6+:a%3Ab"


def test_an_object_that_says_no_label_is_an_object():
    [told], [read] = things_of([{"name": "Tom", "steps": [{"point": [5, 6, 1]}]}]), parse("Tom:5,6+")
    assert told.label == read.label == "object"


def test_a_state_that_can_be_shown_is_left_alone_and_another_becomes_the_nearest_one_with_a_sentence():
    opening, own = new_state(Params()), new_state(Params(picture="own-gone"))
    assert page.usable("nobody", opening) == (opening, None)
    state, problem = page.usable("nobody", own)
    assert state["picture"] == Params().picture and state["epoch"] != own["epoch"] and "not here" in str(problem)
    state, problem = page.usable("nobody", new_state(Params(objects="a:99999,2+|b:5,6+")))
    assert state["objects"] == "b:5,6+" and "outside of the picture" in str(problem)
    state, problem = page.usable("nobody", new_state(Params(model="own-gone", objects="a:1,2+")))
    assert state["model"] == "tiny" and state["objects"] == "a:1,2+" and "tiny model answers" in str(problem)


MANY = ("|".join(["a:1,2+"] * 99), "a:" + ";".join(["1,2+"] * 201))


@pytest.mark.parametrize("bad", ["cat", "cat:1,2", "cat:1,2+~7", "a:-1,2+", "a:1,2+;;", "a:nan,2+", *MANY])
@pytest.mark.case("A damaged link of clicks", "One sentence, and the defaults.")
def test_a_damaged_link_is_one_sentence_and_the_defaults(bad):
    params, sentences = permalink.decode(Params, {"tab": "segment", "v": "1", "objects": bad})
    assert params == Params() and len(sentences) == 1 and sentences[0].count("\n") == 0


SIZE_BOMB = {"mask": {"size": [1 << 40, 2], "counts": "0" * (2 << 20)}}
STRANGE = [SIZE_BOMB, {"mask": {"size": 5}}, {"mask": "x"}, {"mask": {"size": [2, 2], "counts": [4]}},
           {"point": [1, 2]}, {"point": ["x", 2, 1]}, {"box": [1, 2]}, {"point": [-1, 2, 1]},
           {"point": [1, 2, 1], "choice": "<b>"}]


@pytest.mark.parametrize("step", [*STRANGE, {}, None])
def test_a_message_that_no_canvas_would_send_is_refused(step):
    for message in ([{"name": "a", "steps": [step]}], [{"steps": []}], None, 5):
        with pytest.raises(StateError):
            things_of(message)


@pytest.mark.case("A path in an event", "Only files inside the folder of uploads are opened.")
def test_only_files_inside_the_upload_folder_are_opened(folder, tmp_path):
    inside, outside = picture(folder / "a.png"), picture(tmp_path / "b.png")
    (folder / "link.png").symlink_to(outside)
    assert uploaded(str(inside)) == inside.resolve()
    above = folder / ".." / ".." / "b.png"
    for path in (outside, folder / "link.png", above, "/etc/passwd", folder, folder / "none.png", "\0", None,
                 {"path": "x"}):
        with pytest.raises(images.ImageError):
            uploaded(path)


def test_an_own_picture_belongs_to_one_session(folder):
    name = pictures.add("ann", str(picture(folder / "a.png")))
    assert pictures.pixels("ann", name).shape == (40, 64, 3) and pictures.known("ann", name)
    assert not pictures.known("bob", name)
    with pytest.raises(images.ImageError):
        pictures.pixels("bob", name)


def test_a_session_keeps_its_last_pictures_only_and_can_be_forgotten(folder):
    shelf = Shelf(2, 3)
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


def test_a_prompt_gets_the_wanted_masks_only_with_scores_areas_and_truth(fake, kept):
    ask = {"objects": message_of(SAID.things), "want": [1, 7, -1, "0"]}
    [item] = answers.reply("ann", SAID, ask, kept)["results"]
    assert item["index"] == 1 and item["chosen"] == 2 and len(item["masks"]) == 3 == len(item["truth"])
    assert [sum(m["counts"][1::2]) for m in item["masks"]] == item["areas"]


def test_a_preview_is_the_mask_of_the_next_click_and_nothing_is_kept(fake, kept):
    ask = {"steps": [{"point": [40, 20, 1], "choice": None}], "point": [60, 30, 0]}
    assert answers.preview("ann", Params("scene-b"), ask) is None    # not encoded: the encoder is not run for it
    models.segmenter("ann", "tiny").embed(pictures.pixels("ann", "scene-a"))
    seen = answers.preview("ann", Params("scene-a"), ask)
    steps = things_of([{"name": "", "steps": [*ask["steps"], {"point": ask["point"]}]}])[0].steps
    assert seen == rle.runs(answers._replayed("ann", Params("scene-a"), steps).mask)
    assert kept.get("ann", answers.SCREEN) is None


def test_a_click_is_honoured_when_its_pixel_is_on_the_side_of_its_sign():
    mask = np.zeros((4, 6), bool)
    mask[1, 2] = True
    steps = [Step((2, 1, 1)), Step((1, 2, 1)), Step((5, 3, 0)), Step((2.9, 1.9, 0)), Step(box=(0, 0, 3, 3))]
    assert answers.honoured(mask, steps) == [2, 4]
    assert answers.honoured(~mask, steps) == [2, 4] and answers.honoured(mask, []) == [0, 0]


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


def test_regions_stream_and_the_last_message_is_the_final_list(fake, kept):
    asked = Params(picture="scene-a", points_per_side=6)
    messages = list(answers.regions("ann", asked, kept))
    assert messages[-1]["final"] and messages[-1]["done"] == 5 * 36 and not any(m["final"] for m in messages[:-1])
    exact = list(fake.everything(images.sample("scene-a"), **settings(asked)))[-1].records
    assert messages[-1]["first"] == 0 and [r["area"] for r in messages[-1]["records"]] == [r["area"] for r in exact]


def test_a_batch_of_everything_mode_carries_only_what_is_new(fake, kept):
    known = 0
    for message in list(answers.regions("ann", Params(picture="scene-a", points_per_side=6), kept))[:-1]:
        assert message["first"] == known
        known += len(message["records"])
    assert known > 0


def test_the_script_prints_the_numbers_of_the_page(fake, monkeypatch, capsys):
    monkeypatch.setattr("backends.segment.Segmenter", lambda name: fake)
    result = answers.run(SAID)
    exec(compile(answers.script(SAID), "script", "exec"), {})
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(numbers(result)))
    assert [o.name for o in result.objects] == ["one", "two"]


def test_only_the_masks_of_the_objects_on_screen_are_kept(fake, kept):
    first, both = SAID.things[:1], SAID.things[:2]
    answers.reply("ann", SAID, {"objects": message_of(both), "want": [0, 1]}, kept)
    answers.reply("ann", SAID, {"objects": message_of(first), "want": []}, kept)
    assert [*kept.get("ann", answers.SCREEN).result.masks] == [answers.key_of(SAID, first[0].steps)]
    dirty = replace(SAID, smallest=0)
    answers.reply("ann", dirty, {"objects": message_of(first), "want": [0]}, kept)
    assert [*kept.get("ann", answers.SCREEN).result.masks] == [answers.key_of(dirty, first[0].steps)]


def test_the_endpoint_answers_with_rle_scores_and_milliseconds(fake):
    answer = endpoints.segment("scene-a", [[100, 120], [130, 120]], [1, 0])
    assert len(answer["masks"]) == 1 == len(answer["scores"])
    assert rle.decode(answer["masks"][0]).shape == images.sample("scene-a").shape[:2]
    assert len(endpoints.segment("scene-a", [[100, 120]])["masks"]) == 3
    assert set(answer["milliseconds"]) == {"encoder", "click", "total"}
    [*_, found] = endpoints.everything("scene-a", points_per_side=2, pred_iou_thresh=0.5)
    assert {"segmentation", "area", "bbox", "predicted_iou", "point_coords", "stability_score",
            "crop_box"} <= set(found["records"][0])
    json.dumps([answer, found])


def test_the_endpoint_works_on_large_pictures_one_at_a_time(fake, folder, monkeypatch):
    path = picture(folder / "wide.png", (40, 20))
    turns = []
    monkeypatch.setattr(large, "turn", lambda size: turns.append(size) or nullcontext())
    endpoints.segment({"path": str(path)}, ((20, 10),))
    assert turns == [(40, 20)]


@pytest.mark.parametrize("picture", ["/etc/passwd", {"path": "/etc/passwd"}, {"url": "http://x"}, None, 3])
@pytest.mark.case("A path or a foreign URL in place of a picture", "Refused; nothing is opened or fetched.")
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


def test_an_own_checkpoint_is_freed_when_another_takes_its_place_or_its_visitor_leaves(folder, monkeypatch):
    loads = []
    read = models._read
    monkeypatch.setattr(models, "_read", lambda path: loads.append(path) or read(path))
    made = build_tiny().state_dict()
    for name, factor in (("one", 1.0), ("two", 0.5)):
        save_file({k: v.clone() * factor if v.is_floating_point() else v.clone() for k, v in made.items()},
                  folder / f"{name}.safetensors")
    one, two = (models.add_checkpoint("ann", str(folder / f"{name}.safetensors")) for name in ("one", "two"))
    assert one != two and len(models.LOADED) == 1
    models.segmenter("ann", two)
    assert len(loads) == 2
    page.free("ann")
    assert len(models.LOADED) == 0


def test_checkpoints_of_many_visitors_stay_within_the_limit_and_are_gone_when_they_leave(folder, monkeypatch):
    size = sum(p.nbytes for p in build_tiny().parameters())
    monkeypatch.setattr(models.LOADED, "limit", int(2.5 * size))
    seen = []
    for i in range(5):
        torch.manual_seed(i)
        save_file(build_tiny().state_dict(), folder / f"{i}.safetensors")
        model = models.add_checkpoint(f"visitor {i}", str(folder / f"{i}.safetensors"))
        seen.append(weakref.ref(models.segmenter(f"visitor {i}", model).sam))
        gc.collect()
        assert sum(ref() is not None for ref in seen) == len(models.LOADED) <= 2
    for i in range(5):
        page.free(f"visitor {i}")
    gc.collect()
    assert not any(ref() for ref in seen)


def test_replay_and_page_agree_on_steps():
    [thing] = parse("a:1,2+~2;b1,2,30,40")
    assert answers.backend_steps(thing.steps) == [interact.Step(((1, 2, 1),), None, 2),
                                                  interact.Step((), (1, 2, 30, 40), None)]


@pytest.mark.parametrize("preset", TAB.presets, ids=lambda preset: preset.name)
def test_each_preset_shows_what_it_promises(preset):
    assert preset.holds(TAB.run(preset.params))
