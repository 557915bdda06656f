"""The same q, k, v through many kinds of attention: implicit matrix, output, figures and live checks of each.

Each output comes from its kind's fast path (SDPA, blocks, chunks),
the matrix is written out beside it, and ||A v - y|| / ||y|| holds the two together.  Letters: h heads, n tokens, d
channels.
"""
from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from backends import device, metrics, shapes, stop, threads
from backends.attention import exact, inputs, kernels, lessons, linformer, masks
from backends.attention.exact import PLAIN, Own
from backends.attention.inputs import Inputs, Tensors
from backends.attention.params import KINDS, AttentionParams, Reading
from backends.attention.results import Card, Comparison
from backends.result import Check, Work, check

DRAWS = 3                   # further random draws for the band of a random kind's error
LEAKS = ("it mixes all tokens, so earlier outputs change when later keys and values change sign: it leaks the future "
         "and cannot be causal")
FREE_ROWS = ("norm", "linformer")       # kinds whose rows need not sum to 1


def view(params: AttentionParams, tensors: Tensors | None = None) -> Work:
    """The cards, then the same cards with the lesson, which may grow.  `tensors`: q, k, v of a file."""
    given = inputs.load(params, tensors)
    body, checks = threads.alone(_compared, params, given)
    yield body, given.notice, checks if params.lesson == "none" else None
    for lesson in lessons.steps(params, given):
        whole = getattr(lesson, "finished", True)
        yield replace(body, lesson=lesson), given.notice, checks + lessons.checks(lesson) if whole else None


def output(kind: str, q: Tensor, k: Tensor, v: Tensor, params: AttentionParams, own: Own = PLAIN) -> Tensor:
    """y (h, n, e) of one kind by its fast path, without its n x n matrix where the kind allows; float64 for the
    Performers.  `own`: what the softmax of a model has besides."""
    if kind == "softmax" and own != PLAIN:
        return exact.configured(q, k, params.causal, own) @ v
    if kind in kernels.KINDS:
        return kernels.attend(kind, q, k, v, params)
    if kind == "linformer":
        return linformer.attend(q, k, v, linformer.projection(params.rank, q.shape[1], params.seed))
    if kind == "diag":
        return exact.blockwise(q, k, v, params.block, params.causal)
    if kind in masks.KINDS:
        return exact.attend(q, k, v, masks.of(kind, q.shape[1], params).to(q.device))
    return exact.attend(q, k, v, causal=params.causal, scale=1.0 if kind == "unscaled" else None)


def weights(kind: str, q: Tensor, k: Tensor, v: Tensor, params: AttentionParams,
            own: Own = PLAIN) -> tuple[Tensor, Tensor]:
    """A (h, n, n) of one kind, and the sums (h, n) of its rows before any division (of the rows themselves where
    nothing is divided)."""
    if kind in kernels.KINDS:
        return kernels.matrix(kind, q, k, v, params)
    if kind == "softmax" and own != PLAIN:
        a = exact.configured(q, k, params.causal, own)
    elif kind == "linformer":
        a = linformer.matrix(q, k, linformer.projection(params.rank, q.shape[1], params.seed))
    else:
        n = q.shape[1]
        mask = masks.of(kind, n, params) if kind in masks.KINDS else masks.causal(n) if params.causal else None
        a = exact.matrix(q, k, mask if mask is None else mask.to(q.device), 1.0 if kind == "unscaled" else None)
    return a, a.sum(-1)


def shown(card: Card, reading: Reading) -> Tensor:
    """The card's matrix (h, n, n) as it is read: raw A, |A| over the row's sum of |A|, or A over its row sum.  Always
    finite: a row that cannot be divided is drawn as zeros (it is among `bad_rows`)."""
    a = card.weights
    if reading == "absolute":
        a = metrics.shares(a)
    elif reading == "row":
        a = a / a.sum(-1, keepdim=True)
    return a.nan_to_num(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class _Worked:
    """A card and what the checks need: the worst |row sum - 1|, weight above the diagonal, and change of the past (see
    `_leak`)."""

    card: Card
    rows: float
    above: float
    leak: float


def _compared(params: AttentionParams, given: Inputs) -> tuple[Comparison, tuple[Check, ...]]:
    before = _digest(given)
    reference = weights("softmax", *_head(given), params, given.own)[0]
    worked = [_work(kind, given, params, reference) for kind in params.kinds]
    checks = _checks(worked, params, before == _digest(given))
    if given.map is not None and params.causal and params.norm == 1:
        checks += (check("softmax is the model's own", _most(reference[0] - given.map), 1e-5,
                         "the largest difference of a weight to the map that the model itself uses"),)
    cards = tuple(shapes.check(w.card) for w in worked)
    said = given.words
    return Comparison(said.labels, said.pieces, before[:12], given.head, params.reading, params.radius, cards), checks


def _digest(given: Inputs) -> str:
    sha = hashlib.sha256()
    for x in (given.q, given.k, given.v):
        sha.update(device.array(x.contiguous()).tobytes())
    return sha.hexdigest()


def _head(given: Inputs) -> Tensors:
    """q, k (1, n, d), v (1, n, e) of the drawn head."""
    one = slice(given.head, given.head + 1)
    return given.q[one], given.k[one], given.v[one]


def _work(name: str, given: Inputs, params: AttentionParams, reference: Tensor) -> _Worked:
    stop.check()
    kind, q, k, v = KINDS[name], given.q, given.k, given.v
    a, sums = weights(name, q, k, v, params, given.own)
    y = output(name, q, k, v, params, given.own)
    drawn, sums = a[given.head], sums[given.head]
    bad = tuple(torch.nonzero(~((sums > 0) & sums.isfinite())).flatten().tolist())
    figures = (_figures(drawn, params.radius) | _errors(name, drawn, given, params, reference)
               | {"negative": len(bad) / len(sums)})
    causal, residual = kind.causal and params.causal, _residual(a, v, y)
    card = Card(name, kind.label, kind.family, causal, a.float(), y.float(), residual, figures, bad, kind.note)
    free = name in FREE_ROWS or (name == "softmax" and given.own.sinks is not None)
    rows = 0.0 if free else _off_one(a.sum(-1))
    above = _most(a.triu(1).nan_to_num(0.0)) if params.causal else 0.0
    return _Worked(card, rows, above, _leak(name, given, y, params) if params.causal else 0.0)


def _off_one(totals: Tensor) -> float:
    """The worst |total - 1| of rows that could be divided; a row without any key has total 0, and is among the bad
    rows."""
    return _most((totals - 1)[totals.isfinite() & (totals != 0)])


def _most(x: Tensor) -> float:
    return x.abs().max().item() if x.numel() else 0.0


def _residual(a: Tensor, v: Tensor, y: Tensor) -> float:
    """||A v - y|| / ||y|| over the rows that are finite in both, in the precision of the kind; NaN if none is, 0 if
    both are 0."""
    gap, size = (a @ v.to(a.dtype) - y).square().sum(-1), y.square().sum(-1)
    known = (gap + size).isfinite()
    gap, size = gap[known].sum().sqrt().item(), size[known].sum().sqrt().item()
    return gap / size if size else gap if known.any() else float("nan")


def _figures(drawn: Tensor, radius: int) -> dict[str, float]:
    """Metrics of one matrix (n, n): means over the rows, and its rank."""
    p = metrics.shares(drawn)
    rows = {"entropy": metrics.entropy(p), "support": metrics.support(p), "top1": metrics.top1(p),
            "sink": metrics.sink(p),
            "locality": metrics.locality(p, radius)}
    return {name: metrics.mean(row) for name, row in rows.items()} | {"rank": float(metrics.rank(drawn))}


def _errors(name: str, drawn: Tensor, given: Inputs, params: AttentionParams, reference: Tensor) -> dict[str, float]:
    """Relative error to softmax of the drawn head, and its range over DRAWS further draws of a random kind."""
    found = [_error(name, drawn, reference[0])]
    for draw in range(1, DRAWS + 1 if KINDS[name].random else 1):
        stop.check()
        other = replace(params, seed=(params.seed + draw) % 10_000)
        found.append(_error(name, weights(name, *_head(given), other)[0][0], reference[0]))
    return {"error": found[0], "error_low": min(found), "error_high": max(found)}


def _error(name: str, a: Tensor, reference: Tensor) -> float:
    """NormAttention's rows have a scale of their own, so they are compared as shares; all others as they are
    applied."""
    return metrics.relative_error(metrics.shares(a) if name == "norm" else a, reference).item()


def _leak(name: str, given: Inputs, y: Tensor, params: AttentionParams) -> float:
    """How much the drawn head's outputs of the first half change when k and v of the second half change sign: max |dy|
    / rms y."""
    half = (y.shape[1] + 1) // 2
    flip = torch.ones(y.shape[1], 1, device=y.device)
    flip[half:] = -1.0
    q, k, v = _head(given)
    old, new = y[given.head, :half], output(name, q, k * flip, v * flip, params, given.own)[0, :half]
    gap, size = (new - old).nan_to_num(0.0, 0.0, 0.0), old.nan_to_num(0.0, 0.0, 0.0)
    return _most(gap) / max(size.square().mean().sqrt().item(), 1e-30)


def _checks(worked: list[_Worked], params: AttentionParams, same: bool) -> tuple[Check, ...]:
    able = [w for w in worked if KINDS[w.card.kind].causal]
    rows = max((w.rows for w in worked), default=0.0)
    residual = max((w.card.residual for w in worked if w.card.residual == w.card.residual), default=0.0)
    checks = [
        check("rows sum to 1", rows, 1e-5,
              "the largest distance of a row's sum from 1, over the kinds that divide by it"),
        check("A v is the output", residual, 1e-5,
              "the matrix that is shown times v, against the output of the fast path"),
        Check("same q, k, v", float(same), 1.0, same,
              "every kind was given the same numbers: their digest is the same before and after"),
    ]
    if params.causal:
        above, leak = (max((getattr(w, name) for w in able), default=0.0) for name in ("above", "leak"))
        checks[1:1] = [
            check("nothing above the diagonal", above, 0.0,
                  "the largest weight on a later token, over the kinds that can be causal"),
            check("the past stays", leak, 1e-6,
                  "how much earlier outputs change when later keys and values change sign, over the same kinds"),
        ]
        checks += [check(f"{w.card.label} and the future", w.leak, 1e-6, LEAKS) for w in worked
                   if not KINDS[w.card.kind].causal]
    return tuple(checks)
