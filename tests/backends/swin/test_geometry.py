"""Places, regions and masks against brute force, against timm's buffers, and as identities."""
import numpy as np
import pytest
import torch
from timm.models.swin_transformer import (
    SwinTransformerBlock,
    get_relative_position_index,
    window_partition,
    window_reverse,
)
from transformers import SwinConfig
from transformers.models.swin.modeling_swin import SwinLayer

from backends.swin import relative
from backends.swin.geometry import ORDERS, PAD, PENALTY, layout
from tests.backends.swin import naive

SIZES = [(14, 14), (8, 12), (7, 14), (9, 11), (16, 20), (5, 5), (4, 9), (1, 1), (1, 13), (20, 20)]
CUTS = [(7, 3), (4, 2), (4, 1), (4, 3), (5, 0), (2, 1), (1, 0)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("window", "shift"), CUTS)
def test_every_token_stands_once_and_comes_back(size, window, shift, order):
    one = layout(size, window, shift, order)
    real = one.source[one.source != PAD]
    assert sorted(real) == list(range(size[0] * size[1])) and all(p % m == 0 for p, m in zip(one.padded, one.window))
    values = np.arange(one.padded[0] * one.padded[1] * 2).reshape(*one.padded, 2)
    assert (one.join(one.cut(values)) == values).all()
    window_of, place = one.places.T
    assert (one.windows[window_of, place] == np.arange(len(window_of))).all()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [(14, 14), (7, 14), (9, 11), (5, 5), (1, 1), (20, 13), (4, 9)])
@pytest.mark.parametrize(("window", "shift"), [(7, 3), (4, 2), (4, 3), (2, 1)])
def test_partners_are_those_of_brute_force(size, window, shift, order):
    found = layout(size, window, shift, order).partners()
    for token in list(np.ndindex(*size))[:: max(1, size[0] * size[1] // 24)]:
        mine = {divmod(int(j), size[1]) for j in np.flatnonzero(found[token[0] * size[1] + token[1]])}
        assert mine == naive.partners(token, size, (window, window), (shift, shift), order)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("window", "shift"), CUTS)
def test_on_divisible_maps_the_mask_blocks_exactly_the_strangers(size, window, shift, order):
    one = layout(size, window, shift, order)
    if one.padded == tuple(size):
        assert (one.blocked == one.strange).all()
    if order != "timm":
        assert not (one.strange & ~one.blocked).any()


def test_timm_lets_strangers_through_where_the_window_does_not_divide_the_map():
    one = layout((16, 16), 7, 3, "timm")
    assert (one.strange & ~one.blocked).sum() == 2304
    one = layout((20, 20), 7, 3, "timm")
    real = (one.windows != PAD)[:, :, None] & (one.windows != PAD)[:, None, :]
    assert (one.strange & ~one.blocked).any() and (one.blocked & ~one.strange & real).any()


def test_the_figures_of_the_paper_s_case():
    one = layout((14, 14), 7, 3)
    assert len(one.windows) == 4 and one.blocked.sum() == 4128 and one.blocked.size == 9604
    assert len(np.unique(one.region)) == 9


@pytest.mark.parametrize("size", [(14, 14), (7, 14), (16, 16), (9, 11), (20, 20), (14, 7)])
@pytest.mark.parametrize(("window", "shift"), [(7, 3), (4, 2)])
def test_the_mask_is_timm_s(size, window, shift):
    block = SwinTransformerBlock(8, size, num_heads=2, window_size=window, shift_size=shift)
    one = layout(size, window, shift)
    assert one.window == tuple(block.window_size) and one.shift == tuple(block.shift_size)
    if block.attn_mask is None:
        assert not one.blocked.any()
    else:
        assert torch.equal(block.attn_mask, torch.from_numpy(one.blocked) * PENALTY)


def test_cutting_is_timm_s_partition_and_joining_its_reverse():
    x = torch.arange(12 * 8 * 3).reshape(12, 8, 3)
    one = layout((12, 8), 4, 0)
    cut = torch.from_numpy(one.cut(x.numpy()))
    assert torch.equal(cut, window_partition(x[None], (4, 4)).flatten(1, 2))
    assert torch.equal(torch.from_numpy(one.join(cut.numpy())),
                       window_reverse(cut.unflatten(1, (4, 4)), (4, 4), 12, 8)[0])


def test_a_window_as_large_as_the_map_is_not_shifted_and_only_timm_shrinks_it():
    assert layout((7, 14), 7, 3).shift == (0, 3)
    assert layout((5, 9), 7, 3).window == (5, 7) and layout((5, 9), 7, 3, "torchvision").window == (7, 7)
    assert layout((5, 9), 7, 3, "torchvision").padded == (7, 14)


@pytest.mark.parametrize("size", [(14, 14), (7, 14), (14, 7), (5, 9), (9, 5), (7, 7), (8, 30), (3, 3)])
def test_microsoft_s_rule_is_that_of_transformers_swin(size):
    layer = SwinLayer(SwinConfig(window_size=7), 8, size, 2, shift_size=3)
    layer.set_shift_and_window_size(size)
    one = layout(size, 7, 3, "microsoft")
    assert one.window == (layer.window_size,) * 2 and one.shift == (layer.shift_size,) * 2
    mask = layer.get_attn_mask(*one.padded, torch.float32, torch.device("cpu"))
    assert (mask is None and not one.blocked.any()) or torch.equal(mask, torch.from_numpy(one.blocked) * PENALTY)


def test_only_microsoft_leaves_the_long_side_alone_where_the_window_covers_the_short_one():
    assert [layout((7, 28), 7, 3, order).shift for order in ORDERS] == [(0, 3), (0, 3), (0, 0)]
    assert [layout((5, 28), 7, 3, order).window for order in ORDERS] == [(5, 7), (7, 7), (5, 5)]


@pytest.mark.parametrize(("window", "shift"), [(0, 0), (4, 4), (4, 5), (4, -1)])
def test_what_cannot_be_is_one_sentence(window, shift):
    with pytest.raises(ValueError, match=r"^The .*\.$"):
        layout((8, 8), window, shift)


@pytest.mark.parametrize("window", [(7, 7), (4, 4), (1, 1), (2, 5)])
def test_the_index_is_timm_s(window):
    assert (relative.index(window) == get_relative_position_index(*window).numpy()).all()
    rows = relative.offsets(window).reshape(-1, 2)
    table = {tuple(o): i for o, i in zip(rows.tolist(), relative.index(window).ravel().tolist())}
    assert len(table) == len(set(table.values())) == (2 * window[0] - 1) * (2 * window[1] - 1)
