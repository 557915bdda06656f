"""Offsets of one's own layer on a picture: a file with `offset` and perhaps `mask`, read in the order and the unit that
its owner declares.

The picture is laid over the layer's map, however large that is.  A layer whose output has Ho x Wo cells and stride s
reads a map of n = s Ho by s Wo cells; output cell i is centred on cell s i of it, or, for points without a grid, on the
middle of its s cells.  Units in cells of that map: a stride is s, the whole of [-1, 1] n - 1 (align_corners=True), the
whole of [0, 1] n.  G groups, K taps, P = G K points.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backends import device, weights
from backends.deform import small
from backends.deform.params import DeformParams
from backends.deform.results import Neighbour, Point, Taps
from backends.deform.sampling import Window, corners, kernel_grid, sample
from backends.deform.stack import fitted
from backends.deform.taps import cells_of, off_map
from backends.drawn import hosted
from backends.result import Check, check

MAX_FILE, MAX_SIDE, MAX_POINTS = 256 << 20, 1024, 512
DRAWN = 80                     # cells of the drawn map's longer side at most
FAR = 1e4                      # cells: beyond it a unit must be wrong
OFFSETS, MASKS = ("offset", "offsets"), ("mask", "masks", "modulation")


@dataclass(frozen=True)
class Given:
    """What a file holds: offset (C, Ho, Wo) and mask (M, Ho, Wo) or None, float32."""

    offset: Tensor
    mask: Tensor | None


@dataclass(frozen=True)
class Layout:
    """How numbers are laid out: see ORDERS and UNITS of the settings; `scan` "rows" or "columns"; `kernel` 0: points
    without a grid."""

    order: str = "yx"
    unit: str = "cells"
    kernel: int = 3
    scan: str = "rows"
    groups: int = 1
    dilation: int = 1
    stride: int = 1

    def taps(self, channels: int) -> int:
        """K.  ValueError, one sentence, where so many channels do not fit."""
        groups = f"{self.groups} group{'s' * (self.groups > 1)}"
        if self.kernel == 0:
            if channels % (2 * self.groups):
                raise ValueError(f"Two numbers for each point of {groups} need a multiple of {2 * self.groups} "
                                 f"channels, but the offsets have {channels}.")
            return channels // (2 * self.groups)
        taps = self.kernel**2
        if channels != 2 * taps * self.groups:
            fits = channels // (2 * taps) if channels % (2 * taps) == 0 else 0
            hint = f"; {fits} group{'s' * (fits > 1)} would fit" if fits else ""
            raise ValueError(f"{self.kernel} x {self.kernel} taps in {groups} need {2 * taps * self.groups} channels, "
                             f"but the offsets have {channels}{hint}.")
        return taps


def read(path: Path) -> Given:
    """The file's tensors.  Raises ValueError, one sentence: no safetensors file, other names, shapes or types, too
    large, or values that are not finite."""
    if path.is_file() and path.stat().st_size > MAX_FILE:
        raise ValueError(f"This file is larger than {MAX_FILE >> 20} MB; the offsets of one layer need less.")
    try:
        found = weights.load_file(path, trusted=False)
    except weights.WeightsError as error:
        raise ValueError(str(error)) from None
    named = [next((name for name in names if name in found), None) for names in (OFFSETS, MASKS)]
    if named[0] is None and len(found) == 1:
        named[0] = next(iter(found))
    if named[0] is None:
        raise ValueError(f"This file holds {', '.join(sorted(found)[:4])[:80]}; it needs a tensor called offset and, "
                         "where there are modulations, one called mask.")
    offset, mask = (None if name is None else _checked(name, found[name]) for name in named)
    if offset.shape[0] % 2:
        raise ValueError(f"{named[0]} has {offset.shape[0]} channels; offsets have two numbers for each tap.")
    if mask is not None and (mask.shape[1:] != offset.shape[1:] or 2 * len(mask) != len(offset)):
        raise ValueError(f"{named[1]} has shape {tuple(mask.shape)}; beside offsets of shape {tuple(offset.shape)} it "
                         f"should be {(len(offset) // 2, *offset.shape[1:])}.")
    return Given(offset, mask)


def _checked(name: str, x: Tensor) -> Tensor:
    """One tensor as (C, H, W) float32; DAT's groups, (G, 2, H, W), as (2 G, H, W)."""
    shape = tuple(x.shape)
    if x.dim() == 4 and (len(x) == 1 or x.shape[1] == 2):
        x = x.flatten(0, 1)
    if x.dim() == 4:
        raise ValueError(f"{name} has shape {shape}, a batch of {shape[0]}; the offsets of one picture are needed.")
    if x.dim() != 3 or not x.numel():
        raise ValueError(f"{name} has shape {shape}; it should be (channels, height, width) or (1, channels, height, "
                         "width), without an empty axis.")
    if not x.is_floating_point():
        raise ValueError(f"{name} holds {str(x.dtype).removeprefix('torch.')} numbers; real floating-point ones "
                         "are needed.")
    if max(x.shape[1:]) > MAX_SIDE or len(x) > 2 * MAX_POINTS:
        raise ValueError(f"{name} has shape {shape}; at most {2 * MAX_POINTS} channels and {MAX_SIDE} cells a side can "
                         "be shown.")
    x = x.float()
    if not x.isfinite().all():
        raise ValueError(f"{name} holds values that are not finite (NaN or infinity).")
    return x.contiguous()


def unit(layout: Layout, size: tuple[int, int]) -> Tensor:
    """Cells of the map that is read in one unit, (2,), (y, x); size (Ho, Wo) of the output."""
    read = [n * layout.stride for n in size]
    whole = {"cells": [1, 1], "strides": [layout.stride] * 2, "minus": [(n - 1) / 2 for n in read], "unit": read}
    return torch.tensor(whole[layout.unit], dtype=torch.float64)


def decoded(offset: Tensor, layout: Layout) -> Tensor:
    """Numbers (C, Ho, Wo) as they lie in the file -> offsets (P, Ho, Wo, 2), (y, x) in cells of the map read."""
    taps = layout.taps(len(offset))
    x = offset.double()
    if layout.order in ("yx", "xy"):
        x = x.unflatten(0, (layout.groups, taps, 2)).movedim(2, -1)
    else:
        x = x.unflatten(0, (2, layout.groups, taps)).movedim(0, -1)
    x = x.flip(-1) if layout.order in ("xy", "split_x") else x
    return _row_by_row(x, layout) * unit(layout, tuple(offset.shape[1:]))


def _row_by_row(x: Tensor, layout: Layout) -> Tensor:
    """(G, K, ...) in the file's order of taps -> (P, ...), row by row."""
    if layout.kernel and layout.scan == "columns":
        x = x.unflatten(1, (layout.kernel, layout.kernel)).transpose(1, 2).flatten(1, 2)
    return x.flatten(0, 1)


def written(cells: Tensor, layout: Layout, groups: int) -> Tensor:
    """The inverse of `decoded`, channel by channel: offsets (P, Ho, Wo, 2) in cells -> (2 P, Ho, Wo)."""
    points = len(cells)
    taps, out = points // groups, torch.zeros(2 * points, *cells.shape[1:3], dtype=cells.dtype)
    one = unit(layout, tuple(cells.shape[1:3])).tolist()
    for point in range(points):
        group, tap = divmod(point, taps)
        if layout.kernel and layout.scan == "columns":
            tap = tap % layout.kernel * layout.kernel + tap // layout.kernel
        for axis in range(2):
            second = axis if layout.order in ("yx", "split") else 1 - axis
            place = group * taps + tap
            channel = 2 * place + second if layout.order in ("yx", "xy") else second * points + place
            out[channel] = cells[point, ..., axis] / max(one[axis], 1e-12)
    return out


def regular(layout: Layout, points: int, size: tuple[int, int]) -> Tensor:
    """Where the points would read without offsets, (P, Ho, Wo, 2), in cells of the map that is read."""
    s = layout.stride
    middle = 0.0 if layout.kernel else (s - 1) / 2
    rows, columns = (torch.arange(n, dtype=torch.float64) * s + middle for n in size)
    start = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1)
    if not layout.kernel:
        return start.expand(points, *size, 2)
    grid = kernel_grid(Window((layout.kernel,) * 2, dilation=(layout.dilation,) * 2))
    grid = (grid - layout.dilation * (layout.kernel - 1) / 2).repeat(points // layout.kernel**2, 1)
    return start + grid[:, None, None]


@hosted
def given_of(params: DeformParams, image: np.ndarray, mine: Given | None) -> tuple[Given, Layout]:
    """The file's offsets in the declared layout; or those of the shipped network's first layer on this picture."""
    if params.given != "shipped":
        if mine is None:
            raise ValueError("There are no offsets to show; please choose a file first.")
        runs = params.order == "columns"
        return mine, Layout("xy" if runs else params.order, params.unit, int(params.given),
                            "columns" if runs else "rows", *params.frame)
    model, trace = small.load("deformable"), small.Trace([], [])
    with torch.no_grad():
        model(small.normalised(fitted(image)).to(model.device), trace)
    return Given(*(torch.from_numpy(device.array(t[0][0])) for t in (trace.offsets, trace.masks))), Layout()


@hosted
def own(params: DeformParams, image: np.ndarray, mine: Given | None) -> tuple[Taps, str, tuple[Check, ...]]:
    """The view's body, sentences on what was changed, and its checks.  Raises ValueError, one sentence."""
    if params.given == "shipped":
        params = replace(params, head=0)                              # its own layout, as given_of has it
    given, layout = given_of(params, image, mine)
    size = tuple(given.offset.shape[1:])
    cells = decoded(given.offset, layout)
    if float(cells.abs().max()) > FAR:
        raise ValueError(f"In this unit an offset is {float(cells.abs().max()):.3g} cells long; another unit is meant.")
    taps = len(cells) // layout.groups
    if params.head > layout.groups:
        raise ValueError(f"The offsets have {layout.groups} group{'s' * (layout.groups > 1)}.")
    kept = slice(None) if params.head == 0 else slice((params.head - 1) * taps, params.head * taps)
    plain = regular(layout, len(cells), size)
    mask = torch.ones_like(cells[..., 0]) if given.mask is None else _ordered(given.mask, layout, taps)
    x = cells_of(image, min(DRAWN, layout.stride * max(size)))
    body = _drawn(params, layout, x, (plain + cells)[kept], plain[kept], mask[kept], taps, size)
    back = written(cells, layout, layout.groups)
    gap = float((back - given.offset).abs().max() / given.offset.abs().max().clamp_min(1e-9))
    by_hand = sum(np.array(p.value) * p.weight for p in body.points)
    found = body.whole[params.cell(body.whole.shape[:2])]
    checks = (check("sum of the points", np.abs(by_hand - found).max(), 1e-4,
                    "weights times bilinear values add up to grid_sample's output at this cell"),
              check("written back", gap, 1e-5,
                    "written back in the declared order and unit, they are the given numbers"))
    return body, _said(params, layout, size, image, body), checks


def _ordered(mask: Tensor, layout: Layout, taps: int) -> Tensor:
    """Masks (P, Ho, Wo) with taps row by row."""
    return _row_by_row(mask.double().unflatten(0, (layout.groups, taps)), layout)


def _drawn(params: DeformParams, layout: Layout, x: Tensor, at: Tensor, plain: Tensor, mask: Tensor, taps: int,
           size: tuple[int, int]) -> Taps:
    """Points (P, Ho, Wo, 2), in cells of the map that is read, on the drawn map x (1, 3, h, w)."""
    drawn = tuple(x.shape[-2:])
    factor = torch.tensor([d / (n * layout.stride) for d, n in zip(drawn, size, strict=True)], dtype=torch.float64)
    at, plain = ((v + 0.5) * factor - 0.5 for v in (at, plain))
    share = mask / len(at)
    rows, columns = ((torch.arange(d) * n // d) for d, n in zip(drawn, size, strict=True))
    every = [v[:, rows][:, :, columns] for v in (at, plain, share)]
    whole, still = (torch.einsum("cpyx,pyx->yxc", sample(x.double(), v[None])[0], w)
                    for v, w in ((every[0], every[2]), (every[1], torch.full_like(every[2], 1 / len(at)))))
    start = params.cell(drawn)
    own = int(rows[start[0]]), int(columns[start[1]])
    image = device.array(x[0].permute(1, 2, 0))
    points, around = [], []
    for k, (p, ghost, w, m) in enumerate(zip(at[:, own[0], own[1]].tolist(), plain[:, own[0], own[1]].tolist(),
                                             share[:, own[0], own[1]].tolist(), mask[:, own[0], own[1]].tolist(),
                                             strict=True)):
        four = corners(*p, *drawn)
        value = sum((c.weight * image[c.row, c.column] for c in four if c.inside), np.zeros(3))
        points.append(Point(_name(params, layout, taps, k), tuple(p), tuple(ghost), w, m, tuple(value.tolist())))
        around.append(tuple(Neighbour(c.row, c.column, c.weight, c.inside) for c in four))
    output, flat = (tuple(v[start].tolist()) for v in (whole, still))
    return Taps("own", image, start, tuple(points), tuple(around), output, flat, float(mask[:, own[0], own[1]].sum()),
                (drawn,), device.array(whole.float()), device.array(still.float()))


def _name(params: DeformParams, layout: Layout, taps: int, k: int) -> str:
    """A point in words."""
    group, tap = divmod(k, taps)
    group = group if params.head == 0 else params.head - 1
    if not layout.kernel:
        return f"group {group + 1}, point {tap + 1}"
    return f"group {group + 1}, tap {tap}: row {tap // layout.kernel}, column {tap % layout.kernel}"


def _said(params: DeformParams, layout: Layout, size: tuple[int, int], image: np.ndarray, body: Taps) -> str:
    words = off_map(body.neighbours)
    shape = image.shape[1] / image.shape[0] / (size[1] / size[0])
    if params.given != "shipped" and not 0.9 < shape < 1.1:
        words.append(f"The offsets are for {size[0]} x {size[1]} cells, so the picture is stretched over them.")
    drawn = body.map.shape[:2]
    if tuple(n * layout.stride for n in size) != drawn and 0.9 < shape < 1.1:
        words.append(f"The map has {size[0] * layout.stride} x {size[1] * layout.stride} cells; it is drawn in "
                     f"{drawn[0]} x {drawn[1]}.")
    return " ".join(words)
