"""A sparse pattern: which pairs it keeps, what a token has heard of after several layers, and what it costs against the
full one.

The pattern is that of the first sparse kind among the chosen ones (a local window if there is none).  Letters: n
tokens, d head dimension.
"""
from __future__ import annotations

from backends.attention import masks
from backends.attention.inputs import Inputs
from backends.attention.params import AttentionParams
from backends.attention.results import Mask


def measure(params: AttentionParams, given: Inputs) -> Mask:
    """Pattern, receptive field over `params.depth` layers, pairs and flops."""
    _, n, d = given.q.shape
    kind = next((name for name in params.kinds if name in masks.KINDS), "local")
    pattern = masks.of(kind, n, params)
    first = masks.reached(pattern.to(given.q.device), params.depth)
    pairs, full = int(pattern.sum()), n * (n + 1) // 2 if params.causal else n * n
    reach = tuple(int(((first > 0) & (first <= layer)).sum()) / full for layer in range(1, params.depth + 1))
    return Mask(kind, params.depth, pattern, first, reach, pairs, full, 4 * d * pairs, 4 * d * full)
