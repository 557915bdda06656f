"""Every tab computes on the device of the process, with the same numbers.

torch makes what is not given a device on `meta`, where there are no numbers, so a tensor without a device fails; the
process's device is the CPU, then one that refuses to be mixed with the CPU (`tests.pretend`)."""
from dataclasses import replace
from itertools import islice

import pytest
import torch

from backends import device, images, threads
from backends.attention.params import KINDS
from backends.moe.params import ROUTERS
from backends.plain import numbers
from backends.segment import Segmenter, interact, quick, work
from backends.segment.inside import NAMES, Asked, inside
from tests import pretend
from tests.small import CODE, SMALL
from ui.tabs import attention, deformable, memory, moe, rope, scale, swin

TABS = {tab.slug: tab for tab in (attention.TAB, moe.TAB, rope.TAB, memory.TAB, scale.TAB, swin.TAB, deformable.TAB)}
LOOK = {"bracket": 2, "lengths": 1, "capacity": 2, "race": 2, "cost": 2, "twins": 1, "width": 2}
"""Results of a long run that are waited for, by view; of any other all."""
MORE = {
    ("attention", "none"): [{"kinds": tuple(KINDS), "causal": causal} for causal in (True, False)] + [
        {"source": "text", "text": "def f(x):"}],
    ("attention", "state"): [{"delta": True}],
    ("memory", "selective"): [{"string": "a..b"}],
    ("moe", "text"): [*({"router": name} for name in ROUTERS), {"text": "", "touch": "force"}, {"touch": "disable"},
                      {"router": "switch", "order": "priority"}],
    ("swin", "orders"): [{"order": "microsoft", "rows": 4}],
    ("swin", "cosine"): [{"order": "torchvision", "gain": 2.0, "depth": 2}],
    ("swin", "roll"): [{"order": "torchvision", "similarity": "cosine"}, {"bias": "rows"}, {"bias": "none"}],
    ("deformable", "taps"): [*({"operator": name} for name in ("dcn1", "dcn3", "dat")),
                             {"operator": "dcn2", "pattern": "edge"}],
    ("deformable", "stack"): [{"source": "picture"}],
    ("rope", "curve"): [{"text": CODE * 8}],
    ("scale", "depth"): [{"norm": "plain", "init": "orthogonal"}, {"draw": "truncated", "ntk": True, "tuned": True}],
    ("scale", "entropy"): [{"source": "bytes"}],
    ("scale", "training"): [{"optimizer": name, "routes": ("t5",)} for name in ("sgd", "relative")],
}
"""Further settings of a view, by tab and view."""


@pytest.fixture
def on(monkeypatch):
    """`with on(name)`: the process's device is `name`, and what torch makes without a device is on meta."""
    resolve = device.resolve
    monkeypatch.setattr(device, "resolve", lambda name="auto": pretend.HERE if name == "pretend" else resolve(name))
    monkeypatch.setattr(threads, "alone", lambda function, *args: function(*args))
    monkeypatch.setattr(threads, "each", map)
    monkeypatch.setattr(quick, "pays", lambda at: False)      # oneDNN, on the CPU alone
    for name in ("tensor", "as_tensor"):
        monkeypatch.setattr(torch, name, pretend.moved(getattr(torch, name)))

    def inside(name):
        monkeypatch.setenv("GLASSBOX_DEVICE", name)
        return torch.device("meta")
    return inside


def asked(tab):
    """Settings of every view of a tab."""
    for view in tab.views:
        for change in ({}, *MORE.get((tab.slug, view), ())):
            yield replace(tab.params(), **{tab.chooser: view, **SMALL[tab.slug], **change})


def found(tab, params):
    """The last result that is waited for, as plain numbers."""
    *_, last = islice(tab.run.stream(params), LOOK.get(getattr(params, tab.chooser)))
    return numbers(last)


def differing(a, b, at=""):
    """Where two results say something else; kernels may round in another way."""
    if isinstance(a, dict | list) and type(a) is type(b) and len(a) == len(b):
        names = a if isinstance(a, dict) else range(len(a))
        return [where for name in names for where in differing(a[name], b[name], f"{at}.{name}")]
    same = a == pytest.approx(b, rel=1e-3, abs=1e-5) if isinstance(a, float) else a == b
    return [] if same else [f"{at}: {a} or {b}"]


@pytest.mark.parametrize("slug", TABS)
def test_a_tab_computes_on_the_device_of_the_process(slug, on):
    tab = TABS[slug]
    for params in asked(tab):
        with on("cpu"):
            here = found(tab, params)
        with on("pretend"):
            there = found(tab, params)
        assert not differing(here, there), params


def segmented():
    """What the page asks of the shipped model: a click and a box, a preview, everything, and the box opened."""
    segmenter, image = Segmenter("tiny"), images.sample("scene-a")[:200, :240]
    steps = [interact.Step(((100, 120, 1),)), interact.Step(box=(40, 40, 200, 180))]
    _, [clicked] = work.replayed(segmenter, image, [steps], 0)
    *_, last = work.everything(segmenter, image, {"points_per_side": 4, "points_per_batch": 8, "skip_covered": True,
                                                  "min_mask_region_area": 9})
    opened = [inside(Asked(view), segmenter=segmenter, image=image, steps=steps) for view in NAMES]
    seen = {"scores": clicked.scores, "areas": clicked.masks.sum((1, 2)), "checks": [r.checks for r in opened],
            "preview": work.preview(segmenter, image, steps, 0).sum(), "found": [dict(r) for r in last.records]}
    return numbers(seen)


def test_segment_computes_on_the_device_of_the_process(on):
    with on("cpu"):
        here = segmented()
    with on("pretend"):
        there = segmented()
    assert not differing(here, there)
