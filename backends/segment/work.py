"""What the page asks of a model, as functions that may run in another process: ZeroGPU lends its card to one.

They take the model, the picture and what was said, and give plain results.  Whatever belongs to a visitor stays with
the caller: the other process knows no uploads, and forgets what it kept.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends import stop
from backends.device import gpu
from backends.segment import interact
from backends.segment.everything import Batch
from backends.segment.segmenter import Prediction, Segmenter


@dataclass(frozen=True)
class Encoding:
    """How long the encoder took when it ran, in milliseconds, and whether that was before."""

    milliseconds: float
    cached: bool


@gpu
def read(segmenter: Segmenter) -> int:
    """Bytes of the model's weights, which are read if they were not.  Raises WeightsError or SegmentError."""
    return sum(p.nbytes for p in segmenter.sam.parameters())


@gpu
def replayed(segmenter: Segmenter, image: np.ndarray, histories: Sequence[Sequence[interact.Step]],
             smallest: int) -> tuple[Encoding, list[interact.Result]]:
    """Every history on the picture, see `interact.replay`."""
    e = segmenter.embed(image)
    found = [interact.replay(segmenter, e, steps, smallest) for steps in histories]
    return Encoding(e.milliseconds, e.cached), found


@gpu
def preview(segmenter: Segmenter, image: np.ndarray, steps: Sequence[interact.Step],
            smallest: int) -> np.ndarray | None:
    """The mask that a history would give; None where the picture is not encoded yet."""
    e = segmenter.embedded(image)
    return None if e is None else interact.preview(segmenter, e, steps, smallest)


@gpu
def predicted(segmenter: Segmenter, image: np.ndarray, **prompt: Any) -> tuple[Encoding, Prediction]:
    """One prompt on the picture, see `Segmenter.predict`."""
    e = segmenter.embed(image)
    return Encoding(e.milliseconds, e.cached), segmenter.predict(e, **prompt)


@gpu
def everything(segmenter: Segmenter, image: np.ndarray, settings: dict[str, Any]) -> Iterator[Batch]:
    """Everything mode, see `Segmenter.everything`."""
    stop.install()
    yield from segmenter.everything(image, **settings)
