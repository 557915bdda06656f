"""A text through a shipped model, its router's logits used by any rule: who computes what, and what that does to the
loss.

The text is cut into windows of the trained length, read side by side; a window knows nothing of those before it.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from backends import device, stop
from backends.lm import corpus, shelf
from backends.lm.experts import Experts
from backends.lm.model import Decoder
from backends.moe.params import EXPERTS, LENGTH, MoeParams, Rules
from backends.moe.routers import Losses, Routed, route

HELD, OWN = "held-out Python", "your text"
CROP = 1024                     # bytes of held-out Python when there is no text
TRAINED = Rules(k=2)            # how the shipped models were trained, with the router "mixtral"

Rule = Callable[[int, Tensor], Routed]


@dataclass(frozen=True)
class Visit:
    """One routed layer: its number from 1, the router's input (t, D) and logits (t, e), where the tokens went, and the
    residual stream (t, D) before the experts' answers are added and after."""

    layer: int
    hidden: Tensor
    logits: Tensor
    routed: Routed
    before: Tensor
    after: Tensor


@dataclass(frozen=True)
class Reading:
    """Logits (t, V) for the byte after each, and every routed layer."""

    logits: Tensor
    visits: tuple[Visit, ...]

    def loss(self, tokens: Tensor) -> Tensor:
        """Nats of each byte of tokens (t,) but the first: (t - 1,)."""
        return F.cross_entropy(self.logits[:-1], tokens[1:], reduction="none")


def source(params: MoeParams) -> tuple[Tensor, str]:
    """Bytes (t,), on the device of the models, and where they are from.  Raises ValueError for a text of one byte:
    there is nothing to predict."""
    if params.text:
        own = shelf.tokens(params.text)
        if len(own) < 2:
            raise ValueError("The text has one byte; at least 2 are needed, since the loss is of a byte after another.")
        return own, OWN
    return held(params.seed).to(device.exact()), HELD


def held(seed: int, size: int = CROP) -> Tensor:
    """About `size` held-out bytes, from the start of a line."""
    crop = corpus.windows(True, 1, size + 200, seed)[0]
    line = (crop[:200] == 10).nonzero()
    start = int(line[0]) + 1 if len(line) else 0
    return crop[start : start + size]


def rule_of(params: MoeParams, rules: Rules) -> Rule:
    """The rule that the parameters ask for, by these numbers, in both layers or with one expert disabled or forced in
    some."""
    def rule(layer: int, logits: Tensor) -> Routed:
        touched = params.touch != "leave" and params.layer in ("both", str(layer))
        if touched and params.touch == "force":
            return forced(logits, params.expert)
        if touched:
            return without(params.router, logits, rules, params.expert)
        return route(params.router, logits, rules)

    return rule


def as_trained(layer: int, logits: Tensor) -> Routed:
    """Mixtral's rule with k = 2."""
    return route("mixtral", logits, TRAINED)


def forced(logits: Tensor, expert: int) -> Routed:
    """Every token goes to one expert alone, with weight 1."""
    gates = torch.zeros_like(logits)
    gates[:, expert] = 1.0
    plain = route("mixtral", logits, TRAINED)
    share = float(logits.shape[1]) * logits.softmax(-1).mean(0)[expert]
    most = torch.full((), float(logits.shape[1] - 1), device=logits.device)
    losses = Losses(share, share, share, plain.losses.z, most, most)
    return replace(plain, wanted=gates > 0, kept=gates > 0, gates=gates, losses=losses)


def without(name: str, logits: Tensor, rules: Rules, expert: int) -> Routed:
    """The rule on all experts but one, whose column is zero in what comes back."""
    keep = torch.tensor([e for e in range(logits.shape[1]) if e != expert], device=logits.device)
    routed = route(name, logits[:, keep], rules)

    def whole(x: Tensor) -> Tensor:
        out = x.new_zeros(*x.shape[:-1], logits.shape[1])
        out[..., keep] = x
        return out

    return replace(routed, off=expert, **{name: whole(getattr(routed, name))
                                          for name in ("probabilities", "wanted", "kept", "gates", "bias")})


@torch.no_grad()
def read(model: Decoder, tokens: Tensor, rule: Rule = as_trained) -> Reading:
    """Read tokens (t,) in windows, all of them routed together by `rule(layer, logits (t, e))`."""
    t, size = len(tokens), min(LENGTH, len(tokens))
    rows = -(-t // size)
    x, visits = model.embed(F.pad(tokens, (0, rows * size - t)).view(rows, size)), []
    for number, block in enumerate(model.blocks, 1):
        x = x + block.mixer(block.before(x))
        inner = block.between(x)
        if not isinstance(block.mlp, Experts):
            x = x + block.mlp(inner)
            continue
        hidden = inner.flatten(0, 1)[:t]
        logits = F.linear(hidden, block.mlp.router.weight)
        routed = rule(number, logits)
        before, y = x.flatten(0, 1), answer(block.mlp, hidden, routed)
        x = x + F.pad(y, (0, 0, 0, rows * size - t)).view_as(x)
        visits.append(Visit(number, hidden, logits, routed, before[:t], x.flatten(0, 1)[:t]))
    final = F.linear(model.norm(x), model.embed.weight).flatten(0, 1)[:t]
    return Reading(final, tuple(visits))


def answer(experts: Experts, hidden: Tensor, routed: Routed) -> Tensor:
    """(t, D): the sum of each kept expert's answer times its gate; 0 for a token that none took."""
    y = torch.zeros_like(hidden)
    for e in range(EXPERTS):
        stop.check()
        token = routed.kept[:, e].nonzero()[:, 0]
        out = F.gelu(hidden[token] @ experts.up[e]) @ experts.down[e]
        y = y.index_add(0, token, out * routed.gates[token, e, None])
    return y
