"""729 places, and where they would be without offsets."""

from collections import Counter

import torch

from backends.deform.reach import places
from backends.deform.sampling import Window
from tests.backends.deform.test_operators import draw


def test_without_offsets_three_layers_read_seven_by_seven():
    at, weight = places(torch.tensor([[[10.0, 20.0]]]).double(), [None] * 3, [None] * 3, Window())
    found = Counter(map(tuple, at[0].tolist()))
    ways = {-3: 1, -2: 3, -1: 6, 0: 7, 1: 6, 2: 3, 3: 1}
    assert found == {(10.0 + y, 20.0 + x): ways[y] * ways[x] for y in ways for x in ways}
    assert abs(weight.sum().item() - 1) < 1e-12 and at.shape == (1, 729, 2)


def test_one_layer_reads_where_its_offsets_say():
    offset, mask = draw(0, 1, 18, 5, 9), draw(1, 1, 9, 5, 9).sigmoid()
    at, weight = places(torch.tensor([[[2.0, 6.0]]]).double(), [offset], [mask], Window())
    for k in range(9):
        expected = torch.tensor([2.0 + k // 3 - 1, 6.0 + k % 3 - 1]).double() + offset[0, 2 * k : 2 * k + 2, 2, 6]
        assert (at[0, k] - expected).abs().max() < 1e-12
        assert abs(weight[0, k] - mask[0, k, 2, 6] / 9) < 1e-12


def test_the_second_layer_starts_where_the_first_one_was_read():
    first = torch.zeros(1, 18, 8, 8).double()
    first[:, ::2] = 2
    at, _ = places(torch.tensor([[[4.0, 4.0]]]).double(), [first, torch.zeros(1, 18, 8, 8).double()],
                   [None, None], Window())
    plain, _ = places(torch.tensor([[[6.0, 4.0]]]).double(), [None, None], [None, None], Window())
    assert (at - plain).abs().max() < 1e-12
