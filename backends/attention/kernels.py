"""The kernel kinds by name: A_ij = phi(q_i) . phi(k_j) over the row's sum, and the output without A.

elu1, relu  elementwise maps                                                         `features`
taylor      1 + q.k of unit vectors: phi(x) = [1, x / |x|]                           (Su, kexue.fm/archives/7546)
cosformer   ReLU(q).ReLU(k) cos(pi (i - j) / 2n) = its cosine part + its sine part   (Qin 2022, 2202.08791, eq. 10)
performer   (also _trig, _hyp) FAVOR+ at softmax's temperature: both over d^(1/4)    `features`
efficient   softmax over channels times softmax over tokens                          `efficient`
norm        elu + 1, RMSNorm of the output in place of the denominator               `linear`

No epsilon is added to a denominator: a row whose sum is 0 gives NaN, one below 0 turns its signs over, and both are
reported.  The Performers work in float64: their features span more than float32 holds, and sines and cosines cancel.
Letters: h heads, n tokens, m features, e value channels.
"""
from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from backends.attention import efficient, features, linear
from backends.attention.params import AttentionParams

CHUNK = 64
RANDOM = {"performer": features.positive, "performer_trig": features.trigonometric,
          "performer_hyp": features.hyperbolic}
KINDS = ("elu1", "relu", "taylor", "efficient", "cosformer", *RANDOM, "norm")


@lru_cache(128)
def directions(m: int, d: int, seed: int, orthogonal: bool) -> Tensor:
    """Random directions (m, d), float64, on the host; shared, so they must not be written to."""
    return features.projection(m, d, seed, orthogonal)


def maps(kind: str, q: Tensor, k: Tensor, params: AttentionParams) -> tuple[Tensor, Tensor]:
    """phi(q), phi(k): (h, n, d) each -> (h, n, m) each.  Raises ValueError for a kind without features."""
    if kind in RANDOM:
        w = directions(params.m, q.shape[-1], params.seed, params.orthogonal).to(q.device)
        return RANDOM[kind](features.temper(q.double()), w), RANDOM[kind](features.temper(k.double()), w)
    if kind == "cosformer":
        return _turned(q), _turned(k)
    simple = {"elu1": features.elu1, "norm": features.elu1, "relu": features.relu, "taylor": _unit}
    if kind not in simple:
        raise ValueError(f"{kind} has no feature map.")
    return simple[kind](q), simple[kind](k)


def _unit(x: Tensor) -> Tensor:
    """[1, x / |x|]: (h, n, d) -> (h, n, d + 1); a zero vector stays zero."""
    return F.pad(F.normalize(x, dim=-1), (1, 0), value=1.0)


def _turned(x: Tensor) -> Tensor:
    """ReLU(x) times [cos, sin] of a quarter turn spread over the n tokens: (h, n, d) -> (h, n, 2 d)."""
    angle = torch.arange(x.shape[1], dtype=x.dtype, device=x.device)[:, None] * (math.pi / 2 / max(1, x.shape[1]))
    return torch.cat([F.relu(x) * angle.cos(), F.relu(x) * angle.sin()], -1)


def attend(kind: str, q: Tensor, k: Tensor, v: Tensor, params: AttentionParams) -> Tensor:
    """y (h, n, e) of q, k (h, n, d), v (h, n, e), by the factorised form; float64 for the Performers."""
    if kind == "efficient":
        return efficient.attend(q, k, v, params.causal)
    fq, fk = (x[None] for x in maps(kind, q, k, params))
    norm, eps = ("rms", linear.EPS) if kind == "norm" else ("sum", 0.0)
    return linear.attend(fq, fk, v[None].to(fq.dtype), params.causal, norm, CHUNK, eps)[0]


def matrix(kind: str, q: Tensor, k: Tensor, v: Tensor, params: AttentionParams) -> tuple[Tensor, Tensor]:
    """A (h, n, n) with A @ v = `attend`, and the sums (h, n) of its rows before the division; a row that cannot be
    divided holds NaN."""
    if kind == "efficient":
        weights = efficient.matrix(q, k, params.causal)
        return weights, weights.sum(-1)
    fq, fk = maps(kind, q, k, params)
    scores = linear.matrix(fq, fk, causal=params.causal, norm="none")
    sums = scores.sum(-1)
    if kind == "norm":
        return scores * linear.rms(scores @ v, linear.EPS), sums
    return scores / sums.masked_fill((sums == 0) | ~sums.isfinite(), torch.nan)[..., None], sums
