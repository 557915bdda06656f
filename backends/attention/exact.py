"""Softmax attention, dense, masked and in blocks: A = softmax(q k^T * scale) with -inf where a key is not allowed.

The outputs go through `F.scaled_dot_product_attention`, the matrices are written out; tests and live residuals hold the
two together.  A row without an allowed key gives zeros in both (a softmax written by hand gives NaN there).  Letters: h
heads, n tokens, d, e channels.
"""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Own:
    """What the softmax of a model may have besides q, k and v: `window`, keys that a query sees, itself included;
    `softcap`, scores s become softcap tanh(s / softcap); `sinks` (h,), a logit of each head that takes part in the
    softmax and brings no value."""

    window: int | None = None
    softcap: float | None = None
    sinks: Tensor | None = None

    def said(self) -> str:
        """Sentences on what there is; "" for nothing."""
        return " ".join(filter(None, (
            self.window and f"This layer's softmax sees {self.window} tokens back; the other kinds do not know that.",
            self.softcap and f"This layer's softmax caps its scores at {self.softcap:g}; the other kinds do not.",
            "This layer's softmax has a learned sink, so its rows sum to less than 1; the other kinds have none."
            if self.sinks is not None else "")))


PLAIN = Own()


def configured(q: Tensor, k: Tensor, causal: bool, own: Own) -> Tensor:
    """A (h, n, n) of softmax with what a model has besides; rows sum to 1, but for what a sink takes."""
    scores = q @ k.mT * q.shape[-1] ** -0.5
    if own.softcap is not None:
        scores = own.softcap * (scores / own.softcap).tanh()
    at = torch.arange(q.shape[1], device=q.device)
    gap = at[:, None] - at
    hidden = (gap < 0 if causal else torch.zeros_like(gap, dtype=torch.bool)) | (gap >= (own.window or len(at)))
    scores = scores.masked_fill(hidden, -torch.inf)
    if own.sinks is None:
        return scores.softmax(-1)
    sink = own.sinks[:, None, None].expand(*scores.shape[:-1], 1)
    return torch.cat([scores, sink], -1).softmax(-1)[..., :-1]


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
