"""Rotary position embedding (Su 2021, arXiv 2104.09864, equation 34), half-split pairs as in Llama: channel i turns
with channel i + d/2.

The score of a rotated query at m and key at n depends on m - n only.  Angles are float32 at least: bfloat16 cannot
count beyond 256.
"""
from __future__ import annotations

import torch
from torch import Tensor

from backends.device import HOST


def frequencies(d: int, base: float = 10_000.0) -> Tensor:
    """theta_i = base^(-2i/d) in radians per token, (d/2,), float32, on the host.  Raises ValueError for an odd head
    dimension."""
    if d % 2:
        raise ValueError(f"Rotary embedding turns pairs of channels, so the head dimension cannot be {d}.")
    return base ** (-torch.arange(0, d, 2, dtype=torch.float32, device=HOST) / d)


def rotate(x: Tensor, positions: Tensor, theta: Tensor) -> Tensor:
    """Turns x (b, h, n, d) by positions (n,) times theta (d/2,), pair by pair; norms are kept."""
    angle = positions.to(theta.dtype)[:, None] * theta.to(x.device)
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    left, right = x.chunk(2, -1)
    return torch.cat([left * cos - right * sin, right * cos + left * sin], -1)
