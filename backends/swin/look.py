"""Real attention of a model on the picture: what the clicked patch looks at in every block, cut to the part of its
window that it may see.

Maps of a picture are kept (in bytes, across visitors, by content), so that a click costs no new forward pass.
"""
from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from backends import device, images, metrics
from backends.cache import ByteLRU
from backends.result import Check, check
from backends.swin import capture, small
from backends.swin.capture import Maps, Reader
from backends.swin.params import SwinParams
from backends.swin.results import BlockRow, Head, Model

KEPT = ByteLRU(192 << 20)


@torch.no_grad()
def looked(reader: Reader, image: np.ndarray) -> tuple[tuple[Maps, ...], Tensor | None]:
    """All blocks' attention on the picture, and from the shipped model the places' vectors (d, h, w), of one forward
    pass."""
    def look() -> tuple[tuple[tuple[Maps, ...], Tensor | None], int]:
        at, whole = device.exact(), small.load() if reader.key == small.NAME else None
        model, x = reader.model.to(at), reader.normalised(reader.picture(image)).to(at)
        with capture.ONE, capture.listening(model) as found:
            vectors = model.forward_features(x) if whole is None else whole(x)[0][0]
        kept = tuple(found), None if whole is None else vectors
        return kept, sum(m.weights.nbytes for m in found) + vectors.nbytes
    return KEPT.get_or_compute((device.exact(), reader.key, images.digest(image)), look)[0]


def figures(row: capture.Row) -> tuple[Head, ...]:
    """The mean of all heads first, then every head."""
    flat = row.weights.flatten(1)
    every = torch.cat([flat.mean(0, keepdim=True), flat])
    padding = torch.cat([row.padding.mean(0, keepdim=True), row.padding])
    itself = every[:, row.token[0] * row.size[1] + row.token[1]]
    total = every.sum(-1, keepdim=True).clamp_min(1e-12)
    return tuple(Head(*map(float, each)) for each in zip(itself, metrics.support(every / total), padding))


def cut(maps: Maps, row: capture.Row) -> BlockRow:
    """The row, cut to the rectangle of tokens that it may look at."""
    rows, columns = np.flatnonzero(row.inside.any(1)), np.flatnonzero(row.inside.any(0))
    corner, inside = (int(rows[0]), int(columns[0])), (len(rows), len(columns))
    part = row.weights[:, corner[0]:corner[0] + inside[0], corner[1]:corner[1] + inside[1]]
    where = maps.layout
    return BlockRow(maps.stage, maps.block, where.size, where.window, where.shift, row.token, corner, inside,
                    figures(row), device.array(part))


def answer(vectors: Tensor, place: tuple[float, float]) -> np.ndarray:
    """float (h, w): the shipped model's probability that each place is of the clicked one's region."""
    _, height, width = vectors.shape
    at = min(int(place[0] * height), height - 1), min(int(place[1] * width), width - 1)
    here = vectors[:, at[0], at[1]][None]
    return device.array(small.load().alike(here, vectors.flatten(1).T)[0].sigmoid().reshape(height, width))


def model(params: SwinParams, image: np.ndarray, reader: Reader) -> tuple[Model, tuple[Check, ...]]:
    """The clicked patch through all blocks of a model."""
    place = params.y, params.x
    maps, vectors = looked(reader, image)
    rows = [capture.row(each, place) for each in maps]
    sums = max(float((r.weights.sum((1, 2)) + r.padding - 1).abs().max()) for r in rows)
    outside = max(float((r.weights * torch.from_numpy(~r.inside).to(r.weights.device)).max()) for r in rows)
    chosen = min(params.map_block, len(maps)) - 1
    head = min(params.map_head, maps[chosen].weights.shape[1]) - 1
    alike = None if vectors is None else answer(vectors, place)
    found = Model(reader.name, reader.picture(image).shape[:2], tuple(map(cut, maps, rows)), chosen, head, alike)
    return found, (check("Rows sum to 1", sums, 1e-5,
                         "largest |sum - 1| of the clicked patch's rows, padding included"),
                   check("Nothing behind the mask", outside, 1e-30, "largest weight outside of what it may look at"))
