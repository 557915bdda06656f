"""The quick way through a grid of clicks (`skip_covered` of `everything`): which points are still to be clicked, and
which of their masks are worth a look at full size.

Letters: k masks, (h, w) the low-resolution logits of a crop, without padding.  All on the host.
"""
from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torchvision.ops.boxes import batched_nms

from backends import tuned
from backends.drawn import hosted

UNSURE, APART = 0.1, 0.2           # by which low resolution may misjudge stability, and the overlap of boxes ...
CELLS = 16                         # ... that have so many cells each way, as one cell more or less says more of others


class Grid:
    """Points (n, 2) in pixels of a crop of `size` (H, W) that are still to be clicked: all of them in their order, or,
    if it `skips`, from coarse to fine without those that are covered."""

    def __init__(self, points: np.ndarray, size: tuple[int, int], skips: bool) -> None:
        order = coarse_to_fine(round(len(points) ** 0.5)) if skips else slice(None)
        self.points, self.size, self.skips = points[order], size, skips
        self.every, self.covers = points, np.zeros(len(points))

    @property
    def done(self) -> int:
        """How many points need no click any more."""
        return len(self.every) - len(self.points)

    def next(self, most: int) -> np.ndarray:
        """The next points to click, up to `most` (n, 2)."""
        some, self.points, self.covers = self.points[:most], self.points[most:], self.covers[most:]
        return some

    def cover(self, masks: np.ndarray) -> None:
        """Drops the points of which enough is known: each of the new `masks` bool (k, h, w), one of each click, counts
        as much as a click is among the points that it holds."""
        of_all = self._at(self.every, masks).sum(1, keepdims=True)
        self.covers += (self._at(self.points, masks) / of_all.clip(1)).sum(0)
        left = self.covers < tuned.COVERS
        self.points, self.covers = self.points[left], self.covers[left]

    def _at(self, points: np.ndarray, masks: np.ndarray) -> np.ndarray:
        """Which masks (k, h, w) hold which points (n, 2): bool (k, n)."""
        h, w = masks.shape[1:]
        x, y = (points * (w / self.size[1], h / self.size[0])).astype(int).T
        return masks[:, y.clip(0, h - 1), x.clip(0, w - 1)]


def coarse_to_fine(side: int) -> np.ndarray:
    """Indices (side * side,) of a grid's points in rows: every fourth row and column, then every second, then between
    four, then the rest."""
    y, x = np.indices((side, side)).reshape(2, -1)
    fourth, second, between = (y % 4 == 2) & (x % 4 == 2), (y % 2 == 0) & (x % 2 == 0), (y % 2 == 1) & (x % 2 == 1)
    return np.argsort(np.where(fourth, 0, np.where(second, 1, np.where(between, 2, 3))), kind="stable")


def stable(low: Tensor, threshold: float, offset: float, least: float) -> Tensor:
    """Which of the logits (k, h, w) may give masks as stable as `least`: bool (k,)."""
    high, wide = ((low > threshold + side).flatten(1).sum(1) for side in (offset, -offset))
    return (high >= (least - UNSURE) * wide) & (wide > 0)


def boxes_of(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes x0, y0, x1, y1 float (k, 4) of non-empty masks (k, h, w), in pixels of a crop of `size` (H, W)."""
    ends = []
    for dim, pixels in ((1, size[1]), (2, size[0])):
        along = masks.any(dim).float()
        scale = pixels / along.shape[1]
        ends += [along.argmax(1) * scale, (along.shape[1] - along.flip(1).argmax(1)) * scale - 1]
    return torch.stack([ends[0], ends[2], ends[1], ends[3]], 1)


def small(masks: Tensor) -> Tensor:
    """Which of masks (k, h, w) have fewer than CELLS rows or columns: bool (k,)."""
    return torch.stack([masks.any(dim).sum(1) for dim in (1, 2)]).amin(0) < CELLS


@hosted
def unbeaten(boxes: Tensor, scores: Tensor, known: Tensor, known_scores: Tensor, threshold: float,
             small: Tensor) -> list[int]:
    """Which of new boxes (k, 4) no better one, new or known (n, 4), overlaps with by far, and those that are too
    `small` (k,) to say: indices in their order."""
    both, rated = torch.cat([boxes, known]), torch.cat([scores, known_scores])
    kept = batched_nms(both, rated, torch.zeros(len(both)), min(1.0, threshold + APART))
    return sorted({i for i in kept.tolist() if i < len(boxes)} | set(torch.nonzero(small).flatten().tolist()))
