"""What recurrences remember: HiPPO's states, S4's and Mamba's, on one signal, one string, one matrix.

`hippo.recall` reads a signal back from a state, `s4d` runs a layer three ways, `nplr` diagonalises, `poles` places eigenvalues,
`selective` looks into trained models, `family` writes recurrences as matrices.  `answer` and `stream` work out a view of the page; torch is
imported by their first call.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backends.memory.params import MemoryParams
    from backends.memory.results import MemoryResult


def stream(params: MemoryParams) -> Iterator[MemoryResult]:
    """Growing results of one view; closing the iterator ends the work.  Raises ValueError, one sentence."""
    from backends.memory.run import run

    return run(params)


def answer(params: MemoryParams) -> MemoryResult:
    """The finished result of one view.  Raises ValueError, one sentence."""
    *_, last = stream(params)
    return last
