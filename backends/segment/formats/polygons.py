"""Outlines of masks along pixel edges: rings with holes, and the single polygons that COCO's and YOLO's tools read.

Coordinates are corners of pixels, x from 0 to W and y from 0 to H, x right, y down; pixel (x, y) is inside if its
centre (x + 0.5, y + 0.5) is.  COCO unites the polygons of an object and YOLO knows one polygon only, so a hole, or a
second part, is joined by a seam that runs there and back and has no area: filled by the even-odd rule, as pycocotools
does, the mask comes back exactly.
"""
from __future__ import annotations

import numpy as np

from backends.segment.errors import SegmentError

Ring = list[tuple[int, int]]


def _corners(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the outline, int (n, 2) as (x, y), and for each whether it lies at a pair of pixels that touch
    diagonally.

    A corner is a lattice point with an odd number of set pixels among its four; where two set pixels meet diagonally
    two corners coincide and the point is listed twice in a row.
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


def _walks(mask: np.ndarray) -> tuple[list[np.ndarray], list[bool]]:
    """Rings (k, 2) from their first corner in reading order, and which are holes: outlines clockwise, holes not."""
    mask = np.asarray(mask, bool)
    if mask.ndim != 2:
        raise SegmentError(f"A mask must have shape (H, W), not {mask.shape}.")
    rings = _rings(*_links(mask))
    holes = [not mask[ring[0, 1], ring[0, 0]] for ring in rings]  # an outline leaves its first corner to the right
    return [np.roll(r[::-1], 1, axis=0) if hole else r for r, hole in zip(rings, holes, strict=True)], holes


def polygons(mask: np.ndarray) -> list[list[int]]:
    """Rings [x0, y0, x1, y1, ...] along the pixel edges of `mask` (H, W), outlines and holes.

    Filled by the even-odd rule, all rings together give the mask back exactly.  An outline runs clockwise on the screen
    and a hole counter-clockwise (the sign of the shoelace area tells them apart).  Pixels that touch at a corner only
    have rings of their own.
    """
    return [ring.ravel().tolist() for ring in _walks(mask)[0]]


def _edges(rings: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Horizontal edges (n, 4) as (y, least x, ring, place in the ring), sorted; and the x where each begins."""
    found = []
    for number, ring in enumerate(rings):
        (x, y), (x1, y1) = ring.T, np.roll(ring, -1, axis=0).T
        place = np.flatnonzero(y == y1)
        found.append(np.stack([y[place], np.minimum(x, x1)[place], np.full(len(place), number), place, x[place]], 1))
    table = np.concatenate(found)
    table = table[np.lexsort((table[:, 1], table[:, 0]))]
    return table[:, :4], table[:, 4]


def _seams(mask: np.ndarray, rings: list[np.ndarray], holes: list[bool]) -> dict[int, list[tuple]]:
    """For each ring the holes that hang on it: (place in the ring, steps along that edge, point, hole).

    The seam of a hole runs upwards from its first corner to the nearest edge above.
    """
    table, begins = _edges(rings)
    keys, width = table[:, 0] * (mask.shape[1] + 1) + table[:, 1], mask.shape[1] + 1
    hanging: dict[int, list[tuple]] = {}
    for hole in np.flatnonzero(holes):
        x, y = rings[hole][0].tolist()
        blocked = np.flatnonzero(~mask[:y, x])
        top = int(blocked[-1]) + 1 if len(blocked) else 0
        edge = np.searchsorted(keys, top * width + x, side="right") - 1
        ring, place = table[edge, 2:].tolist()
        hanging.setdefault(ring, []).append((place, abs(x - int(begins[edge])), (x, top), int(hole)))
    return hanging


def _without_steps_on_the_spot(ring: Ring) -> Ring:
    return [p for i, p in enumerate(ring) if p != ring[i - 1]]


def _sewn(mask: np.ndarray) -> list[Ring]:
    """One closed walk for each part of the mask (pixels joined by edges), with its holes on seams."""
    mask = np.asarray(mask, bool)
    rings, holes = _walks(mask)
    if not any(holes):
        return [list(map(tuple, ring.tolist())) for ring in rings]
    hanging, done = _seams(mask, rings, holes), {}
    for number in sorted(range(len(rings)), key=lambda r: (not holes[r], -rings[r][0, 1])):  # a hole hangs on one above
        walk, waiting = [], sorted(hanging.get(number, []))
        for place, corner in enumerate(map(tuple, rings[number].tolist())):
            walk.append(corner)
            while waiting and waiting[0][0] == place:
                _, _, point, hole = waiting.pop(0)
                walk += [point, *done[hole], done[hole][0], point]
        done[number] = walk
    return [_without_steps_on_the_spot(done[r]) for r in range(len(rings)) if not holes[r]]


def outlines(mask: np.ndarray) -> list[list[int]]:
    """COCO's polygons [x0, y0, x1, y1, ...] of `mask` (H, W): one for each part, its holes joined to it by seams."""
    return [[v for corner in ring for v in corner] for ring in _sewn(mask)]


def outline(mask: np.ndarray) -> list[int]:
    """YOLO's polygon [x0, y0, x1, y1, ...] of `mask` (H, W): all parts and holes in one closed walk; [] if empty."""
    rings = _sewn(mask)
    walk = [corner for ring in rings for corner in (*ring, ring[0])]
    back = [ring[0] for ring in rings[-2:0:-1]]
    return [v for corner in _without_steps_on_the_spot(walk + back) for v in corner]
