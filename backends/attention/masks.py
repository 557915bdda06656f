"""Which keys a query may see, as boolean matrices (n, n): row i is query i, True = allowed.

local       |i - j| <= window
strided     |i - j| <= l or (i - j) mod l = 0                                    (arXiv 1904.10509, section 4.3)
fixed       same block of l tokens, or one of the last c columns of any block    (the same)
longformer  |i - j| <= window, or i or j among the first g tokens                (arXiv 2004.05150)
bigbird     in blocks: neighbours, first g blocks (both ways), r random ones     (arXiv 2007.14062)
diag        same block of w tokens                                               (DiagAttention, arXiv 2210.10340)

The two factors of the Sparse Transformer are joined in one head (its "merged" form).  `causal` adds j <= i.  Random
blocks of a causal BigBird are drawn among the blocks that are not in the future.  All are tables on the host, to be
moved to where the scores lie.  Letters: n tokens, l stride, w block.
"""
from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from backends.attention.params import AttentionParams
from backends.drawn import hosted, seeded, uniform

KINDS = ("diag", "local", "strided", "fixed", "longformer", "bigbird")


@hosted
def causal(n: int) -> Tensor:
    """j <= i: (n, n)."""
    return torch.ones(n, n, dtype=torch.bool).tril()


@hosted
def distance(n: int) -> Tensor:
    """i - j: (n, n), int64."""
    at = torch.arange(n)
    return at[:, None] - at


def local(n: int, window: int) -> Tensor:
    """The token itself and `window` keys to each side."""
    return distance(n).abs() <= window


@hosted
def diag(n: int, block: int) -> Tensor:
    """Blocks of `block` tokens that do not overlap; the last one may be shorter."""
    at = torch.arange(n) // block
    return at[:, None] == at


def strided(n: int, stride: int) -> Tensor:
    """The `stride` nearest keys to each side and every `stride`-th key."""
    gap = distance(n)
    return (gap.abs() <= stride) | (gap % stride == 0)


@hosted
def fixed(n: int, stride: int, columns: int) -> Tensor:
    """The own block of `stride` keys, and the last `columns` keys of every block."""
    summary = torch.arange(n) % stride >= stride - columns
    return diag(n, stride) | summary


@hosted
def longformer(n: int, window: int, tokens: int) -> Tensor:
    """A local window, and the first `tokens`, which all see and which see all."""
    at = torch.arange(n) < tokens
    return local(n, window) | at | at[:, None]


@hosted
def bigbird(n: int, block: int, first: int, random: int, seed: int, is_causal: bool) -> Tensor:
    """Blocks of `block` tokens: the own and its neighbours, the first `first` (both ways), and `random` drawn ones per
    row of blocks."""
    count = -(-n // block)
    blocks = longformer(count, 1, first)
    draw = uniform(count, count, random=seeded(seed))
    draw = draw.masked_fill(~causal(count), -1.0) if is_causal else draw
    blocks[torch.arange(count)[:, None], draw.argsort(-1, descending=True)[:, :random]] = True
    return blocks.repeat_interleave(block, 0).repeat_interleave(block, 1)[:n, :n]


def of(kind: str, n: int, params: AttentionParams) -> Tensor:
    """The mask of a sparse kind (n, n), `causal` included; shared, so it must not be written to.  Raises ValueError for
    another kind."""
    return _of(kind, n, params.causal, params.window, params.stride, params.block, params.globals,
               params.blocks, params.seed)


@lru_cache(64)
def _of(kind: str, n: int, is_causal: bool, window: int, stride: int, block: int, first: int, random: int,
        seed: int) -> Tensor:
    make = {
        "diag": lambda: diag(n, block),
        "local": lambda: local(n, window),
        "strided": lambda: strided(n, stride),
        "fixed": lambda: fixed(n, stride, first),
        "longformer": lambda: longformer(n, window, first),
        "bigbird": lambda: bigbird(n, block, first, random, seed, is_causal),
    }
    if kind not in make:
        raise ValueError(f"{kind} has no sparse pattern; the kinds with one are {', '.join(KINDS)}.")
    return make[kind]() & causal(n) if is_causal else make[kind]()


def reached(pattern: Tensor, depth: int) -> Tensor:
    """After how many layers token i first depends on token j: pattern (n, n) bool -> (n, n) int64, 1 .. depth, 0 = not
    within `depth`.

    Between layers the residual path keeps every token's own content, so a row always reaches itself.
    """
    step = (pattern | torch.eye(len(pattern), dtype=torch.bool, device=pattern.device)).float()
    seen, first = step, step.long()
    for layer in range(2, depth + 1):
        seen = ((seen @ step) > 0).float()
        first = torch.where((first == 0) & (seen > 0), layer, first)
    return first
