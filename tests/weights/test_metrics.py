"""The figures in the manifest are measured again, and the measuring itself is checked."""
import json

import numpy as np
import pytest

from backends import weights
from backends.lm import corpus, shelf
from backends.segment import Segmenter
from backends.train import clicks, loop, mixers


def test_tiny_reaches_the_figure_in_the_manifest():
    metric = weights.entry("segment-tiny").metric
    again = clicks.evaluate(Segmenter("tiny"), metric["scenes"], clicks=1)
    assert again["objects"] == metric["objects"] and again["miou@1"] == pytest.approx(metric["value"], abs=metric["tolerance"])


@pytest.mark.parametrize("mixer", shelf.FAMILY)
@pytest.mark.parametrize("task", mixers.TASKS)
def test_the_mixer_family_reaches_its_figures(task, mixer):
    entry = weights.entry(f"{task}-{mixer}")
    again = loop.measure(shelf.load(mixer, task), mixers.plan(task, mixer))
    other_text = task == "bytes" and corpus.digest() not in entry.data[0]["name"]      # another patch level of Python's library
    figure = again["loss" if task == "bytes" else "accuracy"]
    assert figure == pytest.approx(entry.metric["value"], abs=0.15 if other_text else entry.metric["tolerance"])


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
    assert all(clicks.AREA[0] <= truth.mean() <= clicks.AREA[1] and image.shape == (512, 512, 3) for image, truth in pairs)


def test_the_first_click_is_the_deepest_point_and_the_next_goes_to_the_deeper_error():
    truth = np.zeros((40, 60), bool)
    truth[10:31, 20:51] = True
    assert clicks.next_click(np.zeros_like(truth), truth) == (30, 20, 1)
    x, y, label = clicks.next_click(np.ones_like(truth), truth)
    assert label == 0 and not truth[y, x]


def test_overlap_is_intersection_over_union():
    a, b = np.array([1, 1, 0, 0], bool), np.array([0, 1, 1, 0], bool)
    assert clicks.overlap(a, b) == pytest.approx(1 / 3) and clicks.overlap(a & ~a, b & ~b) == 1.0
