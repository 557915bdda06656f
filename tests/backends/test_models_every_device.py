"""Real models compute on the process's device, too: every view that reads with one, with the numbers of the CPU."""

from dataclasses import replace

import pytest
import torch

from backends import models
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


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("family", ["llama", "gemma2", "mixtral", "gpt_oss"])
def test_a_real_model_computes_on_the_device_of_the_process(name, family, on, shelved, monkeypatch):  # noqa: F811
    tab, params = ASKED[name]
    routed = family in ("mixtral", "gpt_oss")
    if (tab is moe.TAB) != routed or (tab is rope.TAB and family == "gemma2"):
        pytest.skip("the view does not read with this family")
    params = replace(params, **{"mixture" if tab is moe.TAB else "model": shelved("small", family)})
    whole = torch.histc                                     # a card counts whole numbers, which the CPU refuses
    monkeypatch.setattr(torch, "histc", lambda x, *args, **more: whole(x.float(), *args, **more).to(x.dtype))
    monkeypatch.setattr(models, "precision", lambda at: torch.float32)
    with on("cpu"):
        here = found(tab, params)
    with on("pretend"):
        there = found(tab, params)
    for result in (here, there):
        result.pop("notice")                                # says how long it takes
    assert not differing(here, there)
