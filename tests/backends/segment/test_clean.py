"""Clean masks: small holes filled, small islands dropped, everything else untouched."""
import numpy as np

from backends.segment.clean import cleaned


def test_small_holes_are_filled_and_small_islands_dropped_larger_ones_stay():
    mask = np.zeros((60, 60), bool)
    mask[5:45, 5:45] = True
    right = mask.copy()
    mask[10:13, 10:13] = False                             # a hole of 9
    right[20:26, 20:26] = mask[20:26, 20:26] = False       # a hole of 36
    mask[50:53, 50:54] = True                              # an island of 12
    right[48:53, 5:11] = mask[48:53, 5:11] = True          # an island of 30
    assert np.array_equal(cleaned(mask, 20), right)


def test_nothing_is_changed_where_nothing_is_small_and_the_largest_island_always_stays():
    mask = np.zeros((20, 20), bool)
    assert not cleaned(mask, 10).any()
    mask[3:5, 3:5], mask[10:13, 10:13] = True, True
    kept = cleaned(mask, 100)
    assert np.array_equal(cleaned(mask, 1), mask) and kept.sum() == 9 and kept[11, 11]


def test_what_a_click_asks_for_stays():
    mask = np.zeros((60, 60), bool)
    mask[5:45, 5:45] = True
    mask[10:13, 10:13] = False                             # a hole of 9, one of 4 and an island of 4
    mask[30:32, 30:32], mask[50:52, 50:52] = False, True
    kept = cleaned(mask, 20, [(11.7, 12, 0), (50, 51, 1), (30, 30, 1), (20, 20, 0)])
    right = mask.copy()
    right[30:32, 30:32] = True                             # a click that includes asks for no hole
    assert np.array_equal(kept, right)
    assert cleaned(mask[48:, 48:], 100, [(2, 3, 1)]).sum() == 4
