"""Trained decoders with a method in place of their own attention: the reader, the curves, the grids, the lab."""
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from backends.lm import corpus, shelf, tasks
from backends.rope import answer, evaluate, passkey, sinks
from backends.rope.evaluate import Reader
from backends.rope.methods import METHODS, RUNNING, Rules
from backends.rope.params import RopeParams
from backends.rope.results import Line
from backends.rope.run import VIEWS

SMALL = RopeParams(methods=("none", "rerope", "window"), longest=1, samples=2)


@pytest.mark.parametrize("name", ["rope-lm", "logn-lm", "keynorm-lm"])
def test_a_reader_without_a_method_is_the_model_and_pieces_are_the_whole(name):
    model, text = shelf.model(name), corpus.windows(True, 2, 150, 3)
    truth = model(text)
    method = {"rope-lm": "none", "logn-lm": "logn_trained", "keynorm-lm": "keynorm"}[name]
    assert (Reader(model, method, 150, Rules()).read(text) - truth).abs().max() < 1e-4
    slowly = Reader(model, method, 150, Rules())
    parts = torch.cat([slowly.read(part) for part in text.split((1, 60, 89), 1)], 1)
    assert (parts - truth).abs().max() < 1e-4
    assert (Reader(model, method, 150, Rules()).read(text, 5) - truth[:, -5:]).abs().max() < 1e-4


@pytest.mark.parametrize("method", RUNNING)
def test_pieces_are_the_whole_for_every_method(method):
    model, text = shelf.model(METHODS[method].model), corpus.windows(True, 1, 200, 4)
    rules = Rules(window=24, scale=8.0, trained=64)
    slowly = Reader(model, method, 200, rules)
    parts = torch.cat([slowly.read(part) for part in text.split((70, 1, 129), 1)], 1)
    assert (parts - Reader(model, method, 200, rules).read(text)).abs().max() < 1e-3


def test_losses_are_those_of_the_last_bytes():
    model, text = shelf.model("rope-lm"), corpus.windows(True, 3, 129, 5)
    loss, right = evaluate.last_losses(model, text, "none", Rules())
    logits = model(text[:, :-1])[:, -64:]
    truth = F.cross_entropy(logits.flatten(0, 1), text[:, -64:].flatten(), reduction="none").view(3, 64)
    assert torch.allclose(loss, truth, atol=1e-4) and torch.equal(right, logits.argmax(-1) == text[:, -64:])


def test_texts_that_are_read_in_groups_give_what_they_give_together(monkeypatch):
    model, text = shelf.model("rope-lm"), corpus.windows(True, 5, 101, 8)
    whole_batch = evaluate.last_losses(model, text, "rerope", Rules(window=16))
    monkeypatch.setattr(evaluate, "TOGETHER", 210)
    for found, truth in zip(evaluate.last_losses(model, text, "rerope", Rules(window=16)), whole_batch):
        assert found.shape == (5, 64) and torch.allclose(found.float(), truth.float(), atol=1e-4)


def test_the_curve_grows_point_by_point_over_the_same_bytes():
    steps = list(evaluate.curve(SMALL))
    assert [sum(len(line.lengths) for line in step.lines) for step in steps] == list(range(1, 10))
    last = steps[-1]
    assert last.plan == (64, 128, 256) and all(line.lengths == last.plan for line in last.lines)
    for line in last.lines:
        assert all(low <= mean <= high for low, mean, high in zip(line.loss_low, line.loss, line.loss_high))
    tokens = evaluate.texts(SMALL)[0]
    by_hand = evaluate.last_losses(shelf.model("rope-lm"), tokens[:, -129:], "none", SMALL.rules)[0].mean().item()
    assert last.lines[0].loss[1] == pytest.approx(by_hand, abs=1e-5)


def test_a_band_has_the_difficulty_of_each_text_taken_out():
    line = evaluate.extended(Line("none", ""), 512, (torch.tensor([1.0, 3.0, 8.0]), torch.zeros(3)),
                             (torch.tensor([0.5, 2.0, 6.0]), torch.ones(3)))
    assert (line.loss, line.loss_low, line.loss_high) == ((4.0,), (pytest.approx(10 / 3),), (pytest.approx(29 / 6),))
    last = list(evaluate.curve(replace(SMALL, samples=4)))[-1]
    none = last.lines[0]
    assert none.loss_low[-1] == pytest.approx(none.loss[-1], abs=1e-6) == pytest.approx(none.loss_high[-1], abs=1e-6)
    assert none.loss_low[0] < none.loss[0] < none.loss_high[0]


def test_repeated_texts_are_their_start_over_and_over_and_need_long_context():
    params = replace(SMALL, longest=8, samples=8, repeat=120, methods=("rerope_logn", "window"))
    tokens, lengths, source = evaluate.texts(params)
    plain = evaluate.texts(replace(params, repeat=0))[0]
    assert torch.equal(tokens, plain[:, torch.arange(2049) % 120])
    assert lengths[-1] == 2048 and "120 bytes over and over" in source
    long, window = ({line.method: line for line in list(evaluate.curve(replace(params, longest=4)))[-1].lines}[m]
                    for m in params.methods)
    assert window.loss[-1] > long.loss[-1] + 0.5 and window.accuracy[-1] < long.accuracy[-1] - 0.1
    live = list(evaluate.live(replace(params, view="live", longest=1)))[-1]
    assert "over and over" in live.source
    assert list(evaluate.tax(replace(SMALL, view="tax", repeat=100)))[-1].base_loss < 1


def test_own_texts_set_the_lengths_and_short_ones_are_refused():
    tokens, lengths, source = evaluate.texts(replace(SMALL, text="x = 1\n" * 30, longest=8))
    assert lengths == (64, 128) and tokens.shape[1] == 129 and source == evaluate.OWN
    assert bytes(tokens[0].tolist()).decode() == ("x = 1\n" * 30)[-129:]
    for view in ("curve", "live"):
        with pytest.raises(ValueError, match="at least 65"):
            list(answer.stream(replace(SMALL, text="short", view=view)))
    with pytest.raises(ValueError, match="shorter than the trained length"):
        list(answer.stream(replace(SMALL, text="y" * 200, view="tax")))


def test_live_losses_are_those_of_one_forward():
    text = bytes(corpus.windows(True, 1, 700, 6)[0].tolist()).decode("latin-1")
    text = "".join(c for c in text if ord(c) < 128)
    *_, last = evaluate.live(replace(SMALL, text=text, view="live"))
    tokens = shelf.tokens(text)[None]
    assert last.length == tokens.shape[1] - 1 and [t.method for t in last.tracks] == ["none", "rerope", "window"]
    truth = F.cross_entropy(shelf.model("rope-lm")(tokens)[0, :-1], tokens[0, 1:], reduction="none")
    assert last.tracks[0].loss[0] == pytest.approx(truth[: last.smooth].mean().item(), abs=1e-4)
    assert last.tracks[0].loss[-1] == pytest.approx(
        truth[(len(truth) - 1) // last.smooth * last.smooth :].mean().item(), abs=1e-4)


@pytest.mark.parametrize(("alongside", "order"), [(1 << 17, "nrwnrw"), (5000, "nrnrww"), (1, "nnrrww")])
def test_live_goes_piece_by_piece_with_as_many_methods_as_memory_allows(monkeypatch, alongside, order):
    monkeypatch.setattr(evaluate, "ALONGSIDE", alongside)
    *steps, last = evaluate.live(replace(SMALL, view="live", longest=8, text=""))
    seen = [{track.method: len(track.at) for track in step.tracks} for step in (*steps, last)]
    grown = [next(name for name in now if now[name] > before.get(name, 0)) for before, now in zip(({}, *seen), seen)]
    assert "".join(name[0] for name in grown) == order and last.length == 2048
    text = corpus.windows(True, 1, 2049, 0)
    logits = Reader(shelf.model("rope-lm"), "window", 2048, SMALL.rules).read(text[:, :-1])
    truth = F.cross_entropy(logits[0], text[0, 1:], reduction="none")
    assert last.tracks[2].loss == pytest.approx([part.mean().item() for part in truth.split(last.smooth)], abs=1e-4)


def test_a_choice_of_methods_that_are_only_drawn_is_refused_where_a_model_is_run():
    for view in ("curve", "live", "tax"):
        with pytest.raises(ValueError, match="None of the chosen methods can be run here"):
            answer(replace(SMALL, view=view, methods=("alibi", "keynorm") if view == "tax" else ("alibi", "hwfa")))


def test_the_passkey_model_finds_in_length_and_a_window_forgets():
    params = RopeParams(view="passkey", longest=1, samples=8, left="none", right="window")
    *_, last = passkey.grids(params)
    near, gone = last.grids
    assert last.lengths == (128, 256) and sum(map(sum, near.right)) >= 0.95 * 8 * 10
    assert [row[1] for row in gone.right] == [0, 0, 0, 0, 8]
    shapes = [sum(c is not None for g in step.grids for row in g.right for c in row) for step in passkey.grids(params)]
    assert shapes == list(range(2, 22, 2))


def test_the_sink_toy_idles_on_the_first_token():
    *_, last = sinks.lab(RopeParams(view="sinks", window=32, samples=8))
    assert last.idle > 0.8 and last.busy < 0.01 and last.drained < 0.2 and "A sink" in last.verdict
    everything, window, one = (regime.loss for regime in last.regimes[:3])
    assert everything < window < everything + sinks.COSTLY and "no collapse" in last.verdict
    assert one < window and abs(one - everything) < 0.05
    with pytest.raises(ValueError, match="smaller than 128"):
        next(sinks.lab(RopeParams(view="sinks", window=128)))


def test_masses_are_means_over_ordinary_words_and_triggers():
    tokens, _ = tasks.backcopy(2, 20, seed=1)
    idle, busy, weights = sinks.masses(shelf.model("sink"), tokens, 5)
    rows = [(b, i) for b in range(2) for i in range(5, 20)]
    triggers = [weights[b, i, 0].item() for b, i in rows if 0 < tokens[b, i] <= tasks.TRIGGERS]
    words = [weights[b, i, 0].item() for b, i in rows if tokens[b, i] > tasks.TRIGGERS]
    assert idle == pytest.approx(sum(words) / len(words)) and busy == pytest.approx(sum(triggers) / len(triggers))


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_ends_whole_with_checks_that_hold(view):
    result = answer(replace(SMALL, view=view, methods=("none", "ntk", "dynamic", "sinks"), window=32, target=512))
    assert result.view == view and result.finished and result.checks and all(check.ok for check in result.checks)


def test_checks_fail_when_the_reading_is_wrong(monkeypatch):
    read = Reader.read
    monkeypatch.setattr(Reader, "read", lambda self, tokens, last=None: read(self, tokens.flip(1), last))
    failed = [check.name for check in answer(replace(SMALL, view="tax")).checks if not check.ok]
    assert failed == ["untouched is the model itself", "the past stays", "pieces are the whole"]


def test_what_only_can_be_drawn_is_left_out_and_said():
    result = answer(replace(SMALL, methods=("none", "alibi", "keynorm")))
    assert [line.method for line in result.body.lines] == ["none", "keynorm"] and "ALiBi" in result.notice
    assert "KeyNorm" in answer(replace(SMALL, methods=("none", "keynorm"), view="tax")).notice
    assert "longer than your text" in answer(replace(SMALL, text="z" * 200)).notice


def test_a_closed_run_stops():
    steps = answer.stream(replace(SMALL, longest=16))
    next(steps)
    steps.close()
