"""Why attention divides by sqrt(d), and what initialisation does to signals, gradients and training.

`saturate` draws rows of attention, `toy` and `training` train routes side by side, `depth` sends signals through a
stack, `entropy` compares scales by number of keys, `width` is the coordinate check; `answer(ScaleParams(...))` works
out a view of the page.
"""
from backends.result import Mechanism

__all__ = ["answer"]
answer = Mechanism(__name__, "run", one_core=True)
