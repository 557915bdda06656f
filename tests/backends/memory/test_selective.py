"""Selective copying: how a string is written, and what is said of the two trained models on it, against plain loops."""

import numpy as np
import pytest
import torch

from backends.lm import shelf
from backends.memory import selective
from backends.memory.params import LONGEST_STRING, STRING, MemoryParams, spelled


@pytest.mark.parametrize(("written", "meant"), [
    ("3.a", "...a"), ("a", "a"), ("2b10.c", "bb..........c"), ("0.a", "a"), ("1.1.h", "..h"),
    ("1023.a", "." * 1023 + "a")])
def test_a_number_repeats_what_follows_it(written, meant):
    assert spelled(written) == meant and spelled(meant) == meant


@pytest.mark.parametrize(("written", "said"), [
    ("..x..", "only . for noise"), ("3", "only . for noise"), ("a3", "only . for noise"), ("-1.a", "only . for noise"),
    ("12345.a", "only . for noise"), ("", "1 to 16"), ("5.", "1 to 16"), ("17a", "1 to 16"), ("1024.a", "at most 1024"),
    ("9999." * 40 + "a", "at most 1024"), ("٣.a", "only . for noise")])
def test_what_is_not_a_string_is_refused(written, said):
    with pytest.raises(ValueError, match=said):
        spelled(written)


def test_the_opening_string_is_as_long_as_those_of_training():
    assert len(spelled(STRING)) == shelf.COPY_SLOTS and sum(c != "." for c in spelled(STRING)) == shelf.COPY_DATA
    assert 2 * shelf.COPY_SLOTS <= LONGEST_STRING


def test_steps_and_read_outs_are_those_of_plain_loops():
    written, layer, head = spelled("2.a5.c3."), 2, 1
    one = selective.look("copy-ssd", written, layer, head)
    data, noise = ([i for i, c in enumerate(written) if (c == ".") == quiet] for quiet in (False, True))
    for h, ratio in enumerate(one.ratios):
        assert ratio == pytest.approx(one.dt[h, data].mean() / one.dt[h, noise].mean(), rel=1e-5)
    tokens = selective.encoded(written)[0]
    values = selective.inside(shelf.copying("copy-ssd"), tokens, layer, head)[2]
    weights = np.array([[abs(one.matrix[len(written) + m, j]) * values[j].norm().item() for j in range(len(written))]
                        for m in range(2)])
    assert np.allclose(one.reads, weights / weights.sum(1, keepdims=True), atol=1e-6)
    assert one.share == pytest.approx(weights[:, data].sum() / weights.sum(), rel=1e-5) and one.residual < 1e-5


def test_without_noise_there_is_no_ratio():
    assert np.isnan(selective.look("copy-ssd", "abc", 1, 0).ratios).all()


def test_the_trained_models_read_the_opening_string_as_is_said():
    body = selective.selective(MemoryParams(view="selective"))
    first, twin = body.readers
    assert body.wanted == first.answers == "bgdf" and twin.right < 4
    assert sorted(first.ratios)[1] > 100 and max(twin.ratios) == pytest.approx(1, abs=1e-4)


def test_a_model_without_feed_forward_has_no_such_parameters():
    names = [name for name, _ in shelf.copying("copy-ssd").named_parameters()]
    assert not any("mlp" in name or "between" in name for name in names)
    x = torch.randint(0, 16, (1, 9))
    assert shelf.copying("copy-lti")(x).shape == (1, 9, 16)
