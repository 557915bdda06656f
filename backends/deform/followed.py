"""How much of what the layers of `seek` read lies on the clicked thing.

A place between cells reads four of them, each of which the thing covers in part: a place's share is the thing's
coverage read bilinearly, at the level that the layer read.  Compared are the places as they would be without offsets
(the plain grid, or the star), and the same drawn as far apart as the learned ones are, so that being near is no merit.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from backends.deform.sampling import sample
from backends.deform.seek import Maps, Read, Seeker

STRIDE = 8


@dataclass(frozen=True)
class Shares:
    """Of N clicks, each (N,), 0..1.  `points`: every learned place alike; `weighted`: by the layer's weights; `grid`:
    without offsets; `wide`, `wide_weighted`: that, as wide as `points` and `weighted`.  `iou` of the mask at the zero
    of its logits; `spread`, `spread_grid`: root mean square distance of the places from the click, px."""

    points: Tensor
    weighted: Tensor
    grid: Tensor
    wide: Tensor
    wide_weighted: Tensor
    iou: Tensor
    spread: Tensor
    spread_grid: Tensor

    def means(self) -> dict[str, float]:
        """The mean of each, rounded."""
        return {name: round(float(value.mean()), 4) for name, value in vars(self).items()}


def joined(found: list[Shares]) -> Shares:
    """One after the other."""
    return Shares(*(torch.cat([getattr(one, name) for one in found]) for name in vars(found[0])))


def thinned(x: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Ids or a mask (H, W) on a grid of `size`: every cell as its first pixel."""
    return x[np.ix_(*(np.arange(n) * whole // n for n, whole in zip(size, x.shape, strict=True)))]


def coverage(mask: Tensor) -> tuple[Tensor, ...]:
    """Masks (N, H, W) in 0..1 -> how much of each cell they cover, (N, 1, h, w), at strides 8 and 16."""
    return tuple(F.avg_pool2d(mask[:, None].float(), STRIDE * 2**level) for level in range(2))


def on(cover: tuple[Tensor, ...], at: Tensor, level: Tensor) -> Tensor:
    """Coverage at places (N, P, 2), in cells of stride 8, each read at its level (P,): (N, P)."""
    found = at.new_zeros(at.shape[:-1])
    for k, one in enumerate(cover):
        here = level == k
        if here.any():
            found[:, here] = sample(one, (at[:, here] + 0.5) / 2**k - 0.5)[:, 0]
    return found


def together(reads: list[Read]) -> tuple[Tensor, Tensor, Tensor]:
    """The places (N, P, 2), weights (N, P) that sum to 1 and levels (P,) of all layers of the first picture."""
    at, weight = torch.cat([r.at[0] for r in reads], 1), torch.cat([r.weight[0] for r in reads], 1)
    return at, weight / weight.sum(1, keepdim=True), torch.cat([r.level for r in reads])


@torch.no_grad()
def shares(model: Seeker, maps: Maps, click: Tensor, masks: Tensor) -> Shares:
    """N clicks (N, 2), in cells of stride 8, on one picture whose things they mean have masks (N, H, W) bool."""
    logits, reads = model(maps, click[None])
    at, weight, level = together(reads)
    plain = together(model.still(click[None]))[0]
    cover, centre, even = coverage(masks), click[:, None], torch.full_like(weight, 1 / weight.shape[1])
    far = [spread(at, centre, w) for w in (even, weight)]
    near = spread(plain, centre, even)
    wide = [on(cover, centre + (plain - centre) * (one / near)[:, None, None], level).mean(1) for one in far]
    hit = on(cover, at, level)
    named, truth = logits[0] > 0, cover[0][:, 0] > 0.5
    iou = (named & truth).flatten(1).sum(1) / (named | truth).flatten(1).sum(1).clamp_min(1)
    return Shares(hit.mean(1), (hit * weight).sum(1), on(cover, plain, level).mean(1), *wide, iou,
                  STRIDE * far[0], STRIDE * near)


def spread(at: Tensor, centre: Tensor, weight: Tensor) -> Tensor:
    """Root mean square distance of places (N, P, 2) from centres (N, 1, 2), by weights (N, P) that sum to 1: (N,)."""
    return ((at - centre).square().sum(-1) * weight).sum(1).sqrt()
