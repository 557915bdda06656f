"""The trained decoders that ship, by name: `load("elu1")` is the byte model with elu + 1 in every layer.

TransNormer has DiagAttention in the early half of its layers and NormAttention in the late half; "reversed" has them
the other way round (arXiv 2210.10340, section 4 and table 7).
"""
from __future__ import annotations

import torch
from torch import Tensor

from backends import device, weights
from backends.drawn import hosted
from backends.lm import tasks
from backends.lm.model import Config, Decoder

FAMILY = {
    "softmax": ("softmax", "softmax"),
    "elu1": ("elu1", "elu1"),
    "performer": ("performer", "performer"),
    "norm": ("norm", "norm"),
    "transnormer": ("diag", "norm"),
    "reversed": ("norm", "diag"),
}
"""Per model: the kind of the early and of the late half of its layers."""


LENGTHS = {
    "rope-lm": Config(),
    "passkey": Config(("softmax",) * 3, width=96, hidden=384, vocab=tasks.PASSKEY_VOCAB),
    "sink": Config(("softmax",), width=64, heads=1, hidden=256, vocab=tasks.BACKCOPY_VOCAB, length=128),
    "keynorm-lm": Config(("keynorm",) * 4),
    "logn-lm": Config(("logn",) * 4),
}
"""Models trained short, by name in the manifest: bytes (rope-lm, keynorm-lm, logn-lm), passkey retrieval,
bigram-backcopy."""


def config(task: str, mixer: str) -> Config:
    """Sizes of a family member.  task: "bytes" (4 layers, width 128, trained on 256) or "mqar" (2 layers, width 64,
    trained on 64, with a short convolution: without one, kernel attention never found the previous token within 1600
    steps)."""
    early, late = FAMILY[mixer]
    if task == "mqar":
        return Config((early, late), width=64, heads=2, hidden=256, vocab=tasks.MQAR_VOCAB, length=64, conv=4)
    return Config((early, early, late, late))


ROUTED = {
    "moe": Config(length=128, routed=(1, 3)),
    "moe-free": Config(length=128, routed=(1, 3)),
    "moe-dense": Config(length=128),
}
"""Byte models with 8 experts in two of four layers, 2 per token: with auxiliary losses, without; and a dense one of
equal cost."""

COPY_SLOTS, COPY_DATA = 384, 4
COPYING = {name: Config((kind,) * 2, width=64, hidden=0, vocab=tasks.COPY_VOCAB, length=COPY_SLOTS + COPY_DATA)
           for name, kind in (
    ("copy-ssd", "ssd"), ("copy-lti", "lti"), ("copy-fixed", "lti"))}
"""Models of selective copying (slots, then read-outs): selective, its time-invariant twin, and the twin with data at
fixed places."""


NAMES = tuple(name for name in FAMILY if any(e.name == f"bytes-{name}" for e in weights.manifest()))
"""The byte models whose weights are in the manifest."""


def load(name: str, task: str = "bytes") -> Decoder:
    """The trained member of the family, float32, on the device of the mechanisms, in evaluation mode.

    Raises weights.WeightsError when its file is missing or wrong."""
    return _trained(f"{task}-{name}", config(task, name))


def model(name: str) -> Decoder:
    """The trained model of `LENGTHS`, as `load` gives it."""
    return _trained(name, LENGTHS[name])


def routed(name: str) -> Decoder:
    """The trained model of `ROUTED`, as `load` gives it."""
    return _trained(name, ROUTED[name])


def copying(name: str) -> Decoder:
    """The trained model of `COPYING`, as `load` gives it."""
    return _trained(name, COPYING[name])


@device.kept(None)
def _trained(entry: str, sizes: Config) -> Decoder:
    made = hosted(Decoder)(sizes)
    made.load_state_dict({k: v.float() for k, v in weights.load(entry).items()})
    return made.eval().requires_grad_(False).to(device.exact())


def tokens(text: str) -> Tensor:
    """UTF-8 bytes of a text as tokens (n,), int64, on the device of the models."""
    return torch.tensor(list(text.encode("utf-8", "replace")), dtype=torch.long, device=device.exact())
