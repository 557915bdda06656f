"""How far one token sees after k blocks: which tokens of the input its output can depend on.

Blocks alternate, plain windows first, shifted ones second (arXiv 2103.14030, equation 3).  What a token depends on
after k blocks are the partners, in block k, of itself, then their partners in block k - 1, and so on down to the first.
Padding carries nothing from block to block: it is zero anew in each.
"""
from __future__ import annotations

import numpy as np

from backends.swin.geometry import Layout


def reach(token: int, plain: Layout, moved: Layout, depth: int, masked: bool = True) -> np.ndarray:
    """int (H, W): the number of blocks after which the token first depends on each other one, 0 where `depth` blocks
    are not enough.

    `plain` and `moved` are the layouts of odd and even blocks; the same twice means no shift.
    """
    steps = [layout.partners(masked).astype(np.float32) for layout in (plain, moved)]
    first = np.zeros(plain.size[0] * plain.size[1], np.int64)
    for blocks in range(1, depth + 1):
        seen = np.zeros(len(first), np.float32)
        seen[token] = 1
        for block in range(blocks, 0, -1):
            seen = (seen @ steps[(block - 1) % 2] > 0).astype(np.float32)
        first[(first == 0) & (seen > 0)] = blocks
    return first.reshape(plain.size)


def counts(first: np.ndarray, depth: int) -> tuple[int, ...]:
    """How many tokens are reached after 1 .. `depth` blocks."""
    return tuple(int(((first > 0) & (first <= blocks)).sum()) for blocks in range(1, depth + 1))
