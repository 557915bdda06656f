"""Cut-outs, PNG files, polygons and COCO: each is read back by someone else and gives the mask again."""
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask
from scipy import ndimage

from backends.segment import SegmentError
from backends.segment.export import Labelled, coco, cutout, png_bytes, polygons

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


@settings(max_examples=500, deadline=None)
@given(MASKS)
def test_rings_filled_by_the_even_odd_rule_give_the_mask_back(mask):
    rings = polygons(mask)
    assert np.array_equal(rasterised(rings, mask.shape), mask)
    assert sum(area(r) for r in rings) == mask.sum()


@settings(max_examples=300, deadline=None)
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


def test_pycocotools_reads_an_outline_without_holes():
    mask = ndimage.binary_fill_holes(blob(60, 90, 0))
    rings = [[float(v) for v in r] for r in polygons(mask)]
    united = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(rings, *mask.shape)))
    assert (united ^ mask).sum() <= 0.02 * mask.sum()


def test_special_masks_have_the_rings_one_expects():
    assert polygons(np.zeros((4, 5), bool)) == []
    assert polygons(np.ones((4, 5), bool)) == [[0, 0, 5, 0, 5, 4, 0, 4]]
    assert polygons(np.eye(2, dtype=bool)) == [[0, 0, 1, 0, 1, 1, 0, 1], [1, 1, 2, 1, 2, 2, 1, 2]]
    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    assert polygons(ring) == [[0, 0, 3, 0, 3, 3, 0, 3], [1, 1, 1, 2, 2, 2, 2, 1]]
    with pytest.raises(SegmentError):
        polygons(np.ones(3, bool))


IMAGE = np.random.default_rng(0).integers(1, 256, (20, 30, 3), dtype=np.uint8)
MASK = np.zeros((20, 30), bool)
MASK[4:9, 10:25] = True


def test_a_cutout_keeps_colours_inside_and_hides_the_rest():
    out = cutout(IMAGE, MASK)
    assert out.dtype == np.uint8 and out.shape == (20, 30, 4)
    assert np.array_equal(out[..., 3], MASK * 255)
    assert np.array_equal(out[MASK][:, :3], IMAGE[MASK]) and not out[~MASK].any()


def test_a_soft_cutout_has_the_sigmoid_as_straight_alpha():
    soft = np.linspace(-8, 8, 600).reshape(20, 30)
    out = cutout(IMAGE, MASK, soft=soft)
    assert np.array_equal(out[..., 3], np.rint(255 / (1 + np.exp(-soft))).astype(np.uint8))
    shown = out[..., 3] > 0
    assert np.array_equal(out[shown][:, :3], IMAGE[shown]) and not out[~shown].any()
    assert cutout(IMAGE, MASK, soft=np.full((20, 30), -1e4)).max() == 0


def test_a_crop_is_the_smallest_rectangle_that_holds_the_object():
    assert np.array_equal(cutout(IMAGE, MASK, crop=True), cutout(IMAGE, MASK)[4:9, 10:25])
    with pytest.raises(SegmentError, match="nothing to crop"):
        cutout(IMAGE, np.zeros((20, 30), bool), crop=True)


def test_shapes_that_differ_are_refused():
    with pytest.raises(SegmentError, match="mask has shape"):
        cutout(IMAGE, MASK.T)
    with pytest.raises(SegmentError, match="logits have shape"):
        cutout(IMAGE, MASK, soft=np.zeros((3, 3)))


@pytest.mark.parametrize("picture", [MASK, IMAGE, cutout(IMAGE, MASK), MASK.astype(np.uint8) * 7])
def test_a_png_file_comes_back_to_the_last_bit(picture):
    back = np.asarray(Image.open(io.BytesIO(png_bytes(picture))))
    assert np.array_equal(back, picture * 255 if picture.dtype == bool else picture)


def test_a_coco_file_is_read_by_pycocotools_and_holds_the_masks():
    hollow = blob(20, 30, 3)
    objects = [Labelled("cat", MASK, 0.75), Labelled("猫", hollow), Labelled("cat", np.zeros((20, 30), bool))]
    data = json.loads(json.dumps(coco("a picture.png", objects)))
    assert data["images"] == [{"id": 1, "file_name": "a picture.png", "width": 30, "height": 20}]
    assert [(c["id"], c["name"]) for c in data["categories"]] == [(1, "cat"), (2, "猫")]
    first, second, third = data["annotations"]
    assert [a["category_id"] for a in (first, second, third)] == [1, 2, 1] and len({a["id"] for a in data["annotations"]}) == 3
    for annotation, thing in zip(data["annotations"], objects, strict=True):
        assert np.array_equal(coco_mask.decode(annotation["segmentation"]), thing.mask)
        assert np.array_equal(rasterised(annotation["polygons"], (20, 30)), thing.mask)
        assert annotation["area"] == coco_mask.area(annotation["segmentation"])
        assert annotation["bbox"] == coco_mask.toBbox(annotation["segmentation"]).tolist() and annotation["iscrowd"] == 0
    assert first["bbox"] == [10, 4, 15, 5] and first["score"] == 0.75 and "score" not in second


def test_a_coco_file_needs_objects_of_one_size():
    with pytest.raises(SegmentError, match="no object"):
        coco("a", [])
    with pytest.raises(SegmentError, match="shape"):
        coco("a", [Labelled("a", MASK), Labelled("b", MASK.T)])
