"""Figures of attention matrices, on matrices small enough to work out by hand."""
import math

import pytest
import torch

from backends import metrics

HAND = torch.tensor([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25, 0.25, 0.5, 0], [0.25, 0.25, 0.25, 0.25]])


def test_figures_per_row():
    assert metrics.entropy(HAND).tolist() == pytest.approx([0, math.log(2), 1.5 * math.log(2), math.log(4)])
    assert metrics.support(HAND).tolist() == pytest.approx([1, 2, 2 ** 1.5, 4])
    assert metrics.top1(HAND).tolist() == [1, 0.5, 0.5, 0.25]
    assert metrics.sink(HAND).tolist() == [1, 0.5, 0.25, 0.25]
    assert metrics.locality(HAND, 1).tolist() == [1, 1, 0.75, 0.5]
    assert metrics.locality(HAND, 0).tolist() == [1, 0.5, 0.5, 0.25]
    assert metrics.locality(HAND, 3).tolist() == [1, 1, 1, 1]


def test_shares_are_of_absolute_values_and_nan_where_there_are_none():
    a = torch.tensor([[1.0, -3.0], [0.0, 0.0], [torch.nan, 1.0], [torch.inf, 1.0]])
    p = metrics.shares(a)
    assert p[0].tolist() == [0.25, 0.75] and p[1:].isnan().all()


def test_a_row_that_is_no_distribution_is_left_out():
    p = metrics.shares(torch.tensor([[1.0, 1.0, 2.0], [0, 0, 0], [0, 0, 5.0]]))
    for figure, expected in ((metrics.entropy, 0.75 * math.log(2)), (metrics.top1, 0.75), (metrics.sink, 0.125),
                             (lambda x: metrics.locality(x, 1), 0.75), (metrics.support, (2 ** 1.5 + 1) / 2)):
        rows = figure(p)
        assert rows[1].isnan() and not rows[[0, 2]].isnan().any()
        assert metrics.mean(rows) == pytest.approx(expected, rel=1e-6)
    assert math.isnan(metrics.mean(torch.full((3,), torch.nan)))


def test_leading_axes_are_kept():
    both = torch.stack([HAND, HAND.flip(0)])
    assert metrics.entropy(both).shape == (2, 4) and metrics.rank(both).tolist() == [4, 4]
    assert metrics.relative_error(both, both).tolist() == [0, 0]


@pytest.mark.parametrize("r", [1, 3, 20])
@pytest.mark.parametrize("scale", [1.0, 1e12, 1e-12])
def test_rank_of_products(r, scale):
    random = torch.Generator().manual_seed(r)
    a = torch.randn(20, r, generator=random) @ torch.randn(r, 20, generator=random) * scale
    assert metrics.rank(a).item() == r == torch.linalg.matrix_rank(a).item()


@pytest.mark.parametrize("seed", range(6))
def test_rank_is_torchs_where_rows_already_sum_to_one(seed):
    """Singular values that fade gradually, so that the tolerance decides: at most one of 64 may fall on its other
    side."""
    scores = torch.randn(64, 64, generator=torch.Generator().manual_seed(seed)) * 3
    p = scores.tril().masked_fill(torch.ones(64, 64).triu(1).bool(), -torch.inf).softmax(-1)
    assert abs(metrics.rank(p).item() - torch.linalg.matrix_rank(p).item()) <= 1
    assert metrics.rank(p).item() < 64


def test_rank_ignores_rows_that_are_not_finite_and_the_size_of_rows():
    a = torch.eye(4)
    a[1] = torch.nan
    a[2] *= 1e9
    assert metrics.rank(a).item() == 3
    assert metrics.rank(torch.zeros(3, 3)).item() == 0


def test_relative_error():
    truth = torch.tensor([[3.0, 0.0], [0.0, 4.0]])
    assert metrics.relative_error(truth + torch.tensor([[0.0, 3.0], [4.0, 0.0]]), truth).item() == pytest.approx(1.0)
    bad = truth.clone()
    bad[0, 0] = torch.nan
    assert metrics.relative_error(bad, truth).item() == 0
    assert metrics.relative_error(torch.full((2, 2), torch.nan), truth).isnan()
