"""Masks that a person draws: strokes of a round brush or eraser, and polygons; and from a mask to a polygon of few
vertices.

Frame: pixels of the picture, (x, y), x right, y down, pixel (i, j) covers [i, i + 1) x [j, j + 1); a pixel belongs to a
shape if its centre does. Letters: (H, W) picture, n vertices. Simplifying follows Ramer (1972) and Douglas and Peucker
(1973).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backends.segment.errors import SegmentError
from backends.segment.formats.polygons import polygons

Point = tuple[float, float]
Stroke = tuple[int, float, tuple[Point, ...]]
"""(label, radius, path): the label is 1 for a brush and 0 for an eraser, the radius is in pixels."""
Ring = tuple[Point, ...]
"""The vertices of a closed outline; its last vertex is joined with its first."""
FEWEST = 3
"""Vertices of the smallest ring."""


def stroked(mask: np.ndarray, stroke: Stroke) -> np.ndarray:
    """A copy of `mask` bool (H, W) with the pixels within `radius` of the path set (label 1) or unset (label 0)."""
    label, radius, path = stroke
    if not path or not radius > 0:
        raise SegmentError("A stroke must have a radius above 0 and at least one point.")
    out = mask.copy()
    for a, b in zip(path, path[1:] or path, strict=False):
        (x0, y0), (x1, y1) = np.minimum(a, b) - radius, np.maximum(a, b) + radius
        rows = slice(max(int(y0), 0), max(int(np.ceil(y1)), 0))
        columns = slice(max(int(x0), 0), max(int(np.ceil(x1)), 0))
        part = out[rows, columns]
        part[_near(part.shape, (columns.start, rows.start), a, b) <= radius * radius] = bool(label)
    return out


def _near(shape: tuple[int, ...], corner: tuple[int, int], a: Point, b: Point) -> np.ndarray:
    """Squared distance (h, w) of the centres of pixels to the segment a b; the first pixel is `corner`."""
    x, y = np.arange(shape[1]) + corner[0] + 0.5 - a[0], np.arange(shape[0])[:, None] + corner[1] + 0.5 - a[1]
    dx, dy = b[0] - a[0], b[1] - a[1]
    t = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-12), 0, 1)
    return (x - t * dx) ** 2 + (y - t * dy) ** 2


def filled(rings: Sequence[Ring], size: tuple[int, int]) -> np.ndarray:
    """bool (H, W): the pixels whose centre an odd number of the rings goes around.

    Raises SegmentError for a ring of fewer than three vertices.
    """
    flips = np.zeros((size[0], size[1] + 1), np.int64)
    for ring in rings:
        if len(ring) < FEWEST:
            raise SegmentError("A polygon must have at least three vertices.")
        for (x0, y0), (x1, y1) in zip(ring, (*ring[1:], ring[0]), strict=True):
            top, bottom = np.clip(np.ceil(np.sort([y0, y1]) - 0.5).astype(int), 0, size[0])
            rows = np.arange(top, bottom)
            if len(rows):
                x = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
                flips[rows, np.clip(np.ceil(x - 0.5).astype(int), 0, size[1])] += 1
    return np.cumsum(flips, axis=1)[:, :-1] % 2 == 1


def outlined(mask: np.ndarray, tolerance: float = 1.0, most: int = 1500) -> list[Ring]:
    """Rings of few vertices whose filling is close to `mask` bool (H, W): no vertex that is left out lies further than
    `tolerance` pixels from the new outline.

    With tolerance 0 the filling is the mask. Rings of less than `tolerance` squared pixels go; where all together have
    more than `most` vertices, the tolerance is doubled until they have not.
    """
    whole = [np.reshape(ring, (-1, 2)) for ring in polygons(mask)]
    while True:
        rings = [r for ring in whole if abs(_area(ring)) > tolerance * tolerance
                 and len(r := _simple(ring, tolerance)) >= FEWEST]
        if sum(map(len, rings)) <= most or not rings:
            return rings
        tolerance = max(2 * tolerance, 0.5)


def _area(ring: np.ndarray) -> float:
    x, y = ring.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _simple(ring: np.ndarray, tolerance: float) -> Ring:
    """The vertices of a ring (n, 2) that count, cut at its first one and the one furthest from it."""
    far = int(((ring - ring[0]) ** 2).sum(1).argmax())
    closed = np.concatenate([ring, ring[:1]])
    keep, parts = {0, far}, [(0, far), (far, len(ring))]
    while parts:
        i, j = parts.pop()
        if j - i < 2:
            continue
        distance = _off(closed[i + 1 : j], closed[i], closed[j])
        k = int(distance.argmax())
        if distance[k] > tolerance:
            keep.add(i + 1 + k)
            parts += [(i, i + 1 + k), (i + 1 + k, j)]
    return tuple((float(x), float(y)) for x, y in ring[sorted(keep)])


def _off(points: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distances (n,) of `points` (n, 2) to the segment a b."""
    d = b - a
    t = np.clip((points - a) @ d / max(d @ d, 1e-12), 0, 1)
    return np.hypot(*(points - a - t[:, None] * d).T)
