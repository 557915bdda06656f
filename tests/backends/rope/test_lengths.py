"""The curve on a model of the shelf: what the page streams, what it says of its time, and that it can be stopped."""

import pytest
import torch

from backends import models, pace, stop
from backends.rope import answer, forecast, jobs, lengths, real
from backends.rope.params import RopeParams

TEXT = "A cat sat on the mat, and the dog saw it. " * 12


@pytest.fixture
def params(shelved, monkeypatch):
    monkeypatch.setattr(pace, "speeds", lambda: (1e6, 1e6))
    monkeypatch.setattr(forecast, "slower", lambda: 3.0)
    return RopeParams(model=shelved("small"), methods=("none", "rerope", "alibi"), text=TEXT, samples=1,
                      lengths=(400, 128, 9999))


def test_the_curve_of_a_real_model_says_its_time_first_and_grows_over_lengths_of_one_s_own(params, monkeypatch):
    monkeypatch.setattr(real, "PIECE", 100)
    first, *grown, last = answer.stream(params)
    assert not any(line.lengths for line in first.body.lines) and "an estimate from the model's size" in first.notice
    assert "L = 64, w = 16, tau = 8. Left out, since no such model was trained: ALiBi." in first.notice
    assert "Contexts longer than the text, 504 tokens, are left out." in first.notice
    assert first.body.plan == (128, 400) and "Reading 128 tokens: RoPE, untouched." in grown[0].notice
    assert len(grown) == 2 * (2 + 4) + 4 and last.finished and all(check.ok for check in last.checks)
    chosen = real.setup(models.load(params.model))
    tokens = chosen.checkpoint.encoded(TEXT)
    for line in last.body.lines:
        for n, loss in zip(line.lengths, line.loss, strict=True):
            truth = lengths.last_losses(chosen, tokens[None, -n - 1 :], line.method)[0].mean().item()
            assert loss == pytest.approx(truth, abs=1e-5)
    assert [line.lengths for line in last.body.lines] == [(128, 400)] * 2 and last.body.unit == "tokens"
    assert abs(last.body.lines[0].loss[1] - last.body.lines[1].loss[1]) > 0.01


def test_what_is_forecast_is_what_is_read(params, monkeypatch):
    """Tokens through the network, by view: the jobs that a time is estimated for."""
    read = []
    plain = real.losses

    def counted(chosen, tokens, name, piece=0):
        read.append(len(tokens) - 1)
        return plain(chosen, tokens, name, piece)

    for module in (real, lengths):
        monkeypatch.setattr(module, "losses", counted)
    for change in ({"view": "curve"}, {"view": "curve", "samples": 2}, {"view": "live", "tokens": 300},
                   {"view": "passkey", "lengths": (600, 700), "samples": 2}):
        asked = RopeParams(**{"model": params.model, "text": TEXT, "methods": ("none", "pi"), "lengths": (128, 256)}
                           | change)
        work = forecast.WORK[asked.view](asked, 64, jobs.DEFAULT, 503)
        read.clear()
        for result in answer.stream(asked):
            if sum(read) >= 0.8 * sum(n for n, _ in work) and result.finished:
                break
        done = sum(n for n in read if n != real.PROBE - 1)
        assert 0.8 * sum(n for n, _ in work) <= done <= sum(n for n, _ in work), change


def test_the_estimate_follows_the_machine_and_the_settings(params):
    def said(**change):
        usual = {"model": params.model, "view": "live", "text": TEXT, "methods": ("none",)}
        return forecast.sentence(RopeParams(**usual | change))

    short, long = said(), said(methods=("none", "pi", "ntk"))
    assert short.endswith("s on this machine: an estimate from the model's size.") and long != short
    assert said(model="bytes") == "" == said(model="folder:none") and said(methods=("alibi",)) == ""
    size = pace.size(params.model)
    own = pace.seconds(size, 126, 3.0) + pace.seconds(size, 64)
    assert said(methods=("rerope",), tokens=126) == pace.worded(own)


def test_the_curve_stops_at_a_wish(params, monkeypatch):
    monkeypatch.setattr(real, "PIECE", 20)
    token = stop.Token()
    with stop.watch(token):
        steps = answer.stream(params)
        next(steps), next(steps)
        token.stop()
        with pytest.raises(stop.Stopped):
            next(steps)


def test_small_models_read_lengths_of_one_s_own_too():
    result = answer(RopeParams(methods=("none",), samples=1, lengths=(300, 100)))
    assert result.body.plan == (100, 300) == result.body.lines[0].lengths and result.body.unit == "bytes"
    for change, said in (({"lengths": (20_000,)}, "at most 16384"),
                         ({"lengths": (500,), "text": "x" * 200}, "200 bytes")):
        with pytest.raises(ValueError, match=said):
            answer(RopeParams(methods=("none",), samples=1, **change))
    with pytest.raises(ValueError, match="each of 64"):
        RopeParams(lengths=(10,))
    assert torch.tensor(result.body.lines[0].loss).isfinite().all()
