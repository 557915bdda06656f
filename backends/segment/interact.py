"""A history of clicks as a pure function: the page, a link, the endpoint and exported Python all replay the same steps.

One step adds clicks or sets the box; a history may begin with a mask that is at hand, such as an imported one, which
stands as it is until a click refines it.  The masks of step k come from everything pointed at up to k and, as SAM was
trained (arXiv 2304.02643, appendix A), from the logits of the mask that was chosen at step k - 1.  Three masks are
asked for at every step, so that there always is something to choose from.

A bounded memory of logits makes a further click cost one run of the decoder.  It changes the time and never the result.
"""
from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from backends import device
from backends.cache import ByteLRU
from backends.segment import drawn, rle
from backends.segment.clean import cleaned
from backends.segment.errors import SegmentError
from backends.segment.segmenter import Embedding, Segmenter

LOGITS = ByteLRU(64 << 20)  # three masks of 256 x 256 take 0.75 MiB
MAX_STEPS = 200
SURE = 10.0  # the logit of a pixel inside a mask that is at hand


@dataclass(frozen=True)
class Step:
    """One click, ((x, y, label),) in pixels of the picture with label 1 (in) or 0 (out), one box (x0, y0, x1, y1), one
    stroke of a brush (see `drawn.Stroke`), or the rings of a polygon.

    choice: the index of the mask that the user picked after this step; None is the one that the model rates best.
    mask: COCO's run lengths {"size": [H, W], "counts"} of a mask to start from, in place of a click; first step only.
    """

    points: tuple[tuple[float, float, int], ...] = ()
    box: tuple[float, float, float, float] | None = None
    choice: int | None = None
    mask: dict[str, Any] | None = None
    stroke: drawn.Stroke | None = None
    rings: tuple[drawn.Ring, ...] | None = None


@dataclass(frozen=True)
class Result:
    """After the last step: masks bool (M, H, W), scores float32 (M,) in [0, 1], logits float32 (M, h, w), chosen index.

    choices: the index chosen at each step; decoded: how many steps ran the decoder now; milliseconds in all.  Of a mask
    that was at hand there is no rating: its score is NaN.
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


def decode(segmenter: Segmenter, e: Embedding, steps: Sequence[Step],
           previous: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Logits (M, h, w) and clamped scores (M,) of the last of `steps`, from all points and the latest box."""
    points = [p for step in steps for p in step.points]
    boxes = [step.box for step in steps if step.box is not None]
    if any(len(p) != 3 for p in points):
        raise SegmentError("A click must be three numbers: x, y and the label.")
    xy, labels = [p[:2] for p in points], [p[2] for p in points]
    logits, scores = segmenter.decode(e, xy, labels, boxes[-1] if boxes else None, previous, multimask=True)
    return device.array(logits), device.array(scores.clamp(0, 1))


def _past(steps: Sequence[Step]) -> tuple:
    return tuple((tuple(tuple(p) for p in s.points), None if s.box is None else tuple(s.box)) for s in steps)


def _at_hand(step: Step, e: Embedding) -> np.ndarray:
    """The mask (H, W) that the history begins with."""
    if tuple(step.mask["size"]) != tuple(e.size):
        raise SegmentError(f"The mask has size {tuple(step.mask['size'])}, the picture {tuple(e.size)}.")
    return rle.decode(step.mask)


def mask_logits(segmenter: Segmenter, e: Embedding, mask: np.ndarray) -> np.ndarray | None:
    """`mask` (H, W) as the logits (h, w) that a decoder takes from an earlier prediction; None if it takes none."""
    shape = getattr(segmenter.sam.prompt_encoder, "mask_input_size", None)
    if shape is None:
        return None
    scale = shape[0] / segmenter.sam.image_encoder.img_size
    h, w = (max(1, round(side * scale)) for side in e.input_size)
    small = torch.nn.functional.interpolate(torch.from_numpy(mask[None, None].astype(np.float32)), (h, w),
                                            mode="bilinear", antialias=True)[0, 0]
    return np.pad(SURE * (2 * device.array(small) - 1), ((0, shape[0] - h), (0, shape[1] - w)), constant_values=-SURE)


@dataclass(frozen=True)
class _Base:
    """What a history starts from: a mask bool (H, W) that no click made, or None; and what names it."""

    mask: np.ndarray | None
    key: tuple

    def logits(self, segmenter: Segmenter, e: Embedding) -> np.ndarray | None:
        """Logits (h, w) that the first click starts from."""
        return None if self.mask is None else mask_logits(segmenter, e, self.mask)


def _split(e: Embedding, steps: Sequence[Step]) -> tuple[_Base, Sequence[Step]]:
    """The last polygon or imported mask, and the steps after it; all steps are looked at."""
    if not 0 < len(steps) <= MAX_STEPS:
        raise SegmentError(f"A history must have 1 to {MAX_STEPS} steps, not {len(steps)}.")
    last = -1
    for k, step in enumerate(steps):
        if not step.points and all(part is None for part in (step.box, step.mask, step.stroke, step.rings)):
            raise SegmentError(f"Step {k + 1} holds neither a click nor a box.")
        if step.rings is not None or step.mask is not None:
            last = k
    if last < 0:
        return _Base(None, ()), steps
    base, after = steps[last], steps[last + 1 :]
    if base.rings is not None:
        return _Base(drawn.filled(base.rings, e.size), tuple(base.rings)), after
    return _Base(_at_hand(base, e), (str(base.mask["counts"]),)), after


def _held(segmenter: Segmenter, e: Embedding, base: _Base,
          steps: Sequence[Step]) -> Iterator[tuple[np.ndarray, np.ndarray, tuple[int, ...], int]]:
    """After each of `steps`: logits (M, h, w), scores (M,), the choices so far, and whether the decoder ran."""
    choices, prompts, previous, scores = (), [], base.logits(segmenter, e), None
    for step in steps:
        ran = False
        if step.points or step.box is not None:
            prompts.append(step)
            key = (e.key, str(segmenter.device), base.key, _past(prompts), choices)
            found = LOGITS.get(key)
            ran = found is None
            if ran:
                found = decode(segmenter, e, prompts, previous)
                LOGITS.put(key, found, found[0].nbytes)
            logits, scores = found
            choices += (_chosen(step, scores),)
        elif step.choice is not None and choices:             # a stroke over a mask that was chosen before it
            choices = (*choices[:-1], _chosen(step, scores))
        else:
            continue
        previous = logits[choices[-1]]
        yield logits, scores, choices, int(ran)


def replay(segmenter: Segmenter, embedding: Embedding, steps: Sequence[Step], smallest: int = 0) -> Result:
    """The result of the whole history `steps` on one picture.

    A polygon or an imported mask takes the place of all that was before it, and later clicks start from it; strokes are
    drawn over all masks, in order. A mask that no click made has the score NaN.
    In the masks of clicks, holes and islands of fewer than `smallest` pixels that no click asks for are filled and
    dropped; the logits, which the next click starts from, are those of the model.
    Raises SegmentError if there are no steps, if a step points at nothing or outside the picture, or if a choice does
    not exist.
    """
    start = time.perf_counter()
    base, steps = _split(embedding, steps)
    done = list(_held(segmenter, embedding, base, steps))
    if done:
        logits, scores, choices, _ = done[-1]
        masks = _clean(segmenter, embedding, logits, steps, smallest)
    else:
        masks = (np.zeros(embedding.size, bool) if base.mask is None else base.mask)[None]
        scores, choices = np.full(1, np.nan, np.float32), (0,)
        low = mask_logits(segmenter, embedding, masks[0])
        logits = np.zeros((1, 1, 1), np.float32) if low is None else low[None]
    masks = np.stack([_drawn_over(mask, steps) for mask in masks])
    return Result(masks, scores.copy(), logits.copy(), choices[-1], choices, sum(ran for *_, ran in done),
                  1e3 * (time.perf_counter() - start))


def _clean(segmenter: Segmenter, e: Embedding, logits: np.ndarray, steps: Sequence[Step], smallest: int) -> np.ndarray:
    """Masks bool (M, H, W) of logits (M, h, w)."""
    clicks = [p for step in steps for p in step.points]
    return np.stack([cleaned(mask, smallest, clicks) for mask in segmenter.masks(e, logits)])


def _drawn_over(mask: np.ndarray, steps: Sequence[Step]) -> np.ndarray:
    for step in (step for step in steps if step.stroke is not None):
        mask = drawn.stroked(mask, step.stroke)
    return mask


def preview(segmenter: Segmenter, embedding: Embedding, steps: Sequence[Step], smallest: int = 0) -> np.ndarray:
    """The mask bool (H, W) that `replay` would choose after `steps`, whose last one is a click without a choice;
    nothing of that click is remembered."""
    base, steps = _split(embedding, steps)
    previous = base.logits(segmenter, embedding)
    for logits, _, choices, _ in _held(segmenter, embedding, base, steps[:-1]):
        previous = logits[choices[-1]]
    prompts = [step for step in steps if step.points or step.box is not None]
    logits, scores = decode(segmenter, embedding, prompts, previous)
    best = logits[int(scores.argmax())][None]
    return _drawn_over(_clean(segmenter, embedding, best, steps, smallest)[0], steps)
