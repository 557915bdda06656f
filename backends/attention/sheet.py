"""All heads of a model at once: a small map of each, and what each of them does, measured.

The model reads the text once; each layer's weights are worked out inside its forward pass, and only bytes and scores of
them are kept.  Induction (Olsson 2022, arXiv 2209.11895) is measured on random tokens that are read twice: a head that
copies looks at the token after the earlier equal one.  Letters: l layers, h heads, n tokens, s cells of a small map.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from backends import device, metrics, shapes, stop
from backends.attention import readers
from backends.attention.inputs import Tensors
from backends.attention.params import REPEATED, AttentionParams
from backends.attention.readers import Reader
from backends.attention.results import Sheet
from backends.lm.pretrained import Heads, attended, weights
from backends.result import Check, Work, check

SIDE = 24                           # cells of a small map, at most
CELLS = 80_000                      # of all maps below their diagonals, at most
Look = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class _Seen:
    """Of one layer: maps (h, s, s), scores (h, 4), and the worst row sum, weight above the diagonal, and gap to the
    model's own output."""

    maps: Tensor
    scores: Tensor
    rows: float
    above: float
    gap: float


def view(params: AttentionParams, tensors: Tensors | None = None) -> Work:
    """The maps with what is measured on the text, then induction too.  `tensors` are left out: they are of one layer
    alone."""
    model = readers.reader(params)
    tokens, _, notice = model.read(params.text)
    notice = f"{model.title} reads the text. {notice}".strip()
    seen = _over(model, tokens, lambda heads: _look(heads, side(model, len(tokens))))
    scores = torch.stack([one.scores for one in seen]).unbind(-1)
    body = Sheet(model.title, model.unit, len(tokens), torch.stack([one.maps for one in seen]), *scores,
                 min(REPEATED, len(model.ids) // 2))
    yield shapes.check(body), notice, None
    again, once = (_induced(model, params.seed, twice) for twice in (True, False))
    yield shapes.check(replace(body, induction=again, baseline=once)), notice, _checks(model, seen)


def side(model: Reader, n: int) -> int:
    """Cells of a small map, so that all of them travel together."""
    room = CELLS / (model.layers * model.heads)
    return max(1, min(SIDE, n, int((math.sqrt(1 + 8 * room) - 1) / 2)))


def _over(model: Reader, tokens: Tensor, look: Callable[[Heads], _Seen | Tensor]) -> list:
    """What `look` finds in each layer, in float32, while the model reads the tokens."""
    found = []

    def way(heads: Heads) -> Tensor:
        stop.check()
        found.append(device.home(look(readers.plain(heads))))
        return attended(heads)
    model.logits(tokens, way)
    return found


def _look(heads: Heads, cells: int) -> _Seen:
    a = weights(heads)[0]
    over, y, own = a.sum(-1) - 1, a @ heads.v[0], attended(heads)[0]
    rows = (over if heads.sinks is not None else over.abs()).max().item()
    gap = ((y - own).norm() / own.norm().clamp_min(1e-30)).item()
    return _Seen(pooled(a, cells).sqrt().mul(255).round().to(torch.uint8), scores(a), rows,
                 a.triu(1).max().item(), gap)


def pooled(a: Tensor, cells: int) -> Tensor:
    """The largest weight of each cell: (h, n, n) -> (h, cells, cells); what is zero above the diagonal stays so."""
    n = a.shape[-1]
    sizes = [(at + 1) * n // cells - at * n // cells for at in range(cells)]
    for axis in (1, 2):
        a = torch.stack([part.amax(axis) for part in a.split(sizes, axis)], axis)
    return a


def scores(a: Tensor) -> Tensor:
    """(h, 4) of weights (h, n, n): means over the queries but the first, which has no choice: the weight on the first
    token, on the previous one, entropy, and distance."""
    h, n, _ = a.shape
    if n < 2:
        return a.new_zeros(h, 4)
    at = torch.arange(n, device=a.device, dtype=a.dtype)
    p = metrics.shares(a[:, 1:])
    far = at[1:] - (p * at).sum(-1)
    rows = (metrics.sink(a[:, 1:]), a.diagonal(-1, 1, 2), metrics.entropy(p), far)
    return torch.stack([row.mean(-1) for row in rows], -1)


def _induced(model: Reader, seed: int, twice: bool) -> Tensor:
    """(l, h): the mean weight of tokens on the one after the place, a period back, where an equal one stands when the
    string is read twice."""
    drawn = model.random(2 * REPEATED, seed)
    period = len(drawn) // 2
    string = torch.cat([drawn[:period], drawn[:period]]) if twice else drawn[: 2 * period]
    tokens = torch.cat([string.new_tensor(model.before), string])
    return torch.stack(_over(model, tokens, lambda heads: induction(weights(heads)[0], period, len(model.before))))


def induction(a: Tensor, period: int, before: int = 0) -> Tensor:
    """(h,): the mean weight, in the second half, on the key `period` - 1 tokens back: a (h, n, n), n = `before` + 2
    `period`."""
    return a.diagonal(1 - period, 1, 2)[:, before + 1 :].mean(-1)


def _checks(model: Reader, seen: list[_Seen]) -> tuple[Check, ...]:
    rows, above, gap = (max(getattr(one, name) for one in seen) for name in ("rows", "above", "gap"))
    return (check("rows sum to 1", rows, 1e-5, "the largest distance of a row's sum from 1 over all heads; a learned "
                                               "sink may take a share"),
            check("nothing above the diagonal", above, 0.0, "the largest weight on a later token"),
            check("A v is the output", gap, 1e-5, "the weights of a layer times v, against torch's own kernel"))
