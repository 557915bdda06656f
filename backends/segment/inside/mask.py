"""From logits to the mask, and what each answer of the history is worth.

Letters: m masks, (r, c) cells of low-resolution logits that the picture reaches; (y, x) shown pixels, every `every`-th
of the picture; t steps of the history, i clicks left out.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch

from backends import device, shapes
from backends.segment import interact
from backends.segment.inside.capture import Run, cut
from backends.segment.inside.click import FINE
from backends.segment.interact import Step
from backends.segment.segmenter import Embedding, Segmenter

CELLS = 60_000
"""Pixels of a picture that are shown at most."""
OFFSET = 1.0
"""Everything mode moves the threshold by so much either way."""
ALONE = 6
"""The last steps that are left out one by one."""


@dataclass(frozen=True)
class Logits:
    """logits of all masks as the decoder gave them; full: those of the chosen mask at the shown pixels, > 0 is the
    mask; on: the mask on screen there; every: px between two shown pixels; area of the mask in px, of which clean masks
    change `cleaned` px; strict, loose: areas of every mask at the thresholds +offset and -offset, whose ratio is its
    stability."""

    logits: Annotated[np.ndarray, "m r c"]
    full: Annotated[np.ndarray, "y x"]
    on: Annotated[np.ndarray, "y x"]
    every: int
    chosen: int
    area: int
    cleaned: int
    strict: Annotated[np.ndarray, "m"]
    loose: Annotated[np.ndarray, "m"]
    offset: float
    input_size: tuple[int, int]

    @property
    def stability(self) -> np.ndarray:
        """(m,) IoU of the masks at the two thresholds; 0 for an empty one."""
        return self.strict / np.maximum(self.loose, 1)


@dataclass(frozen=True)
class Rated:
    """Predicted and true IoU of every mask after each step, and the chosen ones; known: whether the truth is that of a
    rendered scene, else it is the object's last mask."""

    predicted: Annotated[np.ndarray, "t m"]
    true: Annotated[np.ndarray, "t m"]
    chosen: tuple[int, ...]
    known: bool


@dataclass(frozen=True)
class Left:
    """changes: for each left out step 0 outside of both masks, 1 in both, 2 only with it, 3 only without it; steps: its
    number, from 0; iou of the two masks; areas without it; area with all; every: px between two shown pixels."""

    changes: Annotated[np.ndarray, "i y x"]
    steps: tuple[int, ...]
    iou: tuple[float, ...]
    areas: tuple[int, ...]
    area: int
    every: int


def stride_of(pixels: int, most: int = CELLS) -> int:
    """The smallest k so that every k-th pixel of both axes gives at most `most` of `pixels`."""
    k = 1
    while pixels / (k * k) > most:
        k += 1
    return k


def thin(values: np.ndarray, k: int) -> np.ndarray:
    """Every k-th pixel of (..., H, W)."""
    return values[..., k // 2 :: k, k // 2 :: k]


def logits(run: Run, segmenter: Segmenter, e: Embedding) -> Logits:
    """The chosen mask's logits at both resolutions, and how far the masks move with the threshold."""
    full = device.array(segmenter.upscale(e, run.logits)) - segmenter.sam.mask_threshold
    k, chosen = stride_of(full[0].size), run.shown.chosen
    strict, loose = ((full > side).sum((1, 2)) for side in (OFFSET, -OFFSET))
    on = run.shown.masks[chosen]
    low = cut(torch.from_numpy(run.logits), FINE, e)
    raw = full[chosen] > 0
    return shapes.check(Logits(low, thin(full[chosen], k), thin(on, k), k, chosen, int(raw.sum()),
                               int((raw != on).sum()), strict, loose, OFFSET, e.input_size))


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Of two masks; 1 for two empty ones."""
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else 1.0


def target(mask: np.ndarray, truth: np.ndarray | None) -> tuple[np.ndarray, bool]:
    """The true object (H, W) that overlaps `mask` best among the ids of `truth`, and True; without one the mask itself,
    and False."""
    ids = np.unique(truth[mask]) if truth is not None else ()
    found = [truth == one for one in ids if one]
    return (max(found, key=lambda one: iou(one, mask)), True) if found else (mask, False)


def rated(segmenter: Segmenter, e: Embedding, steps: Sequence[Step], truth: np.ndarray | None,
          smallest: int = 0) -> Rated:
    """The IoU head's answers along the history; it says nothing of a mask that was at hand."""
    asked = [k for k, step in enumerate(steps) if step.mask is None]
    results = [interact.replay(segmenter, e, steps[: k + 1], smallest) for k in asked]
    aim, known = target(results[-1].mask, truth)
    true = np.array([[iou(mask, aim) for mask in r.masks] for r in results])
    predicted, chosen = np.array([r.scores for r in results], float), tuple(r.chosen for r in results)
    return shapes.check(Rated(predicted, true, chosen, known))


def left(segmenter: Segmenter, e: Embedding, steps: Sequence[Step], smallest: int = 0) -> Left:
    """The history replayed without each of its last steps; the choices of the other steps stay."""
    whole = interact.replay(segmenter, e, steps, smallest).mask
    asked = range(max(0, len(steps) - ALONE), len(steps)) if len(steps) > 1 else range(0)
    others = [interact.replay(segmenter, e, [*steps[:i], *steps[i + 1 :]], smallest).mask for i in asked]
    k = stride_of(whole.size * max(1, len(others)))
    changes = [thin(np.where(whole, 2 - one, 3 * one).astype(np.uint8), k) for one in others]
    empty = np.zeros((0, *thin(whole, k).shape), np.uint8)
    same, areas = tuple(iou(whole, one) for one in others), tuple(int(one.sum()) for one in others)
    return shapes.check(Left(np.stack(changes) if changes else empty, tuple(asked), same, areas, int(whole.sum()), k))
