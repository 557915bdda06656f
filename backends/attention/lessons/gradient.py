"""What a small score does to the gradient (Qin 2022, arXiv 2210.10340, section 3.1): one row with scores s u_j, u > 0,
as s shrinks.

    softmax   p_j = exp(s_j) / sum exp(s)      d p_j / d s_i = p_j (1[i = j] - p_i)               |.| <= 1/4
    linear    p_j = s_j / sum s                d p_j / d s_i = p_j (1[i = j] - p_i) / s_i         |.| <= 1 / (4 |s_i|)
    norm      y = r o, o = sum s_j v_j, r = 1 / sqrt(mean o^2 + eps), weights s_j r:
              d (s_j r) / d s_i = r (1[i = j] - s_j r^2 mean(o v_i)),   d y / d s_i = r (v_i - y mean(y v_i))

For norm, r <= 1 / sqrt(eps) and rms(y) <= 1 give rms(d y / d s_i) <= rms(v_i) / sqrt(eps), and weights a bound going to
1 / sqrt(eps): finite, though 1000 for eps = 1e-6.  For the others rms(d y / d s_i) is at most that of p times the
largest distance between two values.  The scores are those of elu + 1 features of the drawn head's own q and k, the
query at KEYS - 1 (or the last one).
"""
from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from backends.attention import features, linear
from backends.attention.inputs import Inputs
from backends.attention.params import AttentionParams
from backends.attention.results import Gradient

KINDS = ("softmax", "linear", "norm")
KEYS = 8
SCALES = tuple(10 ** (x / 5) for x in range(-20, 6))


def rms(x: Tensor) -> Tensor:
    """Root mean square over the channels: (..., e) -> (...,)."""
    return x.square().mean(-1).sqrt()


def weights(kind: str, s: Tensor, v: Tensor) -> Tensor:
    """p (j,) of scores s (j,) and values v (j, e); of norm the implicit weights, so that p @ v is the output in every
    kind."""
    if kind == "softmax":
        return s.softmax(-1)
    return s / s.sum() if kind == "linear" else s * linear.rms(s @ v)


def jacobian(kind: str, s: Tensor, v: Tensor) -> Tensor:
    """d p_j / d s_i (j, i), by the formulas above."""
    p, eye = weights(kind, s, v), torch.eye(len(s), dtype=s.dtype, device=s.device)
    if kind == "norm":
        o = s @ v
        r = linear.rms(o)
        return r * (eye - s[:, None] * r.square() * (v * o).mean(-1))
    return p[:, None] * (eye - p) / (s if kind == "linear" else 1.0)


def outputs(kind: str, s: Tensor, v: Tensor) -> Tensor:
    """d y / d s_i (i, e), by the formulas above."""
    p = weights(kind, s, v)
    y = p @ v
    if kind == "norm":
        return linear.rms(s @ v) * (v - y * (v * y).mean(-1, keepdim=True))
    return (p / s if kind == "linear" else p)[:, None] * (v - y)


def bounds(kind: str, s: Tensor, v: Tensor) -> tuple[float, float]:
    """(of the largest |d p_j / d s_i|, of the largest rms of d y / d s_i)."""
    if kind == "norm":
        steep, largest = linear.EPS ** -0.5, rms(v).max().item()
        return steep + s.abs().max().item() * largest / linear.EPS, largest * steep
    bound = 0.25 / s.abs().min().item() if kind == "linear" else 0.25
    return bound, bound * rms(v[:, None] - v).max().item()


def measure(params: AttentionParams, given: Inputs) -> Gradient:
    """All kinds and scales on one row of the drawn head; float64."""
    q, k, v = (x[given.head, :KEYS].double() for x in (given.q, given.k, given.v))
    u = features.elu1(k) @ features.elu1(q[-1])
    u = u / u.mean()
    full = torch.stack([torch.stack([jacobian(kind, s * u, v) for s in SCALES]) for kind in KINDS])
    moves = [[rms(outputs(kind, s * u, v)).max().item() for s in SCALES] for kind in KINDS]
    as_tensor = partial(torch.tensor, dtype=torch.float64, device=q.device)
    limits = as_tensor([[bounds(kind, s * u, v) for s in SCALES] for kind in KINDS])
    gap = max(difference(kind, s * u, v) for kind in KINDS for s in (SCALES[0], 1.0))
    return Gradient(KINDS, as_tensor(SCALES), full, full.abs().amax((-2, -1)), limits[..., 0], as_tensor(moves),
                    limits[..., 1], linear.EPS, gap)


def difference(kind: str, s: Tensor, v: Tensor) -> float:
    """The largest gap between the formulas and autograd, relative to the largest derivative."""
    return max(_gap(lambda x: weights(kind, x, v), jacobian(kind, s, v), s),
               _gap(lambda x: weights(kind, x, v) @ v, outputs(kind, s, v).T, s))


def _gap(function: Callable[[Tensor], Tensor], formula: Tensor, s: Tensor) -> float:
    truth = torch.autograd.functional.jacobian(function, s)
    return ((formula - truth).abs().max() / truth.abs().max().clamp_min(1e-12)).item()
