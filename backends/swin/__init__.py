"""Shifted windows: geometry, attention, reach, leak, bias, cost, and real attention of Swin models.

Liu et al., "Swin Transformer" (arXiv 2103.14030); Liu et al., "Swin Transformer V2" (arXiv 2111.09883).
`answer(SwinParams(...), image=..., reader=...)` works out a view of the page; `image`: uint8 (H, W, 3) in place of the
sample that the settings name; `reader`: the user's own model (`capture.own`), where the settings ask for it.
"""
from backends.result import Mechanism

__all__ = ["answer"]
answer = Mechanism(__name__, "run", one_core=True)
