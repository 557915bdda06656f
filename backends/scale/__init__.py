"""Why attention divides by sqrt(d), and what initialisation does to signals, gradients and training.

`saturate` draws rows of attention, `toy` and `training` train routes side by side, `depth` sends signals through a stack, `entropy`
compares scales by number of keys, `width` is the coordinate check.  `answer` and `stream` work out a view of the page; torch is imported by
their first call.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backends.scale.params import ScaleParams
    from backends.scale.results import ScaleResult


def stream(params: ScaleParams) -> Iterator[ScaleResult]:
    """Growing results of one view; closing the iterator ends the work.  Raises ValueError, one sentence."""
    from backends.scale.run import run

    return run(params)


def answer(params: ScaleParams) -> ScaleResult:
    """The finished result of one view.  Raises ValueError, one sentence."""
    *_, last = stream(params)
    return last
