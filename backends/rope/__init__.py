"""Length extrapolation without training: what to do with a model that was trained on L tokens and is given n > L.

Letters: b batch, h heads, n tokens, d head dimension, L trained length, s = n / L, theta_i = base^(-2i/d) the frequency
of pair i.  `methods.plan` writes a method down as a Plan, `attend.attend` runs it, `distances` paints it, `calculator`
works it out for real models; `answer(RopeParams(...))` works out a view of the page.
"""
from backends.result import Mechanism

__all__ = ["answer"]
answer = Mechanism(__name__, "run")
