"""A COCO file is read back, whoever wrote it; one that cannot be is refused in one sentence."""
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as official

from backends.segment import SegmentError, rle
from backends.segment.formats import Labelled, Picture, coco, export
from tests.hostile import hostile

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # inside pycocotools
SIZE = (40, 60)


def square(x0, y0, x1, y1):
    mask = np.zeros(SIZE, bool)
    mask[y0:y1, x0:x1] = True
    return mask


HOLED = square(5, 5, 50, 35) & ~square(10, 10, 30, 20)
CAT = Picture("cat.png", SIZE, (Labelled.of("Tom", HOLED, 0.75, "cat"),
                                Labelled.of("猫", square(0, 0, 3, 40), None, "eye")))


def file(segmentation, **note):
    """A COCO file of one object as another tool writes it."""
    return json.dumps({
        "images": [{"id": 7, "file_name": "train/cat.png", "width": 60, "height": 40},
                   {"id": 8, "file_name": "dog.png", "width": 60, "height": 40}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "segmentation": segmentation, **note},
                        {"id": 2, "image_id": 8, "category_id": 3, "segmentation": [[0, 0, 9, 0, 9, 9]]}],
        "categories": [{"id": 3, "name": "cat"}]}).encode()


@pytest.mark.parametrize("kind", ["coco", "polygons"])
def test_what_is_written_is_read_again(kind):
    read = coco.read(export(kind, [Picture("dog.png", SIZE, CAT.objects[:1]), CAT]).content, "cat.png", SIZE)
    assert read == coco.Read(CAT.objects)


def test_uncompressed_run_lengths_are_read_and_labels_come_from_the_categories():
    [thing] = coco.read(file({"size": [40, 60], "counts": rle.counts(HOLED).tolist()}), "cat.png", SIZE).objects
    assert np.array_equal(thing.mask, HOLED) and (thing.label, thing.name, thing.score) == ("cat", "cat 1", None)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-5, 70), st.floats(-5, 50)), min_size=3, max_size=9, unique=True))
def test_polygons_are_filled_as_pycocotools_fills_them(corners):
    ring = [v for corner in corners for v in corner]
    expected = official.decode(official.frPyObjects([ring], *SIZE)[0])
    read = coco.read(file([ring]), "cat.png", SIZE)
    if expected.any():
        assert np.array_equal(read.objects[0].mask, expected)
    else:
        assert read == coco.Read((), empty=1)


def test_several_polygons_of_an_object_are_united():
    rings = [[0, 0, 10, 0, 10, 10, 0, 10], [20, 20, 30, 20, 30, 30, 20, 30]]
    [thing] = coco.read(file(rings), "CAT.PNG", SIZE).objects
    assert np.array_equal(thing.mask, square(0, 0, 10, 10) | square(20, 20, 30, 30))


def test_empty_objects_and_those_beyond_the_limit_are_counted():
    masks = [square(i, 0, i + 1, 5) for i in range(5)] + [square(0, 0, 0, 0)]
    notes = [{"id": i, "image_id": 1, "segmentation": rle.encode(m)} for i, m in enumerate(masks)]
    images = [{"id": 1, "file_name": "cat.png", "width": 60, "height": 40}]
    read = coco.read(json.dumps({"images": images, "annotations": notes}).encode(), "cat.png", SIZE, most=3)
    assert (len(read.objects), read.empty, read.beyond) == (3, 1, 2)
    assert {o.label for o in read.objects} == {"object"}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"hello", b"[]", b"{}", b"null", b"[" * 100_000, b"NaN",
                                     b'{"images": 3, "annotations": []}', b'{"images": [], "annotations": {}}'])
def test_what_is_no_coco_file_is_one_sentence(content):
    with pytest.raises(SegmentError, match="not a COCO file"):
        coco.read(content, "cat.png", SIZE)


BAD = [None, [], {}, "x", 5, [[]], [5], [[1, 2, 3]], [[1, 2, 3, 4]], [[1, 2, 3, 4, 5]], [[0, 0, 5, 5, 1e300, 3]],
       [[0, 0, 5, 5, "a", 3]], [[0, 0, 5, 5, None, 3]], [[1, 1, 1, 1, 1, 1]], [[0, 0, 5, 5, -1e9, 3]],
       [[0, 0, 5, 5, True, 3]], [[0, 0, 5, 5, float("nan"), 3]], {"size": [40, 60]}, {"size": [40, 60], "counts": "~~"},
       {"size": [40, 60], "counts": [1, 2]}, {"size": [40, 60], "counts": [2400.5]},
       {"size": [40, 60], "counts": [1 << 80]}, {"size": [60, 40], "counts": [2400]}, {"size": 5, "counts": [2400]},
       {"size": [1 << 40, 1 << 40], "counts": "0"}, {"size": [40, 60], "counts": {}}]


@pytest.mark.parametrize("segmentation", BAD, ids=lambda s: str(s)[:40])
def test_a_damaged_object_is_one_sentence(segmentation):
    with pytest.raises(SegmentError, match=r"^Object 1 of this COCO file has a damaged segmentation\.$"):
        coco.read(file(segmentation), "cat.png", SIZE)


def test_another_size_an_unknown_picture_and_a_picture_without_objects_are_one_sentence_each():
    good = file({"size": [40, 60], "counts": [0, 2400]})
    with pytest.raises(SegmentError, match="has 60 x 40 pixels, here it has 61 x 40"):
        coco.read(good, "cat.png", (40, 61))
    with pytest.raises(SegmentError, match=r"picture .horse\.png.\.$"):
        coco.read(good, "horse.png", SIZE)
    alone = export("coco", [CAT]).content
    with pytest.raises(SegmentError, match=r"horse\.png., but .cat\.png"):
        coco.read(alone, "horse.png", SIZE)
    with pytest.raises(SegmentError, match="no object for this picture"):
        coco.read(file([], image_id=9), "cat.png", SIZE)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(hnp.arrays(bool, (6, 8)).filter(np.any), st.text(max_size=20), st.none() | st.floats(0, 1)),
                min_size=1, max_size=3), st.sampled_from(["coco", "polygons"]))
def test_any_objects_come_back_from_both_kinds_of_file(drawn, kind):
    things = tuple(Labelled.of("a", mask, score, label) for mask, label, score in drawn)
    content = export(kind, [Picture("cat.png", (6, 8), things)]).content
    read = coco.read(content, "cat.png", (6, 8)).objects
    assert all(np.array_equal(one.mask, other.mask) for one, other in zip(read, things, strict=True))


@pytest.mark.case("Any JSON as a COCO file", "One sentence, or objects.")
@settings(max_examples=50, deadline=None)
@given(hostile(["id", "file_name", "width", "height", "image_id", "size", "counts", "name", "segmentation",
                "category_id", "score"]),
       st.sampled_from(["images", "annotations", "categories"]))
def test_hostile_json_is_a_sentence_or_objects_never_anything_else(value, where):
    data = json.loads(file([[0, 0, 5, 0, 5, 5]]))
    data[where] = data[where][:1] + [value] if isinstance(value, dict) else value
    try:
        assert isinstance(coco.read(json.dumps(data).encode(), "cat.png", SIZE), coco.Read)
    except SegmentError as error:
        assert str(error).endswith(".") and "\n" not in str(error)
