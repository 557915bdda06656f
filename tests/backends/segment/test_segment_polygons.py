"""Outlines of masks: filled by someone else they give the mask again."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask
from scipy import ndimage

from backends.segment import SegmentError
from backends.segment.formats.polygons import outline, outlines, polygons

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # inside pycocotools
MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.booleans())


def rasterised(rings, shape):
    """Even-odd rule at pixel centres: a pixel toggles for each vertical edge to its left."""
    out = np.zeros(shape, bool)
    for ring in rings:
        xy = np.reshape(ring, (-1, 2))
        for (x0, y0), (x1, y1) in zip(xy, np.roll(xy, -1, axis=0), strict=True):
            assert (x0 == x1) != (y0 == y1), "edges run along rows or columns"
            if x0 == x1:
                out[min(y0, y1) : max(y0, y1), x0:] ^= True
    return out


def area(ring):
    x, y = np.reshape(ring, (-1, 2)).T
    return (x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def blob(height, width, seed):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(height, width)), 4)
    return noise > 0


@settings(max_examples=200, deadline=None)
@given(MASKS)
def test_rings_filled_by_the_even_odd_rule_give_the_mask_back(mask):
    rings = polygons(mask)
    assert np.array_equal(rasterised(rings, mask.shape), mask)
    assert sum(area(r) for r in rings) == mask.sum()


@settings(max_examples=150, deadline=None)
@given(MASKS)
def test_there_is_one_outline_per_object_and_one_ring_per_hole(mask):
    rings = polygons(mask)
    objects = ndimage.label(mask)[1]
    holes = ndimage.label(np.pad(~mask, 1, constant_values=True), np.ones((3, 3)))[1] - 1
    assert sum(area(r) > 0 for r in rings) == objects and sum(area(r) < 0 for r in rings) == holes


@pytest.mark.parametrize("seed", range(3))
def test_pillow_fills_the_outlines_and_holes_to_the_same_mask(seed):
    mask, scale = blob(60, 90, seed), 8
    canvas = Image.new("1", (mask.shape[1] * scale, mask.shape[0] * scale))
    draw = ImageDraw.Draw(canvas)
    for ring in sorted(polygons(mask), key=lambda r: -abs(area(r))):
        draw.polygon([v * scale for v in ring], fill=int(area(ring) > 0))
    assert np.array_equal(np.asarray(canvas)[scale // 2 :: scale, scale // 2 :: scale], mask)


def filled(rings, shape):
    """What pycocotools makes of polygons."""
    if not rings:
        return np.zeros(shape, bool)
    assert all(len(r) >= 6 for r in rings)
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(rings, *shape))).astype(bool)


@settings(max_examples=200, deadline=None)
@given(MASKS)
def test_pycocotools_fills_coco_polygons_to_the_mask_with_its_holes(mask):
    rings = outlines(mask)
    assert len(rings) == ndimage.label(mask)[1]
    assert np.array_equal(filled(rings, mask.shape), mask)


@settings(max_examples=150, deadline=None)
@given(MASKS)
def test_one_walk_holds_all_parts_and_holes(mask):
    walk = outline(mask)
    assert np.array_equal(filled([walk] if walk else [], mask.shape), mask)


def test_holes_in_holes_and_many_parts_of_a_large_mask_come_back():
    mask = np.random.default_rng(0).random((120, 160)) < 0.6
    mask[30:90, 30:120] = blob(60, 90, 0)
    assert np.array_equal(filled(outlines(mask), mask.shape), mask)
    assert np.array_equal(filled([outline(mask)], mask.shape), mask)


def test_special_masks_have_the_rings_one_expects():
    assert polygons(np.zeros((4, 5), bool)) == []
    assert polygons(np.ones((4, 5), bool)) == [[0, 0, 5, 0, 5, 4, 0, 4]]
    assert polygons(np.eye(2, dtype=bool)) == [[0, 0, 1, 0, 1, 1, 0, 1], [1, 1, 2, 1, 2, 2, 1, 2]]
    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    assert polygons(ring) == [[0, 0, 3, 0, 3, 3, 0, 3], [1, 1, 1, 2, 2, 2, 2, 1]]
    with pytest.raises(SegmentError):
        polygons(np.ones(3, bool))
