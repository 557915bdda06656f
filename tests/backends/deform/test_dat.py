"""DAT against loops in float64, and its reference points as the authors' code has them."""

import pytest
import torch

from backends.deform import dat
from tests.backends.deform import naive
from tests.backends.deform.test_operators import draw


def weights(channels, heads, groups, size, height, width):
    part = channels // groups
    square = [draw(i, channels, channels) for i in range(3)]
    return dat.DatWeights(*square, draw(3, part, 1, size, size), draw(4, part), draw(5, part), draw(6, 2, part),
                          draw(7, heads, 2 * height - 1, 2 * width - 1))


@pytest.mark.parametrize(("heads", "groups", "size", "stride"), [(1, 1, 1, 1), (2, 1, 3, 2), (4, 2, 2, 2)])
def test_attention_equals_loops(heads, groups, size, stride):
    x, w = draw(9, 1, 4, 5, 9), weights(4, heads, groups, size, 5, 9)
    out, places, attention = dat.attend(x, w, heads, groups, stride, 2.0)
    assert (attention.sum(-1) - 1).abs().max() < 1e-12
    at = [group.flatten(0, 1).tolist() for group in places[0]]
    loops = naive.dat(x[0].tolist(), w.q.tolist(), w.k.tolist(), w.v.tolist(), at, w.table.tolist(), heads, groups)
    assert (out[0] - torch.tensor(loops, dtype=torch.float64)).abs().max() < 1e-11


def test_reference_points_are_not_symmetric():
    points = dat.dat_reference(4, 7)
    assert torch.allclose(points[0, 0], torch.tensor([1 / 3 - 1, 1 / 6 - 1]).double())
    assert torch.allclose(points[-1, -1], torch.tensor([1 / 3 + 1, 1 / 6 + 1]).double())


def test_offsets_are_bounded_by_the_reach():
    raw = 50 * draw(0, 1, 2, 4, 7)
    moved = dat.dat_positions(raw, 3.0) - dat.dat_reference(4, 7)
    assert (moved[..., 0].abs() <= 3 / 3 + 1e-12).all() and (moved[..., 1].abs() <= 3 / 6 + 1e-12).all()
    assert (dat.dat_positions(0 * raw, 3.0) - dat.dat_reference(4, 7)).abs().max() == 0


def test_corners_are_cell_centres():
    x = draw(0, 1, 2, 5, 9)
    at = torch.tensor([[-1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]).double().view(1, 1, 3, 2)
    assert torch.allclose(dat.dat_read(x, at)[0, :, 0],
                          torch.stack([x[0, :, 0, 0], x[0, :, -1, -1], x[0, :, 0, -1]], 1))


def test_dat_plus_plus_is_unlimited_and_clamped():
    raw = 3 * draw(0, 1, 2, 4, 7)
    at = dat.dat_positions(raw, None)
    for row in range(4):
        for column in range(7):
            y, x = raw[0, :, row, column].tolist()
            place = 2 * (row + 0.5) / 3 - 1 + y, 2 * (column + 0.5) / 6 - 1 + x
            assert at[0, row, column].tolist() == pytest.approx([min(1, max(-1, v)) for v in place], abs=1e-12)
    assert (at.abs() == 1).any() and (at - dat.dat_reference(4, 7)).abs().max() > 1


def test_dat_plus_plus_equals_loops():
    x, w = draw(9, 1, 4, 5, 9), weights(4, 2, 2, 2, 5, 9)
    out, places, _ = dat.attend(x, w, 2, 2, 2, None)
    assert places.abs().max() <= 1
    at = [group.flatten(0, 1).tolist() for group in places[0]]
    loops = naive.dat(x[0].tolist(), w.q.tolist(), w.k.tolist(), w.v.tolist(), at, w.table.tolist(), 2, 2)
    assert (out[0] - torch.tensor(loops, dtype=torch.float64)).abs().max() < 1e-11
