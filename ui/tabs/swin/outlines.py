"""Regions of the samples, drawn by hand: of what the model calls one region, how much lies in it?"""
from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageDraw

Polygon = tuple[tuple[float, float], ...]
SAUCER = ((0.13, 0.6), (0.14, 0.45), (0.18, 0.34), (0.24, 0.26), (0.29, 0.2), (0.29, 0.12), (0.34, 0.07), (0.47, 0.04),
          (0.6, 0.07), (0.67, 0.13), (0.68, 0.2), (0.71, 0.16), (0.71, 0.24), (0.76, 0.33), (0.8, 0.45), (0.81, 0.58),
          (0.785, 0.73), (0.72, 0.85), (0.62, 0.94), (0.47, 0.99), (0.35, 0.96), (0.23, 0.87), (0.16, 0.75))
DARK = ((0.0, 0.0), (0.24, 0.0), (0.0, 0.27))
CAT = ((0.0, 0.39), (0.08, 0.36), (0.09, 0.18), (0.06, 0.0), (0.88, 0.0), (0.79, 0.18), (0.81, 0.3), (0.82, 0.45),
       (0.8, 0.6), (0.77, 0.75), (0.72, 0.9), (0.7, 1.0), (0.0, 1.0))
HELMET = ((0.545, 1.0), (0.545, 0.93), (0.56, 0.84), (0.6, 0.76), (0.66, 0.7), (0.72, 0.675), (0.8, 0.672),
          (0.87, 0.69), (0.92, 0.74), (0.96, 0.82), (0.99, 0.88), (1.0, 0.96), (0.98, 1.0))
EVERYTHING = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))

OUTLINES: dict[str, tuple[Polygon, tuple[Polygon, ...]]] = {
    "chelsea": (EVERYTHING, (CAT,)), "coffee": (EVERYTHING, (SAUCER, DARK)), "astronaut": (HELMET, ()),
}
"""By sample: the outline (x, y) in shares of the sides, and what is cut out of it."""


def drawn(picture: str, size: tuple[int, int]) -> np.ndarray:
    """The region of a sample as bool (h, w)."""
    outline, holes = OUTLINES[picture]
    region = inside(outline, size)
    for hole in holes:
        region &= ~inside(hole, size)
    return region


def inside(polygon: Polygon, size: tuple[int, int]) -> np.ndarray:
    """bool (h, w): which places lie in the polygon."""
    height, width = size
    mask = Image.new("1", (width, height))
    ImageDraw.Draw(mask).polygon([(x * width - 0.5, y * height - 0.5) for x, y in polygon], fill=1)
    return np.array(mask, bool)


def within(picture: str, alike: np.ndarray) -> float:
    """Of the places that are called the clicked one's region (p > 1/2, alike (h, w)), the share in the outline."""
    called = alike > 0.5
    return float(drawn(picture, alike.shape)[called].mean()) if called.any() else 0.0


def known(picture: str, alike: np.ndarray, y: float, x: float) -> float | None:
    """`within` for a click (shares of the sides) that lies in the outline of a sample; else None."""
    if picture not in OUTLINES:
        return None
    height, width = alike.shape
    clicked = min(int(y * height), height - 1), min(int(x * width), width - 1)
    return within(picture, alike) if drawn(picture, alike.shape)[clicked] else None


def given(lesson: Any) -> tuple[float, float]:
    """Of what the clicked patch gives to other patches in the chosen block (mean of the heads) the share that goes to
    those of its region (p > 1/2), and their share of the other patches that it may look at; zeros where there is no
    other."""
    row, alike = lesson.blocks[lesson.chosen], lesson.alike
    (top, left), (height, width) = row.corner, row.inside
    rows, columns = (((np.arange(a, a + m) + 0.5) * full / n).astype(int) for a, m, full, n in zip(
        row.corner, row.inside, alike.shape, row.map, strict=True))
    own, weights = alike[np.ix_(rows, columns)] > 0.5, row.weights.mean(0)
    here = row.token[0] - top, row.token[1] - left
    own[here] = False
    others = weights.sum() - weights[here]
    return float(weights[own].sum() / max(others, 1e-9)), float(own.sum() / max(height * width - 1, 1))
