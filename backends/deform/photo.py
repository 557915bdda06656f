"""The layers that learned on photographs (`seek`) on one picture: where they read for a click, before they learned and
after, and the mask that follows from what they read; beside it the plain twin's."""
from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from backends import device, images
from backends.deform import followed, frozen, operators, seek
from backends.deform.operators import dcn
from backends.deform.params import DeformParams
from backends.deform.results import Look, Photo
from backends.deform.sampling import Window, sample
from backends.deform.seek import HEADS, LEVELS, POINTS, TAPS, Maps, Read, Seeker
from backends.drawn import placed
from backends.result import Check, check

STRIDE = followed.STRIDE


def _pixels(cells: np.ndarray) -> np.ndarray:
    """Places in cells of stride 8 -> in pixels."""
    return (cells + 0.5) * STRIDE - 0.5


def _truth(name: str, size: tuple[int, int], pixel: tuple[int, int]) -> np.ndarray | None:
    """The clicked thing's mask (H, W) on a sample whose things are known; None for any other picture."""
    found = images.truth(name) if name in images.SAMPLES else None
    if found is None:
        return None
    ids = followed.thinned(found, size)
    return (ids == ids[pixel]) if ids[pixel] else None


def _look(reads: list[Read], click: Tensor, cover: tuple[Tensor, ...] | None) -> Look:
    """Places of all layers for one click (1, 1, 2)."""
    at, weight, level = followed.together(reads)
    inside = None if cover is None else float((followed.on(cover, at, level) * weight).sum())
    far = float(followed.spread(at, click[0][:, None], weight)[0]) * STRIDE
    levels = device.array(level).astype(np.uint8)
    return Look(_pixels(device.array(at[0])), device.array(weight[0]), levels, far, inside)


@placed
@torch.no_grad()
def photo(params: DeformParams, image: np.ndarray) -> tuple[Photo, str, tuple[Check, ...]]:
    """The view's body, no sentence, and its checks."""
    shown = frozen.fitted(image)
    fine, coarse = frozen.maps(frozen.load(), shown[None])
    size = tuple(fine.shape[-2:])
    cell = params.cell(size)
    click = torch.tensor(cell, dtype=torch.float32)[None, None]
    pixel = tuple(STRIDE * c + STRIDE // 2 for c in cell)
    truth = _truth(params.picture, shown.shape[:2], pixel)
    cover = None if truth is None else followed.coverage(torch.from_numpy(truth)[None].to(fine.device))
    model, twin = seek.load(params.learner), seek.load("grid")
    maps = model.maps(fine, coarse)
    logits, reads = model(maps, click)
    plain = twin(twin.maps(fine, coarse), click)[0]
    masks = (device.array(v[0, 0].sigmoid()) for v in (logits, plain))
    before, after = (_look(found, click, cover) for found in (model.still(click), reads))
    body = Photo(params.learner, shown, cell, before, after, *masks,
                 (seek.parameters(params.learner), seek.parameters("grid")))
    words = {"aimed": "the first layer's output equals that of torchvision's deform_conv2d with its offsets",
             "star": "the first layer's output equals that of Deformable DETR's operator with its places"}
    gap = _gap(model, maps, click)
    total = abs(float(reads[0].weight.sum()) - 1) if params.learner == "star" else 0.0
    checks = [check("the operator", gap, 1e-4, words[params.learner])]
    if params.learner == "star":
        checks.append(check("weights", total, 1e-5, "the weights sum to 1"))
    return body, "", tuple(checks)


def _gap(model: Seeker, maps: Maps, click: Tensor) -> float:
    """How far the first layer's output is from that of the operator that it claims to be, over the largest value."""
    query = sample(maps.around, click).movedim(1, -1)
    layer: nn.Module = model.layers[0]
    ours, read = layer(query, click, maps)
    theirs = _convolved(layer, maps, click, read) if model.second is None else _attended(layer, maps, read)
    return float((ours - layer.mix[1:](theirs)).abs().max() / ours.abs().max().clamp_min(1e-9))


def _convolved(layer: nn.Module, maps: Maps, click: Tensor, read: Read) -> Tensor:
    """torchvision's DCNv2 at the clicked cell, with the click's offsets and modulations everywhere: (1, 1, C)."""
    value, linear = maps.values[0], layer.mix[0]
    height, width = value.shape[-2:]
    moved = (read.at - click[:, :, None] - layer.taps)[0, 0].flatten()
    field, mask = (v[None, :, None, None].expand(1, -1, height, width).contiguous() for v in (moved, read.weight[0, 0]))
    kernel = linear.weight.unflatten(1, (TAPS, -1)).transpose(1, 2).unflatten(2, (3, 3)).contiguous()
    row, column = click[0, 0].long().tolist()
    return dcn(value, field, kernel, Window(), mask, linear.bias)[:, :, row, column][:, None]


def _attended(layer: nn.Module, maps: Maps, read: Read) -> Tensor:
    """Deformable DETR's attention at the same places: (1, 1, C)."""
    size = torch.tensor(maps.values[0].shape[-2:], dtype=torch.float32)
    shares = ((read.at + 0.5) / size).flip(-1).unflatten(2, (HEADS, LEVELS, POINTS))
    heads = [v.unflatten(1, (HEADS, -1)) for v in maps.values]
    found = operators.msda(heads, shares, HEADS * read.weight.unflatten(2, (HEADS, LEVELS, POINTS)))
    return layer.mix[0](found.flatten(2))
