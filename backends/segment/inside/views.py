"""The views by name: generators of (body, notice, checks), see `backends.result`.

All take `segmenter`, `image` uint8 (H, W, 3) and `steps`, a history of `backends.segment.interact`; `shown`, the mask
on screen, bool (H, W), where one is known that is not computed now; `smallest`, how clean it is (`interact.replay`);
`truth`, object ids (H, W), where they are known.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from backends import device
from backends.result import Check, Step, check
from backends.segment import interact
from backends.segment.clean import cleaned
from backends.segment.errors import SegmentError
from backends.segment.inside import click, encoder, mask
from backends.segment.inside.capture import Run, decoded
from backends.segment.segmenter import Embedding, Segmenter
from backends.segment.tiny import TinyMaskDecoder

SAME = "The tensors shown here lead to the mask on screen, pixel for pixel."


def _watched(segmenter: Segmenter, image: np.ndarray, steps: Sequence[interact.Step],
             shown: np.ndarray | None, smallest: int) -> tuple[Run, Embedding, Check]:
    """One watched decoding, and the check that it leads to the mask on screen: how many pixels differ."""
    if not hasattr(segmenter.sam.mask_decoder, "transformer") and not _tiny(segmenter):
        raise SegmentError("This model has no decoder that can be opened.")
    e = segmenter.embed(image)
    run = decoded(segmenter, e, steps, click.watch, smallest)
    full = segmenter.upscale(e, run.logits)[run.shown.chosen] > segmenter.sam.mask_threshold
    clean = cleaned(device.array(full), smallest, [p for step in steps for p in step.points])
    differ = clean != (run.shown.mask if shown is None else shown)
    return run, e, check("mask", differ.sum(), 0, SAME)


def _tiny(segmenter: Segmenter) -> bool:
    return isinstance(segmenter.sam.mask_decoder, TinyMaskDecoder)


def _click(params: Any, segmenter: Segmenter, image: np.ndarray, steps: Sequence[interact.Step],
           shown: np.ndarray | None = None, smallest: int = 0, **others: Any) -> Iterator[Step]:
    run, e, same = _watched(segmenter, image, steps, shown, smallest)
    body, checks = (click.tiny if _tiny(segmenter) else click.sam)(run, e, steps)
    yield body, "", (same, *checks)


def _logits(params: Any, segmenter: Segmenter, image: np.ndarray, steps: Sequence[interact.Step],
            shown: np.ndarray | None = None, smallest: int = 0, **others: Any) -> Iterator[Step]:
    run, e, same = _watched(segmenter, image, steps, shown, smallest)
    yield mask.logits(run, segmenter, e), "", (same,)


def _rating(params: Any, segmenter: Segmenter, image: np.ndarray, steps: Sequence[interact.Step],
            shown: np.ndarray | None = None, truth: np.ndarray | None = None, smallest: int = 0,
            **others: Any) -> Iterator[Step]:
    _, e, same = _watched(segmenter, image, steps, shown, smallest)
    yield mask.rated(segmenter, e, steps, truth, smallest), "", (same,)


def _left(params: Any, segmenter: Segmenter, image: np.ndarray, steps: Sequence[interact.Step],
          shown: np.ndarray | None = None, smallest: int = 0, **others: Any) -> Iterator[Step]:
    _, e, same = _watched(segmenter, image, steps, shown, smallest)
    said = "With one click nothing is left when it is left out: add a second one." if len(steps) == 1 else ""
    if len(steps) > mask.ALONE:
        said = f"The last {mask.ALONE} of {len(steps)} clicks are left out, one at a time."
    yield mask.left(segmenter, e, steps, smallest), said, (same,)


VIEWS = {"encoder": encoder.view, "click": _click, "logits": _logits, "band": _logits, "rating": _rating, "left": _left}
