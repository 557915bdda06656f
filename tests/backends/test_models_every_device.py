"""Real models compute on the process's device, too: every view that reads with one, with the numbers of the CPU."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from backends import checkpoints, device, models
from backends.attention.params import AttentionParams
from backends.moe.params import MoeParams
from backends.rope.params import RopeParams
from tests.backends.test_every_device import differing, found, on  # noqa: F401  (a fixture)
from ui.tabs import attention, moe, rope

TEXT = "A cat sat on the mat, and the dog saw it. " * 18
READ = {"source": "model", "text": TEXT[:40], "kinds": ("softmax", "elu1")}
ASKED = {
    "attention-none": (attention.TAB, AttentionParams(**READ)),
    "attention-heads": (attention.TAB, AttentionParams(lesson="heads", **READ)),
    "attention-cost": (attention.TAB, AttentionParams(lesson="cost", **READ)),
    "rope-curve": (rope.TAB, RopeParams(methods=("none", "yarn_hf", "rerope_logn", "window"), text=TEXT, samples=2,
                                        lengths=(80, 128))),
    "rope-live": (rope.TAB, RopeParams(view="live", methods=("none", "dynamic"), text=TEXT, tokens=160)),
    "rope-passkey": (rope.TAB, RopeParams(view="passkey", lengths=(600,), samples=1)),
    "moe-own": (moe.TAB, MoeParams(view="own", text=TEXT[:60], change="disabled", one=1)),
}


READ_BY = {attention.TAB.slug: ("llama", "gemma2"), rope.TAB.slug: ("llama",), moe.TAB.slug: ("mixtral", "gpt_oss")}
PAIRS = [(name, family) for name, (tab, _) in ASKED.items() for family in READ_BY[tab.slug]]


@pytest.fixture
def made(shelved, request, monkeypatch):
    """A model in float32 on the CPU, made while torch is as it is, and its id; any device gets a copy of it."""
    name = shelved("small", request.param)
    whole = checkpoints.load(models.offered()[name].where)
    monkeypatch.setattr(models, "load", lambda _: replace(whole, network=deepcopy(whole.network).to(device.default())))
    return name


@pytest.mark.parametrize(("name", "made"), PAIRS, indirect=["made"])
def test_a_real_model_computes_on_the_device_of_the_process(name, made, on, monkeypatch):  # noqa: F811
    tab, params = ASKED[name]
    params = replace(params, **{"mixture" if tab is moe.TAB else "model": made})
    whole = torch.histc                                     # a card counts whole numbers, which the CPU refuses
    monkeypatch.setattr(torch, "histc", lambda x, *args, **more: whole(x.float(), *args, **more).to(x.dtype))
    results = []
    for place in ("cpu", "pretend"):
        with on(place):
            results.append(found(tab, params))
        results[-1].pop("notice")                           # says how long it takes
    here, there = results
    assert not differing(here, there) and all(check["ok"] for check in here["checks"])
