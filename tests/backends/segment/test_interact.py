"""A history of clicks: the same result by hand, from memory and from an empty memory."""
import numpy as np
import pytest

from backends.segment import SegmentError, interact
from backends.segment.interact import Step, replay

STEPS = [Step(((10, 12, 1),)), Step(((40, 5, 0),), choice=1), Step(box=(50, 30, 5, 3)), Step(((22, 30, 1),), choice=0)]


@pytest.fixture
def embedding(small, make_noise):
    return small.embed(make_noise(40, 60))


def by_hand(small, e):
    a = small.predict(e, [(10, 12)], [1], multimask=True)
    b = small.predict(e, [(10, 12), (40, 5)], [1, 0], mask=a.logits[a.scores.argmax()], multimask=True)
    c = small.predict(e, [(10, 12), (40, 5)], [1, 0], (50, 30, 5, 3), b.logits[1], multimask=True)
    chosen = c.logits[c.scores.argmax()]
    return small.predict(e, [(10, 12), (40, 5), (22, 30)], [1, 0, 1], (50, 30, 5, 3), chosen, multimask=True)


def test_a_replay_equals_the_same_steps_by_hand(small, embedding):
    out, wanted = replay(small, embedding, STEPS), by_hand(small, embedding)
    assert np.array_equal(out.masks, wanted.masks) and np.array_equal(out.logits, wanted.logits)
    assert np.array_equal(out.scores, wanted.scores)
    assert out.chosen == 0 and out.choices[1] == 1 and len(out.choices) == 4 and np.array_equal(out.mask, out.masks[0])


def test_every_step_offers_three_masks(small, embedding):
    assert all(len(replay(small, embedding, STEPS[:k]).masks) == 3 for k in range(1, 5))


def test_memory_saves_work_and_never_changes_the_result(small, embedding):
    cold = replay(small, embedding, STEPS)
    warm = replay(small, embedding, STEPS)
    interact.LOGITS.clear()
    again = replay(small, embedding, STEPS)
    assert (cold.decoded, warm.decoded, again.decoded) == (4, 0, 4)
    for out in (warm, again):
        assert np.array_equal(out.masks, cold.masks)
        assert np.array_equal(out.logits, cold.logits) and out.choices == cold.choices


def test_a_further_click_costs_one_run_of_the_decoder(small, embedding):
    for k in range(1, 5):
        assert replay(small, embedding, STEPS[:k]).decoded == 1


def test_a_choice_counts_from_the_next_step_on(small, embedding):
    first = [replay(small, embedding, [Step(((10, 12, 1),), choice=c)]) for c in (0, 1, 2)]
    assert [f.chosen for f in first] == [0, 1, 2] and all(np.array_equal(f.masks, first[0].masks) for f in first)
    second = [replay(small, embedding, [Step(((10, 12, 1),), choice=c), Step(((30, 5, 0),))]).logits for c in (0, 1)]
    assert not np.array_equal(*second)


def test_choosing_the_best_mask_is_the_same_as_choosing_nothing(small, embedding):
    free = replay(small, embedding, STEPS)
    interact.LOGITS.clear()
    fixed = [Step(s.points, s.box, c) for s, c in zip(STEPS, free.choices, strict=True)]
    assert np.array_equal(replay(small, embedding, fixed).masks, free.masks)


def test_changing_a_result_in_place_does_not_reach_the_memory(small, embedding):
    first = replay(small, embedding, STEPS[:1])
    kept = first.logits.copy()
    first.logits[:] = 0
    first.scores[:] = 0
    assert np.array_equal(replay(small, embedding, STEPS[:1]).logits, kept)


def test_histories_on_two_pictures_do_not_mix(small, make_noise):
    a, b = small.embed(make_noise(40, 60)), small.embed(make_noise(40, 60, 1))
    alone = replay(small, b, STEPS[:2]).logits
    interact.LOGITS.clear()
    replay(small, a, STEPS[:2])
    assert np.array_equal(replay(small, b, STEPS[:2]).logits, alone)


@pytest.mark.parametrize(("steps", "message"), [
    ([], "1 to 200 steps"), ([Step()], "Step 1 holds neither"), ([STEPS[0], Step(choice=1)], "Step 2 holds neither"),
    ([Step(((10, 12, 1),), choice=3)], "no mask number 3"), ([Step(((10, 12, 1),), choice=-1)], "no mask number -1"),
    ([Step(((10, 99, 1),))], "outside the picture"), ([Step(((10, 12),))], "three numbers"),
    ([STEPS[0]] * 201, "not 201"),
])
def test_a_bad_history_is_one_clear_sentence(small, embedding, steps, message):
    with pytest.raises(SegmentError, match=message):
        replay(small, embedding, steps)
