"""The parallel, recurrent and chunked forms of kernel attention are one function, at every length."""
import pytest
import torch

from backends.attention import features, linear

FORMS = ("sum", "rms", "none")


def drawn(n, m=6, e=5, b=2, h=3, dtype=torch.float32):
    """Positive features and values (b, h, n, .)."""
    random = torch.Generator().manual_seed(n)
    fq, fk = (features.elu1(torch.randn(b, h, n, m, generator=random, dtype=dtype)) for _ in "qk")
    return fq, fk, torch.randn(b, h, n, e, generator=random, dtype=dtype)


def near(x, y):
    """Relative distance, 0 of empty tensors."""
    return ((x - y).norm() / y.norm()).item() if y.numel() else 0.0


@pytest.mark.parametrize("norm", FORMS)
@pytest.mark.parametrize("n", [0, 1, 2, 7, 31, 64, 65, 129])
@pytest.mark.parametrize("chunk", [1, 8, 64])
def test_three_forms_are_one(n, norm, chunk):
    fq, fk, v = drawn(n)
    fast, (slow, _) = linear.attend(fq, fk, v, norm=norm, chunk=chunk), linear.recurrent(fq, fk, v, norm)
    parallel = linear.matrix(fq, fk, v, norm=norm) @ v
    assert fast.shape == slow.shape == parallel.shape == v.shape
    assert near(fast, slow) < 1e-5 and near(parallel, slow) < 1e-5


@pytest.mark.parametrize("norm", FORMS)
@pytest.mark.parametrize("n", [0, 1, 9])
def test_without_a_mask_the_bracket_does_not_matter(n, norm):
    fq, fk, v = drawn(n)
    assert near(linear.attend(fq, fk, v, causal=False, norm=norm),
                linear.matrix(fq, fk, v, causal=False, norm=norm) @ v) < 1e-5


def test_against_a_loop_in_float64():
    fq, fk, v = drawn(9, dtype=torch.float64)
    out = linear.attend(fq, fk, v, chunk=4, eps=0.0)
    for i in range(9):
        weight = torch.stack([(fq[1, 2, i] * fk[1, 2, j]).sum() for j in range(i + 1)])
        assert torch.allclose(out[1, 2, i], sum(w * v[1, 2, j] for j, w in enumerate(weight)) / weight.sum())


@pytest.mark.parametrize("norm", FORMS)
def test_a_sequence_can_be_continued_from_its_state(norm):
    fq, fk, v = drawn(11)
    whole, (s, z) = linear.recurrent(fq, fk, v, norm)
    first, state = linear.recurrent(*(x[:, :, :4] for x in (fq, fk, v)), norm)
    rest, (s2, z2) = linear.recurrent(*(x[:, :, 4:] for x in (fq, fk, v)), norm, state=state)
    assert near(torch.cat([first, rest], 2), whole) < 1e-6 and near(s2, s) < 1e-6 and near(z2, z) < 1e-6


@pytest.mark.parametrize("norm", FORMS)
@pytest.mark.parametrize("chunk", [4, 64])
def test_the_future_does_not_reach_the_past(norm, chunk):
    fq, fk, v = drawn(13)
    other = drawn(13 + 100)
    cut = 6
    changed = [torch.cat([x[:, :, :cut], y[:, :, cut:13]], 2) for x, y in zip((fq, fk, v), other)]
    before, after = linear.attend(fq, fk, v, norm=norm, chunk=chunk), linear.attend(*changed, norm=norm, chunk=chunk)
    assert torch.equal(before[:, :, :cut], after[:, :, :cut])
    assert not torch.allclose(before[:, :, cut:], after[:, :, cut:])


def test_sums_are_float32_or_better():
    fq, fk, v = (x.bfloat16() for x in drawn(5))
    assert linear.attend(fq, fk, v).dtype == torch.float32 and linear.wide(v.double()) == torch.float64
    ones = torch.ones(1, 1, 4096, 1, dtype=torch.bfloat16)
    assert linear.attend(ones, ones, ones, norm="none")[0, 0, -1].item() == 4096


def test_rms_of_the_norm_is_one():
    fq, fk, v = drawn(20)
    y = linear.attend(fq, fk, v, norm="rms")
    assert torch.allclose(y.square().mean(-1), torch.ones(2, 3, 20), atol=1e-3)
