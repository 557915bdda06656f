"""Where an output cell of stacked layers reads: with three 3 x 3 layers 9 * 9 * 9 = 729 places.

From a cell of the last layer go to its taps, from each of these to the taps of the layer before, and so on down to the
input.  A tap lands between cells, where the layer before has no offsets of its own: they are read bilinearly there (the
edge's beyond the map), and so are modulations.  (Dai et al., arXiv 1703.06211, figure 5, draws such points.)  The
weight of a place is the product of the modulations on its way over 9^layers.  Cells of the map, (y, x); offsets (B, 18,
h, w) as torchvision's, one for each layer, first layer first.
"""
from __future__ import annotations

import torch
from torch import Tensor

from backends.deform.sampling import Window, kernel_grid, sample, unpack


def between(field: Tensor, at: Tensor) -> Tensor:
    """A field (B, C, h, w) read at places (B, N, 2), the edge's values beyond it: (B, N, C)."""
    most = torch.tensor([field.shape[-2] - 1, field.shape[-1] - 1], dtype=at.dtype, device=at.device)
    return sample(field, at.clamp_min(0).minimum(most)).movedim(1, -1)


def down(at: Tensor, weight: Tensor, offset: Tensor | None, mask: Tensor | None,
         window: Window) -> tuple[Tensor, Tensor]:
    """From places (B, N, 2) of a layer's output to the N K places that it reads, and their weights (B, N K)."""
    taps = kernel_grid(window).to(at) - torch.tensor(window.padding, dtype=at.dtype, device=at.device)
    found = at[:, :, None] + taps
    if offset is not None:
        field = unpack(offset, window)[:, 0].movedim(-1, 2).flatten(1, 2)
        found = found + between(field, at).unflatten(-1, (window.taps, 2))
    share = torch.ones_like(found[..., 0]) if mask is None else between(mask, at)
    return found.flatten(1, 2), (weight[..., None] * share / window.taps).flatten(1, 2)


def places(start: Tensor, offsets: list[Tensor | None], masks: list[Tensor | None],
           window: Window) -> tuple[Tensor, Tensor]:
    """Places (B, N K^layers, 2) that the outputs `start` (B, N, 2) read in the first layer's input, and their weights;
    those from one output lie together.  None stands for a plain layer."""
    at, weight = start, torch.ones_like(start[..., 0])
    for offset, mask in zip(reversed(offsets), reversed(masks), strict=True):
        at, weight = down(at, weight, offset, mask, window)
    return at, weight
