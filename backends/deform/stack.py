"""Both trained networks on one picture: the 729 places that an output cell reads, and what its logit really depends on.

The gradient of the cell's winning logit with respect to the picture is its effective receptive field on this very
picture (Luo et al., arXiv 1701.04128, take the mean over many).  The plain network's is zero outside a square that its
strides and kernels give.
"""
from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from backends import device
from backends.deform import small
from backends.deform.objects import MILD, STRONG, Scene, render
from backends.deform.operators import dcn
from backends.deform.params import DeformParams
from backends.deform.reach import places
from backends.deform.results import Field, Stack
from backends.deform.small import KINDS, LAYERS, STRIDE, WINDOW, Looker, Trace, normalised
from backends.result import Check, check

LONGEST = 160                  # px of a picture's longer side
STEM = 3                       # px on each side that a cell sees before the layers: two 3 x 3 convolutions of stride 2
PHOTOGRAPH = ("The networks have learned to name rendered things only: on a picture where they read is shown, not "
              "what they name.")
REACH = LAYERS * STRIDE + STEM
WARPS = {"mild": (MILD, 0), "strong": (STRONG, 500_000)}


def held_out(bend: str, index: int) -> Scene:
    """The held-out picture number `index` of bent things, deformed as in training ("mild") or more ("strong")."""
    warp, first = WARPS[bend]
    return render(first + index, warp)


def fitted(image: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) with at most LONGEST px on the longer side and sides that are multiples of STRIDE."""
    height, width = image.shape[:2]
    scale = min(1, LONGEST / max(height, width))
    size = tuple(max(STRIDE, round(n * scale / STRIDE) * STRIDE) for n in (width, height))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def picture(params: DeformParams, image: np.ndarray) -> tuple[np.ndarray, Scene | None]:
    """What both networks are given, and its truth if it has one."""
    if params.source == "picture":
        return fitted(image), None
    scene = held_out(params.bend, params.seed)
    return scene.image, scene


def stack(params: DeformParams, image: np.ndarray) -> tuple[Stack, str, tuple[Check, ...]]:
    """The view's body, a sentence on what to know, and its checks."""
    shown, scene = picture(params, image)
    rows, columns = (n // STRIDE for n in shown.shape[:2])
    cell = params.cell((rows, columns))
    truth = np.zeros((0, 0), np.uint8) if scene is None else _at_cells(scene.kinds)
    own = None if scene is None else int(_at_cells(scene.kinds)[cell])
    seen = tuple(_field(kind, params, shown, cell, scene) for kind in KINDS)
    body = Stack(shown, truth, cell, params.layers, REACH, own, seen)
    gap = _layer_gap(shown)
    beyond = body.fields[1].outside
    checks = (
        check("plain reach", beyond, 0.0,
              f"the plain network's gradient is zero beyond {2 * REACH + 1} x {2 * REACH + 1} px"),
        check("torchvision", gap, 1e-4,
              "the first deformable layer equals torchvision's operator with the same offsets"),
    )
    return body, PHOTOGRAPH if scene is None else "", checks


def _at_cells(pixels: np.ndarray) -> np.ndarray:
    """(H, W) -> (h, w): the pixel in the middle of each cell, as in training."""
    return pixels[STRIDE // 2::STRIDE, STRIDE // 2::STRIDE]


def _field(kind: str, params: DeformParams, image: np.ndarray, cell: tuple[int, int], scene: Scene | None) -> Field:
    """One network's field."""
    model, trace = small.load(kind), Trace([], [])
    x = normalised(image).to(model.device).requires_grad_()
    logits = model(x, trace)[0]
    named = logits.argmax(0)
    here = int(named[cell])
    logits[here, cell[0], cell[1]].backward()
    gradient = device.array(x.grad[0].abs().sum(0))
    offsets, masks = (list(t) or [None] * LAYERS for t in (trace.offsets, trace.masks))
    start = torch.tensor(cell, dtype=torch.float32, device=model.device)[None, None]
    with torch.no_grad():
        at, weight = places(start, [*offsets][-params.layers:], [*masks][-params.layers:], WINDOW)
    pixel, share = (device.array(v) for v in ((at[0] + 0.5) * STRIDE - 0.5, weight[0] / weight.sum()))
    middle = np.array(cell) * STRIDE + (STRIDE - 1) / 2
    outside = _outside(gradient, cell) / (float(gradient.sum()) or 1.0)
    spread = float(np.sqrt(((pixel - middle) ** 2).sum(1) @ share))
    names = device.array(named).astype(np.uint8)
    inside, accuracy = (None, None) if scene is None else _judged(scene, names, pixel, share, cell)
    drawn = gradient / (float(gradient.max()) or 1.0)
    return Field(kind, pixel, share, drawn, names, outside, spread, here, small.parameters(kind), inside, accuracy)


def _outside(gradient: np.ndarray, cell: tuple[int, int]) -> float:
    """Sum of the gradient beyond the plain layers' square about a cell."""
    beyond = gradient.copy()
    beyond[tuple(slice(max(0, STRIDE * c - REACH), STRIDE * c + REACH + 1) for c in cell)] = 0
    return float(beyond.sum())


Known = float | None


def _judged(scene: Scene, names: np.ndarray, pixel: np.ndarray, share: np.ndarray,
            cell: tuple[int, int]) -> tuple[Known, Known]:
    """Weight of the places on the cell's own thing, None on the ground, and the share of the things' cells that are
    named right."""
    things = _at_cells(scene.ids) > 0
    right = names == _at_cells(scene.kinds)
    return _inside(pixel, share, scene.ids, cell), float(right[things].mean()) if things.any() else None


def _inside(pixel: np.ndarray, share: np.ndarray, ids: np.ndarray, cell: tuple[int, int]) -> float | None:
    """Weight of the places that lie on the cell's thing; None on the ground."""
    own = int(_at_cells(ids)[cell])
    if own == 0:
        return None
    at = np.rint(pixel).astype(int)
    known = (at >= 0).all(1) & (at < ids.shape).all(1)
    return float(share[known][ids[tuple(at[known].T)] == own].sum())


def _layer_gap(image: np.ndarray) -> float:
    """Largest difference of the first deformable layer before its norm to torchvision's operator, over the largest
    value."""
    model: Looker = small.load("deformable")
    look = model.looks[0]
    trace = Trace([], [])
    with torch.no_grad():
        x: Tensor = model.stem(normalised(image).to(model.device))
        ours = look(x, trace)
        theirs = look.norm(dcn(x, trace.offsets[0], look.main.weight, WINDOW, trace.masks[0])).relu()
    return float((ours - theirs).abs().max() / ours.abs().max().clamp_min(1e-9))
