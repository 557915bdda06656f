"""S4D three ways, S4's rank-one trick, eigenvalues on the disc."""

import numpy as np
import pytest
import torch

from backends.memory import answer, nplr, poles, s4d
from backends.memory.params import MemoryParams, eigenvalues


@pytest.mark.parametrize("start", ["lin", "inv", "real"])
@pytest.mark.parametrize("length", [0, 1, 2, 33, 100])
def test_the_three_ways_agree(start, length):
    one = s4d.layer(start, 16, 0.05, 1)
    signal = torch.randn(length, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    first, *others = (way(one, signal) for _, way in s4d.WAYS.values())
    assert first.shape == (length,) and all(torch.allclose(first, other, atol=1e-12) for other in others)


@pytest.mark.parametrize("change", [{"start": "lru"}, {"start": "mamba", "size": 7},
                                    {"poles": "0.9+0.3i, -0.5", "size": 7}], ids=str)
def test_other_eigenvalues_run_three_ways_as_well(change):
    result = answer(MemoryParams(view="layer", longest=64, **change))
    assert result.finished and len(result.body.courses) == 3 and all(check.ok for check in result.checks)


def test_one_sample_gives_the_first_tap():
    one = s4d.layer("lin", 8, 0.1)
    y = s4d.recurrence(one, torch.ones(1, dtype=torch.float64))
    assert torch.allclose(y, 2 * (one.c * one.b).sum().real + one.d)


def test_a_layer_with_both_conjugates_is_real_and_the_same():
    one, signal = s4d.layer("lin", 8, 0.1), torch.randn(20, dtype=torch.float64)
    lam, b, c = (torch.cat([v, v.conj()]) for v in (one.lam, one.b, one.c))
    x, out = torch.zeros_like(lam), []
    for u in signal:
        x = lam * x + b * u
        out.append((c * x).sum())
    out = torch.stack(out)
    assert out.imag.abs().max() < 1e-12
    assert torch.allclose(out.real + one.d * signal, s4d.recurrence(one, signal), atol=1e-12)


@pytest.mark.parametrize("size", [1, 7, 0])
def test_odd_sizes_are_refused(size):
    with pytest.raises(ValueError, match="even"):
        s4d.eigenvalues("lin", size)


def test_published_eigenvalues():
    assert s4d.eigenvalues("inv", 64)[0].imag.item() == pytest.approx(64 / np.pi * 63)
    assert s4d.eigenvalues("lin", 64)[5].item() == pytest.approx(complex(-0.5, 5 * np.pi))
    assert s4d.eigenvalues("real", 4).tolist() == [-1, -2]


@pytest.mark.parametrize("n", [1, 2, 8, 16, 64])
def test_legs_is_normal_plus_rank_one(n):
    from backends.memory.hippo import legs

    values, p, u = nplr.parts(n)
    assert np.abs(u @ (np.diag(values) - np.outer(p, p.conj())) @ u.conj().T - legs(n)[0]).max() < 1e-11 * n
    assert np.linalg.cond(u) == pytest.approx(1) and np.allclose(values.real, -0.5) and nplr.skewness(n) < 1e-12


@pytest.mark.parametrize("length", [1, 2, 63, 64])
@pytest.mark.parametrize("n", [1, 4, 32])
def test_the_generating_function_gives_the_kernel_of_multiplying(n, length):
    c = np.random.default_rng(0).standard_normal(n)
    truth = nplr.powers(n, 0.02, length, c)
    assert np.abs(nplr.generated(n, 0.02, length, c)[1] - truth).max() < 1e-9 * max(1, np.abs(truth).max())


def test_published_condition_numbers():
    c = np.ones(16)
    assert nplr.direct(8, 0.01, 4, c[:8])[0] == pytest.approx(7.7e4, rel=0.02)
    assert nplr.direct(16, 0.01, 4, c)[0] == pytest.approx(8.3e10, rel=0.02)


@pytest.mark.parametrize("start", ["lin", "inv", "real", "lru", "mamba"])
def test_every_start_lies_inside_the_circle_and_its_gain_is_its_kernel_s(start):
    lam, b = poles.placed(MemoryParams(view="poles", start=start, size=16, inner=0.5, outer=0.95))
    assert np.abs(lam).max() < 1
    long = np.abs(np.fft.rfft(poles.kernel(lam, b, 4096)))[:: 2048 // 256]
    assert np.abs(long - poles.gain(lam, b)[1]).max() < 1e-9 * long.max()


def test_the_ring_is_a_ring():
    radius = np.abs(poles.ring(2000, 0.5, 0.9, 0))
    assert radius.min() >= 0.5 and radius.max() < 0.9 and abs(np.mean(radius**2) - (0.25 + 0.81) / 2) < 0.02


def test_the_gain_is_held_against_the_kernel():
    lam, b = poles.placed(MemoryParams(view="poles", start="lin", size=16))
    assert poles.spectrum_gap(lam, b) < 1e-12


@pytest.mark.parametrize(("text", "values"), [
    ("0.5", (0.5,)), ("0.98+0.1i, -0.7\n0.2j", (0.98 + 0.1j, -0.7, 0.2j)), ("", ()), (" ,; ", ()),
    ("-0.25-0.5i;1e-3", (-0.25 - 0.5j, 0.001))])
def test_eigenvalues_are_read_as_people_write_them(text, values):
    assert eigenvalues(text) == values


@pytest.mark.parametrize(("text", "said"), [
    ("1", "lambda"), ("0.8+0.7i", "inside the unit circle"), ("0 " * 129, "at most 128"), ("nan", "lambda"),
    ("1e400", "lambda"), ("half", "'half' is not an eigenvalue"), ("0.9 + 0.1i", "without spaces")])
def test_eigenvalues_outside_are_refused(text, said):
    with pytest.raises(ValueError, match=said):
        MemoryParams(view="poles", poles=text)


def test_too_fast_eigenvalues_are_counted():
    """S4D-Lin's n-th turns by pi n dt a sample: above pi from n = 1 / dt on."""
    assert poles.aliased(MemoryParams(size=64, dt=0.05)) == 11 and poles.aliased(MemoryParams(size=64, dt=0.02)) == 0
    assert poles.aliased(MemoryParams(size=64, dt=1.0, start="real")) == poles.aliased(
        MemoryParams(size=64, dt=1.0, poles="0.5")) == 0


@pytest.mark.parametrize(("settings", "said"), [
    ({"size": 0}, "State size N"), ({"view": "layer", "size": 7}, "even"), ({"view": "poles", "size": 7}, "even"),
    ({"memories": ()}, "at least one"), ({"memories": ("legs", "x")}, "at least one"), ({"rule": "rk4"}, "not known"),
    ({"inner": 0.9, "outer": 0.5}, "inner radius"), ({"string": "..x"}, "letters a to h"),
    ({"string": "...."}, "1 to 16"),
])
def test_wrong_settings_are_refused_in_a_sentence(settings, said):
    with pytest.raises(ValueError, match=said):
        MemoryParams(**settings)
