"""Random features: their error is the one that the closed forms promise, and their directions are what they should
be."""
import math

import pytest
import torch

from backends.attention import features
from backends.attention.lessons import favor


def estimates(kind, q, k, m, draws, orthogonal=False):
    """(draws, n, n) estimates of exp(q.k)."""
    phi = getattr(features, kind)
    w = [features.projection(m, q.shape[1], seed, orthogonal) for seed in range(draws)]
    return torch.stack([phi(q, x) @ phi(k, x).T for x in w])


@pytest.fixture(scope="module")
def pair():
    """q, k (24, 16) of standard deviation 1 at softmax's temperature, float64."""
    return features.temper(torch.randn(2, 24, 16, generator=torch.Generator().manual_seed(5), dtype=torch.float64))


def test_the_trigonometric_error_is_the_closed_form(pair):
    q, k = pair * 0.5
    truth = (q @ k.T).exp()
    measured = (estimates("trigonometric", q, k, 32, 400) - truth).square().mean()
    expected = favor.mean_square("trigonometric", q, k).mean() / 32
    assert measured.item() == pytest.approx(expected.item(), rel=0.05)


@pytest.mark.parametrize("kind", ["positive", "hyperbolic"])
def test_the_positive_errors_are_the_closed_forms(pair, kind):
    """Their tails are heavy, so at half the size and with a wider margin."""
    q, k = pair * 0.25
    measured = (estimates(kind, q, k, 32, 400) - (q @ k.T).exp()).square().mean()
    assert measured.item() == pytest.approx((favor.mean_square(kind, q, k).mean() / 32).item(), rel=0.1)


def test_the_closed_form_of_the_paper_is_ours(pair):
    """Lemma 2 as it is printed, against the rearranged form."""
    q, k = pair * 0.5
    sm, plus, minus = (q @ k.T).exp(), (q[:, None] + k).square().sum(-1), (q[:, None] - k).square().sum(-1)
    assert torch.allclose(favor.mean_square("positive", q, k), plus.exp() * sm.square() * (1 - (-plus).exp()))
    assert torch.allclose(favor.mean_square("trigonometric", q, k),
                          plus.exp() / sm.square() * (1 - (-minus).exp()).square() / 2)


@pytest.mark.parametrize("kind", ["positive", "hyperbolic", "trigonometric"])
@pytest.mark.parametrize("orthogonal", [False, True])
def test_estimates_are_unbiased(pair, kind, orthogonal):
    """The mean over draws lies within five of its own standard errors, entry by entry, and within 2 % on average."""
    q, k = pair * 0.3
    truth, found = (q @ k.T).exp(), estimates(kind, q, k, 32, 400, orthogonal)
    gap, error = (found.mean(0) - truth).abs(), found.std(0) / math.sqrt(400)
    assert (gap < 5 * error).all()
    assert (gap / truth).mean() < 0.02


@pytest.mark.parametrize("kind", ["positive", "trigonometric"])
def test_the_error_falls_like_one_over_root_m(pair, kind):
    q, k = pair * 0.3
    truth, counts = (q @ k.T).exp(), torch.tensor([8.0, 16, 32, 64, 128, 256])
    error = torch.stack([(estimates(kind, q, k, int(m), 100) - truth).square().mean().sqrt() for m in counts])
    x = counts.log() - counts.log().mean()
    assert ((x * error.log()).sum() / x.square().sum()).item() == pytest.approx(-0.5, abs=0.06)


def test_orthogonal_directions_beat_independent_ones(pair):
    q, k = pair * 0.5
    truth = (q @ k.T).exp()
    iid, orthogonal = ((estimates("trigonometric", q, k, 16, 100, o) - truth).square().mean() for o in (False, True))
    assert orthogonal < 0.7 * iid


@pytest.mark.parametrize("m, d", [(8, 8), (20, 8), (3, 8), (1, 2)])
def test_rows_are_orthogonal_within_their_block_with_lengths_of_their_own(m, d):
    w = features.projection(m, d, seed=3)
    assert w.shape == (m, d) and w.dtype == torch.float64
    for block in w.split(d):
        gram = block @ block.T
        assert (gram - gram.diagonal().diag()).abs().max() < 1e-12 * gram.diagonal().max() + 1e-12
    assert len(w.norm(dim=1).round(decimals=9).unique()) == m


def test_lengths_are_those_of_normal_vectors():
    """E |w|^2 = d, and E |w| = sqrt(2) gamma((d + 1) / 2) / gamma(d / 2)."""
    length = features.projection(4000, 8, seed=1).norm(dim=1)
    assert length.square().mean().item() == pytest.approx(8, rel=0.03)
    assert length.mean().item() == pytest.approx(math.sqrt(2) * math.gamma(4.5) / math.gamma(4), rel=0.02)


def test_directions_depend_on_the_seed_alone():
    assert torch.equal(features.projection(20, 8, 3), features.projection(20, 8, 3))
    assert not torch.equal(features.projection(20, 8, 3), features.projection(20, 8, 4))


def test_positive_features_are_positive_and_the_temperature_is_that_of_softmax(pair):
    q, k = pair
    w = features.projection(32, 16)
    assert (features.positive(q, w) > 0).all() and (features.hyperbolic(q, w) > 0).all()
    assert torch.allclose(features.temper(q) @ features.temper(k).T, q @ k.T / 4)    # sqrt(16)


def test_elementwise_maps():
    x = torch.tensor([-6.0, -1.0, 0.0, 2.0])
    assert torch.allclose(features.elu1(x), torch.tensor([math.exp(-6), math.exp(-1), 1.0, 3.0]))
    assert features.relu(x).tolist() == [0, 0, 0, 2]
