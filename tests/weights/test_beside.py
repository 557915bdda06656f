"""The pictures of before and after show what the models say."""

import numpy as np
import torch
from PIL import Image

from backends.swin import small
from benchmarks import beside


def test_a_region_is_green_and_the_rest_is_grey():
    image, region = np.full((40, 60, 3), (200, 40, 40), np.uint8), np.zeros((4, 6), bool)
    region[:, 3:] = True
    shown = np.asarray(beside.called(image, region, (0.0, 0.0))).astype(int)
    left, right = shown[-5, 20], shown[-5, -20]
    assert shown.shape[1] == beside.TILE and np.ptp(left) == 0 and right[1] > right[0] > 0


@torch.no_grad()
def test_other_weights_show_another_region():
    torch.manual_seed(0)
    _, former, now = beside.swin(small.Regions().eval(), "coffee")
    assert former.size == now.size and not np.array_equal(former, now)


def test_a_sheet_has_a_column_for_each_heading():
    made = beside.sheet(("a", "b"), [[Image.new("RGB", (beside.TILE, 50))] * 2] * 3)
    assert made.size == (2 * beside.TILE + 3 * beside.GAP, beside.HEAD + 3 * (50 + beside.GAP))
