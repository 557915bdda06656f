"""Every kind against loops in float64; its fast path against its matrix; no look at the future; honest failures."""
import pytest
import torch
from torch.nn import functional as F

from backends.attention import compare, efficient, exact, features, inputs, kernels, linformer, masks
from backends.attention.params import KINDS, AttentionParams
from tests.backends.attention import naive

NAMES = tuple(KINDS)
SMALL = {"source": "synthetic", "dim": 4, "m": 7, "window": 2, "stride": 3, "block": 4, "globals": 1,
         "blocks": 1, "rank": 3}


def drawn(n, causal=True, **given):
    """(params, q, k, v) of four heads."""
    p = AttentionParams(**(SMALL | {"n": n, "causal": causal} | given))
    x = inputs.load(p)
    return p, x.q, x.k, x.v


def oracle(kind, p, q, k, v, h):
    """A (n, n) of head h by loops."""
    n = q.shape[1]
    w = (linformer.projection(p.rank, n, p.seed) if kind == "linformer"
         else features.projection(p.m, q.shape[2], p.seed, p.orthogonal))
    mask = masks.of("bigbird", n, p) if kind == "bigbird" else None
    return torch.from_numpy(naive.matrix(kind, *(x[h].double().numpy() for x in (q, k, v)), p,
                                         w.double().numpy(), mask))


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("n", [1, 2, 5, 11])
def test_matrix_and_output_are_those_of_a_loop(kind, causal, n):
    p, q, k, v = drawn(n, causal)
    found, y = compare.weights(kind, q, k, v, p)[0].double(), compare.output(kind, q, k, v, p).double()
    for h in (0, 3):
        truth = oracle(kind, p, q, k, v, h)
        known = truth.isfinite().all(-1) & ~(truth == 0).all(-1)
        size = truth[known].abs().amax(-1, keepdim=True) if known.any() else 1.0
        assert ((found[h][known] - truth[known]) / size).abs().max() < 2e-5 if known.any() else found[h].isnan().all()
        assert ((y[h][known] - (truth @ v[h].double())[known]) / size).abs().max() < 1e-4 if known.any() else True
        assert found[h][~known].isnan().all()


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 131])
@pytest.mark.parametrize("causal", [True, False])
def test_matrix_times_v_is_the_output(kind, n, causal):
    p, q, k, v = drawn(n, causal, dim=16, window=9, stride=7, block=10)
    a, y = compare.weights(kind, q, k, v, p)[0], compare.output(kind, q, k, v, p)
    assert compare._residual(a, v, y) < 1e-5


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("cut", [1, 8, 17, 64, 70])
def test_what_comes_later_changes_nothing_before(kind, cut):
    p, q, k, v = drawn(71, dim=8)
    random = torch.Generator().manual_seed(99)
    later = [torch.cat([x[:, :cut], torch.randn(4, 71 - cut, 8, generator=random) * 2], 1) for x in (q, k, v)]
    pairs = [(compare.output(kind, *x, p)[:, :cut], compare.weights(kind, *x, p)[0][:, :cut])
             for x in ((q, k, v), later)]
    (y, a), (y2, a2) = [(y.nan_to_num(0), a.nan_to_num(0)) for y, a in pairs]
    if KINDS[kind].causal:
        assert (y - y2).abs().max() <= 1e-6 * y.abs().max() and (a - a2).abs().max() <= 1e-6 * a.abs().max()
        assert not a[:, :, cut:].any()
    else:
        assert (y - y2).abs().max() > 0.1 * y.abs().max()


@pytest.mark.parametrize("kind", NAMES)
def test_later_tokens_do_matter_without_a_mask(kind):
    """The test above can fail: without `causal` it would."""
    p, q, k, v = drawn(71, causal=False, dim=8, window=40, block=80, stride=80)
    before, after = (compare.output(kind, q, k, x, p)[:, :40].nan_to_num(0)
                     for x in (v, torch.cat([v[:, :70], -9 * v[:, 70:]], 1)))
    assert (before - after).abs().max() > 1e-4 * before.abs().max()


@pytest.mark.parametrize("n", [0, 1, 9])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("scale", [None, 1.0])
def test_softmax_is_torchs(n, causal, scale):
    q, k, v = torch.randn(3, 2, n, 8, generator=torch.Generator().manual_seed(1))
    truth = F.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=scale)
    mask = masks.causal(n) if causal else None
    assert torch.allclose(exact.matrix(q, k, mask, scale) @ v, truth, atol=1e-6)
    assert torch.allclose(exact.attend(q, k, v, causal=causal, scale=scale), truth, atol=1e-6)


def test_rows_without_a_key_are_zero():
    q, k, v = torch.randn(3, 2, 5, 4, generator=torch.Generator().manual_seed(1))
    mask = masks.causal(5).clone()
    mask[2] = False
    a, y = exact.matrix(q, k, mask), exact.attend(q, k, v, mask)
    assert not a[:, 2].any() and not y[:, 2].any()
    assert torch.allclose(a @ v, y, atol=1e-6) and torch.allclose(a.sum(-1)[:, [0, 1, 3, 4]], torch.ones(2, 4))


@pytest.mark.parametrize("n", [0, 1, 4, 5, 16, 17])
@pytest.mark.parametrize("block", [1, 4, 16, 17, 99])
@pytest.mark.parametrize("causal", [True, False])
def test_diagonal_attention_in_blocks(n, block, causal):
    q, k, v = torch.randn(3, 2, n, 8, generator=torch.Generator().manual_seed(1))
    y = exact.blockwise(q, k, v, block, causal)
    mask = masks.diag(n, block) & masks.causal(n) if causal else masks.diag(n, block)
    assert torch.allclose(y, exact.matrix(q, k, mask) @ v, atol=1e-6)
    if block >= n:
        assert torch.allclose(y, F.scaled_dot_product_attention(q, k, v, is_causal=causal), atol=1e-6)


@pytest.mark.parametrize("n", [0, 1, 7, 33, 70])
@pytest.mark.parametrize("chunk", [1, 4, 16, 128])
def test_efficient_attention_in_chunks(n, chunk):
    q, k, v = torch.randn(3, 2, n, 6, generator=torch.Generator().manual_seed(1)) * 3
    assert torch.allclose(efficient.attend(q, k, v, True, chunk), efficient.matrix(q, k, True) @ v, atol=1e-5)


def test_causal_efficient_attention_is_performer_pytorch_s_path():
    """Its lines for `no_projection`, causal: q.softmax(-1), k.exp(), one division for each row; and not a running
    softmax for each channel, which is another map."""
    q, k, v = torch.randn(3, 2, 33, 6, generator=torch.Generator().manual_seed(2)).double() * 2
    fq, fk = q.softmax(-1), k.exp()
    inverse = 1 / torch.einsum("hnd,hnd->hn", fq, fk.cumsum(-2))
    context = torch.einsum("hnd,hne->hnde", fk, v).cumsum(-3)
    theirs = torch.einsum("hnde,hnd,hn->hne", context, fq, inverse)
    assert torch.allclose(efficient.attend(q, k, v, True), theirs, atol=1e-10)
    by_channel = torch.einsum("hnde,hnd->hne", context / fk.cumsum(-2)[..., None], fq)
    assert (theirs - by_channel).norm() > 0.05 * theirs.norm()


def test_efficient_attention_holds_keys_of_any_size():
    """exp(900) is no number in float64, exp(-900) is 0."""
    q, k, v = torch.randn(3, 1, 40, 6, generator=torch.Generator().manual_seed(1))
    k = k * 300
    a = efficient.matrix(q, k, True)
    assert torch.allclose(a.sum(-1), torch.ones(1, 40), atol=1e-5)
    assert torch.allclose(efficient.attend(q, k, v, True), a @ v, atol=1e-5)


def test_the_rank_of_linformer_is_its_own():
    p, q, k, v = drawn(40, rank=3)
    assert torch.linalg.matrix_rank(compare.weights("linformer", q, k, v, p)[0], rtol=1e-5).tolist() == [3] * 4


def test_linformers_projection_keeps_lengths_on_average():
    """Entries N(0, 1/r): E |E x|^2 = |x|^2."""
    e = linformer.projection(200, 300, seed=1)
    assert e.square().sum().item() == pytest.approx(300, rel=0.02) and abs(e.mean().item()) < 1e-3


def test_a_kernel_without_mask_has_the_rank_of_its_features():
    p, q, k, v = drawn(40, causal=False)
    for kind, rank in (("elu1", 4), ("taylor", 5), ("performer", 7), ("performer_trig", 14)):
        assert torch.linalg.matrix_rank(compare.weights(kind, q, k, v, p)[0], rtol=1e-5).tolist() == [rank] * 4


@pytest.mark.parametrize("kind", ["relu", "cosformer"])
def test_rows_without_a_common_channel_are_nan_and_counted(kind):
    p, q, k, v = drawn(6)
    q[:, 3] = -q[:, 3].abs()
    a, sums = compare.weights(kind, q, k, v, p)
    assert a[:, 3].isnan().all() and not sums[:, 3].any()
    assert compare.output(kind, q, k, v, p)[:, 3].isnan().all()


def test_a_negative_row_sum_is_kept_as_it_is():
    p, q, k, v = drawn(30, norm=2.0, dim=16, m=8)
    a, sums = compare.weights("performer_trig", q, k, v, p)
    assert (sums < 0).any() and torch.allclose(a.sum(-1), torch.ones(4, 30, dtype=torch.float64))


def test_taylor_does_not_see_lengths():
    p, q, k, v = drawn(9)
    one, other = (compare.weights("taylor", q * s, k * s, v, p)[0] for s in (1.0, 5.0))
    assert torch.allclose(one, other, atol=1e-6)


def test_an_unknown_kind_has_no_features():
    p, q, k, _ = drawn(3)
    with pytest.raises(ValueError, match="local has no feature map"):
        kernels.maps("local", q, k, p)
