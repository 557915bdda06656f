"""Attention rollout through the windows and merges of a Swin: from which patches of the picture one patch of a block
came, if attention were all that happens.

Abnar & Zuidema, "Quantifying Attention Flow in Transformers" (arXiv 2005.00928), section 3: of each block (A + I) / 2,
the I for the residual path, A the mean of the heads; the matrices of all blocks, multiplied.  For Swin:

    windows   A of a block is that of its windows, scattered to where their tokens lie in the picture; what the padding
              is given leads to no patch, and is kept apart, so that a row and its padding sum to 1
    merging   a token is the mean of the patches that it was made from (two or one at an odd edge)

We follow one row, from the last block to the first: r A needs no H W x H W matrix.  MLPs, norms and the sizes of values
are left out, as in the paper: this is a map of paths, not of influence.  Equal weights in the same windows give the
part of it that is geometry alone.

Letters: H, W tokens of a block's map; nW windows of N places.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from backends.swin.capture import Maps
from backends.swin.geometry import PAD, Layout, Pair

Row = tuple[Tensor, float]                    # weights (H, W) and what went to padding


def mean(maps: Maps) -> Tensor:
    """A (nW, N, N): the mean of the heads."""
    return maps.weights.mean(1)


def equal(maps: Maps) -> Tensor:
    """A (nW, N, N) if every visible place got the same."""
    open_ = torch.from_numpy(~maps.layout.blocked).to(maps.weights)
    return open_ / open_.sum(-1, keepdim=True)


def through(row: Tensor, a: Tensor, layout: Layout) -> Row:
    """r (A + I) / 2 of one block: (H, W) -> (H, W), and what left for the padding."""
    places = torch.from_numpy(layout.windows).to(row.device)
    given = torch.einsum("wq,wqk->wk", torch.where(places == PAD, 0.0, row.flatten()[places]), a)
    moved, real = torch.zeros_like(row).flatten(), places != PAD
    moved[places[real]] = given[real]
    return (row + moved.view_as(row)) / 2, float(given[~real].sum()) / 2


def apart(row: Tensor, size: Pair) -> Tensor:
    """Back through a merge: (H', W') -> the patches (H, W), each of which gets an equal part of its token's weight."""
    def spread(length: int, wanted: int) -> tuple[Tensor, Tensor]:
        at = torch.arange(wanted, device=row.device) // 2
        return at, torch.bincount(at, minlength=length).to(row)[at]
    (rows, down), (columns, across) = (spread(*pair) for pair in zip(row.shape, size))
    return row[rows][:, columns] / (down[:, None] * across)


def rollout(blocks: Sequence[tuple[Tensor, Layout]], token: Pair) -> Row:
    """From `token` (row, column) of the last block back to the first map; blocks: A and layout, first to last."""
    row = blocks[-1][0].new_zeros(blocks[-1][1].size)
    row[token], lost = 1, 0.0
    for a, layout in reversed(blocks):
        if layout.size != tuple(row.shape):
            row = apart(row, layout.size)
        row, padding = through(row, a, layout)
        lost += padding
    return row, lost


def every(blocks: Sequence[tuple[Tensor, Layout]], place: tuple[float, float]) -> Iterator[Row]:
    """Rollouts of the token at `place` (y, x in 0..1) of the first block, of the second, ... of the last."""
    for last in range(1, len(blocks) + 1):
        size = blocks[last - 1][1].size
        yield rollout(blocks[:last], tuple(min(int(p * n), n - 1) for p, n in zip(place, size)))
