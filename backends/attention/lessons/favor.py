"""How well m random features stand for exp(q.k), on the drawn head's own q and k, at softmax's temperature.

Closed forms of the mean square error (Choromanski 2021, arXiv 2009.14794, lemma 2): SM = exp(q.k), z = |q + k|^2:

    positive        SM^2 (e^z - 1) / m
    hyperbolic      half of that times (1 - e^-z)
    trigonometric   SM^-2 e^z (1 - e^-|q - k|^2)^2 / 2m  =  SM^2 e^|q - k|^2 (1 - e^-|q - k|^2)^2 / 2m

Positive features fail where q + k is long, trigonometric ones where q - k is.  A direction makes one positive feature
and two of the others (sin and cos, both signs), so equal m is not equal cost: `FEATURES`.

performer-pytorch 1.1.4 (`softmax_kernel`) takes the largest exponent out, of each query and of all keys, and then adds
EPS to every feature.  The first cancels in the division; the second does not, and `moved` says by how much.  Letters: n
tokens, d head dimension, m directions.
"""
from __future__ import annotations

import torch
from torch import Tensor

from backends.attention import features, kernels, linear
from backends.attention.inputs import Inputs
from backends.attention.params import AttentionParams
from backends.attention.results import Favor

KINDS = ("positive", "trigonometric", "hyperbolic")
FEATURES = (1, 2, 2)        # that a direction makes, by kind
EPS = 1e-4
COUNTS = (4, 8, 16, 32, 64, 128, 256, 512)
DRAWS = 12
TOKENS = 64                 # of the input are used, the first ones


def measure(params: AttentionParams, given: Inputs) -> Favor:
    """Error against m for the three kinds of features, over DRAWS draws of the directions."""
    q, k = (features.temper(x[given.head, :TOKENS].double()) for x in (given.q, given.k))
    seeds = range(params.seed, params.seed + DRAWS)
    found = [[torch.stack(errors(kind, q, k, seed, params)) for kind in KINDS] for seed in seeds]
    error, negative = torch.stack([torch.stack(draw) for draw in found]).unbind(2)
    spread = error.square().mean(0).sqrt()
    theory = (torch.stack([closed(kind, q, k) for kind in KINDS])[:, None]
              / torch.tensor(COUNTS, dtype=torch.float64, device=q.device).sqrt())
    longest = (q[:, None] + k).square().sum(-1).max().item()
    same, moved = (shifted(params, given, eps) for eps in (0.0, EPS))
    return Favor(KINDS, COUNTS, FEATURES, spread, error.amin(0), error.amax(0), theory, negative.mean(0),
                 tuple(slope(x) for x in spread), longest, DRAWS, params.orthogonal, moved, same)


def shifted(params: AttentionParams, given: Inputs, eps: float) -> float:
    """How far performer-pytorch's features with `eps` move the output of the drawn head from that of positive features
    without, relative to its norm."""
    head = slice(given.head, given.head + 1)
    q, k, v = (x[head, :TOKENS].double() for x in (given.q, given.k, given.v))
    plain = kernels.attend("performer", q, k, v, params)
    w = kernels.directions(params.m, q.shape[-1], params.seed, params.orthogonal).to(q.device)
    fq, fk = (stabilised(features.temper(x), w, eps, query) for x, query in ((q, True), (k, False)))
    theirs = linear.attend(fq[None], fk[None], v[None], params.causal, eps=0.0)[0]
    return ((theirs - plain).norm() / plain.norm().clamp_min(1e-300)).item()


def stabilised(x: Tensor, w: Tensor, eps: float, query: bool) -> Tensor:
    """performer-pytorch's positive features of x (h, n, d), w (m, d) -> (h, n, m): the largest W x of a query's row, or
    of all keys, is taken out, then `eps` is added to each."""
    sharp = x @ w.T
    top = sharp.amax(-1, keepdim=True) if query else sharp.amax()
    return ((sharp - x.square().sum(-1, keepdim=True) / 2 - top).exp() + eps) * len(w) ** -0.5


def errors(kind: str, q: Tensor, k: Tensor, seed: int, params: AttentionParams) -> tuple[Tensor, Tensor]:
    """Per count in COUNTS, for one draw: the relative error of the kernel matrix, and the share of its rows whose sum
    is <= 0.

    Smaller counts take the first directions of the largest, so one draw serves all.
    """
    w = kernels.directions(COUNTS[-1], q.shape[-1], seed, params.orthogonal).to(q.device)
    truth, found = (q @ k.T).exp(), []
    for m in COUNTS:
        estimate = getattr(features, kind)(q, w[:m]) @ getattr(features, kind)(k, w[:m]).T
        rows = (estimate.tril() if params.causal else estimate).sum(-1)
        found.append(((estimate - truth).norm() / truth.norm(), (rows <= 0).double().mean()))
    error, negative = zip(*found)
    return torch.stack(error), torch.stack(negative)


def closed(kind: str, q: Tensor, k: Tensor) -> Tensor:
    """sqrt(sum of the mean square errors / sum of exp(2 q.k)) over all pairs for one direction, q, k (n, d); over
    sqrt(m) for m."""
    square = (2 * q @ k.T).exp()
    return (mean_square(kind, q, k).sum() / square.sum()).sqrt()


def mean_square(kind: str, q: Tensor, k: Tensor) -> Tensor:
    """Mean square error of the estimate of exp(q.k) from one independent direction: q (n, d), k (n, d) -> (n, n)."""
    square = (2 * q @ k.T).exp()
    longer, gap = ((q[:, None] + sign * k).square().sum(-1) for sign in (1, -1))
    if kind == "trigonometric":
        return square * gap.exp() * (1 - (-gap).exp()).square() / 2
    both = (1 - (-longer).exp()) / 2 if kind == "hyperbolic" else 1.0
    return square * longer.expm1() * both


def slope(error: Tensor) -> float:
    """Least-squares slope of log error against log m: -1/2 where the error falls like 1 / sqrt(m)."""
    x = torch.tensor(COUNTS, dtype=torch.float64, device=error.device).log()
    x = x - x.mean()
    return ((x * error.log()).sum() / x.square().sum()).item()
