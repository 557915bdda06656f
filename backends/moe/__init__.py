"""Mixtures of experts: routers by their exact rules, and what two trained routers do with a text.

`routers.route` goes from logits to who computes what; `reading.read` takes a text through a shipped model with any rule.  `answer` and
`stream` work out a view of the page; torch is imported by their first call.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backends.moe.params import MoeParams
    from backends.moe.results import MoeResult


def stream(params: MoeParams) -> Iterator[MoeResult]:
    """Growing results of one view; closing the iterator ends the work.  Raises ValueError, one sentence."""
    from backends.moe.run import run

    return run(params)


def answer(params: MoeParams) -> MoeResult:
    """The finished result of one view.  Raises ValueError, one sentence."""
    *_, last = stream(params)
    return last
