"""Softmax attention, dense, masked and in blocks: A = softmax(q k^T * scale) with -inf where a key is not allowed.

The outputs go through `F.scaled_dot_product_attention`, the matrices are written out; tests and live residuals hold the
two together.  A row without an allowed key gives zeros in both (a softmax written by hand gives NaN there).  Letters: h
heads, n tokens, d, e channels.
"""
from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, causal: bool = False,
           scale: float | None = None) -> Tensor:
    """y (h, n, e) of q, k (h, n, d), v (h, n, e); `mask` (n, n) True = allowed, or `causal`; `scale` is 1/sqrt(d)
    unless given."""
    return F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=mask, is_causal=causal, scale=scale)[0]


def matrix(q: Tensor, k: Tensor, mask: Tensor | None = None, scale: float | None = None) -> Tensor:
    """A (h, n, n) with A @ v = `attend`."""
    scores = q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    if mask is None:
        return scores.softmax(-1)
    return torch.where(mask.any(-1, keepdim=True), scores.masked_fill(~mask, -torch.inf).softmax(-1), 0.0)


def blockwise(q: Tensor, k: Tensor, v: Tensor, block: int, causal: bool) -> Tensor:
    """DiagAttention without a matrix larger than a block: y (h, n, e), blocks of `block` tokens, the last one may be
    shorter."""
    h, n, _ = q.shape
    block = max(1, min(block, n))
    whole = n - n % block
    parts = [x[:, :whole].reshape(h, whole // block, block, x.shape[-1]) for x in (q, k, v)]
    y = F.scaled_dot_product_attention(*parts, is_causal=causal).reshape(h, whole, v.shape[-1])
    rest = attend(q[:, whole:], k[:, whole:], v[:, whole:], causal=causal)
    return torch.cat([y, rest], 1)
