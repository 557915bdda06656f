"""The figures in the manifest are measured again, and the measuring itself is checked.

Where the manifest names a `sample`, its value is measured again: the first batches or scenes of those behind the whole
figure, which the command beside it gives."""
import json

import numpy as np
import pytest
import torch

from backends import images, weights
from backends.deform import frozen, objects, seek
from backends.deform import small as looker
from backends.lm import corpus, shelf
from backends.segment import Segmenter
from backends.swin import small
from backends.swin.capture import Maps
from backends.swin.geometry import layout
from backends.train import clicks, copying, deform_figures, deform_photo, lengths, loop, mixers, moe, swin_figures
from benchmarks import swin_regions


def test_tiny_reaches_the_figure_in_the_manifest():
    metric = weights.entry("segment-tiny").metric
    sample = metric.get("sample", metric)
    again = clicks.evaluate(Segmenter("tiny"), sample["scenes"], clicks=1)
    assert again["objects"] == sample["objects"]
    assert again["miou@1"] == pytest.approx(sample["value"], abs=metric["tolerance"])


def agreed(entry):
    """(batches, figure, tolerance): the sample's; under another patch level of Python's library than the text was
    taken from, where other bytes are held out, the whole figure's."""
    metric = entry.metric
    if "standard library" in entry.data[0]["name"] and corpus.digest() not in entry.data[0]["name"]:
        return loop.BATCHES, metric["value"], 0.15
    return metric["sample"]["batches"], metric["sample"]["value"], metric["tolerance"]


def reaches(model, plan, entry):
    """Whether a shipped model has the figure that the manifest says."""
    batches, figure, tolerance = agreed(entry)
    again = loop.measure(model, plan, batches)
    return again["loss" if "nats" in entry.metric["name"] else "accuracy"] == pytest.approx(figure, abs=tolerance)


@pytest.mark.parametrize("mixer", shelf.FAMILY)
@pytest.mark.parametrize("task", mixers.TASKS)
def test_the_mixer_family_reaches_its_figures(task, mixer):
    assert reaches(shelf.load(mixer, task), mixers.plan(task, mixer), weights.entry(f"{task}-{mixer}"))


@pytest.mark.parametrize("name", [name for name in shelf.LENGTHS if any(e.name == name for e in weights.manifest())])
def test_the_models_trained_short_reach_their_figures(name):
    assert reaches(shelf.model(name), lengths.plan(name), weights.entry(name))


@pytest.mark.parametrize("name", shelf.ROUTED)
def test_the_routed_models_reach_their_figures(name):
    entry, model = weights.entry(name), shelf.routed(name)
    assert reaches(model, moe.plan(name), entry)
    if name != "moe-dense":
        loads, kept = moe.loads(model), entry.measured["loads"]
        assert [one["most"] for one in loads] == pytest.approx([one["most"] for one in kept],
                                                               abs=0.3 if agreed(entry)[0] == loop.BATCHES else 0.05)
        assert (max(one["most"] for one in loads) < 1.5) == (name == "moe")


@pytest.mark.parametrize("name", shelf.COPYING)
def test_the_copying_models_reach_their_figures(name):
    entry, runs = weights.entry(name), weights.curves("copying.json")[name]
    sample = entry.metric["sample"]
    again = copying.figures(shelf.copying(name), name, sample["batches"])
    assert again["accuracy"] == pytest.approx(sample["value"], abs=entry.metric["tolerance"])
    assert list(again["far"].values()) == pytest.approx(sample["far"], abs=0.02)
    assert np.allclose(again["ratios"], entry.measured["ratios"][0], rtol=0.02)
    assert entry.measured["ratios"] == [run["ratios"] for run in runs]
    assert entry.measured["far"] == [list(run["far"].values()) for run in runs]
    assert [run["seed"] for run in runs] == [0, 1, 2]


def test_selection_and_not_the_filter_copies():
    """What every seed reached after equally many steps: right read-outs at 1 and 4 times the trained length; in half of
    the heads, steps on data at least 5 times those on noise."""
    first, twin = (weights.curves("copying.json")[name] for name in ("copy-ssd", "copy-lti"))
    assert min(run["far"]["1"] for run in first) >= 0.99 and min(run["far"]["4"] for run in first) >= 0.95
    assert max(run["far"]["1"] for run in twin) <= 0.7
    assert min(sum(ratio >= 5 for layer in run["ratios"] for ratio in layer) for run in first) >= 4
    assert all(np.allclose(run["ratios"], 1) for run in twin)
    assert len({run["curve"][-1]["step"] for run in (*first, *twin)}) == 1


def test_the_model_trained_short_uses_its_long_context():
    use = lengths.context_use(shelf.model("rope-lm"), (32, 256), 128)
    assert use[256] < use[32] - 0.05


def test_the_small_swin_reaches_its_figures_and_has_learned_them():
    metric = weights.entry(small.NAME).metric
    sample = metric["sample"]
    again = swin_figures.figures(small.load(), sample["scenes"])
    assert again["clicks"] == sample["clicks"]
    assert again["iou"] == pytest.approx(sample["value"], abs=metric["tolerance"])
    assert again["iou_best"] > again["iou_colour"] + 0.05 > again["iou_untrained"] + 0.1
    trained, untrained = again["lift"], again["lift_untrained"]
    assert max(trained[2:]) < min(untrained) and trained == pytest.approx(sample["lift"], abs=0.03)


@pytest.mark.parametrize(("bend", "warp", "first", "pictures"), [("mild", objects.MILD, 0, 80),
                                                                 ("strong", objects.STRONG, 500_000, 40)])
def test_learned_places_beat_the_twin_and_a_grid_as_wide(bend, warp, first, pictures):
    again = deform_figures.compared({kind: looker.load(kind) for kind in looker.KINDS}, warp, first, pictures)
    measured = weights.entry("deform-looks").measured[bend]
    for kind, name in (("deformable", "accuracy"), ("plain", "plain")):
        assert again[f"accuracy, {kind}"] == pytest.approx(measured[name], abs=0.03)
    for name, said in (("grid", "inside grid"), ("wide", "inside wide grid"), ("points", "inside points"),
                       ("weighted", "inside weighted")):
        assert again[f"inside, {name}"] == pytest.approx(measured[said], abs=0.04)
    assert again["accuracy z"] > 8 and again["weighted against wide, z"] > 8
    assert abs(looker.parameters("deformable") / looker.parameters("plain") - 1) < 0.05
    assert weights.entry("deform-plain").measured["mild"]["accuracy"] == weights.entry("deform-looks").measured["mild"][
        "plain"]


def test_layers_over_frozen_features_read_the_clicked_thing():
    """On freshly rendered scenes without photographs, and in the record of all seeds."""
    sample = weights.entry("seek-aimed").metric["sample"]
    again = deform_photo.rendered(sample["scenes"])
    assert again["aimed"]["weighted"] == pytest.approx(sample["value"], abs=0.02)
    assert again["aimed"]["weighted"] > again["aimed"]["wide_weighted"] + 0.05
    assert again["star"]["weighted"] > again["star"]["grid"] + 0.1
    runs = weights.curves("seek.json")
    for kind in ("aimed", "star", "grid"):
        assert {one["steps"] for one in runs if one["kind"] == kind} == {weights.entry(f"seek-{kind}").steps}
    learned, twin = map(seek.parameters, ("aimed", "grid"))
    assert abs(learned / twin - 1) < 0.05


def test_the_frozen_stages_are_those_of_the_package():
    metric = weights.entry("lite0-stages").metric
    fine, coarse = frozen.maps(frozen.load(), frozen.fitted(images.sample("chelsea"))[None])
    assert [fine.shape[1], coarse.shape[1]] == [40, 112] and fine.shape[2] == 2 * coarse.shape[2]
    assert float(coarse.abs().mean()) == pytest.approx(metric["value"], abs=metric["tolerance"])


def test_training_curves_end_where_the_shipped_figures_are():
    curves = json.loads((weights.FOLDER / "mixers.json").read_text())
    assert sorted(curves) == sorted(f"{task}-{mixer}" for task in mixers.TASKS for mixer in shelf.FAMILY)
    for name, runs in curves.items():
        steps = {point["step"] for run in runs for point in run["curve"]}
        assert len(runs) == (3 if name.startswith("mqar") else 1) and max(steps) == weights.entry(name).steps
        last = runs[0]["curve"][-1]["loss" if name.startswith("bytes") else "accuracy"]
        assert last == pytest.approx(weights.entry(name).metric["value"], abs=0.1), name


def test_held_out_scenes_have_things_of_the_right_size():
    pairs = list(clicks.cases(4))
    assert len(pairs) >= 4
    assert all(clicks.AREA[0] <= truth.mean() <= clicks.AREA[1] and image.shape == (512, 512, 3)
               for image, truth in pairs)


def test_the_first_click_is_the_deepest_point_and_the_next_goes_to_the_deeper_error():
    truth = np.zeros((40, 60), bool)
    truth[10:31, 20:51] = True
    assert clicks.next_click(np.zeros_like(truth), truth) == (30, 20, 1)
    x, y, label = clicks.next_click(np.ones_like(truth), truth)
    assert label == 0 and not truth[y, x]


def test_lift_is_one_for_equal_weights_and_features_that_name_regions_answer_fully():
    one = layout((8, 8), 4, 2)
    ids = np.repeat(np.repeat(np.arange(64).reshape(8, 8) % 3 + 1, 8, 0), 8, 1)
    even = torch.from_numpy((~one.blocked).astype(np.float32))
    weight, share = swin_figures.lift(Maps(0, 0, one,
                                           (even / even.sum(-1, keepdim=True))[:, None].expand(-1, 2, -1, -1)), ids)
    assert weight == pytest.approx(share, abs=1e-6)
    named = swin_figures.scene(0)[1][2::4, 2::4].reshape(-1, 1).astype(float)
    assert swin_figures.best_iou(lambda image: named, 1) == 1


def test_every_threshold_s_overlap_is_that_of_the_places_within_it():
    rng, mask = np.random.default_rng(0), np.zeros((6, 8), bool)
    mask[1:4, 2:7] = True
    found, limits = rng.normal(size=(48, 3)), np.geomspace(0.1, 5, 7)
    at, places = swin_regions.clicked(mask.repeat(20, 0).repeat(20, 1), mask.shape)
    assert at // 8 == 2 and mask.flat[at] and np.array_equal(places, mask)
    [row] = swin_regions.overlaps(lambda image: found, [(np.zeros((24, 32, 3)), [(at, mask)])], limits)
    apart = np.linalg.norm(found - found[at], axis=1).reshape(mask.shape)
    assert row == pytest.approx([clicks.overlap(apart < limit, mask) for limit in limits])


def test_overlap_is_intersection_over_union():
    a, b = np.array([1, 1, 0, 0], bool), np.array([0, 1, 1, 0], bool)
    assert clicks.overlap(a, b) == pytest.approx(1 / 3) and clicks.overlap(a & ~a, b & ~b) == 1.0
