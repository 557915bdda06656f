"""Run-length codes: COCO's text against pycocotools and by hand, the browser's runs, damaged input."""
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from backends.segment import SegmentError, rle

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # inside pycocotools
MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=25))


def coco_text(mask):
    return coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()


def blob(height, width, seed, coarse=9):
    rng = np.random.default_rng(seed)
    small = rng.random((height // coarse + 1, width // coarse + 1)) < 0.5
    return small.repeat(coarse, 0).repeat(coarse, 1)[:height, :width]


@settings(max_examples=100, deadline=None)
@given(MASKS)
def test_the_text_equals_pycocotools_and_comes_back(mask):
    coded = rle.encode(mask)
    assert coded == {"size": list(mask.shape), "counts": coco_text(mask)}
    assert np.array_equal(rle.decode(coded), mask)
    assert np.array_equal(coco_mask.decode(coded), mask)


@pytest.mark.parametrize("mask", [
    np.zeros((7, 11), bool), np.ones((7, 11), bool), np.eye(5, 9, dtype=bool), np.zeros((1, 1), bool),
    np.ones((1, 1), bool),
    np.ones((1, 300), bool), blob(480, 640, 0), blob(641, 333, 1), blob(3000, 2000, 2, 700),
    np.arange(40000).reshape(200, 200) % 2 == 0,
])
def test_the_text_equals_pycocotools_on_special_and_large_masks(mask):
    coded = rle.encode(mask)
    assert coded["counts"] == coco_text(mask) and np.array_equal(rle.decode(coded), mask)


@pytest.mark.parametrize(("counts", "text"), [
    ([0, 1], "01"), ([77], "]2"), ([6, 1, 40, 4, 5, 4, 5, 4, 21], "61X13mN000`0"),
])
def test_texts_written_by_hand(counts, text):
    assert rle.pack(counts) == text and rle.unpack(text).tolist() == counts


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2**31), min_size=1, max_size=30))
def test_any_run_lengths_come_back(counts):
    assert rle.unpack(rle.pack(counts)).tolist() == counts


@settings(max_examples=60, deadline=None)
@given(MASKS)
def test_runs_for_the_browser_go_along_the_rows_and_come_back(mask):
    coded = json.loads(json.dumps(rle.runs(mask)))
    flat = [bool(i % 2) for i, n in enumerate(coded["counts"]) for _ in range(n)]
    assert flat == mask.ravel().tolist() and (coded["h"], coded["w"]) == mask.shape


def test_uncompressed_counts_go_down_the_columns():
    mask = np.array([[1, 0], [1, 0], [0, 1]], bool)
    assert rle.counts(mask).tolist() == [0, 2, 3, 1]
    assert np.array_equal(rle.decode({"size": [3, 2], "counts": [0, 2, 3, 1]}), mask)


@pytest.mark.parametrize("counts", ["", "P", "0", "~~", "\x00", "é", "011", "PPPPPPPPPPPPPPP0", [1, 2], [-1, 7], []])
def test_damaged_codes_are_refused(counts):
    with pytest.raises(SegmentError):
        rle.decode({"size": [3, 2], "counts": counts})


@pytest.mark.case("Any run-length code", "One sentence, or a mask of its size.")
@given(st.text(max_size=40) | st.lists(st.integers(), max_size=9), st.tuples(st.integers(), st.integers())
       | st.lists(st.integers(-2, 30), max_size=3))
def test_hostile_codes_are_a_sentence_or_a_mask_of_their_size(counts, size):
    try:
        mask = rle.decode({"size": list(size), "counts": counts})
        assert mask.dtype == bool and mask.shape == tuple(size)
    except SegmentError:
        pass


@pytest.mark.parametrize("mask", [np.zeros((0, 3), bool), np.zeros(4, bool), np.zeros((1, 2, 3), bool)])
def test_only_masks_are_encoded(mask):
    with pytest.raises(SegmentError, match="must be a non-empty"):
        rle.encode(mask)
