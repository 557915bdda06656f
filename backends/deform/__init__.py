"""Deformable operators: where each of them really looks, what is learned of it, and what breaks.

`sampling` holds positions and bilinear reading, `operators` and `dat` the five operators, `small` the network that ships with its twin,
`stack` what its layers read.  `answer` and `stream` work out a view of the page; torch is imported by their first call.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from backends.deform.params import DeformParams
    from backends.deform.results import DeformResult


def stream(params: DeformParams, image: np.ndarray | None = None) -> Iterator[DeformResult]:
    """Growing results of one view; `image`: uint8 (H, W, 3) in place of the sample.  Raises ValueError, one sentence."""
    from backends.deform.run import run

    return run(params, image)


def answer(params: DeformParams, image: np.ndarray | None = None) -> DeformResult:
    """The finished result of one view.  Raises ValueError, one sentence."""
    *_, last = stream(params, image)
    return last
