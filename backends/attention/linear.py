"""Attention with a kernel that factorises, sim(q, k) = phi(q) . phi(k), in its three equal forms.

parallel    the n x n matrix, then its product with V           O(n^2 m)            `matrix(...) @ v`
recurrent   S_i = S_{i-1} + phi(k_i) v_i^T, z_i = z_{i-1} + phi(k_i),
            o_i = phi(q_i)^T S_i / phi(q_i)^T z_i               O(n m e)            `recurrent`
chunked     parallel inside chunks, the state S between them    O(n c m + n m e)    `attend`

(Katharopoulos 2020, arXiv 2006.16236, equations 16-20.)  `norm` says what follows the numerator: "sum" divides by
phi(q)^T z, "rms" replaces the denominator by RMSNorm over the channels (NormAttention; Qin 2022, arXiv 2210.10340,
section 4.1), "none" leaves it.  Letters: b batch, h heads, n tokens, m features, e value channels, c chunk.  Sums and
state are float32 or better.
"""
from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Norm = Literal["sum", "rms", "none"]
EPS = 1e-6
CHUNK = 256


def attend(fq: Tensor, fk: Tensor, v: Tensor, causal: bool = True, norm: Norm = "sum", chunk: int = CHUNK,
           eps: float = EPS) -> Tensor:
    """Output (b, h, n, e) of features fq, fk (b, h, n, m) and values v (b, h, n, e).

    `eps` is added to the denominator ("sum"; keep it far below the row sums) or to the mean square ("rms").  Memory: n
    x chunk per head.
    """
    fq, fk, v = fq.to(wide(fq)), fk.to(wide(fk)), v.to(wide(v))
    values = torch.cat([v, torch.ones_like(v[..., :1])], -1) if norm == "sum" else v
    total = _causal(fq, fk, values, chunk) if causal else fq @ (fk.transpose(-1, -2) @ values)
    return _normed(total, norm, eps)


def wide(x: Tensor) -> torch.dtype:
    """The dtype of sums over `x`: float64 stays, everything else becomes float32."""
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def _causal(fq: Tensor, fk: Tensor, values: Tensor, chunk: int) -> Tensor:
    state, parts = None, []
    for q, k, u in zip(fq.split(chunk, 2), fk.split(chunk, 2), values.split(chunk, 2)):
        part = (q @ k.transpose(-1, -2)).tril() @ u
        parts.append(part if state is None else part + q @ state)
        update = k.transpose(-1, -2) @ u
        state = update if state is None else state + update
    return torch.cat(parts, 2) if parts else values


def _normed(total: Tensor, norm: Norm, eps: float) -> Tensor:
    if norm == "sum":
        return total[..., :-1] / (total[..., -1:] + eps)
    return total * rms(total, eps) if norm == "rms" else total


def rms(x: Tensor, eps: float = EPS) -> Tensor:
    """1 / sqrt(mean(x^2) + eps) over the channels: (..., e) -> (..., 1)."""
    return torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)


def recurrent(
    fq: Tensor, fk: Tensor, v: Tensor, norm: Norm = "sum", eps: float = EPS, state: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The same causal attention, token by token: the oracle of `attend`, and how a model generates.

    Shapes as in `attend`.  `state` is (S (b, h, m, e), z (b, h, m)) after earlier tokens; returns the output and the
    state after the last.
    """
    s, z = state or (fk.new_zeros(*fk.shape[:2], fk.shape[-1], v.shape[-1]), fk.new_zeros(*fk.shape[:2], fk.shape[-1]))
    out = []
    for i in range(v.shape[2]):
        s = s + fk[:, :, i, :, None] * v[:, :, i, None, :]
        z = z + fk[:, :, i]
        row = torch.einsum("bhm,bhme->bhe", fq[:, :, i], s)
        mass = torch.einsum("bhm,bhm->bh", fq[:, :, i], z)[..., None]
        out.append(_normed(torch.cat([row, mass], -1) if norm == "sum" else row, norm, eps))
    return (torch.stack(out, 2) if out else v), (s, z)


def matrix(
    fq: Tensor, fk: Tensor, v: Tensor | None = None, causal: bool = True, norm: Norm = "sum", eps: float = EPS
) -> Tensor:
    """The implicit attention matrix A (b, h, n, n) with A @ v equal to `attend`: numerators with the row's
    normalisation inside.

    For "rms" the factor of a row depends on its output, so `v` (b, h, n, e) is needed.
    """
    scores = fq @ fk.transpose(-1, -2)
    scores = scores.tril() if causal else scores
    if norm == "sum":
        return scores / (scores.sum(-1, keepdim=True) + eps)
    return scores * rms(scores @ v, eps) if norm == "rms" else scores
