"""How softmax saturates as d grows: rows of attention over Gaussian q and k, and the norm of the softmax Jacobian.

Vaswani et al. 2017 (arXiv 1706.03762, section 3.2.1): entries with variance 1 give logits q.k of variance d.  The
Jacobian of a row p is J = diag(p) - p p^T; its Frobenius norm has |J|^2 = sum p^2 - 2 sum p^3 + (sum p^2)^2, which
rounding can take below 0 once p is one-hot.
"""
from __future__ import annotations

import torch
from torch import Tensor

from backends import device
from backends.drawn import normal, seeded
from backends.scale.results import Rows

GROUP = 16                            # fewest queries that share one set of keys
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
SWEEP = (4, 16, 64, 128, 256, 1024)


def logits(d: int, n: int, exponent: float, spread: float, queries: int, seed: int) -> Tensor:
    """Logits (queries, n) of q and k with independent entries N(0, spread^2), over d^exponent; max(GROUP, d / 8)
    queries share n keys: the larger d, the less their rows have in common."""
    group = max(GROUP, d // 8)
    groups = -(-queries // group)
    made, at = seeded(seed), device.exact()
    q = spread * normal(groups, group, d, random=made).to(at)
    k = spread * normal(groups, n, d, random=made).to(at)
    return (q @ k.mT).flatten(0, 1)[:queries] * d**-exponent


def jacobian_norm(p: Tensor) -> Tensor:
    """Frobenius norm (..., 1 less) of the softmax Jacobian of rows p (..., n)."""
    second, third = p.square().sum(-1), p.pow(3).sum(-1)
    return (second - 2 * third + second.square()).clamp_min(0).sqrt()


def entropy(p: Tensor) -> Tensor:
    """Entropy of rows p (..., n), nats."""
    return -torch.xlogy(p, p).sum(-1)


def rows(scores: Tensor, d: int) -> Rows:
    """What logits (queries, n) do to softmax."""
    p = scores.double().softmax(-1)
    top = p.amax(-1)
    spread = torch.quantile(jacobian_norm(p), torch.tensor(QUANTILES, dtype=p.dtype, device=p.device))
    return Rows(d, top.mean().item(), entropy(p).mean().item(), (top > 0.99).double().mean().item(),
                tuple(spread.tolist()))
