"""The comparison as a whole: cards, readings, live checks that can fail, and numbers that stay small."""
import json
from dataclasses import replace

import pytest
import torch

from backends import metrics
from backends.attention import answer, compare, exact, inputs, kernels
from backends.attention.params import KINDS, AttentionParams
from backends.plain import numbers

ALL = AttentionParams(source="synthetic", n=40, dim=8, kinds=tuple(KINDS), head=3, block=4)
FIGURES = {"entropy", "support", "top1", "sink", "locality", "rank", "error", "error_low", "error_high", "negative"}
RANDOM = {name for name, kind in KINDS.items() if kind.random}


@pytest.fixture(scope="module")
def every():
    """Every kind on one synthetic input, causal."""
    return answer(ALL)


def named(result):
    """{name: check}."""
    return {c.name: c for c in result.checks}


def test_cards_come_in_the_order_asked_for():
    result = answer(replace(ALL, kinds=("norm", "softmax", "linformer")))
    assert [c.kind for c in result.body.cards] == ["norm", "softmax", "linformer"]
    assert [c.causal for c in result.body.cards] == [True, True, False]
    assert result.body.head == 2 and result.body.labels[39] == "q39"
    assert result.body.lesson is None and result.seconds > 0
    assert not any(c.causal for c in answer(replace(ALL, causal=False)).body.cards)


def test_checks_hold_but_for_linformer(every):
    assert {name for name, c in named(every).items() if not c.ok} == {"Linformer and the future"}
    assert named(every)["Linformer and the future"].value > 0.1
    free = answer(replace(ALL, causal=False))
    assert all(c.ok for c in free.checks) and len(free.checks) == 3
    assert all(c.residual < 1e-5 for c in every.body.cards + free.body.cards)


def test_each_check_can_fail(monkeypatch):
    p = replace(ALL, kinds=("softmax", "elu1"))
    honest = exact.attend

    def late(q, k, v, mask=None, causal=False, scale=None):
        return honest(q, k, v, scale=scale)
    monkeypatch.setattr(exact, "attend", late)
    failed = {c.name for c in answer(p).checks if not c.ok}
    assert failed == {"the past stays", "A v is the output"}
    monkeypatch.setattr(exact, "attend", lambda q, k, v, **more: honest(q, k, v, **more) * (1 + k.amax() / 100))
    assert "the past stays" in {c.name for c in answer(p).checks if not c.ok}
    monkeypatch.setattr(exact, "attend", honest)
    monkeypatch.setattr(exact, "matrix", lambda q, k, mask, scale: (q @ k.mT).softmax(-1) * 1.1)
    failed = {c.name for c in answer(p).checks if not c.ok}
    assert failed == {"rows sum to 1", "nothing above the diagonal", "A v is the output"}
    monkeypatch.undo()
    monkeypatch.setattr(kernels.features, "elu1", lambda x: x.mul_(2.0).relu() + 1)
    assert {c.name for c in answer(p).checks if not c.ok} >= {"same q, k, v"}


def test_figures_are_those_of_the_metrics(every):
    for card in every.body.cards:
        a, p = card.weights[2], metrics.shares(card.weights[2])
        assert card.metrics["entropy"] == pytest.approx(metrics.mean(metrics.entropy(p)), rel=1e-4)
        assert card.metrics["locality"] == pytest.approx(metrics.mean(metrics.locality(p, 8)), rel=1e-4)
        assert card.metrics["negative"] == len(card.bad_rows) / 40
        assert set(card.metrics) == FIGURES
        if card.kind != "norm":
            assert card.metrics["error"] == pytest.approx(
                metrics.relative_error(a, every.body.cards[0].weights[2]).item(), rel=1e-3, abs=1e-6)


def test_only_random_kinds_have_a_band(every):
    for card in every.body.cards:
        low, high = card.metrics["error_low"], card.metrics["error_high"]
        assert low <= card.metrics["error"] <= high
        assert (low < high) == (card.kind in RANDOM)
    assert every.body.cards[0].metrics["error"] == 0


def test_seed_and_orthogonality_reach_the_random_kinds():
    one = answer(replace(ALL, kinds=("performer", "bigbird", "linformer")))
    data = inputs.load(ALL)
    other = answer(replace(ALL, kinds=("performer", "bigbird", "linformer"), seed=5, source="file"),
                   tensors=(data.q, data.k, data.v))
    assert one.body.digest == other.body.digest
    assert not any(torch.equal(a.weights, b.weights) for a, b in zip(one.body.cards, other.body.cards))
    plain = answer(replace(ALL, kinds=("performer",), orthogonal=False))
    assert not torch.equal(plain.body.cards[0].weights, one.body.cards[0].weights)
    assert answer(replace(ALL, seed=9999, kinds=("performer",))).body.cards[0].metrics["error_high"] > 0


def test_the_digest_is_that_of_the_numbers(every):
    assert len(every.body.digest) == 12 and answer(ALL).body.digest == every.body.digest
    assert answer(replace(ALL, norm=1.05)).body.digest != every.body.digest


@pytest.mark.parametrize("kind", ["softmax", "performer_trig", "norm", "linformer"])
def test_readings(every, kind):
    card = next(c for c in every.body.cards if c.kind == kind)
    assert torch.equal(compare.shown(card, "raw"), card.weights)
    absolute, row = compare.shown(card, "absolute"), compare.shown(card, "row")
    assert (absolute >= 0).all() and torch.allclose(absolute.sum(-1), torch.ones(4, 40), atol=1e-5)
    assert torch.allclose(row.double().sum(-1), torch.ones(4, 40, dtype=torch.float64), atol=1e-2)
    if kind == "norm":
        assert torch.allclose(row, absolute, atol=1e-6) and not torch.allclose(card.weights, row)


@pytest.mark.parametrize("reading", ["raw", "absolute", "row"])
def test_rows_that_cannot_be_divided_are_drawn_as_zeros(reading):
    result = answer(replace(ALL, norm=0.0, kinds=("softmax", "relu")))
    card = result.body.cards[1]
    assert card.bad_rows == tuple(range(40)) and card.weights.isnan().all()
    assert card.metrics["entropy"] != card.metrics["entropy"]
    assert not compare.shown(card, reading).any()
    assert named(result)["A v is the output"].ok


def test_bad_rows_are_the_rows_whose_sum_is_not_positive():
    p = replace(ALL, norm=3.0, m=16, kinds=("performer_trig", "performer"))
    data, (trig, positive) = inputs.load(p), answer(p).body.cards
    sums = kernels.matrix("performer_trig", data.q, data.k, data.v, p)[1][2]
    assert trig.bad_rows == tuple(torch.nonzero(sums <= 0).flatten().tolist()) and 5 < len(trig.bad_rows) < 40
    assert positive.bad_rows == ()


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("causal", [True, False])
def test_tiny_inputs(n, causal):
    result = answer(replace(ALL, n=n, dim=2, causal=causal))
    assert all(c.weights.shape == (4, n, n) and c.output.shape == (4, n, 2) for c in result.body.cards)
    assert all(c.ok for c in result.checks if "future" not in c.name)


@pytest.mark.parametrize("n", [8, 32, 200])
@pytest.mark.parametrize("lesson", ["none", "favor", "gradient", "state", "mask"])
def test_numbers_are_small_and_valid_json(n, lesson):
    text = json.dumps(numbers(answer(replace(ALL, n=n, dim=32, lesson=lesson))), allow_nan=False)
    assert len(text) < 200_000 and "compute_seconds" not in text


def test_the_norm_dial_kills_the_performer():
    """Relative error to softmax, default sizes: below 0.2 at a quarter of the norm, above 1 at four times."""
    p = AttentionParams(source="synthetic", kinds=("performer",))
    gentle, sharp = (answer(replace(p, norm=x)).body.cards[0].metrics for x in (0.25, 4.0))
    assert gentle["error_high"] < 0.2 and sharp["error_low"] > 1


def test_stream_ends_with_what_run_gives():
    p = replace(ALL, kinds=("softmax",), lesson="mask")
    *_, last = answer.stream(p)
    assert numbers(last) == numbers(answer(p))
