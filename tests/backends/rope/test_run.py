"""The entry of the RoPE tab: what it leaves out and says, what it refuses, and how large its answers are."""
import json
from dataclasses import replace

import pytest

from backends.plain import numbers
from backends.rope import answer
from backends.rope.params import METHODS, RUNNING, RopeParams
from backends.rope.run import notice

ONE = RopeParams(methods=("none",), longest=1, samples=1)


@pytest.mark.parametrize(("size", "longest", "said"),
                         [(600, 3, False), (512, 3, True), (300, 1, False), (256, 1, True)])
def test_contexts_are_said_to_be_left_out_only_where_some_are(size, longest, said):
    assert ("longer than your text" in notice(replace(ONE, text="x" * size, longest=longest))) == said


def test_what_is_left_out_is_named_in_every_view_that_leaves_it_out():
    params = replace(ONE, methods=("none", "alibi", "keynorm"), text="x" * 100)
    named = {view: [label for label in ("ALiBi", "KeyNorm") if label in notice(replace(params, view=view))]
             for view in ("curve", "live", "clocks", "tax", "distance", "passkey")}
    assert named == {"curve": ["ALiBi"], "live": ["ALiBi"], "clocks": ["ALiBi"], "tax": ["ALiBi", "KeyNorm"],
                     "distance": [], "passkey": []}
    assert notice(params).count(".") == 2


def test_half_a_pair_of_surrogates_is_read_as_a_question_mark():
    for view in ("curve", "live"):
        odd, plain = (answer(replace(ONE, view=view, text=letter * 300)) for letter in ("\ud800", "?"))
        assert odd.body == plain.body and odd.finished


@pytest.mark.parametrize(("view", "more"), [
    ("calculator", {"head_dim": 1024}), ("clocks", {"head_dim": 1024, "methods": RUNNING[:9]}),
    ("clocks", {"head_dim": 128, "methods": RUNNING}), ("distance", {"methods": tuple(METHODS), "target": 4096}),
    ("sinks", {"samples": 16}), ("live", {"methods": RUNNING, "longest": 2})])
def test_numbers_stay_small(view, more):
    assert len(json.dumps(numbers(answer(replace(ONE, view=view, **more))))) < 200_000


def test_too_many_clocks_are_refused():
    with pytest.raises(ValueError, match="at most 9 methods for heads of 1024"):
        answer(replace(ONE, view="clocks", head_dim=1024, methods=RUNNING))


@pytest.mark.parametrize("view", ["calculator", "clocks", "distance"])
def test_ntk_needs_more_than_one_pair(view):
    """It is left out for a single one, and refused where nothing else is asked for."""
    params = replace(ONE, view=view, head_dim=2, methods=("none", "ntk"))
    result = answer(params)
    assert result.notice.startswith("Left out at a head dimension of 2") and all(one.ok for one in result.checks)
    assert "Left out at" not in notice(replace(params, head_dim=4))
    if view != "calculator":
        with pytest.raises(ValueError, match="above 2"):
            answer(replace(params, methods=("ntk",)))
