"""The picture of a method: how far away it makes key j look from query i, and which of that the model never saw in
training.

Frequencies stretch distances too: to pair p, theta'_p (i - j) is what theta_p would turn over theta'_p / theta_p (i -
j) tokens.
"""
from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

import torch
from torch import Tensor

from backends.drawn import hosted
from backends.lm import rotary
from backends.rope import biases
from backends.rope.methods import METHODS, Plan, Rules, plan
from backends.settings import UNPRINTED

CELLS = 128


@dataclass(frozen=True)
class Painted:
    """One method over n tokens, at `at` of them: `value[a, b]` of query at[a] and key at[b], NaN for later keys.

    `unit`: "tokens" (effective distance of the pair), "bias" (added to the logits of the first head) or "factor" (on
    the score).  `hidden`: earlier keys that are not looked at; `outside`: seen keys at an angle that the pair never had
    in training."""

    name: str
    label: str
    unit: Literal["tokens", "bias", "factor"]
    n: int
    pair: int
    at: Annotated[Tensor, "m"]
    value: Annotated[Tensor, "m m"] = field(metadata=UNPRINTED)
    hidden: Annotated[Tensor, "m m"] = field(metadata=UNPRINTED)
    outside: Annotated[Tensor, "m m"] = field(metadata=UNPRINTED)


@hosted
def paint(name: str, n: int, d: int, rules: Rules, pair: int | None = None, cells: int = CELLS) -> Painted:
    """The method `name` over n tokens for one pair of channels (None: the slowest), at most `cells` tokens drawn."""
    return painted(plan(name, n, d, rules), METHODS[name].label, n, d, rules, pair, cells)


def painted(p: Plan, label: str, n: int, d: int, rules: Rules, pair: int | None = None, cells: int = CELLS) -> Painted:
    """The same for a plan that may be none of the methods'."""
    pairs = d // 2
    pair = pairs - 1 if pair is None else pair
    if not 0 <= pair < pairs:
        raise ValueError(f"The pair must lie between 0 and {pairs - 1}, not {pair}.")
    at = torch.linspace(0, n - 1, min(n, cells)).round().long()
    i, j = at[:, None], at
    unit, value = _values(p, i, j, pair, d, rules)
    seen = p.visible(i, j)
    outside = seen & (unit == "tokens") & _unseen(value, pair, d, rules)
    return Painted(p.name, label, unit, n, pair, at, value.float().masked_fill(j > i, torch.nan),
                   (j <= i) & ~seen, outside)


def _values(p: Plan, i: Tensor, j: Tensor, pair: int, d: int,
            rules: Rules) -> tuple[Literal["tokens", "bias", "factor"], Tensor]:
    if p.bias is not None:
        return "bias", p.bias(i, j)[0]
    if p.name == "xpos":
        return "factor", biases.xpos(i, j, d)
    stretch = p.theta[pair].item() / rotary.frequencies(d, rules.base)[pair].item()
    return "tokens", p.distance(i, j) * stretch


def _unseen(value: Tensor, pair: int, d: int, rules: Rules) -> Tensor:
    """Distances beyond L, of a pair that did not go round within L."""
    whole = rotary.frequencies(d, rules.base)[pair].item() * rules.trained >= 2 * math.pi
    return torch.zeros_like(value, dtype=torch.bool) if whole else value > rules.trained * (1 + 1e-6)


@hosted
def reach(p: Plan, n: int) -> float:
    """The largest effective distance, in tokens, of the last of n queries to a key that it sees."""
    edges = {0, n - 1, *(max(0, n - w + shift) for w in _windows(p) for shift in (-1, 0))}
    j, i = torch.tensor(sorted(edges)), torch.tensor(n - 1)
    return p.distance(i, j)[p.visible(i, j)].max().item()


def _windows(p: Plan) -> list[int]:
    return [part.window for part in (p.far, p.keep) if part is not None]


def slowly(p: Plan, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of un-rotated q, k, v (b, h, n, d) worked out from the distances that are drawn, one angle for each
    pair, in float64."""
    n, d = q.shape[-2:]
    at = torch.arange(n, device=q.device)
    i, j = at[:, None], at
    angle = p.distance(i, j)[..., None] * p.theta.to(q.device).double()
    (a, b), (c, e) = (x.double().chunk(2, -1) for x in (q, k))

    def dot(x: Tensor, y: Tensor, turned: Tensor) -> Tensor:
        return torch.einsum("bhip,bhjp,ijp->bhij", x, y, turned)

    real = dot(a, c, angle.cos()) + dot(b, e, angle.cos())
    turned = dot(a, e, angle.sin()) - dot(b, c, angle.sin())
    factor = 1.0 if p.logit is None else p.logit(at.double())[:, None]
    return ((real + turned) * factor * d ** -0.5).masked_fill(~p.visible(i, j), -torch.inf).softmax(-1) @ v.double()
