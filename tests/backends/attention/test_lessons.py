"""Each lesson's figures against another way to get them, and the observation that it is there to show."""
import math
from types import SimpleNamespace

import pytest
import torch

from backends import weights
from backends.attention import answer, features, inputs, kernels, lessons, linear
from backends.attention.lessons import bracket, dilution, favor, gradient, state
from backends.attention.params import AttentionParams
from backends.lm import shelf


def taught(lesson, **given):
    """(result, lesson) of a synthetic input."""
    result = answer(AttentionParams(**({"source": "synthetic", "kinds": ("softmax",), "lesson": lesson} | given)))
    assert all(c.ok for c in result.checks)
    return result, result.body.lesson


@pytest.fixture
def quick(monkeypatch):
    """A bracket lesson of four short lengths."""
    monkeypatch.setattr(bracket, "LENGTHS", (16, 64, 256, 1024))


def test_the_bracket_streams_one_length_after_the_other(quick):
    first, *more = answer.stream(AttentionParams(source="synthetic", kinds=("softmax",), lesson="bracket", dim=32))
    assert first.body.cards and first.body.lesson is None
    assert [r.finished for r in (first, *more)] == [False] * 4 + [True]
    seen = [r.body.lesson for r in more]
    assert [x.n for x in seen] == [(16,), (16, 64), (16, 64, 256), (16, 64, 256, 1024)]
    assert [x.finished for x in seen] == [False, False, False, True]
    last = seen[-1]
    assert last.quadratic_bytes == tuple(4 * n * n + 4 * n * 32 for n in last.n)
    assert last.linear_bytes == tuple(4 * 32 * 32 + 4 * n * 32 for n in last.n)
    assert last.quadratic_flops[1] == 4 * 64 * 64 * 32
    assert last.linear_flops[1] == 4 * 64 * 32 * 32 and last.predicted == 32
    assert all(x > 0 for x in last.quadratic_seconds + last.linear_seconds)


def test_a_matrix_that_would_not_fit_is_left_out(quick, monkeypatch):
    monkeypatch.setattr(bracket, "spare", lambda at: 4 * 256 * 256)
    _, found = taught("bracket")
    assert found.quadratic_seconds[-1] is None and found.quadratic_bytes[-1] is None and found.quadratic_bytes[2] > 0
    assert found.linear_bytes[-1] > 0


def test_spare_memory_is_a_quarter_of_what_is_available(tmp_path, monkeypatch):
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   4096 kB\n")
    monkeypatch.setattr(bracket, "MEMORY", tmp_path / "meminfo")
    assert bracket.spare(torch.device("cpu")) == 1 << 20
    monkeypatch.setattr(bracket, "MEMORY", tmp_path / "none")
    assert bracket.spare(torch.device("cpu")) == 1 << 30


def test_peak_counts_what_lives_at_once():
    x = torch.zeros(100)
    with bracket.Peak(x) as peak:
        y = x + 1
        z = (y * 2).view(10, 10).T
        del y
        z = z + 1
        del z
    assert peak.bytes == 800


@pytest.mark.parametrize("ratio, expected", [
    ((0.25, 0.5, 2, 4), 32 * 2 ** 0.5),
    ((0.1, 0.5, 1.5, None), 32 * 2 ** (math.log(2) / math.log(3))),
    ((9, 9, 9, 9), 16.0),
    ((0.9, 0.8, 0.7, 0.6), None),
    ((0.5, 2, 0.9, 9, 99), 16 * 2 ** 0.5),
    ((0.5, 0.5, 2, 0.5, 0.5, 2), 256 * 2 ** 0.5),
], ids=["plain", "one left out", "always", "never", "one odd after", "one odd before"])
def test_the_crossing_is_where_the_fewest_lengths_disagree(ratio, expected):
    n = tuple(16 * 2 ** i for i in range(len(ratio)))
    slow = tuple(x and 3e-5 * x for x in ratio)
    assert bracket.crossing(n, slow, (3e-5,) * len(n)) == (expected and pytest.approx(expected))


def test_trigonometric_features_keep_to_their_closed_form_and_positive_ones_lose_theirs():
    _, gentle = taught("favor", norm=0.5, orthogonal=False)
    assert torch.allclose(gentle.error[1], gentle.theory[1], rtol=0.15)
    assert all(-0.65 < x < -0.4 for x in gentle.slope) and gentle.longest < 10
    _, usual = taught("favor", orthogonal=False)
    assert torch.allclose(usual.error[1], usual.theory[1], rtol=0.35)
    assert (usual.error[0] < usual.theory[0] / 50).all()
    assert usual.non_positive[1].min() > 0.2 and not usual.non_positive[[0, 2]].any()


def test_orthogonal_features_are_below_the_closed_form_of_independent_ones():
    _, found = taught("favor", norm=0.25)
    assert (found.error[1, 3:] < 0.5 * found.theory[1, 3:]).all() and found.orthogonal
    assert (found.low <= found.error).all() and (found.error <= found.high).all()


def test_the_closed_form_of_the_lesson_sums_over_pairs():
    q, k = torch.randn(2, 7, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 0.3
    truth = (q @ k.T).exp()
    for kind in favor.KINDS:
        assert torch.allclose(favor.closed(kind, q, k).square() * truth.square().sum(),
                              favor.mean_square(kind, q, k).sum())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", gradient.KINDS)
def test_derivatives_are_those_of_autograd_and_within_their_bounds(kind, seed):
    random = torch.Generator().manual_seed(seed)
    n = 1 + seed * 3
    s = torch.rand(n, generator=random, dtype=torch.float64) * 10.0 ** -seed + 1e-6
    v = torch.randn(n, 5, generator=random, dtype=torch.float64)
    assert gradient.difference(kind, s, v) < 1e-6
    weight, output = gradient.bounds(kind, s, v)
    assert gradient.jacobian(kind, s, v).abs().max() <= weight * (1 + 1e-9)
    assert gradient.rms(gradient.outputs(kind, s, v)).max() <= output * (1 + 1e-9)
    assert torch.allclose(gradient.weights(kind, s, v) @ v, reference(kind, s, v))


def reference(kind, s, v):
    """The output, from the definition."""
    if kind == "norm":
        return torch.nn.functional.rms_norm(s @ v, (v.shape[1],), eps=linear.EPS)
    p = s.exp() if kind == "softmax" else s
    return (p / p.sum()) @ v


def test_the_bounds_are_reached_by_two_equal_keys():
    s, v = torch.full((2,), 0.01, dtype=torch.float64), torch.tensor([[1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    for kind in ("softmax", "linear"):
        assert gradient.jacobian(kind, s, v).abs().max().item() == pytest.approx(gradient.bounds(kind, s, v)[0])


def test_only_the_linear_gradient_grows_without_bound():
    _, found = taught("gradient")
    softmax, linear_, norm = found.weight
    assert softmax.max() <= 0.25 and linear_[0] / linear_[5] == pytest.approx(10, rel=0.01)
    assert norm[0] / norm[5] < 4 and norm.max() <= found.eps ** -0.5


@pytest.mark.parametrize("n", [1, 5])
def test_gradient_of_short_inputs(n):
    _, found = taught("gradient", n=n)
    assert found.jacobian.shape == (3, len(found.s), n, n)


class Fake:
    """Three layers: weights on the own key, on the first key, and alike."""

    def trace(self, tokens):
        """Layers with a matrix of two heads each."""
        n = len(tokens)
        alike = torch.ones(n, n).tril()
        first = torch.zeros(n, n).index_fill_(1, torch.tensor([0]), -2.0)
        return SimpleNamespace(layers=[SimpleNamespace(kind=k, matrix=m.expand(1, 2, n, n))
                                       for k, m in (("own", torch.eye(n)), ("first", first), ("alike", alike))])


def test_dilution_of_known_matrices(monkeypatch):
    dilution._models.cache_clear()
    monkeypatch.setattr(shelf, "NAMES", ("fake",))
    monkeypatch.setattr(shelf, "load", lambda name: Fake())
    _, found = taught("dilution", text="x" * 40)
    dilution._models.cache_clear()
    assert found.models == ("fake",) and found.kinds == (("own", "first", "alike"),) and found.n == 40
    own, first, alike = found.mass[0]
    assert torch.allclose(own, torch.ones(20, dtype=torch.float64)) and torch.allclose(alike, found.uniform)
    assert first.tolist() == pytest.approx([min(40, int(r * 40 + 1e-9) + 1) / 40 for r in dilution.SHARES])
    assert found.uniform[1].item() == pytest.approx(sum((min(i, 4) + 1) / (i + 1) for i in range(40)) / 40)


def test_performer_pytorch_s_epsilon_is_what_moves_the_output():
    """Its `softmax_kernel`, line by line, on the drawn head; with epsilon 0 its maxima cancel."""
    params = AttentionParams(source="synthetic", n=48, dim=32, m=64, lesson="favor")
    given = inputs.load(params)
    q, k, v = (x[0].double() for x in (given.q, given.k, given.v))
    w = kernels.directions(64, 32, params.seed, True)

    def feature(x, eps, query):
        dash, diag = (x * 32**-0.25) @ w.T, (x**2).sum(-1, keepdim=True) / 2 * 32**-0.5
        top = dash.max(-1, keepdim=True).values if query else dash.max()
        return 64**-0.5 * ((dash - diag - top).exp() + eps)

    def output(eps):
        fq, fk = feature(q, eps, True), feature(k, eps, False)
        return (fq @ fk.T).tril() / (fq @ fk.T).tril().sum(-1, keepdim=True) @ v

    moved = ((output(1e-4) - output(0.0)).norm() / output(0.0).norm()).item()
    lesson = favor.measure(params, given)
    assert lesson.moved == pytest.approx(moved, rel=1e-6) and lesson.same < 1e-9 and moved > 0.1


def test_a_direction_makes_the_features_that_are_said():
    lesson = favor.measure(AttentionParams(source="synthetic", n=16, dim=8, lesson="favor"),
                           inputs.load(AttentionParams(source="synthetic", n=16, dim=8)))
    x = torch.randn(1, 3, 8, dtype=torch.float64)
    w = kernels.directions(4, 8, 0, True)
    assert lesson.features == tuple(getattr(features, kind)(x, w).shape[-1] // 4 for kind in favor.KINDS) == (1, 2, 2)


def test_the_race_ends_where_the_manifest_says():
    _, found = taught("training")
    assert found.models == shelf.NAMES and found.loss.shape == (len(shelf.NAMES), len(found.steps))
    assert found.recall.shape == (len(shelf.NAMES), 3, len(found.recall_steps)) and found.steps[-1] == 1000
    for m, name in enumerate(found.models):
        seeds = weights.entry(f"mqar-{name}").measured["accuracy"]
        assert found.recall[m, :, -1].tolist() == pytest.approx(seeds, abs=0.03)


@pytest.mark.skipif(not shelf.NAMES, reason="no trained byte model in the manifest")
def test_dilution_of_the_trained_models():
    _, found = taught("dilution")
    assert found.models == shelf.NAMES and found.mass.shape[0] == len(shelf.NAMES)
    assert (found.mass.diff(dim=-1) >= -1e-9).all()
    assert torch.allclose(found.mass[..., -1], torch.ones((), dtype=torch.float64), atol=1e-6)


def test_an_empty_text_or_shelf_is_one_sentence(monkeypatch):
    with pytest.raises(ValueError, match="text is empty"):
        taught("dilution", text="")
    dilution._models.cache_clear()
    monkeypatch.setattr(shelf, "NAMES", ())
    for lesson in ("dilution", "training"):
        with pytest.raises(ValueError, match="No trained model"):
            taught(lesson)


@pytest.mark.parametrize("delta", [False, True])
@pytest.mark.parametrize("n", [1, 2, 33])
def test_states_are_those_of_a_loop(delta, n):
    p = AttentionParams(source="synthetic", n=n, dim=4, delta=delta, step=20)
    data, found = inputs.load(p), taught("state", n=n, dim=4, delta=delta, step=20)[1]
    s, z = torch.zeros(4, 4, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
    for i in range(n):
        f, g, v = (x[0, i].double() for x in (data.k, data.q, data.v))
        f, g = (torch.where(x > 0, x + 1, x.exp()) for x in (f, g))
        if delta:
            f, g = f / f.norm(), g / g.norm()
        s = s + torch.outer(f, v - (s.T @ f if delta else 0))
        z = z + f
        y = s.T @ g / (1 if delta else g @ z)
        assert torch.allclose(found.states[i].double(), s, atol=1e-4)
        assert torch.allclose(found.output[i].double(), y, atol=1e-4)
        assert delta or torch.allclose(found.sums[i].double(), z, atol=1e-4)
    assert found.step == min(20, n) and found.recall[:found.step].isfinite().all()
    assert found.recall[found.step:].isnan().all()
    assert found.residual < 1e-5


def test_the_delta_rule_reads_back_what_it_wrote_last():
    _, plain = taught("state", step=64)
    _, delta = taught("state", step=64, delta=True)
    assert delta.fresh.max() < 1e-5 and plain.fresh[1:].min() > 0.1
    assert delta.recall[63] < 1e-5 < plain.recall[63]


def test_orthogonal_keys_are_kept_by_both_rules():
    """Nothing overlaps: the sum rule without its denominator and the delta rule write the same state."""
    f, v = torch.eye(4), torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(state.delta(f, v)[-1], v)
    assert torch.allclose(state.delta(f, v)[-1], (f[:, :, None] * v[:, None]).sum(0))


@pytest.mark.parametrize("causal", [True, False])
def test_a_mask_is_counted(causal):
    _, found = taught("mask", n=64, dim=16, kinds=("softmax", "strided", "local"), causal=causal, depth=4)
    full = 64 * 65 // 2 if causal else 64 * 64
    assert (found.kind, found.pairs, found.full_pairs) == ("strided", int(found.pattern.sum()), full)
    assert (found.flops, found.full_flops) == (4 * 16 * found.pairs, 4 * 16 * full)
    assert found.reach[0] == found.pairs / full < 0.5 and found.reach[1] == 1.0 and len(found.reach) == 4
    _, alone = taught("mask", n=64, kinds=("softmax",), window=4, depth=4, causal=causal)
    assert alone.kind == "local" and list(alone.reach) == sorted(alone.reach) and alone.reach[3] < 1


def test_a_lesson_without_checks_has_none():
    assert lessons.checks(None) == ()
