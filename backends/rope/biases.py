"""Additive biases of the methods that are drawn and not run: each takes queries i and keys j (integers on the host
that broadcast) -> (h, ...).

alibi     -2^(-8h/H) (i - j) in head h = 1 .. H; other slopes where H is no power of two    (2108.12409; bloom's code)
kerple    -r1 ln(1 + r2 (i - j)); both are learned, drawn with r1 = r2 = 1                  (arXiv 2205.09921)
sandwich  p_i . p_j = sum_m cos((i - j) / 10000^(2m/d)), drawn with d = 32                  (arXiv 2212.10356)
xpos      no bias: the factor mean_m x_m^((i - j) / 512), x_m = (2m + 0.4 d) / (1.4 d), by which the pairs fade
                                                                                            (arXiv 2212.10554)
"""
from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from backends.drawn import hosted
from backends.lm import rotary

HEADS, CHANNELS = 4, 32             # of the shipped byte models
XPOS_SPAN = 512


@hosted
def alibi_slopes(heads: int) -> Tensor:
    """(h,): 2^(-8h/H) for a power of two; else those of the next lower power, then every second slope of the next
    higher one."""
    lower = 2 ** int(math.log2(heads))
    first = [2 ** (-8 * h / lower) for h in range(1, lower + 1)]
    second = [2 ** (-8 * h / (2 * lower)) for h in range(1, 2 * lower + 1, 2)]
    return torch.tensor((first + second)[:heads])


def alibi(i: Tensor, j: Tensor, heads: int = HEADS) -> Tensor:
    """-slope_h (i - j), (h, ...)."""
    gap = (i - j).float()
    return -alibi_slopes(heads).view(-1, *(1,) * gap.dim()) * gap


def kerple(i: Tensor, j: Tensor, r1: float = 1.0, r2: float = 1.0) -> Tensor:
    """-r1 ln(1 + r2 (i - j)), (1, ...)."""
    return -r1 * (1 + r2 * (i - j).clamp_min(0).float()).log()[None]


def sandwich(i: Tensor, j: Tensor, d: int = CHANNELS) -> Tensor:
    """p_i . p_j of sinusoidal position vectors with d channels, (1, ...)."""
    return ((i - j).float()[..., None] * rotary.frequencies(d)).cos().sum(-1)[None]


@hosted
def xpos(i: Tensor, j: Tensor, d: int = CHANNELS) -> Tensor:
    """The mean over pairs of the factor that xPos puts on a pair's share of the score, (...), 1 at distance 0."""
    fade = (torch.arange(0, d, 2) + 0.4 * d) / (1.4 * d)
    return (fade ** ((i - j).float()[..., None] / XPOS_SPAN)).mean(-1)


BIASES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"alibi": alibi, "kerple": kerple, "sandwich": sandwich}
