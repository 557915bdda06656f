"""A history of clicks as a pure function: the page, a link, the endpoint and exported Python all replay the same steps.

One step adds clicks or sets the box; the masks of step k come from everything pointed at up to k and, as SAM was
trained (arXiv 2304.02643, appendix A), from the logits of the mask that was chosen at step k - 1.  Three masks are
asked for at every step, so that there always is something to choose from.

A bounded memory of logits makes a further click cost one run of the decoder.  It changes the time and never the result.
"""
from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backends.segment.cache import ByteLRU
from backends.segment.errors import SegmentError
from backends.segment.segmenter import Embedding, Segmenter

LOGITS = ByteLRU(64 << 20)  # three masks of 256 x 256 take 0.75 MiB
MAX_STEPS = 200


@dataclass(frozen=True)
class Step:
    """One click, ((x, y, label),) in pixels of the picture with label 1 (in) or 0 (out), or one box (x0, y0, x1, y1).

    choice: the index of the mask that the user picked after this step; None is the one that the model rates best.
    """

    points: tuple[tuple[float, float, int], ...] = ()
    box: tuple[float, float, float, float] | None = None
    choice: int | None = None


@dataclass(frozen=True)
class Result:
    """After the last step: masks bool (M, H, W), scores float32 (M,) in [0, 1], logits float32 (M, h, w), chosen index.

    choices: the index chosen at each step; decoded: how many steps ran the decoder now; milliseconds in all.
    """

    masks: np.ndarray
    scores: np.ndarray
    logits: np.ndarray
    chosen: int
    choices: tuple[int, ...]
    decoded: int
    milliseconds: float

    @property
    def mask(self) -> np.ndarray:
        """The chosen mask, bool (H, W)."""
        return self.masks[self.chosen]


def _chosen(step: Step, scores: np.ndarray) -> int:
    if step.choice is None:
        return int(scores.argmax())
    if not 0 <= step.choice < len(scores):
        raise SegmentError(f"There is no mask number {step.choice} among {len(scores)}.")
    return int(step.choice)


def _decode(segmenter: Segmenter, e: Embedding, steps: Sequence[Step], previous: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Logits (M, h, w) and clamped scores (M,) of the last of `steps`, from all points and the latest box."""
    points = [p for step in steps for p in step.points]
    boxes = [step.box for step in steps if step.box is not None]
    if any(len(p) != 3 for p in points):
        raise SegmentError("A click must be three numbers: x, y and the label.")
    xy, labels = [p[:2] for p in points], [p[2] for p in points]
    logits, scores = segmenter.decode(e, xy, labels, boxes[-1] if boxes else None, previous, multimask=True)
    return logits.cpu().numpy(), scores.clamp(0, 1).cpu().numpy()


def _past(steps: Sequence[Step]) -> tuple:
    return tuple((tuple(tuple(p) for p in s.points), None if s.box is None else tuple(s.box)) for s in steps)


def replay(segmenter: Segmenter, embedding: Embedding, steps: Sequence[Step]) -> Result:
    """The result of the whole history `steps` on one picture.

    Raises SegmentError if there are no steps, if a step points at nothing or outside the picture, or if a choice does
    not exist.
    """
    start, decoded, choices, previous = time.perf_counter(), 0, (), None
    if not 0 < len(steps) <= MAX_STEPS:
        raise SegmentError(f"A history must have 1 to {MAX_STEPS} steps, not {len(steps)}.")
    for k, step in enumerate(steps):
        if not step.points and step.box is None:
            raise SegmentError(f"Step {k + 1} holds neither a click nor a box.")
        key = (embedding.key, str(segmenter.device), _past(steps[: k + 1]), choices)
        found = LOGITS.get(key)
        if found is None:
            found, decoded = _decode(segmenter, embedding, steps[: k + 1], previous), decoded + 1
            LOGITS.put(key, found, found[0].nbytes)
        logits, scores = found
        choices += (_chosen(step, scores),)
        previous = logits[choices[-1]]
    masks = (segmenter.upscale(embedding, logits) > segmenter.sam.mask_threshold).cpu().numpy()
    return Result(masks, scores.copy(), logits.copy(), choices[-1], choices, decoded, 1e3 * (time.perf_counter() - start))
