"""Saturation, initialisation and signal propagation against closed forms, torch and transformers."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from backends.scale import answer, depth, entropy, saturate, toy, training, width
from backends.scale.params import ACTIVATIONS, INITS, NORMS, SOURCES, ScaleParams

# without a scale, n = 64, by d: mean max p, entropy, share above 0.99, median Jacobian norm
TABLE = {
    16: (0.60, 1.31, 0.02, 0.328), 64: (0.78, 0.61, 0.18, 0.215), 128: (0.86, 0.39, 0.34, 0.085),
    256: (0.90, 0.27, 0.47, 0.026), 1024: (0.95, 0.13, 0.71, 0.0002),
}
ROOTED = {16: (0.104, 3.70, 0.176), 64: (0.106, 3.70, 0.178), 128: (0.107, 3.69, 0.179), 256: (0.107, 3.68, 0.180),
          1024: (0.109, 3.68, 0.180)}


def exact(d, exponent, count=60_000):
    """Rows whose keys are all their own: given q, its logits are |q| N(0, 1), and |q|^2 is chi-squared with d
    degrees."""
    made = torch.Generator().manual_seed(1)
    lengths = torch._standard_gamma(torch.full((count, 1), d / 2.0), generator=made).mul(2).sqrt()
    return saturate.rows(torch.randn(count, 64, generator=made) * lengths * d**-exponent, d)


def figures(rows):
    return torch.tensor((rows.top, rows.entropy, rows.saturated, rows.jacobian[2]), dtype=torch.float64)


def repeated(d, times=16):
    """The four figures, drawn anew as the table was: 2000 queries on one set of 64 keys."""
    made = torch.Generator().manual_seed(d)
    scores = (torch.randn(2000, d, generator=made) @ torch.randn(64, d, generator=made).T for _ in range(times))
    return torch.stack([figures(saturate.rows(s, d)) for s in scores])


@pytest.mark.parametrize("d", TABLE)
def test_the_table_of_saturation(d):
    """5 %, or where one such draw is less certain than that, what 16 draws spread over, and the table's rounding."""
    found, wanted = figures(exact(d, 0.0)), torch.tensor(TABLE[d], dtype=torch.float64)
    bound = (torch.maximum(0.05 * wanted, 2 * repeated(d).std(0))
             + torch.tensor([0.005, 0.005, 0.005, 0.0005 if d < 1024 else 0.00005]))
    assert ((found - wanted).abs() <= bound).all(), (found, wanted, bound)
    rooted, (top, nats, median) = exact(d, 0.5), ROOTED[d]
    assert (rooted.top, rooted.entropy, rooted.jacobian[2]) == pytest.approx((top, nats, median), rel=0.05)
    assert rooted.saturated == 0


def test_our_draws_are_what_the_closed_form_says():
    for exponent in (0.0, 0.5):
        ours, theirs = saturate.rows(saturate.logits(64, 64, exponent, 1.0, 4096, 0), 64), exact(64, exponent)
        assert (ours.top, ours.entropy) == pytest.approx((theirs.top, theirs.entropy), rel=0.04)


def test_the_median_jacobian_is_larger_without_the_scale_and_the_tail_is_what_differs():
    none, rooted = exact(64, 0.0), exact(64, 0.5)
    assert none.jacobian[2] > rooted.jacobian[2] and none.jacobian[0] < 0.02 < 0.15 < rooted.jacobian[0]


def test_the_jacobian_s_norm_is_autograd_s_also_when_one_hot():
    for spread in (0.1, 1.0, 10.0, 1000.0):
        x = spread * torch.randn(7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        wanted = torch.autograd.functional.jacobian(lambda v: v.softmax(-1), x)
        norm = torch.linalg.matrix_norm(wanted).item()
        assert saturate.jacobian_norm(x.softmax(-1)).item() == pytest.approx(norm, abs=1e-7)


@pytest.mark.parametrize(("name", "value"), [
    ("sigmoid", 0.2933790), ("tanh", 0.394294), ("gelu", 0.425221), ("silu", 0.355776),
    ("relu", 0.5), ("linear", 1.0), ("selu", 1.0)])
def test_second_moments_of_activations(name, value):
    assert depth.moment(name) == pytest.approx(value, abs=1e-6)


def test_initialisations_are_torch_s_and_t5_s():
    rows, columns = 96, 48
    made = torch.empty(rows, columns)
    fans = {"he": lambda: nn.init.kaiming_normal_(made, nonlinearity="relu"),
            "xavier": lambda: nn.init.xavier_normal_(made),
            "lecun": lambda: nn.init.kaiming_normal_(made, nonlinearity="linear"),
            "small": lambda: nn.init.normal_(made, std=0.02)}
    for name, fill in fans.items():
        torch.manual_seed(0)
        found = torch.stack([fill().clone() for _ in range(20)]).std().item()
        assert depth.deviation(name, rows, columns) == pytest.approx(found, rel=0.02)
    v, s = depth.drawn("orthogonal", "normal", 32, 32, torch.Generator().manual_seed(0))
    assert torch.allclose(s * v @ (s * v).T, torch.eye(32), atol=1e-5)


def test_t5_s_own_initialisation():
    from transformers import T5Config, T5Model

    config = T5Config(d_model=64, d_kv=64, num_heads=1, d_ff=256, num_layers=2, num_decoder_layers=1, vocab_size=32)
    torch.manual_seed(0)
    block = T5Model(config).encoder.block[0].layer
    attention, ours = block[0].SelfAttention, toy.made("t5", 64, 1, 0)
    for name in "qkvo":
        mine, theirs = getattr(ours.mix[0], name).weight.std().item(), getattr(attention, name).weight.std().item()
        assert mine == pytest.approx(theirs, rel=0.06)
    assert block[1].DenseReluDense.wi.weight.std().item() == pytest.approx(depth.deviation("t5", 256, 64), rel=0.03)
    assert block[1].DenseReluDense.wo.weight.std().item() == pytest.approx(depth.deviation("t5", 64, 256), rel=0.03)
    assert ours.mix[0].scale == 1.0 and ours.mix[0].q.weight.std().item() == pytest.approx((64 * 64) ** -0.5, rel=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_t5_s_logits_start_with_variance_one(seed):
    """Unscaled q.k of unit-variance inputs at d_model = 512, d_kv = 64: T5's own layer, and the route here."""
    from transformers import T5Config, T5Model

    torch.manual_seed(seed)
    config = T5Config(d_model=512, d_kv=64, num_heads=8, d_ff=8, num_layers=1, num_decoder_layers=1, vocab_size=8)
    theirs, ours = T5Model(config).encoder.block[0].layer[0].SelfAttention, toy.made("t5", 512, 8, seed).mix[0]
    assert ours.scale == 1.0
    x = torch.randn(512, 512, generator=torch.Generator().manual_seed(seed + 100))
    for layer in (theirs, ours):
        q, k = (part(x).unflatten(-1, (8, 64)).transpose(0, 1) for part in (layer.q, layer.k))
        assert (q @ k.mT).var().item() == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("shape", [(256, 64), (64, 256), (64, 64), (96, 48)])
def test_orthogonal_matrices_are_torch_s(shape):
    ours, theirs = (torch.Generator().manual_seed(3) for _ in range(2))
    assert torch.allclose(depth.orthogonal(*shape, ours), nn.init.orthogonal_(torch.empty(shape), generator=theirs),
                          atol=1e-5)


def test_t5_is_lecun_in_the_stacks_and_xavier_too_without_a_shortcut():
    for norm, same in (("plain", True), ("pre", False)):
        lecun, t5, xavier = (depth.depth(ScaleParams(layers=3, norm=norm, init=init)).forward
                             for init in ("lecun", "t5", "xavier"))
        assert lecun == t5 and (lecun == xavier) == same


def test_rms_norm_is_torch_s_and_t5_s():
    from transformers.models.t5.modeling_t5 import T5LayerNorm

    x = torch.randn(5, 64, generator=torch.Generator().manual_seed(0))
    for theirs in (nn.RMSNorm(64, 1e-6), T5LayerNorm(64, 1e-6)):
        assert torch.allclose(depth.rms_norm(x), theirs(x), atol=1e-6)


def test_selu_is_torch_s():
    x = torch.linspace(-4, 4, 99)
    assert torch.equal(depth.ACTS["selu"](x), nn.SELU()(x))


def test_attention_is_torch_s_with_the_scale():
    mix, x = toy.Attention(16, 2, 0.37), torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    q, k, v = (part(x).unflatten(-1, (2, 8)).transpose(1, 2) for part in (mix.q, mix.k, mix.v))
    wanted = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.37)
    assert torch.allclose(mix(x), mix.o(wanted.transpose(1, 2).flatten(2)), atol=1e-6)


def test_the_cut_normal_has_the_variance_that_tensorflow_corrects():
    made = torch.Generator().manual_seed(0)
    plain, corrected = (depth.cut((300_000,), made, c) for c in (False, True))
    assert plain.var().item() == pytest.approx(0.7737413, rel=0.01)
    assert corrected.var().item() == pytest.approx(1, rel=0.01)
    assert depth.CUT == pytest.approx(0.7737413, abs=1e-7) and depth.CUT**-0.5 == pytest.approx(1.1368472, abs=1e-6)
    assert plain.abs().max() <= 2.0 + 1e-6


def by_hand(norm, x, a, b, count):
    """One layer, in float64."""
    def normed(y):
        return y / (y.square().mean(-1, keepdim=True) + 1e-6).sqrt()

    def branch(y):
        return nn.functional.gelu(y @ a.T) @ b.T

    if norm in ("plain", "rezero"):
        return nn.functional.gelu(x @ a.T) if norm == "plain" else x
    if norm in ("post", "deepnorm"):
        return normed((count**0.25 if norm == "deepnorm" else 1) * x + branch(x))
    return x + branch(normed(x) if norm == "pre" else x)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("init", INITS)
def test_every_stack_is_finite_and_as_its_naive_loop(norm, init):
    """The stack by hand, in float64, from the same matrices."""
    params = ScaleParams(view="depth", layers=6, norm=norm, init=init, activation="gelu")
    layers, matrices = depth.stack(params)
    made = torch.Generator().manual_seed(params.seed + 1)
    x = torch.randn(depth.BATCH, depth.WIDTH, generator=made).double()
    body = depth.depth(params)
    for at, (one, two) in enumerate(matrices):
        a, b = (m.weight.detach().double() * m.factor for m in (one, two))
        x = by_hand(norm, x, a, b, 6)
        assert body.forward[at + 1] == pytest.approx(x.square().mean().item(), rel=1e-3, abs=1e-30)
    assert all(math.isfinite(v) for v in (*body.forward, *body.backward, *body.first, *body.second))
    assert len(layers) == 6


def test_ntk_parametrisation_keeps_the_function_and_changes_the_step():
    params = ScaleParams(view="depth", layers=4, norm="pre", init="lecun")
    plain, ntk = depth.depth(params), depth.depth(replace(params, ntk=True))
    assert plain.forward == pytest.approx(ntk.forward, rel=1e-4)
    assert plain.backward == pytest.approx(ntk.backward, rel=1e-3)
    assert plain.jump / ntk.jump == pytest.approx(depth.WIDTH**0.5, rel=0.05)
    assert plain.first[0] / ntk.first[0] == pytest.approx(depth.WIDTH**0.5, rel=0.05)


def test_residual_depth_as_the_papers_say():
    """Over seeds: pre-norm's second moment grows by one each layer, ReZero is the identity, DeepNorm's gradient arrives
    whole."""
    base = ScaleParams(view="depth", layers=64, init="lecun", activation="gelu", tuned=True)
    for seed in range(3):
        pre, rezero, deep = (depth.depth(replace(base, norm=norm, seed=seed)) for norm in ("pre", "rezero", "deepnorm"))
        assert 50 < pre.forward[-1] / pre.forward[0] < 80
        assert rezero.backward[0] == pytest.approx(rezero.backward[-1]) and set(rezero.first) == {0.0}
        assert deep.backward[0] == pytest.approx(deep.backward[-1], rel=0.2)


def test_scales_against_loops():
    made = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 4, generator=made).double(), torch.randn(5, 4, generator=made).double()
    for name in ("sqrt", "logn", "keynorm", "cosine"):
        found = entropy.scaled(name, entropy.products(q, k), 5)
        assert torch.allclose(found, entropy.scaled(name, entropy.products(q, k.expand(2, -1, -1)), 5))
        for i in range(2):
            for j in range(5):
                dot, a, b = float(q[i] @ k[j]), float(q[i].norm()), float(k[j].norm())
                wanted = {"sqrt": dot / 2, "logn": dot / 2 * math.log(5) / math.log(512), "keynorm": dot / b,
                          "cosine": 4 * math.log(5) * dot / a / b}[name]
                assert found[i, j].item() == pytest.approx(wanted)


def test_routes_start_alike_and_share_their_draws():
    tokens, wanted = toy.batch(4, torch.Generator().manual_seed(0))
    assert (wanted[:, :11] == -100).all() and torch.equal(wanted[:, 11:], tokens[:, :12])
    outs = {route: toy.made(route, 64, 1, 0)(tokens) for route in toy.POWERS}
    assert torch.allclose(outs["sqrt"], outs["t5"], atol=1e-4)
    assert not torch.allclose(outs["sqrt"], outs["none"], atol=0.1)


def test_mup_is_standard_at_the_base_width_and_its_logits_do_not_grow():
    *_, body = width.widths(ScaleParams(view="width", rate=0.003))
    standard, mup = body.growths
    assert standard.hidden[0] == pytest.approx(mup.hidden[0], rel=1e-4)
    assert min(body.slopes[0]) > 0.4 and max(body.slopes[1]) < 0.15


@pytest.mark.parametrize("view", ["dial", "depth", "entropy", "truncated"])
def test_views_end_with_true_checks(view):
    for change in ({}, {"d": 1, "n": 2}, {"spread": 0.0}, {"exponent": 1.0}, {"d": 1024, "n": 8}):
        result = answer(replace(ScaleParams(view=view), **change))
        assert result.finished and result.checks and all(c.ok for c in result.checks), result.checks


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_ends_with_true_checks(activation):
    assert all(c.ok for c in answer(ScaleParams(view="depth", activation=activation, layers=8)).checks)


def test_a_trained_model_s_own_entropy():
    result = answer(ScaleParams(view="entropy", source="bytes"))
    assert result.body.lengths[-1] == 512 and all(c.ok for c in result.checks) and set(SOURCES) == {"random", "bytes"}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("wrong", "name"),
                         [("logn", "log n is torch's attention"), ("cosine", "cosine knows no lengths")])
def test_checks_of_the_scales_can_fail(monkeypatch, source, wrong, name):
    """With log 256 in place of log 512, or cosines that forget the keys' lengths."""
    right = entropy.scaled

    def scaled(kind, of, n):
        scores = right(kind, of, n)
        if kind == wrong:
            scores = scores * (math.log(512) / math.log(256) if kind == "logn" else of.k[:, -n:] / of.d**0.5)
        return scores

    monkeypatch.setattr(entropy, "scaled", scaled)
    assert [c.name for c in answer(ScaleParams(view="entropy", source=source)).checks if not c.ok] == [name]


def test_the_trained_head_is_the_model_s_own_attention():
    """Its rows over the same keys are the model's own, over what those keys get."""
    from backends.lm import corpus, shelf

    tokens = corpus.windows(True, 1, 512 + entropy.QUERIES, 0)[0]
    own = shelf.load(entropy.MODEL).trace(tokens).layers[1].matrix[0, 2]
    rows = entropy.scaled("sqrt", entropy.trained(2, 3, 0), 512).softmax(-1)
    for at, row in enumerate(rows):
        theirs = own[512 + at, at + 1 : at + 513]
        assert torch.allclose(theirs / theirs.sum(), row, atol=1e-5)


def test_a_deeper_stack_begins_as_a_shorter_one_and_the_twin_is_known():
    short, long = (depth.depth(ScaleParams(norm="pre", layers=layers)) for layers in (3, 9))
    assert long.forward[:4] == short.forward
    params = ScaleParams(view="depth", layers=5, norm="pre", init="lecun")
    moments, jump = depth.forward(replace(params, ntk=True))
    assert moments == pytest.approx(depth.depth(params).forward, rel=1e-4)
    assert jump == depth.depth(replace(params, ntk=True)).jump
    assert answer(params).body.other == jump


def test_training_streams_and_can_be_stopped():
    results = answer.stream(ScaleParams(view="training", steps=10, routes=("sqrt", "t5")))
    first = next(results)
    assert not first.finished and len(first.body.courses[0].losses) == 1
    results.close()
    last = answer(ScaleParams(view="training", steps=10, routes=("sqrt", "t5")))
    assert last.finished and all(c.ok for c in last.checks)
    assert last.body.courses[1].start == pytest.approx(last.body.courses[0].start)


@pytest.mark.parametrize("seed", [1, 2])
def test_t5_rejoins_with_relative_steps_and_leads_under_adam(seed):
    found = {}
    for optimizer in ("adam", "relative"):
        *_, body = training.training(ScaleParams(optimizer=optimizer, seed=seed, steps=60))
        found[optimizer] = {course.name: course.below for course in body.courses}
    assert abs(found["relative"]["t5"] - found["relative"]["sqrt"]) <= 3
    assert 4 <= found["adam"]["sqrt"] - found["adam"]["t5"] <= 9
    for steps in found.values():
        assert steps["none"] - steps["sqrt"] >= 8 and steps["mup"] - steps["sqrt"] >= 8


@pytest.mark.parametrize(("change", "sentence"), [
    ({"d": 0}, "between 1 and 1024"), ({"n": 1}, "between 2"), ({"exponent": 2}, "between 0 and 1"),
    ({"init": "nope"}, "not known"),
    ({"routes": ()}, "at least one"), ({"routes": ("sqrt", "sqrt")}, "each once"), ({"rate": 0.0}, "between"),
    ({"view": "depth", "init": "orthogonal", "draw": "truncated"}, "Orthogonal"), ({"rate": float("nan")}, "between"),
])
def test_what_cannot_be_is_one_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        ScaleParams(**change)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
