"""What attention costs, over the whole map and in windows: multiplications by formula, memory of the weights, and time
on this machine.

Multiply-adds (arXiv 2103.14030, equations 1 and 2), for a map of H W tokens and C channels:

    global    4 H W C^2 + 2 (H W)^2 C
    windows   4 H W C^2 + 2 M^2 H W C

The first term is the projections, the second q k^T and the product with v.  Where M does not divide the map, the map is
padded before the projections, so that *both* terms of windows are those of the padded H W: a zero is multiplied too.
"""
from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.swin_transformer import shifted_window_attention

from backends import device, stop
from backends.swin.geometry import Pair, layout

MOST = 160 << 20               # bytes of weights up to which the whole map is timed
REPEATS = 3


@dataclass(frozen=True)
class Price:
    """One map, and what windows pad it to: multiply-adds and bytes of float32 weights of one layer, global and in
    windows; seconds where they were measured."""

    size: Pair
    padded: Pair
    global_projections: int
    window_projections: int
    global_attention: int
    window_attention: int
    global_bytes: int
    window_bytes: int
    global_seconds: float | None = None
    window_seconds: float | None = None


def price(size: Pair, window: int, channels: int, heads: int) -> Price:
    """By formula."""
    one = layout(size, window, 0, "torchvision")
    n, padded, area = size[0] * size[1], one.padded[0] * one.padded[1], window * window
    whole, cut = n * n, area * padded
    return Price(size, one.padded, 4 * n * channels**2, 4 * padded * channels**2, 2 * whole * channels,
                 2 * cut * channels, 4 * heads * whole, 4 * heads * cut)


def _shapes(size: Pair, window: int, channels: int, heads: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """q, k and v of the whole map, and of its windows: (3, windows, heads, places, channels of a head)."""
    one, area = layout(size, window, 0, "torchvision"), window * window
    cut = 3, one.padded[0] * one.padded[1] // area, heads, area, channels // heads
    return (3, 1, heads, size[0] * size[1], channels // heads), cut


def counted(size: Pair, window: int, channels: int, heads: int) -> tuple[int, int, int, int]:
    """Multiply-adds of attention over the whole map and in windows, then of both's projections: torch counts while the
    very code that is timed, and torchvision's own windows, run without data."""
    whole, cut = (torch.empty(shape, device="meta") for shape in _shapes(size, window, channels, heads))
    x, qkv, out = (torch.empty(shape, device="meta") for shape in (
        (1, *size, channels), (3 * channels, channels), (channels, channels)))
    bias = torch.empty(1, heads, window**2, window**2, device="meta")
    windows = _count(lambda: shifted_window_attention(x, qkv, out, bias, [window] * 2, heads, [0, 0]))
    attention = _count(lambda: _attend(whole)), _count(lambda: _attend(cut))
    return *attention, _count(lambda: (F.linear(x, qkv), F.linear(x, out))), windows - attention[1]


def _count(work: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() // 2


def timed(size: Pair, window: int, channels: int, heads: int) -> tuple[float | None, float]:
    """Median seconds of softmax(q k^T) v on random numbers, without projections: over the whole map (None where its
    weights exceed MOST), and in windows."""
    whole, cut = _shapes(size, window, channels, heads)
    fits = 4 * heads * whole[3] ** 2 <= MOST
    at = device.exact()
    return (_median(_attend, torch.randn(whole, device=at)) if fits else None,
            _median(_attend, torch.randn(cut, device=at)))


def _attend(qkv: Tensor) -> Tensor:
    q, k, v = qkv
    return (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1) @ v


def _median(function: Callable[[Tensor], Tensor], qkv: Tensor) -> float:
    seconds = []
    for _ in range(REPEATS):
        stop.check()
        device.wait(qkv.device)
        began = time.perf_counter()
        function(qkv)
        device.wait(qkv.device)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)
