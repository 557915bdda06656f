"""What a visitor's tabs show is kept, bounded, and theirs alone."""

from dataclasses import dataclass

import numpy as np
import pytest

from ui.core.kept import Kept, size_of


@dataclass(frozen=True)
class Body:
    """A result with one array."""

    values: np.ndarray


def body(kilobytes):
    return Body(np.zeros(kilobytes << 10, np.uint8))


def test_the_last_result_of_each_tab_is_kept_for_its_visitor_alone():
    kept = Kept()
    kept.put("ann", "moe", "first", body(1))
    kept.put("ann", "moe", "second", body(2))
    kept.put("ann", "rope", "other", body(1))
    assert kept.get("ann", "moe").params == "second" and kept.get("ann", "rope").params == "other"
    assert kept.get("bob", "moe") is None
    kept.drop("ann")
    assert kept.get("ann", "moe") is None and kept.bytes("ann") == 0


def test_a_visitor_s_oldest_results_go_first_and_the_newest_stays_however_large():
    kept = Kept(most=10 << 10)
    for k, slug in enumerate("abc"):
        kept.put("ann", slug, k, body(4))
    assert [kept.get("ann", slug) is not None for slug in "abc"] == [False, True, True]
    assert kept.bytes("ann") <= 10 << 10
    kept.put("ann", "d", 3, body(40))
    assert [kept.get("ann", slug) is not None for slug in "abcd"] == [False, False, False, True]


def test_all_visitors_together_are_bounded():
    kept = Kept(most=10 << 10, in_all=12 << 10)
    for name in ("ann", "bob", "cid"):
        kept.put(name, "a", name, body(5))
    assert kept.get("ann", "a") is None and kept.get("cid", "a") is not None


@pytest.mark.parametrize(("value", "low", "high"), [
    (np.zeros(1000), 8000, 8000), (body(1), 1024, 1200), ((1.0,) * 100, 3000, 4000), ({"a": "x" * 500}, 500, 700),
    (None, 0, 64),
])
def test_sizes_count_arrays_by_their_bytes(value, low, high):
    assert low <= size_of(value) <= high


def test_of_a_visitor_who_left_gradio_keeps_the_state_and_no_copy_of_the_page():
    import gradio as gr
    from gradio.state_holder import StateHolder

    from ui.core.shell import thinned

    with gr.Blocks() as page:
        state = gr.State(0)
        gr.Textbox()
    thinned(page, "ann")                            # before the launch there is nothing to thin
    page.state_session_capacity, holder = 200, StateHolder()
    holder.set_blocks(page)
    holder["ann"][state._id], holder["bob"][state._id] = 7, 8
    thinned(page, "ann")
    assert not holder["ann"].config_values and holder["bob"].config_values
    assert holder["ann"][state._id] == 7
