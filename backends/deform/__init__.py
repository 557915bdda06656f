"""Deformable operators: where each of them really looks, what is learned of it, and what breaks.

`sampling` holds positions and bilinear reading, `operators` and `dat` the five operators, `small` the network that
ships with its twin, `stack` what its layers read.  `answer(DeformParams(...), image=...)` works out a view of the page;
`image`: uint8 (H, W, 3) in place of the sample that the settings name.
"""
from backends.result import Mechanism

__all__ = ["answer"]
answer = Mechanism(__name__, "run")
