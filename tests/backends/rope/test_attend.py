"""Every runnable method against loops in float64, its chunks against each other, its identities, and no look at the
future."""
import numpy as np
import pytest
import torch

from backends.lm import mixers, rotary
from backends.rope.attend import attend
from backends.rope.methods import METHODS, RUNNING, Rules, plan, scale_of
from tests.backends.rope import naive

SMALL = {"trained": 16, "window": 7, "sinks": 3, "tau": 1.5, "beta_fast": 2.0, "beta_slow": 0.5}
DRAWN = tuple(name for name in METHODS if name not in RUNNING)
REROPE = ("rerope", "logn_rerope")
WINDOWED = (*REROPE, "leaky", "selfextend", "window", "sinks", "sinks_text")


def drawn(n, d=8, heads=2, seed=0, batch=1):
    """q, k, v (b, h, n, d)."""
    return torch.randn(3, batch, heads, n, d, generator=torch.Generator().manual_seed(seed)) * 1.5


def run(name, q, k, v, rules, **more):
    return attend(plan(name, q.shape[2], q.shape[3], rules), q, k, v, **more)


@pytest.mark.parametrize("name", RUNNING)
@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 40, 64])
def test_a_method_is_what_its_rules_say_pair_by_pair(name, n):
    rules, (q, k, v) = Rules(**SMALL), drawn(n)
    found = run(name, q, k, v, rules, chunk=11)[0]
    for h in range(2):
        truth = naive.attend(name, *(x[0, h].double().numpy() for x in (q, k, v)), rules)
        assert np.abs(found[h].double().numpy() - truth).max() < 2e-5


@pytest.mark.parametrize("name", ["leaky", "selfextend", "sinks", "sinks_text", "window", "rerope", "lminfinite"])
@pytest.mark.parametrize("given", [
    {"window": 1}, {"window": 20, "sinks": 0}, {"window": 2, "sinks": 16}, {"window": 5, "leak": 3.0, "group": 3},
])
def test_odd_windows_sinks_and_groups_too(name, given):
    rules, (q, k, v) = Rules(**SMALL | given), drawn(37)
    truth = naive.attend(name, *(x[0, 1].double().numpy() for x in (q, k, v)), rules)
    assert np.abs(run(name, q, k, v, rules, chunk=8)[0, 1].double().numpy() - truth).max() < 2e-5


@pytest.mark.parametrize("name", RUNNING)
@pytest.mark.parametrize("n", [5, 100, 257])
def test_chunks_and_the_last_queries_alone_change_nothing(name, n):
    rules, (q, k, v) = Rules(**SMALL | {"window": 30, "sinks": 2}), drawn(n, batch=2)
    whole = run(name, q, k, v, rules, chunk=1000)
    assert whole.shape == q.shape
    for chunk in (1, 33, 64):
        assert (run(name, q, k, v, rules, chunk=chunk) - whole).abs().max() < 1e-5
    for last in (1, 4, n):
        part = attend(plan(name, n, q.shape[3], rules), q[:, :, -last:], k, v, chunk=50)
        assert part.shape[2] == last and (part - whole[:, :, -last:]).abs().max() < 1e-5


@pytest.mark.parametrize("name", RUNNING)
@pytest.mark.parametrize("cut", [1, 16, 31, 64])
def test_later_tokens_change_nothing_before_them(name, cut):
    rules, first, other = Rules(**SMALL), drawn(65), drawn(65, seed=1)
    later = torch.cat([first[..., :cut, :], other[..., cut:, :]], -2)
    assert (run(name, *first, rules)[:, :, :cut] - run(name, *later, rules)[:, :, :cut]).abs().max() < 1e-6
    assert (run(name, *first, rules)[:, :, cut:] - run(name, *later, rules)[:, :, cut:]).abs().max() > 1e-3


@pytest.mark.parametrize("name", [name for name in RUNNING if METHODS[name].family in ("none", "frequencies", "logits")]
                         + ["lminfinite"])
def test_within_the_trained_length_it_is_rope(name):
    q, k, v = drawn(16)
    theta = rotary.frequencies(8)
    assert (run(name, q, k, v, Rules(**SMALL)) - mixers.attend("softmax", q, k, v, theta)).abs().max() < 1e-6


@pytest.mark.parametrize("name", WINDOWED)
def test_a_window_that_holds_all_is_rope(name):
    q, k, v = drawn(50)
    for window in (50, 51, 4096):
        wide = Rules(**SMALL | {"window": window})
        assert (run(name, q, k, v, wide) - run("none", q, k, v, wide)).abs().max() < 2e-6


@pytest.mark.parametrize(("name", "given"), [
    ("leaky", {"leak": 1}), ("selfextend", {"group": 1}), ("sinks_text", {"sinks": 60}), ("sinks", {"sinks": 60})])
def test_a_method_that_changes_no_distance_is_rope(name, given):
    q, k, v = drawn(50)
    rules = Rules(**SMALL | given)
    assert (run(name, q, k, v, rules) - run("none", q, k, v, rules)).abs().max() < 2e-5


def test_leaky_with_a_leak_without_end_is_rerope():
    q, k, v = drawn(60)
    assert (run("leaky", q, k, v, Rules(**SMALL | {"leak": 1e9}))
            - run("rerope", q, k, v, Rules(**SMALL))).abs().max() < 1e-5


@pytest.mark.parametrize("name", ["logn", "rerope_logn"])
def test_log_n_is_one_up_to_the_trained_length_and_grows_after_it(name):
    factor = plan(name, 256, 8, Rules(**SMALL)).logit(torch.arange(256.0))
    assert (factor[:16] == 1).all() and factor[255].item() == pytest.approx(2.0) and (factor.diff() >= 0).all()


def test_a_window_forgets_and_a_sink_remembers():
    q, k, v = drawn(40)
    other = v.clone()
    other[:, :, 0] += 1
    gaps = {}
    for name in ("window", "sinks", "sinks_text", "lminfinite", "rerope"):
        gap = run(name, q, k, v, Rules(**SMALL)) - run(name, q, k, other, Rules(**SMALL))
        gaps[name] = gap[:, :, -1].abs().max().item()
    assert gaps.pop("window") == 0 and min(gaps.values()) > 1e-5


@pytest.mark.parametrize("name", ["rerope", "none", "sinks"])
def test_far_positions_keep_their_angle(name):
    q, k, v = drawn(4000)
    deep = [x.double() for x in (q, k, v)]
    rules = Rules(window=64)
    p = plan(name, 4000, 8, rules)
    i, j = torch.tensor([[3999]]), torch.arange(4000)
    angle = p.distance(i, j)[..., None] * p.theta.double()
    (ql, qr), (kl, kr) = deep[0][0, 0, 3999].chunk(2), deep[1][0, 0].chunk(2, -1)
    scores = ((ql * kl + qr * kr) * angle[0].cos() + (ql * kr - qr * kl) * angle[0].sin()).sum(-1) / 8 ** 0.5
    truth = scores.masked_fill(~p.visible(i, j)[0], -torch.inf).softmax(-1) @ deep[2][0, 0]
    assert (attend(p, q[:, :, -1:], k, v)[0, 0, 0].double() - truth).abs().max() < 1e-4


@pytest.mark.parametrize("name", RUNNING)
def test_one_token_is_its_own_value_and_types_are_kept(name):
    q, k, v = drawn(1)
    assert torch.allclose(run(name, q, k, v, Rules()), v)
    assert run(name, *drawn(40).double(), Rules(**SMALL)).dtype == torch.float64


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_only_drawn_is_not_run(name):
    with pytest.raises(ValueError, match="shown and not run"):
        run(name, *drawn(4), Rules())


def test_a_method_says_whether_it_runs_and_on_which_model():
    assert set(DRAWN) == {"alibi", "kerple", "sandwich", "xpos", "hwfa"}
    assert {m.model for m in METHODS.values()} == {"rope-lm", "logn-lm", "keynorm-lm"}
    assert all(m.note.endswith(".") for m in METHODS.values())
    assert plan("sinks", 9, 8).cache and not plan("sinks_text", 9, 8).cache


def test_the_scale_comes_from_the_length_unless_it_is_given():
    assert [scale_of(n, Rules()) for n in (1, 256, 384, 4096)] == [1, 1, 1.5, 16]
    assert scale_of(100, Rules(scale=16)) == 16


@pytest.mark.parametrize(("name", "d", "sentence"), [
    ("none", 7, "cannot be 7"), ("rerope", 1, "cannot be 1"), ("ntk", 2, "above 2"), ("ntk2", 2, "above 2"),
    ("dynamic", 2, "above 2"),
    ("warp", 8, "no method called 'warp'"),
])
def test_a_plan_that_cannot_be_says_why(name, d, sentence):
    with pytest.raises(ValueError, match=sentence):
        plan(name, 512, d, Rules())


@pytest.mark.parametrize("name", [name for name in RUNNING if name not in ("ntk", "ntk2", "dynamic")])
def test_a_single_pair_is_enough_for_the_others(name):
    assert run(name, *drawn(40, d=2), Rules(**SMALL)).isfinite().all()
