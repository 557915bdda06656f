"""Reach against sets, merging against timm and torchvision, costs against counting, the head of the shipped model."""
import numpy as np
import pytest
import torch
from timm.models.swin_transformer import PatchMerging
from timm.models.swin_transformer_v2 import PatchMerging as PatchMergingV2
from torchvision.models.swin_transformer import PatchMerging as TorchvisionMerging
from torchvision.models.swin_transformer import PatchMergingV2 as TorchvisionMergingV2

from backends.swin import cost, merging
from backends.swin.geometry import ORDERS, layout
from backends.swin.reach import counts, reach
from tests.backends.swin import naive


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("size", "token"), [((8, 8), (0, 0)), ((8, 12), (3, 4)), ((9, 7), (8, 6)), ((3, 3), (1, 1))])
def test_reach_is_that_of_sets(size, token, order):
    plain, moved = (layout(size, 4, s, order) for s in (0, 2))
    first = reach(token[0] * size[1] + token[1], plain, moved, 4)
    for depth in range(1, 5):
        mine = {(int(i), int(j)) for i, j in np.argwhere((first > 0) & (first <= depth))}
        assert mine == naive.reach(token, size, (4, 4), (2, 2), order, depth)
        assert counts(first, depth)[-1] == len(mine)


def test_without_shift_the_reach_stays_in_one_window_and_with_it_everything_is_reached():
    plain, moved = layout((14, 14), 7, 0), layout((14, 14), 7, 3)
    assert counts(reach(0, plain, plain, 6), 6) == (49,) * 6
    assert counts(reach(0, plain, moved, 6), 6)[-1] == 196


def test_without_mask_one_shifted_block_reaches_over_the_edge():
    one = layout((8, 8), 4, 2)
    over = reach(0, one, one, 1, masked=False) > 0
    assert over[-1, -1] and not (reach(0, one, one, 1) > 0)[-1, -1]


@pytest.mark.parametrize("size", [(6, 8), (5, 6), (5, 7), (1, 1), (1, 6)])
def test_merging_is_timm_s_and_torchvision_s(size):
    torch.manual_seed(0)
    theirs, other = PatchMerging(6).eval(), TorchvisionMerging(6).eval()
    for p in theirs.parameters():
        torch.nn.init.normal_(p)
    other.load_state_dict(theirs.state_dict())
    x = torch.randn(2, *size, 6)
    mine = merging.merge(x, theirs.norm.weight, theirs.norm.bias, theirs.reduction.weight)
    torch.testing.assert_close(mine, theirs(x))
    torch.testing.assert_close(mine, other(x))


@pytest.mark.parametrize("size", [(6, 8), (5, 7), (1, 1)])
def test_swin_v2_s_merging_is_timm_s_and_torchvision_s(size):
    torch.manual_seed(0)
    theirs, other = PatchMergingV2(6).eval(), TorchvisionMergingV2(6).eval()
    for p in theirs.parameters():
        torch.nn.init.normal_(p)
    other.load_state_dict(theirs.state_dict())
    x = torch.randn(2, *size, 6)
    mine = merging.merge_after(x, theirs.norm.weight, theirs.norm.bias, theirs.reduction.weight)
    torch.testing.assert_close(mine, theirs(x))
    torch.testing.assert_close(mine, other(x))


def test_the_four_neighbours_go_down_before_across_unlike_pixel_unshuffle():
    x = torch.tensor([[[0.0], [1.0]], [[2.0], [3.0]]])
    assert merging.neighbours(x).flatten().tolist() == [0, 2, 1, 3]
    assert torch.pixel_unshuffle(x.permute(2, 0, 1)[None], 2).flatten().tolist() == [0, 1, 2, 3]


def test_the_pyramid_of_swin_t():
    stages = merging.pyramid((56, 56), 7, 3, 96, 4)
    assert [s.size[0] for s in stages] == [56, 28, 14, 7] and [s.channels for s in stages] == [96, 192, 384, 768]
    assert [s.shift for s in stages] == [(3, 3)] * 3 + [(0, 0)] and [s.windows for s in stages] == [64, 16, 4, 1]
    odd = merging.pyramid((14, 13), 7, 3, 96, 16)
    assert [s.size for s in odd] == [(14, 13), (7, 7), (4, 4), (2, 2)]
    assert odd[1].padded == (0, 1) and odd[2].padded == (1, 1)
    assert odd[2].window == (4, 4)


def test_prices_are_those_of_the_paper_and_of_counting():
    one = cost.price((56, 56), 7, 96, 3)
    assert one.global_attention == 64 * one.window_attention and one.padded == (56, 56)
    assert one.global_projections == one.window_projections == 4 * 56 * 56 * 96**2
    pairs = sum(int(np.prod(w.shape)) ** 2 for w in layout((10, 15), 7, 0, "torchvision").windows)
    odd = cost.price((10, 15), 7, 32, 4)
    assert odd.window_attention == 2 * 32 * pairs
    assert odd.window_projections == 4 * 14 * 21 * 32**2 and odd.global_projections == 4 * 150 * 32**2
    assert odd.window_bytes == 4 * 4 * pairs and odd.global_bytes == 4 * 4 * 150**2


def test_padded_tokens_are_projected_too():
    one = cost.price((50, 51), 7, 96, 3)
    assert (round(one.global_projections / 1e5), round(one.window_projections / 1e5)) == (940, 1156)


@pytest.mark.parametrize(("size", "window", "channels", "heads"), [((50, 51), 7, 96, 3), ((9, 5), 4, 8, 2),
                                                                    ((3, 2), 7, 12, 3)])
def test_what_is_counted_is_what_runs(size, window, channels, heads):
    one = cost.price(size, window, channels, heads)
    assert cost.counted(size, window, channels, heads) == (
        one.global_attention, one.window_attention, one.global_projections, one.window_projections)


def test_windows_are_timed_where_the_whole_map_is_too_large():
    assert cost.timed((8, 8), 4, 8, 2)[0] > 0
    whole, cut = cost.timed((65, 64), 8, 12, 3)
    assert whole is None and cut > 0
