"""Bent things: the same for the same seed, and true to their masks."""

import numpy as np
import pytest

from backends.deform.objects import LENGTH, MARKS, MILD, STRONG, THICK, axes, inside, render


@pytest.mark.parametrize("warp", [MILD, STRONG], ids=["mild", "strong"])
def test_a_seed_is_a_picture(warp):
    first, again, other = render(7, warp), render(7, warp), render(8, warp)
    assert np.array_equal(first.image, again.image) and not np.array_equal(first.image, other.image)
    for scene in (first, other):
        assert scene.image.shape == (96, 96, 3) and ((scene.kinds > 0) == (scene.ids > 0)).all()
        assert scene.kinds.max() <= len(MARKS)
        for index in np.unique(scene.ids)[1:]:
            assert len(np.unique(scene.kinds[scene.ids == index])) == 1


def test_strong_things_are_larger():
    mild, strong = (np.mean([(render(seed, warp, things=1).ids > 0).sum() for seed in range(20)])
                    for warp in (MILD, STRONG))
    assert strong > 1.5 * mild


def test_a_bent_axis_is_an_arc_of_the_same_length():
    bend = 1.2
    u, v = axes(200, 200, 100, 100, 1.0, 0.0, bend)
    on = (np.abs(v) < 0.5) & (np.abs(u) < LENGTH / 2)
    rows, columns = np.nonzero(on)
    radius = LENGTH / bend
    assert np.abs(np.hypot(rows - 100 - radius, columns - 100) - radius).max() < 0.51
    assert abs(inside("bar", u, v).sum() / (LENGTH * THICK) - 1) < 0.05
