"""Window attention as one gather, one softmax and one scatter, so that window, shift, mask, bias and similarity can
each be changed.

softmax(q k^T / sqrt(d) + B + mask) v in every window (arXiv 2103.14030, equation 4), or with scaled cosine, cos(q, k) *
scale, in place of the dot product (Swin V2, arXiv 2111.09883, equation 2; its whole block: `second`).  Rolling, padding
and cutting are one look-up in `Layout.windows`; a padded place has a zero *after* the norm, so its q, k and v are the
biases of the projection, and nothing masks it, in timm as in torchvision.

Letters: H, W map; C channels; h heads; d channels of a head; nW windows of N places.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.swin import relative
from backends.swin.geometry import PAD, PENALTY, Layout, Pair

Similarity = Literal["dot", "cosine"]
COSINE = 10.0                  # the scale at which Swin V2 starts to train


@dataclass(frozen=True)
class Projections:
    """The weights of one attention: qkv (3C, C) and (3C,), out (C, C) and (C,), the bias table ((2M-1)^2, h) of
    `window`."""

    qkv: Tensor
    qkv_bias: Tensor
    out: Tensor
    out_bias: Tensor
    table: Tensor
    window: Pair

    @property
    def heads(self) -> int:
        """h."""
        return self.table.shape[1]


def projections(attention: nn.Module) -> Projections:
    """The weights of a timm `WindowAttention` of Swin (not V2)."""
    return Projections(attention.qkv.weight, attention.qkv.bias, attention.proj.weight, attention.proj.bias,
                       attention.relative_position_bias_table, tuple(attention.window_size))


def gathered(x: Tensor, layout: Layout) -> Tensor:
    """Tokens (H, W, C) -> (nW, N, C), zeros at padded places."""
    flat = torch.cat([x.reshape(-1, x.shape[-1]), x.new_zeros(1, x.shape[-1])])
    return flat[torch.from_numpy(layout.windows).to(x.device)]


def scattered(y: Tensor, layout: Layout) -> Tensor:
    """(nW, N, C) -> (H, W, C): back to where the tokens were; what stands at padded places is dropped."""
    flat = y.new_empty(layout.size[0] * layout.size[1] + 1, y.shape[-1])
    flat[torch.from_numpy(layout.windows).to(y.device)] = y
    return flat[:-1].reshape(*layout.size, -1)


def split(x: Tensor, weights: Projections) -> Tensor:
    """(..., N, C) -> q, k and v (3, ..., h, N, d)."""
    parts = F.linear(x, weights.qkv, weights.qkv_bias).unflatten(-1, (3, weights.heads, -1))
    return parts.movedim(-3, 0).transpose(-3, -2)


def scores(q: Tensor, k: Tensor, similarity: Similarity = "dot", scale: Tensor | float = COSINE) -> Tensor:
    """(..., N, d) twice -> (..., N, N), before bias and mask; `scale` of the cosine, one or (h, 1, 1)."""
    if similarity == "cosine":
        return scale * (F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT)
    return (q * q.shape[-1] ** -0.5) @ k.mT


def soften(logits: Tensor, bias: Tensor | None, layout: Layout, masked: bool = True) -> Tensor:
    """Softmax over keys of (nW, h, N, N) with the bias (h, N, N), and PENALTY where the layout blocks a pair."""
    if bias is not None:
        logits = logits + bias
    if masked:
        logits = logits + PENALTY * torch.from_numpy(layout.blocked).to(logits.device).unsqueeze(1)
    return logits.softmax(-1)


def attend(x: Tensor, weights: Projections, layout: Layout, masked: bool = True,
           scale: Tensor | None = None) -> Tensor:
    """The whole attention of a Swin block, without norm and residual: (H, W, C) -> (H, W, C); with a `scale`, the
    cosine's."""
    q, k, v = split(gathered(x, layout), weights)
    table = relative.resized(weights.table, weights.window, layout.window)
    found = scores(q, k) if scale is None else scores(q, k, "cosine", scale)
    p = soften(found, relative.bias(table, layout.window), layout, masked)
    y = F.linear((p @ v).transpose(1, 2).flatten(2), weights.out, weights.out_bias)
    return scattered(y, layout)


def share(p: Tensor, pairs: Tensor) -> Tensor:
    """The weight that each place gives to the marked pairs (nW, N, N): (nW, h, N, N) -> (nW, h, N)."""
    return (p * pairs.to(p.device).unsqueeze(1)).sum(-1)


def per_token(values: Tensor, layout: Layout) -> Tensor:
    """(nW, ..., N) of places -> (..., H, W) of tokens."""
    return scattered(values.movedim(1, -1) if values.ndim == 3 else values.unsqueeze(-1), layout).movedim(-1, 0)


def on_padding(layout: Layout) -> Tensor:
    """bool (nW, N, N): pairs whose key is padding; on the host."""
    pad = torch.from_numpy(layout.windows == PAD)
    return pad[:, None, :].expand(-1, pad.shape[1], -1)
