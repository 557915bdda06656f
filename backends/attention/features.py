"""Feature maps of kernel attention: sim(q, k) = phi(q) . phi(k).

elu + 1 (Katharopoulos 2020, arXiv 2006.16236, section 3.3) and FAVOR+ (Choromanski 2021, arXiv 2009.14794): with w ~
N(0, I),

    exp(q.k) = E[exp(w.q - |q|^2/2) exp(w.k - |k|^2/2)]                    positive     (lemma 1)
             = E[cosh form of the same: both signs of w]                   hyperbolic
             = exp(|q|^2/2) exp(|k|^2/2) E[cos w.q cos w.k + sin w.q sin w.k]   trigonometric

Letters: b batch, h heads, n tokens, d head dimension, m random features.  To stand for softmax at temperature sqrt(d),
queries and keys are both divided by d^(1/4) first (`temper`).  No epsilon is added inside a feature map, so nothing
biases the kernel.  A positive feature of a key never exceeds exp(|w|^2/2), which float32 holds up to head dimensions of
about 128, so keys need no running maximum.
"""
from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from backends.drawn import normal, seeded


def elu1(x: Tensor) -> Tensor:
    """elu(x) + 1, elementwise and above zero: (..., d) -> (..., d)."""
    return F.elu(x) + 1


def relu(x: Tensor) -> Tensor:
    """max(x, 0), elementwise: (..., d) -> (..., d)."""
    return F.relu(x)


def temper(x: Tensor) -> Tensor:
    """x / d^(1/4): after this on both sides, q.k is the logit of softmax attention: (..., d) -> (..., d)."""
    return x * x.shape[-1] ** -0.25


def projection(m: int, d: int, seed: int = 0, orthogonal: bool = True) -> Tensor:
    """Random directions W (m, d), float64 on the host, rows distributed as N(0, I).

    `orthogonal`: rows come in blocks of d that are mutually orthogonal (QR of a Gaussian matrix, its signs made
    unique), each row with an independent chi(d) length (arXiv 2009.14794, section 2.4); the last block is cut when d
    does not divide m.
    """
    random = seeded(seed)
    if not orthogonal:
        return normal(m, d, random=random, dtype=torch.float64)
    blocks = [_rotation(d, random) for _ in range(-(-m // d))]
    lengths = normal(m, d, random=random, dtype=torch.float64).norm(dim=1, keepdim=True)
    return torch.cat(blocks)[:m] * lengths


def _rotation(d: int, random: torch.Generator) -> Tensor:
    q, r = torch.linalg.qr(normal(d, d, random=random, dtype=torch.float64))
    return (q * r.diagonal().sign()).T


def positive(x: Tensor, w: Tensor) -> Tensor:
    """m^(-1/2) exp(W x - |x|^2/2): x (..., d), w (m, d) -> (..., m), above zero."""
    return torch.exp(x @ w.T - x.square().sum(-1, keepdim=True) / 2) * len(w) ** -0.5


def hyperbolic(x: Tensor, w: Tensor) -> Tensor:
    """Positive features of both signs of W, scaled by (2m)^(-1/2): x (..., d), w (m, d) -> (..., 2m), above zero."""
    return positive(x, torch.cat([w, -w]))


def trigonometric(x: Tensor, w: Tensor) -> Tensor:
    """m^(-1/2) exp(|x|^2/2) [cos W x, sin W x]: x (..., d), w (m, d) -> (..., 2m), of either sign."""
    angle = x @ w.T
    return torch.cat([angle.cos(), angle.sin()], -1) * torch.exp(x.square().sum(-1, keepdim=True) / 2) * len(w) ** -0.5
