"""What recurrences remember: HiPPO's states, S4's and Mamba's, on one signal, one string, one matrix.

`hippo.recall` reads a signal back from a state, `s4d` runs a layer three ways, `nplr` diagonalises, `poles` places
eigenvalues, `selective` looks into trained models, `family` writes recurrences as matrices;
`answer(MemoryParams(...))` works out a view of the page.
"""
from backends.result import Mechanism

__all__ = ["answer"]
answer = Mechanism(__name__, "run")
