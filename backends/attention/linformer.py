"""Linformer (Wang 2020, arXiv 2006.04768): softmax(q (E k)^T / sqrt(d)) E v, with one projection E (r, n) for keys and
values.

E is random and untrained here, its entries N(0, 1/r) as in the paper's theorem 2, shared by keys and values as in its
section 4.  Every row of E mixes all tokens, so no mask can make it causal; the weights A = softmax(...) E can be
negative and their rows do not sum to 1.  Letters: h heads, n tokens, d head dimension, e value channels, r rank.
"""
from __future__ import annotations

from functools import lru_cache

from torch import Tensor

from backends.drawn import normal, seeded


@lru_cache(32)
def projection(rank: int, n: int, seed: int) -> Tensor:
    """E (r, n), float32, on the host; shared, so it must not be written to."""
    return normal(rank, n, random=seeded(seed)) * rank ** -0.5


def attend(q: Tensor, k: Tensor, v: Tensor, e: Tensor) -> Tensor:
    """y (h, n, e) of q, k (h, n, d), v (h, n, e): n x r scores, never n x n."""
    e = e.to(q.device)
    return _scores(q, k, e) @ (e @ v)


def matrix(q: Tensor, k: Tensor, e: Tensor) -> Tensor:
    """A (h, n, n), of rank at most r, with A @ v = `attend`."""
    e = e.to(q.device)
    return _scores(q, k, e) @ e


def _scores(q: Tensor, k: Tensor, e: Tensor) -> Tensor:
    return (q @ (e @ k).mT * q.shape[-1] ** -0.5).softmax(-1)
