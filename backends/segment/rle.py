"""Run-length codes of masks: COCO's compressed strings, and row-major runs for the browser's canvas.

A run-length code lists the lengths of alternating runs, background first; a mask whose first pixel is set starts
with a run of length 0.  COCO walks down the columns (column-major) and packs the numbers into text as in maskApi.c of
pycocotools: from the fourth number on the difference to the number two places before, then little-endian groups of
5 bits, bit 5 set when more follow, plus 48.  The canvas reads pixels as it paints them, along the rows.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from backends.segment.errors import SegmentError

MAX_PIXELS = 1 << 28
MAX_GROUPS = 7  # 7 groups of 5 bits hold any difference of two 32-bit counts


def _runs(pixels: np.ndarray) -> np.ndarray:
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    counts = np.diff(np.concatenate([[0], changes, [pixels.size]]))
    return np.concatenate([[0], counts]) if pixels[0] else counts


def _pixels(counts: np.ndarray, total: int) -> np.ndarray:
    if counts.size == 0 or counts.min() < 0 or counts.max() > total or counts.sum() != total:
        raise SegmentError(f"The run lengths do not add up to the {total} pixels of the mask.")
    return np.repeat(np.arange(counts.size) % 2 == 1, counts)


def _checked(mask: np.ndarray) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.size == 0:
        raise SegmentError(f"A mask must be a non-empty (H, W) array, not one of shape {mask.shape}.")
    return mask.astype(bool, copy=False)


def counts(mask: np.ndarray) -> np.ndarray:
    """Column-major run lengths of `mask` (H, W): int64 (runs,), background first.  SegmentError on other shapes."""
    return _runs(_checked(mask).T.ravel())


def mask_of(run_lengths: np.ndarray | list[int], size: tuple[int, int]) -> np.ndarray:
    """bool (H, W) from column-major run lengths and `size` = (H, W).  SegmentError if they do not add up."""
    h, w = size
    return _pixels(np.asarray(run_lengths, np.int64), h * w).reshape(w, h).T


def pack(run_lengths: np.ndarray | list[int]) -> str:
    """COCO's text of run lengths (rleToString in maskApi.c)."""
    x = np.array(run_lengths, np.int64)
    x[3:] -= np.asarray(run_lengths, np.int64)[1:-2]
    chars, used = np.zeros((x.size, MAX_GROUPS), np.uint8), np.zeros((x.size, MAX_GROUPS), bool)
    more = np.ones(x.size, bool)
    for k in range(MAX_GROUPS):
        used[:, k] = more
        group, x = x & 31, x >> 5
        more = more & np.where(group & 16, x != -1, x != 0)
        chars[:, k] = group + 32 * more + 48
    return chars[used].tobytes().decode("ascii")


def unpack(text: str) -> np.ndarray:
    """Run lengths int64 (runs,) from COCO's text (rleFrString in maskApi.c).  SegmentError on text that is none."""
    groups = np.frombuffer(text.encode("ascii", "replace"), np.uint8).astype(np.int64) - 48
    last = groups & 32 == 0
    if groups.size == 0 or not last[-1] or groups.min() < 0 or groups.max() > 63:
        raise SegmentError("The run-length text is damaged.")
    starts = np.concatenate([[0], np.flatnonzero(last)[:-1] + 1])
    place = np.arange(groups.size) - np.repeat(starts, np.diff(np.append(starts, groups.size)))
    if place.max() >= MAX_GROUPS:
        raise SegmentError("The run-length text is damaged.")
    x = np.add.reduceat((groups & 31) << (5 * place), starts)
    x -= np.where(groups[last] & 16, np.int64(1) << (5 * (place[last] + 1)), 0)
    x[1::2] = np.cumsum(x[1::2])
    x[2::2] = np.cumsum(x[2::2])
    return x


def encode(mask: np.ndarray) -> dict[str, Any]:
    """{"size": [H, W], "counts": text}, the same as pycocotools.mask.encode, of `mask` (H, W).  JSON-ready."""
    return {"size": list(np.shape(mask)), "counts": pack(counts(mask))}


def lengths(rle: dict[str, Any]) -> np.ndarray:
    """Column-major run lengths int64 (runs,) of {"size": [H, W], "counts": compressed text or list of run lengths}.

    SegmentError if the text is damaged or a length is no whole number.
    """
    given = rle["counts"]
    if isinstance(given, str):
        return unpack(given)
    if not isinstance(given, list) or not all(type(n) is int and 0 <= n < 1 << 32 for n in given):
        raise SegmentError("The run lengths are damaged.")
    return np.asarray(given, np.int64)


def decode(rle: dict[str, Any]) -> np.ndarray:
    """bool (H, W) from {"size": [H, W], "counts": compressed text or list of run lengths}.  SegmentError if damaged."""
    size = rle["size"]
    if not isinstance(size, list | tuple) or len(size) != 2 or not all(type(n) is int and n > 0 for n in size) \
            or size[0] * size[1] > MAX_PIXELS:
        raise SegmentError("The size of the mask is damaged.")
    return mask_of(lengths(rle), tuple(size))


def runs(mask: np.ndarray) -> dict[str, Any]:
    """{"w": W, "h": H, "counts": [...]}: row-major run lengths of `mask` (H, W), background first, for the canvas."""
    mask = _checked(mask)
    return {"w": mask.shape[1], "h": mask.shape[0], "counts": _runs(mask.ravel()).tolist()}
