"""Every mixer of the decoder: causal, equal to its own matrix, and equal to a float64 loop that shares no code with
it."""
import math

import pytest
import torch
from torch.nn import functional as F

from backends.lm import mixers, rotary

THETA = rotary.frequencies(8)


def qkv(n: int, seed: int = 0) -> list[torch.Tensor]:
    return list(torch.randn(3, 2, 3, n, 8, generator=torch.Generator().manual_seed(seed)))


def turned(x: torch.Tensor, at: int) -> torch.Tensor:
    """Channel i and i + d/2 as one complex number, times exp(i position theta)."""
    half = len(x) // 2
    angles = torch.tensor([at * 10_000.0 ** (-2 * i / len(x)) for i in range(half)], dtype=torch.float64)
    z = torch.complex(x[:half], x[half:]) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([z.real, z.imag])


def similarity(kind: str, q: torch.Tensor, k: torch.Tensor, i: int, j: int) -> tuple[float, float]:
    """(numerator, term of the denominator) of query i and key j."""
    if kind in ("elu1", "norm"):
        fq, fk = (torch.where(x > 0, x + 1, x.exp()) for x in (q, k))
        return float(turned(fq, i) @ turned(fk, j)), float(fq @ fk)
    q, k = turned(q, i), turned(k, j)
    if kind == "performer":
        w, a, b = mixers.directions(mixers.FEATURES, len(q)).double(), q * len(q) ** -0.25, k * len(k) ** -0.25
        e = float((torch.exp(w @ a - a @ a / 2) * torch.exp(w @ b - b @ b / 2)).mean())
    else:
        scale = {"logn": math.log(i + 1) / math.log(256) / math.sqrt(len(q)), "keynorm": 1 / float(k.norm())}.get(
            kind, len(q) ** -0.5)
        e = math.exp(float(q @ k) * scale) if kind != "diag" or i // mixers.BLOCK == j // mixers.BLOCK else 0.0
    return e, e


def loop(kind: str, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    out = torch.zeros_like(v)
    for i in range(len(q)):
        terms = [similarity(kind, q[i], k[j], i, j) for j in range(i + 1)]
        total = sum(a * v[j] for j, (a, _) in enumerate(terms))
        out[i] = total / (total.square().mean() + 1e-6).sqrt() if kind == "norm" else total / sum(b for _, b in terms)
    return out


@pytest.mark.parametrize("kind", mixers.KINDS)
def test_a_mixer_equals_a_loop_over_queries_and_keys(kind):
    q, k, v = qkv(70)
    y = mixers.attend(kind, q, k, v, THETA)
    wanted = loop(kind, q[1, 2].double(), k[1, 2].double(), v[1, 2].double())
    assert (y[1, 2] - wanted).abs().max() < 2e-5 * wanted.abs().max()


@pytest.mark.parametrize("kind", mixers.KINDS)
@pytest.mark.parametrize("n", [0, 1, 7, 65])
def test_the_matrix_times_the_values_is_the_output(kind, n):
    q, k, v = qkv(n)
    y, a = mixers.attend(kind, q, k, v, THETA), mixers.matrix(kind, q, k, v, THETA)
    assert y.shape == v.shape and a.shape == (2, 3, n, n)
    assert (a @ v - y).norm() <= 1e-5 * y.norm()


@pytest.mark.parametrize("kind", mixers.KINDS)
def test_the_future_does_not_change_the_past(kind):
    q, k, v = qkv(90)
    before = mixers.attend(kind, q, k, v, THETA)
    for x in (q, k, v):
        x[:, :, 50:] = 9.0
    assert torch.equal(mixers.attend(kind, q, k, v, THETA)[:, :, :50], before[:, :, :50])


def test_diag_attention_in_one_block_is_softmax_attention_and_never_crosses_a_border():
    q, k, v = qkv(mixers.BLOCK + 1)
    n = mixers.BLOCK
    a = mixers.matrix("diag", q, k, v, THETA)
    assert torch.allclose(a[:, :, :n, :n], mixers.matrix("softmax", q, k, v, THETA)[:, :, :n, :n])
    assert (a[:, :, n, :n] == 0).all() and (a[:, :, n, n] == 1).all()
    assert torch.allclose(mixers.attend("diag", q, k, v, THETA)[:, :, n], v[:, :, n])


def test_an_unknown_mixer_is_refused_by_name():
    with pytest.raises(ValueError, match="no mixer called 'magic'"):
        mixers.attend("magic", *qkv(3), THETA)


def test_rotation_keeps_norms_and_scores_depend_on_the_distance_alone():
    q, k, _ = qkv(40)
    at = torch.arange(40)
    turned_q, turned_k = rotary.rotate(q, at, THETA), rotary.rotate(k, at, THETA)
    assert torch.allclose(turned_q.norm(dim=-1), q.norm(dim=-1), rtol=1e-5)
    later_q, later_k = rotary.rotate(q, at + 1000, THETA), rotary.rotate(k, at + 1000, THETA)
    assert torch.allclose(turned_q @ turned_k.transpose(-1, -2), later_q @ later_k.transpose(-1, -2), atol=2e-3)
    assert not torch.allclose(turned_q, later_q, atol=0.1)


def test_an_odd_head_dimension_cannot_be_rotated():
    with pytest.raises(ValueError, match="pairs of channels"):
        rotary.frequencies(7)


def test_softmax_equals_scaled_dot_product_attention_on_rotated_vectors():
    q, k, v = qkv(33)
    at = torch.arange(33)
    wanted = F.scaled_dot_product_attention(rotary.rotate(q, at, THETA), rotary.rotate(k, at, THETA), v, is_causal=True)
    assert torch.allclose(mixers.matrix("softmax", q, k, v, THETA) @ v, wanted, atol=1e-6)
