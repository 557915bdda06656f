"""How well a network names the cells of bent things, and how much of what it reads lies on the very thing of the
cell."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from backends import device
from backends.deform.objects import Scene
from backends.deform.reach import places
from backends.deform.small import LAYERS, STRIDE, WINDOW, Looker, Trace, normalised

CELLS = 12                     # of each picture whose places are followed


@dataclass(frozen=True)
class Share:
    """One picture: mean share of places on the cell's thing, and spread in px.  `grid`: of plain layers; `wide`: the
    same grid drawn as far apart as the learned places are; `points`: the learned ones, `weighted` by modulation."""

    grid: float
    wide: float
    points: float
    weighted: float
    grid_spread: float
    spread: float


def accuracy(model: Looker, scene: Scene) -> tuple[float, float]:
    """Shares of the things' and of the ground's cells that get their class."""
    kinds = scene.kinds[STRIDE // 2::STRIDE, STRIDE // 2::STRIDE]
    with torch.no_grad():
        right = device.array(model(normalised(scene.image).to(model.device))[0].argmax(0)) == kinds
    return float(right[kinds > 0].mean()), float(right[kinds == 0].mean())


def on_thing(at: Tensor, ids: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Whether places (N, P, 2), in cells, lie on the thing with the id own (N,): (N, P)."""
    pixel = np.rint((device.array(at) + 0.5) * STRIDE - 0.5).astype(int)
    height, width = ids.shape
    known = (pixel >= 0).all(-1) & (pixel[..., 0] < height) & (pixel[..., 1] < width)
    at_pixel = ids[pixel[..., 0].clip(0, height - 1), pixel[..., 1].clip(0, width - 1)]
    return known & (at_pixel == own[:, None])


def share(model: Looker, scene: Scene, rng: np.random.Generator) -> Share:
    """The places of CELLS random cells on things."""
    ids = scene.ids[STRIDE // 2::STRIDE, STRIDE // 2::STRIDE]
    cells = np.argwhere(ids > 0)
    cells = cells[rng.choice(len(cells), CELLS)]
    trace = Trace([], [])
    with torch.no_grad():
        model(normalised(scene.image).to(model.device), trace)
    start = torch.from_numpy(cells).to(model.device).float()[None]
    found, weight = (t[0].unflatten(0, (CELLS, -1)) for t in places(start, trace.offsets, trace.masks, WINDOW))
    grid = places(start, [None] * LAYERS, [None] * LAYERS, WINDOW)[0][0].unflatten(0, (CELLS, -1))
    own, centre = ids[cells[:, 0], cells[:, 1]], start[0][:, None]
    ratio = (spread(found, centre) / spread(grid, centre))[:, None, None]
    wide = centre + (grid - centre) * ratio
    hit = on_thing(found, scene.ids, own)
    weight = device.array(weight)
    weighted = (hit * weight).sum(1) / weight.sum(1)
    spreads = [float(spread(p, centre).mean()) * STRIDE for p in (grid, found)]
    shares = [float(on_thing(p, scene.ids, own).mean()) for p in (grid, wide)]
    return Share(*shares, float(hit.mean()), float(weighted.mean()), *spreads)


def spread(at: Tensor, centre: Tensor) -> Tensor:
    """Distance of places (N, P, 2) from their cells (N, 1, 2), root mean square: (N,)."""
    return (at - centre).square().sum(-1).mean(1).sqrt()
