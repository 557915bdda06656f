"""One output of one operator on a picture: where it reads, with which weights, and what comes out, there and
everywhere.

The map is the picture itself in a few cells, red, green and blue in 0..1, so that an output is a colour.  Projections
are left out (DCNv3's and Deformable DETR's are the identity, all of their heads read all colours); DAT's queries and
keys are the standardised colours, so that its attention is likeness of colour.  `noise` draws the layer that gives
offsets at random where no training is claimed.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import ndimage
from torch import Tensor

from backends import device
from backends.deform import dat, operators
from backends.deform.params import HEADS, LEVELS, ON_TAPS, POINTS, TAPS, DeformParams
from backends.deform.results import Neighbour, Point, Taps
from backends.deform.sampling import Window, corners, kernel_grid, pack, sample
from backends.drawn import hosted, normal, placed, seeded
from backends.result import Check, check

KERNELS = {"mean": (((1, 1, 1),) * 3, 9), "sobel": (((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)), 4),
           "sharpen": (((-1, -1, -1), (-1, 17, -1), (-1, -1, -1)), 9)}
"""Rows of each kernel, and what they are divided by."""
LIKENESS = 1.2                 # DAT's queries and keys are this times the standardised colour
UNROLLED = ("dcn3", "dcn4")    # no kernel; the offset scale
CORNER, EDGE = 1.5, 1e-8       # cells of blur of the structure tensor; what counts as no edge at all


@dataclass(frozen=True)
class Reading:
    """What an operator does at one cell and everywhere.  P points at `at` (P, 2), (y, x) in cells of the drawn map,
    `ghost` (P, 2) without offsets, `weight` and `share` (P,), `value` (P, 3); `whole` and `regular` (3, H, W)."""

    names: tuple[str, ...]
    at: Tensor
    ghost: Tensor
    weight: Tensor
    share: Tensor
    value: Tensor
    group: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]
    whole: Tensor
    regular: Tensor


def cells_of(image: np.ndarray, longest: int) -> Tensor:
    """uint8 (H, W, 3) -> its map (1, 3, h, w) in 0..1, float32: box means, `longest` cells on the longer side, at least
    one on the other; on the host."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX), np.float32) / 255
    return torch.from_numpy(small).permute(2, 0, 1)[None]


def kernel_of(name: str, like: Tensor) -> Tensor:
    """A kernel (3, 3) of KERNELS, as float32 on the device of `like`."""
    rows, whole = KERNELS[name]
    return torch.tensor(rows, dtype=torch.float32, device=like.device) / whole


@hosted
def affine(turn: float, grow: float, shear: float) -> Tensor:
    """The matrix (2, 2) on (y, x): x is moved by shear * y, both are grown, then turned clockwise by `turn` degrees as
    seen (y down); on the host."""
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    rotation, sheared = (torch.tensor([[c, s], [-s, c]], dtype=torch.float64),
                         torch.tensor([[1.0, 0], [shear, 1]], dtype=torch.float64))
    return grow * rotation @ sheared


def along(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Direction (H, W, 2), (y, x), of the edge at every cell of a map (H, W), x >= 0, and how sure it is, 0..1.

    The eigenvector of the smaller eigenvalue of the structure tensor (Bigün and Granlund 1987), and the eigenvalues'
    difference over their sum.
    """
    dy, dx = ndimage.sobel(grey, 0), ndimage.sobel(grey, 1)
    yy, xx, yx = (ndimage.gaussian_filter(v, CORNER) for v in (dy * dy, dx * dx, dy * dx))
    turn = 0.5 * np.arctan2(2 * yx, xx - yy) + np.pi / 2
    way = np.stack([np.sin(turn), np.cos(turn)], -1)
    way *= np.where(way[..., 1:] < 0, -1, 1)
    total = xx + yy
    sure = np.where(total > EDGE, np.hypot(xx - yy, 2 * yx) / np.maximum(total, EDGE), 0)
    return way, sure


@hosted
def offsets_of(params: DeformParams, x: Tensor, window: Window) -> Tensor:
    """Offsets (K, H, W, 2), (dy, dx) in cells, of nine taps at every cell: the user's own, or the pattern's; on
    the host."""
    height, width = x.shape[-2:]
    taps = kernel_grid(window) - torch.tensor(window.padding, dtype=torch.float64)
    if params.offsets:
        moved = torch.tensor(params.offsets, dtype=torch.float64)
    elif params.pattern == "affine":
        moved = taps @ affine(params.turn, params.grow, params.shear).T - taps
    else:
        way, sure = (torch.from_numpy(v) for v in along(device.array(x[0].mean(0).double())))
        across = torch.stack([way[..., 1], -way[..., 0]], -1)
        goal = taps[:, None, None, :1] * across + taps[:, None, None, 1:] * params.grow * way
        return (goal - taps[:, None, None]) * sure[..., None]
    return moved[:, None, None].expand(-1, height, width, -1)


def _around(x: Tensor, at: Tensor) -> Tensor:
    """Values (P, 3) of x (1, 3, H, W) at (P, 2)."""
    return sample(x.double(), at.double()[None])[0].T


@placed
def _dcn(params: DeformParams, x: Tensor, start: tuple[int, int]) -> Reading:
    """DCNv1 to v4 on the same taps."""
    reach = params.dilation
    window = Window((3, 3), (1, 1), (reach, reach), (reach, reach))
    offset = offsets_of(params, x, window).to(x.device)
    raw = torch.tensor(params.raw or (0.0,) * TAPS, dtype=torch.float64)
    field = pack(offset[None, None]).float()
    size = x.shape[-2:]
    ghost = kernel_grid(window).to(x.device) + torch.tensor(start, dtype=torch.float64) - reach
    if params.operator in UNROLLED:
        share = weight = raw.softmax(0) if params.operator == "dcn3" else raw
        at = torch.tensor(start) + params.scale * (ghost - torch.tensor(start) + offset[:, start[0], start[1]])
        whole, regular = _gathered(params, x, offset, raw, window)
    else:
        share = raw.sigmoid() if params.operator == "dcn2" else torch.ones(TAPS, dtype=torch.float64)
        weight = share * kernel_of(params.kernel, x).flatten()
        at = ghost + offset[:, start[0], start[1]]
        kernel = kernel_of(params.kernel, x).expand(3, 1, 3, 3).contiguous()
        whole = operators.dcn(x, field, kernel, window,
                              share.float()[None, :, None, None].expand(1, TAPS, *size).contiguous())
        regular = F.conv2d(x, kernel, padding=reach, dilation=reach, groups=3)
    names = tuple(f"tap {k}: row {k // 3}, column {k % 3}" for k in range(TAPS))
    return Reading(names, at, ghost, weight, share, _around(x, at), (0,) * TAPS, (tuple(size),), whole[0], regular[0])


def _gathered(params: DeformParams, x: Tensor, offset: Tensor, raw: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """DCNv3's or DCNv4's outputs (1, 3, H, W) everywhere, with the offsets (K, H, W, 2) and raw modulations (K,), and
    with neither: the operators want taps column by column and (x, y)."""
    size = x.shape[-2:]
    moved = offset.unflatten(0, (3, 3)).transpose(0, 1).flatten(0, 1).permute(1, 2, 0, 3).flip(-1).flatten(2)[None]
    moved, order = moved.float(), raw.view(3, 3).T.reshape(-1).float().expand(1, *size, TAPS)
    if params.operator == "dcn3":
        return (operators.dcnv3(x, moved, order, window, 1, params.scale),
                operators.dcnv3(x, torch.zeros_like(moved), torch.zeros_like(order), window, 1))
    even = torch.full_like(order, 1 / TAPS)
    return tuple(operators.dcnv4(x, torch.cat(both, -1), window, 1, scale)
                 for both, scale in (((moved, order), params.scale), ((torch.zeros_like(moved), even), 1.0)))


@placed
def _query(x: Tensor, wide: int, seed: int, noise: float) -> Tensor:
    """What a random linear layer (wide, 7) of standard deviation `noise` makes of every cell's colour and place: (H W,
    wide); zeros (1, wide) for all where `noise` is 0."""
    if noise == 0:
        return x.new_zeros(1, wide)
    height, width = x.shape[-2:]
    places = torch.stack(torch.meshgrid(torch.linspace(0, math.pi, height), torch.linspace(0, math.pi, width),
                                        indexing="ij"), -1)
    known = torch.cat([x[0].permute(1, 2, 0) - 0.5, places.sin() - 0.5, places.cos()], -1).flatten(0, 1)
    weight = normal(wide, known.shape[-1], random=seeded(seed), dtype=torch.float64).to(x.device)
    return known @ (weight.T * noise).float()


@placed
def _reference(height: int, width: int, box: float) -> Tensor:
    """Deformable DETR's reference of every cell: its centre, or a box about it, (1, H W, LEVELS, 2 or 4), (x, y)."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centre = torch.stack([(columns + 0.5) / width, (rows + 0.5) / height], -1).flatten(0, 1)
    reference = centre[None, :, None].expand(1, -1, LEVELS, 2)
    return torch.cat([reference, torch.full_like(reference, box)], -1) if box else reference


@placed
def _msda(params: DeformParams, x: Tensor, start: tuple[int, int]) -> Reading:
    """Deformable DETR: levels of 1, 2, 4, 8 cells, offsets of the initialisation plus a random layer's.

    All heads read the same colours here, and their mean is what comes out; so they are given to the operator as further
    points of one head, which reads each level once."""
    height, width = x.shape[-2:]
    levels = [F.avg_pool2d(x, 2**level, ceil_mode=True, count_include_pad=False) for level in range(LEVELS)]
    sizes = [(v.shape[-2], v.shape[-1]) for v in levels]
    heads = tuple(range(HEADS)) if params.head == 0 else (params.head - 1,)
    drawn = _query(x, HEADS * LEVELS * POINTS * 3, params.seed, params.noise)
    drawn = drawn.unflatten(-1, (HEADS, LEVELS, POINTS, 3))[None, :, list(heads)]
    offset = operators.star(HEADS, LEVELS, POINTS)[list(heads)].to(drawn) + drawn[..., :2]
    weights = drawn[..., 2].flatten(-2).softmax(-1).unflatten(-1, (LEVELS, POINTS)) / len(heads)
    at = operators.locations(_reference(height, width, params.box), offset, sizes)
    joined, shares = at.movedim(2, 3).flatten(3, 4), weights.movedim(2, 3).flatten(3, 4)
    shares = shares.expand(-1, height * width, -1, -1)
    whole = operators.msda([v[:, None] for v in levels], joined[:, :, None], shares[:, :, None])[0, :, 0]
    query = start[0] * width + start[1]
    here, share = at[0, query].double(), weights[0, min(query, weights.shape[1] - 1)].double().flatten()
    inside = [(here[:, k] * torch.tensor(size[::-1]) - 0.5).flip(-1).flatten(0, 1) for k, size in enumerate(sizes)]
    value = torch.stack([_around(v, at).unflatten(0, (-1, POINTS)) for v, at in zip(levels, inside, strict=True)], 1)
    names = tuple(f"head {h + 1}, level {level + 1}, point {p + 1}" for h in heads for level in range(LEVELS)
                  for p in range(POINTS))
    cells = (here * torch.tensor([width, height]) - 0.5).flip(-1).flatten(0, 2)
    group = tuple(level for _ in heads for level in range(LEVELS) for _ in range(POINTS))
    ghost = torch.tensor(start, dtype=torch.float64).expand(len(cells), 2)
    return Reading(names, cells, ghost, share, share, value.flatten(0, 2), group, tuple(sizes),
                   _map(whole, height), x[0])


def _map(values: Tensor, height: int) -> Tensor:
    """(H W, 3) -> (3, H, W)."""
    return values.T.unflatten(1, (height, -1)).float()


@placed
def _dat(params: DeformParams, x: Tensor, start: tuple[int, int]) -> Reading:
    """DAT and DAT++: keys at places that all queries share; one head, one group, no position bias."""
    reach = params.factor if params.operator == "dat" else None
    height, width = x.shape[-2:]
    step = min(params.stride, height, width)
    mean, spread = x.mean((2, 3), keepdim=True), x.std((2, 3), keepdim=True, correction=0).clamp_min(1e-3)
    z = (x - mean) / spread
    draw = seeded(params.seed)
    depthwise, point = (normal(*shape, random=draw, dtype=torch.float64).float().to(x.device)
                        for shape in ((3, 1, step, step), (2, 3)))
    eye, ones = torch.eye(3), torch.ones(3)

    def attended(noise: float) -> tuple[Tensor, Tensor, Tensor]:
        w = dat.DatWeights(LIKENESS * eye, LIKENESS * eye, eye, depthwise / step, ones, 0 * ones, noise * point)
        return dat.attend(z, w, 1, 1, step, reach)

    out, places, attention = attended(params.noise)
    plain, still, _ = attended(0.0)
    most = torch.tensor([height - 1, width - 1], dtype=torch.float64)
    keys = places[0, 0].flatten(0, 1).double()
    ghost = still[0, 0].flatten(0, 1).double()
    share = attention[0, 0, start[0] * width + start[1]].double()
    value = dat.dat_read(z, places[:, 0])[0].flatten(1).T
    names = tuple(f"key {k}" for k in range(len(keys)))
    coloured = (value * spread.flatten() + mean.flatten()), *((v * spread + mean)[0] for v in (out, plain))
    return Reading(names, (keys + 1) / 2 * most, (ghost + 1) / 2 * most, share, share, coloured[0], (0,) * len(keys),
                   ((height, width),), *coloured[1:])


READINGS: dict[str, Callable[[DeformParams, Tensor, tuple[int, int]], Reading]] = {
    **dict.fromkeys(ON_TAPS, _dcn), "msda": _msda, "dat": _dat, "dat2": _dat}


def taps(params: DeformParams, image: np.ndarray) -> tuple[Taps, str, tuple[Check, ...]]:
    """The view's body, a sentence on what was changed, and its checks.  Raises ValueError, one sentence."""
    x = cells_of(image, params.cells).to(device.exact())
    height, width = x.shape[-2:]
    start = params.cell((height, width))
    r = READINGS[params.operator](params, x, start)
    output, plain = (tuple(v[:, start[0], start[1]].tolist()) for v in (r.whole, r.regular))
    around = tuple(_neighbours(at, r.sizes[group], (height, width))
                   for at, group in zip(r.at.tolist(), r.group, strict=True))
    rows = zip(r.names, r.at.tolist(), r.ghost.tolist(), r.weight.tolist(), r.share.tolist(), r.value.tolist(),
               r.group, strict=True)
    points = tuple(Point(name, tuple(at), tuple(ghost), w, m, tuple(v), g) for name, at, ghost, w, m, v, g in rows)
    body = Taps(params.operator, device.array(x[0].permute(1, 2, 0)), start, points, around, output, plain,
                float(r.share.sum()), r.sizes,
                *(device.array(v.permute(1, 2, 0)) for v in (r.whole, r.regular)))
    return body, _said(params, (height, width), around), _checks(params, r, start, x)


def _neighbours(at: list[float], size: tuple[int, int], drawn: tuple[int, int]) -> tuple[Neighbour, ...]:
    """The four cells of a group's own map around a position that is given in cells of the drawn one."""
    y, x = ((v + 0.5) / whole * n - 0.5 for v, n, whole in zip(at, size, drawn, strict=True))
    return tuple(Neighbour(c.row, c.column, c.weight, c.inside) for c in corners(y, x, *size))


def _said(params: DeformParams, size: tuple[int, int], around: tuple[tuple[Neighbour, ...], ...]) -> str:
    words = off_map(around)
    if params.operator in ("dat", "dat2") and params.stride > min(size):
        words.append(f"The stride is {min(size)}: the map has no more cells on its shorter side.")
    return " ".join(words)


def off_map(around: tuple[tuple[Neighbour, ...], ...]) -> list[str]:
    """A sentence on points of whose four cells none is on the map, where there are any."""
    outside = sum(not any(one.inside for one in four) for four in around)
    return [f"{outside} of {len(around)} points lie off the map and read zeros."] if outside else []


def _checks(params: DeformParams, r: Reading, start: tuple[int, int], x: Tensor) -> tuple[Check, ...]:
    """The operator's output against the sum over its points; and what its weights promise, or its library's
    convolution."""
    by_hand = (r.weight[:, None] * r.value.double()).sum(0)
    gap = float((by_hand - r.whole[:, start[0], start[1]].double()).abs().max())
    name = "torchvision's output" if params.operator in ("dcn1", "dcn2") else "the operator's output"
    found = [check("sum of the points", gap, 1e-4, f"weights times bilinear values add up to {name} at this cell")]
    if params.operator in ("dcn1", "dcn2"):
        reach = params.dilation
        window = Window((3, 3), (1, 1), (reach, reach), (reach, reach))
        kernel = kernel_of(params.kernel, x).expand(3, 1, 3, 3).contiguous()
        zero = operators.dcn(x, x.new_zeros(1, 2 * TAPS, *x.shape[-2:]), kernel, window)
        gap = float((zero[0] - r.regular).abs().max())
        words = "with zero offsets torchvision's operator is the plain convolution, everywhere"
        found.append(check("zero offsets", gap, 1e-5, words))
    elif params.operator == "dcn4":
        half = READINGS["dcn4"](replace(params, raw=tuple(v / 2 for v in params.raw)), x, start)
        gap = float((2 * half.whole - r.whole).abs().max())
        found.append(check("no softmax", gap, 1e-4, "half the modulations give half the output, everywhere"))
    else:
        gap = abs(float(r.share.sum()) - 1)
        found.append(check("weights", gap, 1e-6, "the weights sum to 1"))
    return tuple(found)
