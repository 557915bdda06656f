"""Length extrapolation without training: what to do with a model that was trained on L tokens and is given n > L.

Letters: b batch, h heads, n tokens, d head dimension, L trained length, s = n / L, theta_i = base^(-2i/d) the frequency of pair i.
`methods.plan` writes a method down as a Plan, `attend.attend` runs it, `distances` paints it, `calculator` works it out for real models.
`answer` and `stream` work out a view of the page; torch is imported by their first call.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backends.rope.params import RopeParams
    from backends.rope.results import RopeResult


def stream(params: RopeParams) -> Iterator[RopeResult]:
    """Growing results of one view; closing the iterator ends the work.  Raises ValueError, one sentence."""
    from backends.rope.run import run

    return run(params)


def answer(params: RopeParams) -> RopeResult:
    """The finished result of one view.  Raises ValueError, one sentence."""
    from backends.rope.run import whole

    return whole(params)
