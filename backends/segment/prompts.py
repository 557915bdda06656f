"""Checks what a user points at, and puts it into the form that the model reads.

Coordinates are (x, y) in pixels of the picture, x to the right and y down, floats allowed; integers are pixel centres
(the prompt encoder adds the half pixel itself).  Boxes are (x0, y0, x1, y1).
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.segment.errors import SegmentError


@dataclass(frozen=True)
class Prompt:
    """A checked prompt: points float64 (N, 2) with labels int (N,), box float64 (4,) ordered, mask float32 (h, w)."""

    points: np.ndarray | None
    labels: np.ndarray | None
    box: np.ndarray | None
    mask: np.ndarray | None

    @property
    def ambiguous(self) -> bool:
        """True for one single point: several objects (part, whole) may be meant, so three masks are worth having."""
        return self.points is not None and len(self.points) == 1 and self.box is None and self.mask is None


def _numbers(value: Any, what: str) -> np.ndarray:
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise SegmentError(f"The {what} must be numbers.") from None
    if not np.isfinite(array).all():
        raise SegmentError(f"The {what} must be finite numbers.")
    return array


def check_points(points: Any, labels: Any, size: tuple[int, int]) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Points (N, 2) and labels (N,) of 1 (in the object) or 0 (not in it) inside a picture of `size` (H, W).

    None or no points at all give (None, None).  Repeated points are fine.  Raises SegmentError.
    """
    xy = _numbers([] if points is None else points, "points")
    if xy.size == 0:
        return None, None
    if xy.ndim != 2 or xy.shape[1] != 2:
        raise SegmentError(f"The points must have shape (N, 2), not {xy.shape}.")
    marks = np.ones(len(xy)) if labels is None else _numbers(labels, "labels")
    if marks.shape != (len(xy),) or not np.isin(marks, (0, 1)).all():
        raise SegmentError(f"There must be one label, 1 or 0, for each of the {len(xy)} points.")
    h, w = size
    outside = ((xy < 0) | (xy >= (w, h))).any(axis=1)
    if outside.any():
        x, y = xy[outside][0]
        raise SegmentError(f"The point ({x:g}, {y:g}) lies outside the picture of {w} x {h} pixels.")
    return xy, marks.astype(np.int64)


def check_box(box: Any, size: tuple[int, int]) -> np.ndarray | None:
    """A box dragged in any direction as ordered (x0, y0, x1, y1) inside a picture of `size` (H, W).  Raises
    SegmentError."""
    if box is None:
        return None
    corners = _numbers(box, "box")
    if corners.shape != (4,):
        raise SegmentError(f"A box must be four numbers x0, y0, x1, y1, not an array of shape {corners.shape}.")
    corners = np.concatenate([np.minimum(corners[:2], corners[2:]), np.maximum(corners[:2], corners[2:])])
    h, w = size
    if (corners[:2] < 0).any() or (corners[2:] > (w, h)).any():
        raise SegmentError(f"The box reaches outside the picture of {w} x {h} pixels.")
    if (corners[:2] == corners[2:]).any():
        raise SegmentError("The box has no area.")
    return corners


def check_mask(mask: Any, shape: tuple[int, int] | None) -> np.ndarray | None:
    """Logits of an earlier prediction, (h, w) or (1, h, w), as float32 (h, w); `shape` is what the model reads."""
    if mask is None:
        return None
    logits = _numbers(mask, "mask logits").astype(np.float32)
    logits = logits[0] if logits.ndim == 3 and len(logits) == 1 else logits
    if logits.ndim != 2 or (shape is not None and logits.shape != shape):
        raise SegmentError(f"The mask logits must have shape {shape}, not {logits.shape}.")
    return logits


def check(points: Any, labels: Any, box: Any, mask: Any, size: tuple[int, int],
          mask_shape: tuple[int, int] | None) -> Prompt:
    """The checked prompt on a picture of `size` (H, W).  Raises SegmentError, also if nothing is asked for."""
    prompt = Prompt(*check_points(points, labels, size), check_box(box, size), check_mask(mask, mask_shape))
    if prompt.points is None and prompt.box is None and prompt.mask is None:
        raise SegmentError("Nothing to segment: give at least one point, a box or a mask.")
    return prompt
