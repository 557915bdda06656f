"""Every tab computes on the device of the process, with the same numbers.

torch makes what is not given a device on `meta`, where there are no numbers, so a tensor without a device fails; the
process's device is the CPU, then one that refuses to be mixed with the CPU (`tests.pretend`)."""
from dataclasses import replace
from itertools import islice

import pytest
import torch

from backends import device, threads
from backends.attention.params import KINDS
from backends.moe.params import ROUTERS
from backends.plain import numbers
from tests import pretend
from ui.tabs import attention, deformable, memory, moe, rope, scale, swin

TABS = {tab.slug: tab for tab in (attention.TAB, moe.TAB, rope.TAB, memory.TAB, scale.TAB, swin.TAB, deformable.TAB)}
LOOK = {"bracket": 2, "lengths": 1, "capacity": 2, "race": 2, "cost": 2, "twins": 1}
"""Results of a long run that are waited for, by view; of any other all."""
CODE = "def f(x):\n    return x\n"
SMALL = {
    "attention": {"source": "synthetic", "n": 24, "dim": 8, "kinds": tuple(KINDS)},
    "moe": {"text": CODE, "count": 40, "alphas": ("0", "0.01"), "updates": 3},
    "rope": {"samples": 1, "longest": 1, "methods": ("none", "yarn", "rerope_logn")},
    "memory": {"longest": 64, "samples": 32, "size": 8},
    "scale": {"steps": 10, "layers": 3, "n": 16, "d": 8},
    "swin": {"rows": 9, "columns": 8, "window": 4},
    "deformable": {"cells": 12, "samples": 10, "steps": 10},
}
"""Settings that keep a view quick, by tab."""
MORE = {
    ("attention", "none"): [{"source": "text", "text": "def f(x):"}, {"causal": False}],
    ("attention", "state"): [{"delta": True}],
    ("memory", "selective"): [{"string": "a..b"}],
    ("moe", "text"): [*({"router": name} for name in ROUTERS), {"text": "", "touch": "force"}, {"touch": "disable"},
                      {"router": "switch", "order": "priority"}],
    ("swin", "roll"): [{"order": "torchvision", "similarity": "cosine"}, {"bias": "rows"}, {"bias": "none"}],
    ("deformable", "taps"): [*({"operator": name} for name in ("dcn1", "dcn3", "dat")),
                             {"operator": "dcn2", "pattern": "edge"}],
    ("deformable", "stack"): [{"source": "picture"}],
    ("rope", "curve"): [{"text": CODE * 8}],
    ("scale", "depth"): [{"norm": "plain", "init": "orthogonal"}, {"draw": "truncated", "ntk": True, "tuned": True}],
    ("scale", "entropy"): [{"source": "bytes"}],
    ("scale", "training"): [{"optimizer": "sgd"}, {"optimizer": "relative"}],
}
"""Further settings of a view, by tab and view."""


@pytest.fixture
def on(monkeypatch):
    """`with on(name)`: the process's device is `name`, and what torch makes without a device is on meta."""
    resolve = device.resolve
    monkeypatch.setattr(device, "resolve", lambda name="auto": pretend.HERE if name == "pretend" else resolve(name))
    monkeypatch.setattr(threads, "alone", lambda function, *args: function(*args))
    monkeypatch.setattr(threads, "each", map)
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
