"""Where every token is while a Swin block works: rolled, padded, cut into windows, numbered by region, and back.

The map (H, W) is rolled by (-s, -s) and cut into windows of M x M tokens; what was rolled over an edge must not meet
what lies there (Liu et al., arXiv 2103.14030, section 3.2 and figure 4).  Both libraries build the mask from slices of
the *padded* map, and blocked scores get -100 (`PENALTY`), not minus infinity.  Three conventions, which differ where M
does not divide the map, and where it covers a side:

    timm 1.0.31          rolls, then pads at the bottom and right: rolled-over tokens end up before the padding, and
                         the slices miss them.  A side that the window covers is not shifted, and the window shrinks
                         to it; the other side is shifted all the same
    torchvision 0.29.2   pads, then rolls: the slices fit.  A side that the window covers is padded up to the window and
                         not shifted
    microsoft            the paper's own code (`SwinTransformerBlock` of microsoft/Swin-Transformer, models): where the
                         window covers the *shorter* side, it shrinks to that side along both axes, and nothing is
                         shifted.  That code does not pad and stops where M does not divide the map; there we pad,
                         then roll, as transformers' Swin does, which keeps the rule

Letters: H, W rows and columns of tokens; M window, N = M * M, s shift; Hp, Wp the padded map; nW windows.  Pairs are
(rows, columns).  numpy only.
"""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

Order = Literal["timm", "torchvision", "microsoft"]
ORDERS: tuple[Order, ...] = ("timm", "torchvision", "microsoft")
Pair = tuple[int, int]
PENALTY = -100.0
PAD = -1                       # the source of a padded place


@dataclass(frozen=True)
class Layout:
    """One partition of a map of `size` tokens; window, shift and order as they are used, after `layout` has fitted them
    to the map."""

    size: Pair
    window: Pair
    shift: Pair
    order: Order

    @cached_property
    def padded(self) -> Pair:
        """(Hp, Wp)."""
        return tuple(-(-n // m) * m for n, m in zip(self.size, self.window))

    @cached_property
    def grid(self) -> Pair:
        """Windows down and across."""
        return tuple(n // m for n, m in zip(self.padded, self.window))

    @cached_property
    def source(self) -> np.ndarray:
        """int (Hp, Wp): the flat index of the token that stands at each place after rolling and padding, PAD where
        there is none."""
        rows, columns = (self._axis(axis) for axis in (0, 1))
        flat = rows[:, None] * self.size[1] + columns[None]
        return np.where((rows[:, None] == PAD) | (columns[None] == PAD), PAD, flat)

    def _axis(self, axis: int) -> np.ndarray:
        """int (Lp,): the row (or column) that stands at each row (or column) of the padded map."""
        length, full, shift = self.size[axis], self.padded[axis], self.shift[axis]
        tail = np.full(full - length, PAD)
        if self.order == "timm":
            return np.concatenate([np.roll(np.arange(length), -shift), tail])
        return np.roll(np.concatenate([np.arange(length), tail]), -shift)

    @cached_property
    def region(self) -> np.ndarray:
        """int (Hp, Wp): the id that the libraries' slices [0, -M), [-M, -s), [-s, end) give each place; 3 * (which of
        rows) + columns."""
        bands = [_bands(*axis) for axis in zip(self.padded, self.window, self.shift)]
        return 3 * bands[0][:, None] + bands[1][None]

    @cached_property
    def crossed(self) -> np.ndarray:
        """int (Hp, Wp): 1 if the token was rolled over the top edge, 2 over the left one, 3 both: the mask's meaning,
        told without slices.  Padding counts as on the side where it was put."""
        over = [self._over(axis).astype(np.int64) for axis in (0, 1)]
        return over[0][:, None] + 2 * over[1][None]

    def _over(self, axis: int) -> np.ndarray:
        """bool (Lp,): rolled over the edge, that is from the first s rows (or columns)."""
        source = self._axis(axis)
        return (source != PAD) & (source < self.shift[axis])

    @cached_property
    def windows(self) -> np.ndarray:
        """int (nW, N): `source`, window by window."""
        return self.cut(self.source)

    def cut(self, places: np.ndarray) -> np.ndarray:
        """(Hp, Wp, ...) -> (nW, N, ...), windows and their places row by row."""
        (gh, gw), (mh, mw), rest = self.grid, self.window, places.shape[2:]
        axes = (0, 2, 1, 3, *range(4, 4 + len(rest)))
        return places.reshape(gh, mh, gw, mw, *rest).transpose(axes).reshape(gh * gw, mh * mw, *rest)

    def join(self, windows: np.ndarray) -> np.ndarray:
        """(nW, N, ...) -> (Hp, Wp, ...): the inverse of `cut`."""
        (gh, gw), (mh, mw), rest = self.grid, self.window, windows.shape[2:]
        axes = (0, 2, 1, 3, *range(4, 4 + len(rest)))
        return windows.reshape(gh, gw, mh, mw, *rest).transpose(axes).reshape(gh * mh, gw * mw, *rest)

    @cached_property
    def blocked(self) -> np.ndarray:
        """bool (nW, N, N): the shift mask, true where it holds PENALTY: the two places have different region ids."""
        ids = self.cut(self.region)
        return ids[:, :, None] != ids[:, None, :]

    @cached_property
    def strange(self) -> np.ndarray:
        """bool (nW, N, N): two tokens that stand in one window only because of the roll.  No pair with padding is
        strange."""
        sides, real = self.cut(self.crossed), self.windows != PAD
        return (sides[:, :, None] != sides[:, None, :]) & real[:, :, None] & real[:, None, :]

    @cached_property
    def places(self) -> np.ndarray:
        """int (H * W, 2): window, and place inside it, of every token."""
        found = np.empty((self.size[0] * self.size[1], 2), np.int64)
        window, place = np.nonzero(self.windows != PAD)
        found[self.windows[window, place]] = np.stack([window, place], 1)
        return found

    def partners(self, masked: bool = True) -> np.ndarray:
        """bool (H * W, H * W): row i marks the tokens that token i may look at."""
        n = self.size[0] * self.size[1]
        allowed = ~self.blocked if masked else np.ones_like(self.blocked)
        found = np.zeros((n + 1, n + 1), bool)
        found[self.windows[:, :, None], self.windows[:, None, :]] = allowed
        return found[:n, :n]


def _bands(length: int, window: int, shift: int) -> np.ndarray:
    """int (length,): 0, 1, 2 for the three slices of one axis; all 0 where nothing is shifted."""
    at = np.arange(length)
    return (at >= length - window).astype(np.int64) + (at >= length - shift) if shift else np.zeros(length, np.int64)


def layout(size: Pair, window: int | Pair, shift: int | Pair, order: Order = "timm") -> Layout:
    """The partition as the library of `order` does it (see above).  Raises ValueError for sizes below 1, or a shift
    that is not smaller than the window."""
    pairs = [(value, value) if isinstance(value, int) else value for value in (window, shift)]
    if min(size) < 1 or min(pairs[0]) < 1:
        raise ValueError("The map and the window need at least one token on each side.")
    if any(not 0 <= s < m for m, s in zip(*pairs)):
        raise ValueError("The shift must be at least 0 and smaller than the window.")
    if order == "microsoft" and min(size) <= min(pairs[0]):
        return Layout(tuple(size), (min(size),) * 2, (0, 0), order)
    fitted = [_fit(*axis, order) for axis in zip(size, *pairs)]
    return Layout(tuple(size), tuple(m for m, _ in fitted), tuple(s for _, s in fitted), order)


def _fit(length: int, window: int, shift: int, order: Order) -> Pair:
    """(window, shift) along one axis."""
    return (length if order == "timm" else window, 0) if length <= window else (window, shift)
