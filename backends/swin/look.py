"""Real attention of a model on the picture: what the clicked patch looks at in every block, cut to the part of its
window that it may see; rolled out through all blocks; and the network with the sizes of this picture.

Maps of a picture are kept (in bytes, across visitors, by content), so that a click costs no new forward pass.
"""
from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from backends import device, images, metrics
from backends.cache import ByteLRU
from backends.result import Check, check
from backends.swin import capture, network, rollout, small
from backends.swin.capture import Maps, Reader
from backends.swin.params import SwinParams
from backends.swin.results import BlockRow, Flow, Head, Model, Network, Rollout

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
    own = row.weights[:, row.token[0], row.token[1]]
    itself, padding, given = (torch.cat([x.mean(0, keepdim=True), x]) for x in (own, row.padding, row.given))
    support = metrics.support(given)
    return tuple(Head(*map(float, each)) for each in zip(itself, support, support / row.visible, padding))


def cut(maps: Maps, row: capture.Row) -> BlockRow:
    """The row, cut to the rectangle of tokens that it may look at."""
    rows, columns = np.flatnonzero(row.inside.any(1)), np.flatnonzero(row.inside.any(0))
    corner, inside = (int(rows[0]), int(columns[0])), (len(rows), len(columns))
    part = row.weights[:, corner[0]:corner[0] + inside[0], corner[1]:corner[1] + inside[1]]
    where = maps.layout
    return BlockRow(maps.stage, maps.block, where.size, where.window, where.shift, row.token, corner, inside,
                    row.visible, figures(row), device.array(part))


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
                   check("Nothing behind the mask", outside, 1e-20, "largest weight outside of what it may look at"))


def _flow(maps: Maps, real: rollout.Row, equal: rollout.Row) -> Flow:
    def spread(row: torch.Tensor) -> float:
        return float(metrics.support(row.flatten() / row.sum().clamp_min(1e-12)))
    (a, padding), (b, _) = real, equal
    return Flow(maps.stage, maps.block, int((b > 0).sum()), spread(a), spread(b), float((a - b).abs().sum()) / 2,
                padding)


def rolled(params: SwinParams, image: np.ndarray, reader: Reader) -> tuple[Rollout, tuple[Check, ...]]:
    """Where one patch of a block came from."""
    place, (maps, _) = (params.y, params.x), looked(reader, image)
    real, equal = (list(rollout.every([(weigh(each), each.layout) for each in maps], place))
                   for weigh in (rollout.mean, rollout.equal))
    chosen = min(params.map_block, len(maps)) - 1
    size, (row, _), (even, _) = maps[chosen].layout.size, real[chosen], equal[chosen]
    token = tuple(min(int(p * n), n - 1) for p, n in zip(place, size))
    flows = tuple(map(_flow, maps, real, equal))
    found = Rollout(reader.name, reader.picture(image).shape[:2], chosen, token, size, flows, device.array(row),
                    device.array(even))
    sums = max(float((one.sum() + lost - 1).abs()) for one, lost in real)
    outside = max(float((one * (even == 0)).max()) for (one, _), (even, _) in zip(real, equal))
    return found, (check("Rows sum to 1", sums, 1e-5,
                         "largest |sum - 1| of the rollouts from every block, padding included"),
                   check("Nothing from behind the masks", outside, 1e-20,
                         "largest weight of a patch that no path through the windows leads to"))


def drawn(params: SwinParams, image: np.ndarray, reader: Reader) -> tuple[Network, tuple[Check, ...]]:
    """The whole network, with the sizes of this picture."""
    maps, _ = looked(reader, image)
    parts = tuple(network.parts(reader.model, maps))
    found = Network(reader.name, reader.picture(image).shape[:2], parts, min(params.map_block, len(maps)),
                    hasattr(next(capture.blocks(reader.model))[2].attn, "logit_scale"))
    gap = abs(sum(part.work for part in parts) - network.counted(reader, image))
    return found, (check("The sizes are those that run", gap, 0,
                         "multiply-adds of all parts, by formula, against torch's count of the running model"),)
