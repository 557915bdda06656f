"""Tasks and corpus: every scored target can be told from the tokens before it; held-out modules stay out of
training."""
import pytest
import torch

from backends.lm import corpus, tasks


def test_recall_asks_every_key_once_and_the_target_is_its_value():
    tokens, targets = tasks.mqar(32, 64, 8, seed=3)
    for row, target in zip(tokens.tolist(), targets.tolist()):
        pairs = dict(zip(row[0:16:2], row[1:16:2]))
        asked = [i for i, t in enumerate(target) if t >= 0]
        assert len(pairs) == 8 and sorted(row[i] for i in asked) == sorted(pairs) and min(asked) >= 16
        assert all(target[i] == pairs[row[i]] for i in asked)
        assert all(row[i] == 0 for i in range(16, 64) if i not in asked)


def test_copying_asks_the_data_in_their_order_and_fixed_places_are_the_same_for_all():
    tokens, targets = tasks.selective_copying(16, 32, 4, seed=1)
    for row, target in zip(tokens.tolist(), targets.tolist()):
        assert [t for t in row[:32] if t > 1] == target[32:] and row[32:] == [1] * 4 and set(target[:32]) == {-1}
    fixed = tasks.selective_copying(16, 32, 4, fixed=True, seed=5)[0][:, :32] > 1
    assert (fixed == fixed[0]).all() and not (tokens[:, :32] > 1).eq(tokens[0, :32] > 1).all()


def test_induction_asks_what_followed_the_trigger():
    tokens, targets = tasks.induction(64, 20, seed=2)
    for row, target in zip(tokens.tolist(), targets.tolist()):
        first = row.index(0)
        assert row.count(0) == 2 and row[-1] == 0 and target[-1] == row[first + 1] and set(target[:-1]) == {-1}


@pytest.mark.parametrize("depth", [None, 0.0, 0.5, 1.0])
def test_the_passkey_lies_at_its_depth_and_is_asked_digit_by_digit(depth):
    tokens, targets = tasks.passkey(16, 100, seed=4, depth=depth)
    for row, target in zip(tokens.tolist(), targets.tolist()):
        at = row.index(10)
        assert row[at + 1 : at + 6] == row[95:] == target[94:99] and row[94] == 11
        assert depth is None or at == round(depth * 88)


def test_the_same_seed_gives_the_same_batch_and_another_seed_another():
    for task in (tasks.mqar, tasks.selective_copying, tasks.induction, tasks.passkey, tasks.backcopy):
        assert torch.equal(task(4, seed=1)[0], task(4, seed=1)[0])
        assert not torch.equal(task(4, seed=1)[0], task(4, seed=2)[0])


@pytest.mark.parametrize("call", [lambda: tasks.mqar(1, 20, 8), lambda: tasks.selective_copying(1, 3, 4),
                                  lambda: tasks.induction(1, 3), lambda: tasks.passkey(1, 8),
                                  lambda: tasks.backcopy(1, 2), lambda: tasks.repeats(torch.zeros(1, 4), 9)])
def test_what_does_not_fit_is_refused(call):
    with pytest.raises(ValueError):
        call()


def test_after_a_trigger_comes_the_token_before_it_and_else_the_chain():
    tokens, targets = tasks.backcopy(64, 40, seed=2)
    assert (tokens[:, 0] == 0).all() and (tokens[:, 1:] > 0).all() and torch.equal(tokens[:, 1:], targets[:, :-1])
    trigger = tokens[:, 2:] <= tasks.TRIGGERS
    assert trigger.sum() > 20 and torch.equal(targets[:, 2:][trigger], tokens[:, 1:-1][trigger])
    assert torch.allclose(tasks.bigrams().sum(1), torch.ones(64)) and (tasks.bigrams()[:, 0] == 0).all()


def test_a_repeated_document_repeats():
    window = torch.arange(10)[None]
    assert tasks.repeats(window, 4).tolist() == [[0, 1, 2, 3, 0, 1, 2, 3, 0, 1]]


def test_training_text_and_held_out_text_come_from_different_modules():
    held = {f.name for f in corpus.files() if corpus.held_out(f)}
    kept = {f.name for f in corpus.files()} - held
    assert len(held) > 10 and len(kept) > 100 and not any("test" in f.parts for f in corpus.files())
    assert len(corpus.text(False)) > 10 * len(corpus.text(True)) > 500_000


def test_windows_are_cut_from_the_text_and_repeat_with_their_seed():
    windows = corpus.windows(True, 4, 50, seed=1)
    text = bytes(corpus.text(True).tolist())
    assert all(bytes(w.tolist()) in text for w in windows) and torch.equal(windows, corpus.windows(True, 4, 50, seed=1))
