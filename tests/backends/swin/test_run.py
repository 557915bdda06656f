"""The tab's mechanism as a whole: every view on real tokens, its checks, its figures told a second way, and settings at
the edge."""
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch

from backends import images
from backends.plain import numbers
from backends.swin import answer, capture, merging, relative, small, tokens
from backends.swin.geometry import ORDERS, PENALTY
from backends.swin.lessons import OTHER
from backends.swin.params import BLOCKS, HEADS, OF_MODELS, ON_TOKENS, SETTINGS_OF, WINDOW, SwinParams

VIEWS = (*ON_TOKENS, "merge", *OF_MODELS)
GREY = np.full((1, 1, 3), 128, np.uint8)


@pytest.fixture(autouse=True)
def gradients_off():
    with torch.no_grad():
        yield


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("view", VIEWS)
def test_every_check_holds_where_the_window_divides_the_map(view, order):
    result = answer(SwinParams(view=view, rows=8, columns=12, window=4, order=order))
    assert result.checks and all(check.ok for check in result.checks) and result.view == view


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("size", [(1, 1), (5, 4), (1, 24)])
def test_maps_as_small_as_the_window_are_told_and_right(view, size):
    result = answer(SwinParams(view=view, rows=size[0], columns=size[1], window=12))
    assert all(check.ok for check in result.checks) and ("shrinks" in result.notice or view in OF_MODELS)


def test_a_shift_as_large_as_the_window_becomes_the_largest_possible_one():
    params = SwinParams(window=3, shift=7)
    result = answer(params)
    assert params.shifted == 2 == result.body.board.layout.shift[0]
    assert "7 is not smaller than the window of 3" in result.notice


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 40, 3), (900, 2, 3)])
@pytest.mark.parametrize("view", ["roll", "model"])
def test_pictures_of_one_pixel_or_a_strip_are_read(view, shape):
    result = answer(SwinParams(view=view), image=np.full(shape, 90, np.uint8))
    assert all(check.ok for check in result.checks)


def test_the_constants_of_the_page_are_those_of_the_shipped_model():
    last = small.load().swin.layers[-1].blocks
    assert len(last) == BLOCKS and last[0].attn.num_heads == HEADS and last[0].attn.window_size == (WINDOW, WINDOW)


def test_the_board_is_softmax_of_the_block_s_own_q_and_k_written_out():
    params = SwinParams(rows=6, columns=8, window=4, head=3, bias="none", block=3)
    x = tokens.tokens(images.sample(params.picture), params.size, params.block).double()
    attention = tokens.block_of(3).attn
    qkv = x @ attention.qkv.weight.double().T + attention.qkv.bias.double()
    d = x.shape[-1] // HEADS                                # the third head
    (q, k), at = (qkv.unflatten(-1, (3, HEADS, d))[..., part, 2, :] for part in (0, 1)), x.shape[-1] + 2 * d
    board = answer(params).body.board
    where = board.layout
    for window, places in enumerate(where.windows):
        for i, query in enumerate(places):
            if query < 0:
                continue
            logits = [float(q.reshape(-1, d)[query] @ (k.reshape(-1, d)[key] if key >= 0
                                                       else attention.qkv.bias[at:at + d].double())) / d ** 0.5
                      + PENALTY * where.blocked[window, i, j] for j, key in enumerate(places)]
            assert np.allclose(board.weights[window, i], torch.tensor(logits).softmax(0), atol=1e-5)


def test_the_clicked_token_s_row_and_partners_are_where_they_are_in_the_picture():
    board = answer(SwinParams(y=0.9, x=0.1)).body.board
    assert board.token == (12, 1) and board.row.sum() == pytest.approx(1, abs=1e-5)
    assert {divmod(t, 14) for t in board.partners} == {(r, c) for r in range(10, 14) for c in range(3)}
    assert {divmod(int(t), 14) for t in np.flatnonzero(board.row > 1e-20)} == {divmod(t, 14) for t in board.partners}


def test_the_leak_is_what_a_loop_over_pairs_counts():
    params = SwinParams(view="leak", rows=8, columns=8, window=4)
    body, off = answer(params).body.lesson, answer(replace(params, view="roll", masked=False))
    where, heads = off.body.board.layout, [
        answer(replace(params, view="roll", masked=False, head=h + 1)).body.board.weights for h in range(HEADS)]
    share = np.zeros(64)
    for window, places in enumerate(where.windows):
        for i, a in enumerate(places):
            for j, b in enumerate(places):
                # farther than any window reaches
                apart = max(abs(a // 8 - b // 8), abs(a % 8 - b % 8)) >= 4
                share[a] += apart * np.mean([p[window, i, j] for p in heads])
    assert np.allclose(body.share.ravel(), share, atol=1e-5) and body.off > 0.3 and body.on < 1e-20


def test_an_edited_cell_moves_the_pairs_of_its_offset_alone():
    params = SwinParams(view="bias", rows=8, columns=8, window=4, head=2)
    plain, edited = answer(params), answer(replace(params, edits=((0, 1, 9.0),)))
    changed = edited.body.lesson.tables != plain.body.lesson.tables
    assert changed.sum() == 1 and changed[1, 3, 4] and edited.body.lesson.edited == ((0, 1),)
    ratio = edited.body.board.weights[0] / plain.body.board.weights[0]
    for i in range(16):
        relative = ratio[i] / ratio[i, i]
        raised = {j for j in range(16) if relative[j] > 2}
        assert raised == ({i - 1} if i % 4 else set())


def test_cost_grows_map_by_map_and_the_first_answer_is_the_formula(monkeypatch):
    monkeypatch.setattr("backends.swin.run.SIDES", (7, 14))
    found = [result.body.lesson for result in answer.stream(SwinParams(view="cost"))]
    assert [sum(p.window_seconds is not None for p in body.prices) for body in found] == [0, 1, 2]
    assert found[0].asked.size == (56, 56) and found[0].asked.global_attention == 64 * found[0].asked.window_attention


def test_a_model_s_rows_are_those_of_its_captured_maps_and_the_answer_is_sure_of_the_clicked_place():
    image = images.sample("scene-a")
    body = answer(SwinParams(view="model", picture="scene-a", y=0.3, x=0.6)).body.lesson
    reader = capture.shipped()
    maps = capture.capture(reader.model, reader.normalised(reader.picture(image)))
    for row, one in zip(body.blocks, maps, strict=True):
        whole = capture.row(one, (0.3, 0.6)).weights
        (top, left), (height, width) = row.corner, row.inside
        assert np.allclose(row.weights, whole[:, top:top + height, left:left + width], atol=1e-6)
    h, w = body.alike.shape
    offset = float(small.load().offset)
    assert body.alike[int(0.3 * h), int(0.6 * w)] == pytest.approx(1 / (1 + np.exp(-offset)),
                                                                   abs=1e-4) == body.alike.max()


def test_own_weights_are_asked_for_and_used():
    with pytest.raises(ValueError, match="load your own weights"):
        answer(SwinParams(view="model", model="own"), image=GREY)
    reader = replace(capture.shipped(), name="mine", key="mine")
    body = answer(SwinParams(view="model", model="own"), image=GREY, reader=reader).body.lesson
    assert body.name == "mine" and body.alike is None


@pytest.mark.parametrize("edits", [((12, 0, 1.0),), ((0, 0, 21.0),), ((0, 0, float("nan")),), ((0, 0, 1.0),) * 65])
def test_edits_beyond_any_table_are_refused(edits):
    with pytest.raises(ValueError, match="edit"):
        SwinParams(edits=edits)


def test_what_a_view_hides_changes_nothing_in_it():
    hidden = {"masked": False, "similarity": "cosine", "edits": ((0, 0, 9.0),), "bias": "rows", "moving": False}
    for view in ON_TOKENS:
        odd = {name: value for name, value in hidden.items() if view not in SETTINGS_OF[name]}
        one, other = answer(SwinParams(view=view)), answer(SwinParams(view=view, **odd))
        assert numbers(one) == numbers(other) and np.array_equal(one.body.board.weights, other.body.board.weights), view


def test_the_check_of_the_bias_can_fail(monkeypatch):
    params = SwinParams(view="bias", edits=((1, 2, 5.0),))
    assert answer(params).checks[-1].ok
    offsets = relative.offsets
    monkeypatch.setattr(relative, "offsets", lambda window: -offsets(window))
    check = answer(params).checks[-1]
    assert check.name == "One cell, all pairs of its offset" and not check.ok


def test_the_chosen_convention_comes_with_another_board():
    for order, twin in OTHER.items():
        result = answer(SwinParams(view="orders", rows=16, order=order))
        assert result.body.board.layout.order == order and result.body.lesson.other.layout.order == twin
        assert result.body.lesson.other.token == result.body.board.token
        assert {pair[:2] for pair in result.body.lesson.pairs} == set(combinations(ORDERS, 2))
    result = answer(SwinParams(view="orders", rows=16, order="torchvision"))
    assert result.body.lesson.other.through > 0 == result.body.board.through
    chosen = {frozenset(pair[:2]): pair[2] for pair in result.body.lesson.pairs}
    assert chosen[frozenset(("timm", "torchvision"))] == result.body.lesson.largest


def test_merging_is_checked_against_both_libraries_on_the_tokens(monkeypatch):
    for size in ((14, 14), (5, 13), (1, 1)):
        [check] = answer(SwinParams(view="merge", rows=size[0], columns=size[1])).checks
        assert check.ok
    monkeypatch.setattr(merging, "NEIGHBOURS", ((0, 0), (0, 1), (1, 0), (1, 1)))
    assert not answer(SwinParams(view="merge")).checks[0].ok
