"""Attention dilution (Qin 2022, arXiv 2210.10340, section 3.2): how much of its weight a token keeps near itself, in
the trained models.

l(r) = sum of |A_ij| over |i - j| <= r n, rows of |A| divided by their sums, mean over rows and heads.  The models read
the text; each layer of each is a curve.  Equal weights over all earlier tokens are the reference: a curve close to it
is diluted.  Letters: h heads, n tokens, m models, l layers, r share of the length.
"""
from __future__ import annotations

import torch
from torch import Tensor

from backends import device, metrics
from backends.attention import masks, readers
from backends.attention.inputs import Inputs
from backends.attention.params import AttentionParams
from backends.attention.results import Dilution

SHARES = tuple(x / 20 for x in range(1, 21))


def measure(params: AttentionParams, given: Inputs) -> Dilution:
    """Every trained model on the text of `params`.  Raises ValueError if the text is empty or no model is there."""
    names, kinds, mass, n = _models(readers.short(params.text)[0])
    causal = masks.causal(n).to(mass.device).double()
    uniform = near((causal / causal.sum(-1, keepdim=True))[None], SHARES)
    return Dilution(names, kinds, n, torch.tensor(SHARES, dtype=torch.float64, device=mass.device), mass, uniform)


@device.kept(16)
def _models(text: str) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], Tensor, int]:
    from backends.lm import shelf
    if not shelf.NAMES:
        raise ValueError("No trained model is on this machine.")
    tokens = shelf.tokens(text)
    layers = [shelf.load(name).trace(tokens).layers for name in shelf.NAMES]
    mass = torch.stack([torch.stack([near(layer.matrix[0], SHARES) for layer in model]) for model in layers])
    return tuple(shelf.NAMES), tuple(tuple(layer.kind for layer in model) for model in layers), mass, len(tokens)


def near(weights: Tensor, shares: tuple[float, ...]) -> Tensor:
    """Mean share of |A| (h, n, n) on keys at most r n tokens away, for each r in `shares`: (r,), float64."""
    n = weights.shape[-1]
    p = metrics.shares(weights.double()).nanmean(0)
    gaps = masks.distance(n).abs().flatten().to(p.device)
    by_gap = torch.zeros(n, dtype=torch.float64, device=p.device).index_add_(0, gaps, p.flatten())
    reach = [min(n - 1, int(r * n + 1e-9)) for r in shares]
    return (by_gap.cumsum(0) / n)[reach]
