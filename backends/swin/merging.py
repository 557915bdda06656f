"""Patch merging: four neighbours become one token of twice the channels, and so the pyramid of a Swin (arXiv
2103.14030, section 3.1).

2 x 2 neighbours are put one after another, in the order (0, 0), (1, 0), (0, 1), (1, 1) as (row, column): down before
across, unlike `torch.nn.functional.unfold` and `pixel_unshuffle`.  Then LayerNorm of 4C and a projection to 2C without
bias, in Swin V2 the projection, then LayerNorm of 2C; maps with an odd side get a row or column of zeros first.  timm
merges at the start of a stage, the paper and torchvision at the end of the one before: the same numbers.
"""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from backends.swin.geometry import Order, Pair, layout

NEIGHBOURS: tuple[Pair, ...] = ((0, 0), (1, 0), (0, 1), (1, 1))
EPS = 1e-5                     # of the norm, in timm and torchvision


@dataclass(frozen=True)
class Stage:
    """One stage of the pyramid: `size` tokens, each `pixels` wide, of `channels`; `padded`: rows and columns of zeros
    before the merge that led here; window and shift as they are used here."""

    size: Pair
    pixels: int
    channels: int
    padded: Pair
    window: Pair
    shift: Pair
    windows: int


def neighbours(x: Tensor) -> Tensor:
    """(..., H, W, C) -> (..., ceil(H/2), ceil(W/2), 4C)."""
    x = F.pad(x, (0, 0, 0, x.shape[-2] % 2, 0, x.shape[-3] % 2))
    return torch.cat([x[..., row::2, column::2, :] for row, column in NEIGHBOURS], -1)


def merge(x: Tensor, scale: Tensor, offset: Tensor, projection: Tensor) -> Tensor:
    """(..., H, W, C) -> (..., ceil(H/2), ceil(W/2), 2C); scale and offset (4C,) of the norm, projection (2C, 4C)."""
    joined = neighbours(x)
    return F.linear(F.layer_norm(joined, joined.shape[-1:], scale, offset, EPS), projection)


def merge_after(x: Tensor, scale: Tensor, offset: Tensor, projection: Tensor) -> Tensor:
    """Swin V2's: the norm, scale and offset (2C,), comes after the projection (2C, 4C)."""
    return F.layer_norm(F.linear(neighbours(x), projection), scale.shape, scale, offset, EPS)


def pyramid(size: Pair, window: int, shift: int, channels: int, pixels: int, order: Order = "timm",
            stages: int = 4) -> tuple[Stage, ...]:
    """The stages of a Swin whose first map has `size` tokens of `pixels` px."""
    found: list[Stage] = []
    padded = (0, 0)
    for stage in range(stages):
        one = layout(size, window, shift, order)
        scale = 2**stage
        found.append(Stage(size, pixels * scale, channels * scale, padded, one.window, one.shift, len(one.windows)))
        padded = size[0] % 2, size[1] % 2
        size = -(-size[0] // 2), -(-size[1] // 2)
    return tuple(found)
