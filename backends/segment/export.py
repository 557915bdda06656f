"""What leaves the page: cut-outs, mask pictures, polygons and COCO annotations.

Polygons run along pixel edges, so that they hold the mask exactly: coordinates are corners of pixels, x from 0 to W and
y from 0 to H, and pixel (x, y) is inside if its centre (x + 0.5, y + 0.5) is.  COCO's format for annotations:
cocodataset.org/#format-data.
"""
from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from scipy.special import expit

from backends.segment import rle
from backends.segment.errors import SegmentError


@dataclass(frozen=True)
class Labelled:
    """An object to export: its name, mask bool (H, W), and the model's rating of the mask, if any."""

    name: str
    mask: np.ndarray
    score: float | None = None


def _mask(mask: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    if np.shape(mask) != tuple(size):
        raise SegmentError(f"The mask has shape {np.shape(mask)}, the picture {tuple(size)}.")
    return np.asarray(mask, bool)


def cutout(image: np.ndarray, mask: np.ndarray, soft: np.ndarray | None = None, crop: bool = False) -> np.ndarray:
    """uint8 (H, W, 4) with straight alpha: colours are those of `image` (H, W, 3), not multiplied by alpha.

    Alpha is 255 in `mask` (H, W) and 0 elsewhere, or, with `soft`, the sigmoid of these full-size logits (H, W), as from
    `Segmenter.upscale`.  Where alpha is 0 the colour is black, so that nothing hidden travels along.  `crop` keeps the
    smallest rectangle that holds all of alpha.  Raises SegmentError if shapes differ or nothing is left to crop to.
    """
    mask = _mask(mask, image.shape[:2])
    if soft is not None and np.shape(soft) != mask.shape:
        raise SegmentError(f"The logits have shape {np.shape(soft)}, the picture {mask.shape}.")
    alpha = np.where(mask, 255, 0).astype(np.uint8) if soft is None else np.rint(255 * expit(soft)).astype(np.uint8)
    rgba = np.dstack([np.where(alpha[..., None] > 0, image, 0).astype(np.uint8), alpha])
    if not crop:
        return rgba
    ys, xs = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    if not len(ys):
        raise SegmentError("The mask is empty, so there is nothing to crop to.")
    return rgba[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]


def png_bytes(picture: np.ndarray) -> bytes:
    """A PNG file: bool (H, W) as black and white, uint8 (H, W), (H, W, 3) RGB or (H, W, 4) RGBA as it is."""
    pixels = np.where(picture, 255, 0).astype(np.uint8) if picture.dtype == bool else picture
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _corners(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the outline, int (n, 2) as (x, y), and for each whether it lies at a pair of pixels that touch diagonally.

    A corner is a lattice point with an odd number of set pixels among its four; where two set pixels meet diagonally two
    corners coincide and the point is listed twice in a row.
    """
    p = np.pad(mask, 1).astype(np.int8)
    a, b, c, d = p[:-1, :-1], p[:-1, 1:], p[1:, :-1], p[1:, 1:]
    saddle = (a == d) & (b == c) & (a != b)
    times = (a + b + c + d) % 2 + 2 * saddle
    y, x = np.nonzero(times)
    n = times[y, x]
    return np.repeat(np.stack([x, y], 1), n, axis=0), np.repeat(saddle[y, x], n)


def _partners(order: np.ndarray) -> np.ndarray:
    """Corners sorted along their lattice lines are joined two by two; the index of each one's partner."""
    partner = np.empty(len(order), np.int64)
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    return partner


def _links(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Corners (n, 2), and the index of the corner that each is joined with along its row and along its column.

    Of two corners at one point the first is joined to the left.  The same set pixel lies right of the edge upwards or
    downwards, which decides who is joined upwards: pixels that touch only diagonally end up in rings of their own.
    """
    xy, double = _corners(mask)
    first = double & np.append(xy[1:, 0] == xy[:-1, 0], False) & np.append(xy[1:, 1] == xy[:-1, 1], False)
    second = np.append(False, first[:-1])
    up_left = np.pad(mask, 1)[xy[:, 1], xy[:, 0]]
    upward = np.where(up_left, first, second)
    along_row = np.arange(len(xy))
    along_column = np.lexsort((~upward, xy[:, 1], xy[:, 0]))
    return xy, _partners(along_row), _partners(along_column)


def _rings(xy: np.ndarray, row: np.ndarray, column: np.ndarray) -> list[np.ndarray]:
    """Closed walks that take turns between rows and columns, each (k, 2) without repeating its start."""
    row, column = row.tolist(), column.tolist()
    seen, rings = bytearray(len(row)), []
    for start in range(len(row)):
        ring, at = [], start
        while not seen[at]:
            ring += [at, row[at]]
            seen[at] = seen[row[at]] = 1
            at = column[row[at]]
        if ring:
            rings.append(xy[ring])
    return rings


def polygons(mask: np.ndarray) -> list[list[int]]:
    """COCO rings [x0, y0, x1, y1, ...] along the pixel edges of `mask` (H, W), outlines and holes.

    Filled by the even-odd rule, all rings together give the mask back exactly.  An outline runs clockwise on the screen
    and a hole counter-clockwise (the sign of the shoelace area tells them apart); tools that unite the rings, as
    pycocotools does, lose the holes.  Pixels that touch at a corner only have rings of their own.
    """
    mask = np.asarray(mask, bool)
    if mask.ndim != 2:
        raise SegmentError(f"A mask must have shape (H, W), not {mask.shape}.")
    out = []
    for ring in _rings(*_links(mask)):
        x, y = ring[0]  # the first corner in reading order: the walk leaves it to the right, clockwise
        hole = not mask[y, x]
        out.append((np.roll(ring[::-1], 1, axis=0) if hole else ring).ravel().tolist())
    return out


def _annotation(number: int, category: int, thing: Labelled) -> dict[str, Any]:
    ys, xs = np.flatnonzero(thing.mask.any(axis=1)), np.flatnonzero(thing.mask.any(axis=0))
    box = [int(xs[0]), int(ys[0]), int(xs[-1] - xs[0] + 1), int(ys[-1] - ys[0] + 1)] if len(xs) else [0, 0, 0, 0]
    out = {"id": number, "image_id": 1, "category_id": category, "segmentation": rle.encode(thing.mask),
           "polygons": polygons(thing.mask), "area": int(thing.mask.sum()), "bbox": box, "iscrowd": 0}
    return out if thing.score is None else out | {"score": float(thing.score)}


def coco(image_name: str, objects: Sequence[Labelled]) -> dict[str, Any]:
    """A COCO data set of one picture, ready for json.dumps.

    One annotation per object: segmentation as compressed RLE, area in pixels, bbox [x, y, width, height] in pixels, and,
    beyond COCO, `polygons` (see `polygons`) and `score`.  Objects of one name share a category.  Raises SegmentError if
    there is no object or the masks differ in shape.
    """
    if not objects:
        raise SegmentError("There is no object to export.")
    h, w = np.shape(objects[0].mask)
    things = [Labelled(o.name, _mask(o.mask, (h, w)), o.score) for o in objects]
    ids = {name: i + 1 for i, name in enumerate(dict.fromkeys(o.name for o in things))}
    return {
        "images": [{"id": 1, "file_name": image_name, "width": int(w), "height": int(h)}],
        "annotations": [_annotation(i + 1, ids[o.name], o) for i, o in enumerate(things)],
        "categories": [{"id": i, "name": name, "supercategory": ""} for name, i in ids.items()],
    }
