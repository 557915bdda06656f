"""Relative position bias: the table of Swin, its index, and the coordinates of Swin V2.

Swin (arXiv 2103.14030, equation 4): B of a pair is read from a table with one row for each offset, (2M - 1)^2 of them,
by index = (dy + M - 1)(2M - 1) + (dx + M - 1), where (dy, dx) = query - key.  Swin V2 (arXiv 2111.09883, section 3.3):
a small network maps the offset to the bias, of coordinates sign(d) log2(1 + |d|) / log2(8), d scaled so that the window
of pre-training spans -8..8: larger windows then leave the trained range by less.
"""
from __future__ import annotations

import numpy as np
import torch
from timm.layers import resize_rel_pos_bias_table
from torch import Tensor

from backends.device import HOST
from backends.drawn import hosted
from backends.swin.geometry import Pair

SPAN, BASE = 8.0, 3.0          # the scaled offset of the window's edge; log2(8)


def offsets(window: Pair) -> np.ndarray:
    """int (N, N, 2): (dy, dx) = place of the query - place of the key."""
    at = np.stack(np.meshgrid(*map(np.arange, window), indexing="ij"), -1).reshape(-1, 2)
    return at[:, None] - at[None]


def index(window: Pair) -> np.ndarray:
    """int (N, N): the row of the table that holds the bias of each pair."""
    dy, dx = np.moveaxis(offsets(window), -1, 0)
    return (dy + window[0] - 1) * (2 * window[1] - 1) + dx + window[1] - 1


def resized(table: Tensor, old: Pair, new: Pair) -> Tensor:
    """((2a-1)(2b-1), h) of window `old` -> of window `new`, by the interpolation that timm uses when a window
    changes."""
    if old == new:
        return table
    shape = (2 * new[0] - 1) * (2 * new[1] - 1), table.shape[1]
    # timm makes its grids without a device, so they and the table meet on the host
    return hosted(resize_rel_pos_bias_table)(table.to(HOST), new, shape, old).to(table.device)


def bias(table: Tensor, window: Pair) -> Tensor:
    """The table ((2M-1)^2, h) read for all pairs: (h, N, N)."""
    return table[torch.from_numpy(index(window)).to(table.device)].permute(2, 0, 1)


def near(window: Pair, heads: int, slope: float = 0.5) -> Tensor:
    """A made-up table: -slope times the distance of the offset, the same in all heads; on the host."""
    dy, dx = np.meshgrid(*(np.arange(1 - m, m) for m in window), indexing="ij")
    return torch.from_numpy(-slope * np.hypot(dy, dx)).float().reshape(-1, 1).repeat(1, heads)


@hosted
def stripes(window: Pair, heads: int, strength: float = 3.0) -> Tensor:
    """A made-up table: 0 for keys in the query's row, -strength elsewhere; on the host."""
    table = torch.full((2 * window[0] - 1, 2 * window[1] - 1), -strength)
    table[window[0] - 1] = 0
    return table.reshape(-1, 1).repeat(1, heads)


def linear_coordinates(window: int, trained: int) -> np.ndarray:
    """float (2M - 1,): offsets along one axis, scaled so that the edge of the trained window is SPAN."""
    return SPAN * np.arange(1 - window, window) / max(trained - 1, 1)


def log_coordinates(window: int, trained: int) -> np.ndarray:
    """float (2M - 1,): sign(d) log2(1 + |d|) / log2(8) of the linear ones (Swin V2, equation 4, in the scale of its
    code)."""
    linear = linear_coordinates(window, trained)
    return np.sign(linear) * np.log2(np.abs(linear) + 1) / BASE


def stretch(coordinates: np.ndarray, trained: np.ndarray) -> float:
    """By how much of the trained range the coordinates of a larger window leave it: max / max - 1."""
    return float(coordinates.max() / trained.max() - 1) if trained.max() else 0.0
