"""Token mixers that share one shape: q, k, v (b, h, n, d) -> y (b, h, n, d), causal, and how each takes its positions
(RoPE, R).

softmax    softmax(R q . R k / sqrt(d)) v                                               (arXiv 1706.03762, equation 1)
logn       the same with q_n times log_L n, L = 256, n counted from 1                   (kexue.fm/archives/8823)
keynorm    softmax(R q . R k / |k|) v: a key's length cannot matter                     (kexue.fm/archives/9859)
diag       the same inside blocks of w tokens that do not overlap: DiagAttention        (2210.10340, section 4.2)
performer  kernel attention, phi = m positive orthogonal random features of R q, R k    (arXiv 2009.14794)
elu1       sum_j (R phi(q_i) . R phi(k_j)) v_j / sum_j phi(q_i) . phi(k_j), phi = elu + 1: the denominator stays above
           zero                                                         (arXiv 2006.16236; RoFormer 2104.09864, eq. 19)
norm       RMSNorm(sum_j (R phi(q_i) . R phi(k_j)) v_j), no denominator: NormAttention  (2210.10340, section 4.1)

`matrix` gives A with A v = y, for each of them.
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.attention import features, linear
from backends.lm import rotary

KINDS = ("softmax", "logn", "keynorm", "diag", "elu1", "performer", "norm")
BLOCK = 64
FEATURES = 64
LENGTH = 256                 # L of log_L n


@cache
def directions(m: int, d: int) -> Tensor:
    """The Performer's fixed directions (m, d), float32, on the host: seed 0."""
    return features.projection(m, d, seed=0).float()


def attend(kind: str, q: Tensor, k: Tensor, v: Tensor, theta: Tensor) -> Tensor:
    """y (b, h, n, d) by the fast path of the kind; q, k not yet rotated, theta (d/2,) in radians per token.

    Raises ValueError for an unknown kind."""
    if kind not in KINDS:
        raise ValueError(f"There is no mixer called {kind!r}.")
    if kind in ("elu1", "norm"):
        return _rotated_features(kind, q, k, v, theta).to(v.dtype)
    q, k = standardised(kind, _turn(q, theta), _turn(k, theta))
    if kind == "performer":
        return linear.attend(*_positive(q, k), v).to(v.dtype)
    return _diag(q, k, v) if kind == "diag" else F.scaled_dot_product_attention(q, k, v, is_causal=True)


def standardised(kind: str, q: Tensor, k: Tensor, first: int = 0) -> tuple[Tensor, Tensor]:
    """q and k (b, h, n, d), rotated or not, so that q . k / sqrt(d) are the logits of the kind; the first token's
    position is `first`."""
    if kind == "keynorm":
        return q, k * (k.shape[-1] ** 0.5 / k.float().norm(dim=-1, keepdim=True).clamp_min(1e-6)).to(k.dtype)
    if kind == "logn":
        count = torch.arange(first + 1, first + q.shape[2] + 1, device=q.device, dtype=torch.float32)
        return q * (count.log() / math.log(LENGTH))[:, None].to(q.dtype), k
    return q, k


def _turn(x: Tensor, theta: Tensor) -> Tensor:
    return rotary.rotate(x, torch.arange(x.shape[2], device=x.device), theta)


def _positive(q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    w = directions(FEATURES, q.shape[-1]).to(q.device)
    return features.positive(features.temper(q.float()), w), features.positive(features.temper(k.float()), w)


def _rotated_features(kind: str, q: Tensor, k: Tensor, v: Tensor, theta: Tensor) -> Tensor:
    fq, fk = features.elu1(q.float()), features.elu1(k.float())
    total = linear.attend(_turn(fq, theta), _turn(fk, theta), v, norm="none")
    if kind == "norm":
        return total * linear.rms(total)
    return total / (fq * fk.cumsum(2)).sum(-1, keepdim=True)


def _diag(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    n, pad = q.shape[2], -q.shape[2] % BLOCK
    blocks = [F.pad(x, (0, 0, 0, pad)).unflatten(2, (-1, BLOCK)).transpose(1, 2).flatten(0, 1) for x in (q, k, v)]
    y = F.scaled_dot_product_attention(*blocks, is_causal=True)
    return y.unflatten(0, (len(q), -1)).transpose(1, 2).flatten(2, 3)[:, :, :n]


def matrix(kind: str, q: Tensor, k: Tensor, v: Tensor, theta: Tensor) -> Tensor:
    """The implicit attention A (b, h, n, n) with A v = `attend`; n x n per head, so for lengths that are drawn."""
    if kind in ("elu1", "norm"):
        fq, fk = features.elu1(q.float()), features.elu1(k.float())
        scores = linear.matrix(_turn(fq, theta), _turn(fk, theta), norm="none")
        return (scores * linear.rms(scores @ v) if kind == "norm"
                else scores / linear.matrix(fq, fk, norm="none").sum(-1, keepdim=True))
    q, k = standardised(kind, _turn(q, theta), _turn(k, theta))
    if kind == "performer":
        return linear.matrix(*_positive(q, k))
    at = torch.arange(q.shape[2], device=q.device)
    seen = at[:, None] >= at
    if kind == "diag":
        seen = seen & (at[:, None] // BLOCK == at // BLOCK)
    return (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).masked_fill(~seen, -torch.inf).softmax(-1)


@dataclass(frozen=True)
class LayerTrace:
    """What one attention layer saw and did: q, k (rotated, standardised), v, the output y and the implicit matrix A
    with A v = y."""

    kind: str
    q: Annotated[Tensor, "b h n d"]
    k: Annotated[Tensor, "b h n d"]
    v: Annotated[Tensor, "b h n d"]
    y: Annotated[Tensor, "b h n d"]
    matrix: Annotated[Tensor, "b h n n"]


class Attention(nn.Module):
    """(b, n, D) -> (b, n, D): projections, a short causal depthwise convolution of width `conv` over them (0: none),
    one kind of `attend` with its RoPE, projection."""

    def __init__(self, kind: str, width: int, heads: int, base: float = 10_000.0, conv: int = 0) -> None:
        super().__init__()
        self.kind, self.heads = kind, heads
        self.enter = nn.Linear(width, 3 * width, bias=False)
        self.conv = nn.Conv1d(3 * width, 3 * width, conv, groups=3 * width, padding=conv - 1) if conv else None
        self.leave = nn.Linear(width, width, bias=False)
        self.register_buffer("theta", rotary.frequencies(width // heads, base), persistent=False)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """q, k (not rotated) and v, each (b, h, n, d)."""
        entered = self.enter(x)
        if self.conv is not None:
            entered = self.conv(entered.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2)
        return tuple(entered.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4))

    def forward(self, x: Tensor) -> Tensor:
        """Mixes tokens; an output never depends on later ones."""
        return self.leave(attend(self.kind, *self.parts(x), self.theta).transpose(1, 2).flatten(2))

    def trace(self, x: Tensor) -> LayerTrace:
        """The inside of `forward`."""
        q, k, v = self.parts(x)
        y, a = attend(self.kind, q, k, v, self.theta), matrix(self.kind, q, k, v, self.theta)
        q, k = standardised(self.kind, _turn(q, self.theta), _turn(k, self.theta))
        return LayerTrace(self.kind, q, k, v, y, a)
