"""Drawn masks against a loop over pixels; polygons go around the masks that they come from."""

import numpy as np
import pytest

from backends.segment import SegmentError, interact
from backends.segment.drawn import filled, outlined, stroked
from tests.discs import discs


def slow_stroke(mask, label, radius, path):
    out = mask.copy()
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            c = np.array([x + 0.5, y + 0.5])
            for a, b in zip(path, path[1:] or path, strict=False):
                a, d = np.array(a, float), np.array(b, float) - np.array(a, float)
                t = np.clip((c - a) @ d / max(d @ d, 1e-12), 0, 1)
                if np.hypot(*(c - a - t * d)) <= radius:
                    out[y, x] = bool(label)
    return out


def slow_fill(rings, size):
    out = np.zeros(size, bool)
    for y in range(size[0]):
        for x in range(size[1]):
            for ring in rings:
                for (x0, y0), (x1, y1) in zip(ring, (*ring[1:], ring[0]), strict=True):
                    if (y0 <= y + 0.5) != (y1 <= y + 0.5):
                        out[y, x] ^= x0 + (y + 0.5 - y0) * (x1 - x0) / (y1 - y0) <= x + 0.5
    return out


def blobs(seed, size=(40, 56)):
    noise = np.random.default_rng(seed).random((size[0] // 8, size[1] // 8))
    return np.kron(noise, np.ones((8, 8))) > 0.5


@pytest.mark.parametrize("seed", range(6))
def test_strokes_and_polygons_are_those_of_a_loop_over_pixels(seed):
    rng = np.random.default_rng(seed)
    path = tuple(map(tuple, (rng.random((1 + seed, 2)) * [70, 50] - 6).round(1)))
    mask, label, radius = blobs(seed), seed % 2, 0.7 + 3 * rng.random()
    np.testing.assert_array_equal(stroked(mask, (label, radius, path)), slow_stroke(mask, label, radius, path))
    rings = [tuple(map(tuple, (rng.random((3 + seed, 2)) * [70, 50] - 6).round(1))) for _ in range(2)]
    np.testing.assert_array_equal(filled(rings, (40, 56)), slow_fill(rings, (40, 56)))


@pytest.mark.parametrize("seed", range(4))
def test_a_polygon_of_a_mask_gives_it_back_and_a_simpler_one_nearly(seed):
    mask = blobs(seed)
    mask[3:6, 40] ^= True
    np.testing.assert_array_equal(filled(outlined(mask, 0), mask.shape), mask)
    y, x = np.mgrid[:200, :200]
    disc = (x - 100) ** 2 + (y - 100) ** 2 < 80**2
    [ring] = outlined(disc)
    assert len(ring) < 60 and (filled([ring], disc.shape) != disc).sum() < 0.02 * disc.sum()
    assert sum(map(len, outlined(np.random.default_rng(seed).random((80, 80)) > 0.5, 0, most=200))) <= 200


def test_what_is_drawn_goes_over_the_masks_of_the_clicks_and_a_polygon_takes_their_place():
    segmenter = discs()
    e = segmenter.embed(np.zeros((60, 90, 3), np.uint8))
    click = interact.Step(points=((45, 30, 1),))
    plain = interact.replay(segmenter, e, [click])
    erase = interact.Step(stroke=(0, 5.0, ((45.0, 30.0), (60.0, 30.0))), choice=0)
    erased = interact.replay(segmenter, e, [click, erase])
    assert erased.chosen == 0 and erased.decoded == 0
    for before, after in zip(plain.masks, erased.masks, strict=True):
        np.testing.assert_array_equal(after, stroked(before, erase.stroke))
    ring = ((10.0, 10.0), (30.0, 10.0), (30.0, 30.0))
    shape = interact.replay(segmenter, e, [click, erase, interact.Step(rings=(ring,))])
    np.testing.assert_array_equal(shape.mask, filled([ring], (60, 90)))
    assert np.isnan(shape.scores).all() and len(shape.scores) == 1
    again = interact.replay(segmenter, e, [click, interact.Step(rings=(ring,)), click])
    np.testing.assert_array_equal(again.masks, plain.masks)  # this segmenter ignores an earlier mask
    only = interact.replay(segmenter, e, [interact.Step(stroke=(1, 4.0, ((20.0, 20.0),)))])
    assert only.mask.sum() == stroked(np.zeros((60, 90), bool), (1, 4.0, ((20.0, 20.0),))).sum() > 40


def test_the_mask_under_the_pointer_is_the_one_that_the_click_gives():
    segmenter = discs()
    e = segmenter.embed(np.zeros((60, 90, 3), np.uint8))
    steps = [interact.Step(points=((45, 30, 1),), choice=2), interact.Step(points=((60, 30, 0),))]
    held = len(interact.LOGITS)
    for k in (1, 2):
        seen = interact.preview(segmenter, e, steps[:k])
        np.testing.assert_array_equal(seen, interact.replay(segmenter, e, steps[:k]).mask if k == 2 else
                                      interact.replay(segmenter, e, [interact.Step(points=((45, 30, 1),))]).mask)
    assert len(interact.LOGITS) <= held + 3


@pytest.mark.parametrize("bad", [interact.Step(), interact.Step(stroke=(1, 0.0, ((1.0, 1.0),))),
                                 interact.Step(stroke=(1, 2.0, ())), interact.Step(rings=(((1.0, 1.0), (2.0, 2.0)),))])
def test_a_drawing_that_is_none_is_one_sentence(bad):
    segmenter = discs()
    e = segmenter.embed(np.zeros((60, 90, 3), np.uint8))
    with pytest.raises(SegmentError, match=r"^[A-Z].*\.$"):
        interact.replay(segmenter, e, [bad])
