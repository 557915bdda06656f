"""Everything mode: equal to SamAutomaticMaskGenerator, streamed, stoppable, small in memory."""
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask
from segment_anything import SamAutomaticMaskGenerator

from backends import stop
from backends.segment import SegmentError, everything
from backends.segment.everything import remove_small_regions

LOOSE = {"pred_iou_thresh": 0.0, "stability_score_thresh": 0.3, "stability_score_offset": 0.2}
FIELDS = ("area", "bbox", "predicted_iou", "point_coords", "stability_score", "crop_box")


def official(sam, image, **settings):
    return SamAutomaticMaskGenerator(sam, **settings).generate(image)


def final(segmenter, image, **settings):
    *_, last = segmenter.everything(image, **settings)
    assert last.final and last.done == last.total
    return last.records


def assert_equal(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert {k: a[k] for k in FIELDS} == {k: b[k] for k in FIELDS}
        assert a["segmentation"].dtype == bool and np.array_equal(a["segmentation"], b["segmentation"])
        assert a.rle["counts"] == coco_mask.encode(np.asfortranarray(b["segmentation"].astype(np.uint8)))[
            "counts"].decode()


@pytest.mark.parametrize("size", [(90, 140), (140, 90), (128, 128)])
@pytest.mark.parametrize("settings", [
    {}, {"points_per_batch": 7}, {"crop_n_layers": 1},
    {"crop_n_layers": 1, "crop_n_points_downscale_factor": 2, "crop_nms_thresh": 0.5},
    {"box_nms_thresh": 0.3, "stability_score_offset": 2.0}, {"stability_score_thresh": 0.0},
    {"stability_score_thresh": 1.0},
])
def test_the_list_equals_that_of_the_official_generator_on_masks_with_shape(colour, make_scene, size, settings):
    common = {"points_per_side": 6, "points_per_batch": 16, "pred_iou_thresh": 0.5,
              "stability_score_thresh": 0.8} | settings
    image = make_scene(*size)
    theirs = official(colour.sam, image, **common)
    assert_equal(final(colour, image, **common), theirs)
    assert len(theirs) > 4 or settings == {"stability_score_thresh": 1.0}


@pytest.mark.parametrize("settings", [{}, {"crop_n_layers": 1, "crop_overlap_ratio": 0.2}])
@pytest.mark.parametrize("size", [(70, 100), (100, 70)])
def test_the_list_equals_that_of_the_official_generator_on_a_random_model(small, sam, make_noise, size, settings):
    common = ({"points_per_side": 3, "points_per_batch": 4, "box_nms_thresh": 1.0, "crop_nms_thresh": 1.0}
              | LOOSE | settings)
    image = make_noise(*size)
    theirs = official(sam, image, **common)
    assert_equal(final(small, image, **common), theirs)
    assert len({r["area"] for r in theirs}) > 1


def test_an_empty_result_is_an_empty_list(colour, make_scene):
    assert final(colour, make_scene(40, 40), points_per_side=2, pred_iou_thresh=1.0) == []


def test_batches_stream_and_their_records_are_not_beaten_by_what_is_known(colour, make_scene):
    image, settings = make_scene(90, 140), {"points_per_side": 6, "points_per_batch": 8, "pred_iou_thresh": 0.5}
    batches = list(colour.everything(image, **settings))
    assert [b.done for b in batches] == [8, 16, 24, 32, 36, 36] and {b.total for b in batches} == {36}
    assert [b.final for b in batches] == [False] * 5 + [True]
    streamed = [r for b in batches[:-1] for r in b.records]
    wanted = {r.rle["counts"] for r in batches[-1].records}
    assert wanted <= {r.rle["counts"] for r in streamed} and len(streamed) < 3 * 36
    for batch in batches:
        ratings = [r["predicted_iou"] for r in batch.records]
        assert ratings == sorted(ratings, reverse=True)


def test_closing_the_generator_stops_the_work(colour, make_scene, monkeypatch):
    calls, decode = [], colour.decode_batch
    monkeypatch.setattr(colour, "decode_batch", lambda *a: calls.append(1) or decode(*a))
    stream = colour.everything(make_scene(60, 60), points_per_side=8, points_per_batch=8)
    next(stream)
    next(stream)
    stream.close()
    assert len(calls) == 2


def test_a_stop_ends_the_work_inside_a_batch(colour, make_scene, monkeypatch):
    token, calls, decode = stop.Token(), [], colour.decode_batch

    def stopping(*a):
        calls.append(1)
        if len(calls) == 2:
            token.stop()
        return decode(*a)

    monkeypatch.setattr(colour, "decode_batch", stopping)
    with stop.watch(token):
        stream = colour.everything(make_scene(60, 60), points_per_side=8, points_per_batch=8)
        next(stream)
        with pytest.raises(stop.Stopped):
            next(stream)
    assert len(calls) == 2


def test_a_record_reads_like_a_dict(colour, make_scene):
    record = final(colour, make_scene(60, 80), points_per_side=4, pred_iou_thresh=0.5)[0]
    assert list(record) == list(everything.Record.KEYS) and len(dict(record)) == 7
    assert record["segmentation"].sum() == record["area"]
    with pytest.raises(KeyError):
        record["nothing"]


def test_three_full_size_masks_are_in_memory_at_a_time(colour, make_scene, monkeypatch):
    sizes, upscale = [], colour.upscale
    monkeypatch.setattr(colour, "upscale", lambda e, x: sizes.append(len(x)) or upscale(e, x))
    final(colour, make_scene(60, 80), points_per_side=6, pred_iou_thresh=0.5)
    assert len(sizes) > 4 and set(sizes) == {3}


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_full_size_logits_equal_the_originals_to_the_last_bit(small, make_noise, count):
    e = small.embed(make_noise(170, 99))
    logits = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    wanted = small.sam.postprocess_masks(logits, e.input_size, e.size).flatten(0, 1)
    pick = torch.randperm(12, generator=torch.Generator().manual_seed(count))[:count]
    got = list(everything._upscaled(small, e, logits.flatten(0, 1)[pick]))
    assert len(got) == count and torch.equal(torch.stack(got), wanted[pick])


def test_crops_do_not_crowd_out_embeddings_of_pictures(colour, make_scene):
    from backends.segment.segmenter import EMBEDDINGS
    final(colour, make_scene(60, 80), points_per_side=2, crop_n_layers=1)
    assert len(EMBEDDINGS) == 1


def test_no_float64_reaches_the_model(colour, make_scene, monkeypatch):
    seen, decode = [], colour.decode_batch
    monkeypatch.setattr(colour, "decode_batch", lambda e, xy, *a: seen.append(xy.dtype) or decode(e, xy, *a))
    final(colour, make_scene(60, 80), points_per_side=4)
    assert set(seen) == {torch.float32}


@pytest.mark.parametrize("size", [(457, 1031), (1024, 1024), (333, 17)])
def test_points_reach_the_prompt_encoder_as_if_they_had_been_float64(size):
    points = np.random.default_rng(0).uniform(0, 1, (5000, 2)) * size[::-1]
    ours = (everything.input_points(points, size, 1024) + 0.5) / 1024
    exact = everything.ResizeLongestSide(1024).apply_coords(points, size)
    assert torch.equal(ours, torch.from_numpy((exact + 0.5) / 1024).float())


@pytest.mark.parametrize(("settings", "message"), [
    ({"points_per_side": 0}, "points_per_side must lie between 1 and 128"), ({"crop_n_layers": 9}, "crop_n_layers"),
    ({"pred_iou_thresh": float("nan")}, "pred_iou_thresh"), ({"points_per_batch": 0}, "points_per_batch"),
    ({"points_per_side": 3, "crop_n_layers": 2, "crop_n_points_downscale_factor": 2}, "leaves no point"),
])
def test_a_bad_parameter_is_refused_before_any_work(colour, make_scene, settings, message):
    with pytest.raises(SegmentError, match=message):
        colour.everything(make_scene(20, 20), **settings)


def test_a_bad_picture_is_refused_before_any_work(colour):
    with pytest.raises(SegmentError, match="uint8"):
        colour.everything(np.zeros((5, 5, 3)))


def naive_regions(mask):
    """8-connected components of set pixels by flood fill, in reading order."""
    left, regions = {tuple(p) for p in np.argwhere(mask)}, []
    for start in sorted(left):
        if start not in left:
            continue
        stack, region = [start], set()
        left.discard(start)
        while stack:
            y, x = stack.pop()
            region.add((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            stack += near
        regions.append(region)
    return regions


def naive_removal(mask, area, mode):
    out, regions = mask.copy(), naive_regions(mask if mode == "islands" else ~mask)
    small = [r for r in regions if len(r) < area]
    if mode == "islands" and regions and len(small) == len(regions):
        small.remove(max(regions, key=len))
    for region in small:
        for p in region:
            out[p] = mode == "holes"
    return out, any(len(r) < area for r in regions)


@settings(max_examples=300, deadline=None)
@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)), st.integers(1, 12),
       st.sampled_from(["holes", "islands"]))
def test_small_regions_go_as_their_definition_says(mask, area, mode):
    ours, changed = remove_small_regions(mask, area, mode)
    wanted, found = naive_removal(mask, area, mode)
    assert ours.dtype == bool and np.array_equal(ours, wanted) and changed == found


def test_small_regions_equal_those_of_opencv():
    pytest.importorskip("cv2")
    from segment_anything.utils.amg import remove_small_regions as original
    rng = np.random.default_rng(0)
    for _ in range(200):
        mask, area = rng.random((20, 30)) < rng.uniform(0.2, 0.8), rng.integers(1, 20)
        for mode in ("holes", "islands"):
            ours, theirs = remove_small_regions(mask, area, mode), original(mask, area, mode)
            assert ours[1] == theirs[1] and ours[0].sum() == theirs[0].sum()


def test_cleaning_equals_the_official_generator_that_has_the_same_region_filter(colour, make_scene, monkeypatch):
    import segment_anything.automatic_mask_generator as reference
    monkeypatch.setattr(reference, "remove_small_regions", remove_small_regions)
    monkeypatch.setitem(__import__("sys").modules, "cv2", object())
    image = make_scene(90, 140)
    image[::9, ::7] = 255 - image[::9, ::7]
    common = {"points_per_side": 6, "points_per_batch": 16, "pred_iou_thresh": 0.3, "stability_score_thresh": 0.5}
    for extra in ({}, {"crop_n_layers": 1}):
        theirs = official(colour.sam, image, min_mask_region_area=60, **common, **extra)
        assert_equal(final(colour, image, min_mask_region_area=60, **common, **extra), theirs)
        plain = {r.rle["counts"] for r in final(colour, image, **common, **extra)}
        assert theirs
        assert {r.rle["counts"] for r in final(colour, image, min_mask_region_area=60, **common, **extra)} != plain
