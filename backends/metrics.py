"""Figures read off an attention matrix: how sharp a row is, where it looks, how many independent rows there are.

p (..., n, n): rows of weights >= 0 that sum to 1 (`shares` makes them).  Figures per row are (..., n); a row that is no
distribution (its weights do not sum above zero, or are not finite) gives NaN, to be left out with `mean`.
"""
from __future__ import annotations

import torch
from torch import Tensor


def shares(weights: Tensor) -> Tensor:
    """|A| over the sum of |A| in each row: (..., n, n) -> rows that sum to 1, or NaN where that sum is 0 or not
    finite."""
    size = weights.abs()
    total = size.sum(-1, keepdim=True)
    return size / total.masked_fill(~total.isfinite() | (total == 0), torch.nan)


def mean(rows: Tensor) -> float:
    """Mean over all rows that are a number; NaN if there are none."""
    return rows.nanmean().item()


def entropy(p: Tensor) -> Tensor:
    """-sum p ln p in nats, with 0 ln 0 = 0: (..., n, n) -> (..., n), from 0 (one key) to ln n (all alike)."""
    return -torch.special.xlogy(p, p).sum(-1)


def support(p: Tensor) -> Tensor:
    """exp(entropy): over how many keys the row is spread in effect: (..., n, n) -> (..., n), from 1 to n."""
    return entropy(p).exp()


def top1(p: Tensor) -> Tensor:
    """The largest weight of each row: (..., n, n) -> (..., n)."""
    return p.amax(-1)


def sink(p: Tensor) -> Tensor:
    """The weight of key 0: (..., n, n) -> (..., n)."""
    return p[..., 0]


def locality(p: Tensor, radius: float) -> Tensor:
    """The weight of keys at most `radius` tokens away: (..., n, n) -> (..., n)."""
    at = torch.arange(p.shape[-1], device=p.device)
    near = (at[:, None] - at).abs() <= radius
    return torch.where(p.isnan(), torch.nan, p * near).sum(-1)


def rank(weights: Tensor) -> Tensor:
    """Numerical rank (...,) of (..., n, n): singular values above n * eps(float32) * the largest, as
    torch.linalg.matrix_rank has it.

    Each row is first divided by its sum of |A| (which changes no rank, and keeps one huge row from hiding all others);
    rows that are not finite count as zero.  The squares of the singular values are the eigenvalues of A A^T, in
    float64: faster, and exact enough.
    """
    total = weights.double().abs().sum(-1, keepdim=True)
    rows = torch.where((total > 0) & total.isfinite(), weights.double() / total, 0.0)
    squares = torch.linalg.eigvalsh(rows @ rows.mT)
    tolerance = (weights.shape[-1] * torch.finfo(torch.float32).eps) ** 2 * squares[..., -1:]
    return (squares > tolerance).sum(-1)


def relative_error(estimate: Tensor, truth: Tensor) -> Tensor:
    """||estimate - truth|| / ||truth|| (Frobenius) over the rows that are finite in both: (..., n, n) -> (...,); NaN if
    none is."""
    gap, size = (x.square().sum(-1) for x in (estimate - truth, truth))
    unknown = ~(gap + size).isfinite()
    return (gap.masked_fill(unknown, 0.0).sum(-1) / size.masked_fill(unknown, 0.0).sum(-1)).sqrt()
