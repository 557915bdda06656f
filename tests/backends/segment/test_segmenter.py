"""Segmenter: equal to SamPredictor, stateless, cached, strict about its input."""
from threading import Barrier, Thread

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from segment_anything import SamPredictor
from segment_anything.utils.transforms import ResizeLongestSide

from backends.segment import Segmenter, SegmentError, prompts, segmenter

SIZES = [(200, 300), (300, 200), (64, 64), (37, 411)]
POINTS, LABELS = np.array([[10.0, 20.5], [30.0, 5.0], [10.0, 20.5]]), np.array([1, 0, 1])
BOX = np.array([3.0, 4.0, 33.5, 30.0])


def official(sam, image, **prompt):
    predictor = SamPredictor(sam)
    predictor.set_image(image)
    return predictor.predict(**prompt)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("multimask", [True, False])
@pytest.mark.parametrize("kind", ["points", "one point", "box", "both", "mask", "all"])
def test_masks_scores_and_logits_equal_those_of_sam_predictor(small, sam, make_noise, size, multimask, kind):
    image = make_noise(*size)
    points = {"points": POINTS, "one point": POINTS[:1], "both": POINTS[:1], "all": POINTS}.get(kind)
    labels = None if points is None else LABELS[: len(points)]
    box = BOX if kind in ("box", "both", "all") else None
    mask = np.random.default_rng(1).normal(0, 5, (1, 64, 64)).astype(np.float32) if kind in ("mask", "all") else None
    prompt = {"point_coords": points, "point_labels": labels, "box": box, "mask_input": mask,
              "multimask_output": multimask}
    masks, scores, logits = official(sam, image, **prompt)
    e = small.embed(image)
    raw_logits, raw_scores = small.decode(e, points, labels, box, mask, multimask)
    assert np.array_equal(raw_scores.numpy(), scores) and np.array_equal(raw_logits.numpy(), logits)
    out = small.predict(e, points, labels, box, mask, multimask)
    assert out.masks.dtype == bool and out.masks.shape == (3 if multimask else 1, *size)
    assert np.array_equal(out.masks, masks) and np.array_equal(out.logits, logits)
    assert np.array_equal(out.scores, scores.clip(0, 1))


def test_the_masks_of_the_parity_test_are_not_trivial(small, make_noise):
    shares = [small.predict(small.embed(make_noise(*size)), POINTS, LABELS, multimask=True).masks.mean()
              for size in SIZES]
    assert all(0.02 < share < 0.98 for share in shares)


def test_the_embedding_equals_that_of_sam_predictor(small, sam, make_noise):
    image = make_noise(50, 91)
    predictor = SamPredictor(sam)
    predictor.set_image(image)
    e = small.embed(image)
    assert torch.equal(e.features, predictor.get_image_embedding())
    assert e.size == (50, 91) and e.input_size == predictor.input_size and not e.features.requires_grad


def test_three_masks_for_a_single_point_and_one_for_anything_clearer(small, make_noise):
    e = small.embed(make_noise(40, 60))
    assert len(small.predict(e, POINTS[:1], [1]).masks) == 3
    assert len(small.predict(e, POINTS, LABELS).masks) == 1
    assert len(small.predict(e, box=BOX).masks) == 1
    assert len(small.predict(e, POINTS[:1], [1], mask=np.zeros((64, 64))).masks) == 1


def test_repeated_points_and_missing_labels_are_fine(small, make_noise):
    e = small.embed(make_noise(40, 60))
    assert np.array_equal(small.predict(e, POINTS[:1]).logits, small.predict(e, POINTS[:1], [1]).logits)
    small.predict(e, np.repeat(POINTS[:1], 5, axis=0), [1] * 5)


def test_a_box_may_be_dragged_in_any_direction(small, make_noise):
    e = small.embed(make_noise(40, 60))
    x0, y0, x1, y1 = BOX
    wanted = small.predict(e, box=BOX)
    for box in ((x1, y1, x0, y0), (x0, y1, x1, y0), (x1, y0, x0, y1)):
        assert np.array_equal(small.predict(e, box=box).masks, wanted.masks)


@pytest.mark.parametrize(("prompt", "message"), [
    ({}, "Nothing to segment"),
    ({"points": [], "labels": []}, "Nothing to segment"),
    ({"points": [[60, 5]], "labels": [1]}, "point \\(60, 5\\) lies outside"),
    ({"points": [[5, -1]], "labels": [1]}, "lies outside the picture of 60 x 40"),
    ({"points": [[5, 40]], "labels": [1]}, "lies outside"),
    ({"points": [[np.nan, 1]], "labels": [1]}, "finite"),
    ({"points": [["a", 1]], "labels": [1]}, "must be numbers"),
    ({"points": [1, 2], "labels": [1]}, "shape \\(N, 2\\)"),
    ({"points": 5, "labels": [1]}, "shape \\(N, 2\\)"),
    ({"points": [[1, 2]], "labels": [1, 0]}, "one label"),
    ({"points": [[1, 2]], "labels": [2]}, "one label"),
    ({"box": [1, 2, 3]}, "four numbers"),
    ({"box": [1, 2, 61, 5]}, "outside the picture"),
    ({"box": [1, 2, 1, 5]}, "no area"),
    ({"box": [1, 2, np.inf, 5]}, "finite"),
    ({"mask": np.zeros((5, 5))}, "must have shape \\(64, 64\\)"),
])
def test_a_bad_prompt_is_one_clear_sentence(small, make_noise, prompt, message):
    e = small.embed(make_noise(40, 60))
    with pytest.raises(SegmentError, match=message) as caught:
        small.predict(e, **prompt)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.parametrize("image", [
    np.zeros((5, 5, 3)), np.zeros((5, 5), np.uint8), np.zeros((5, 5, 4), np.uint8),
    np.zeros((0, 5, 3), np.uint8), [[1]], None,
    np.zeros((1, 600, 3), np.uint8),
])
def test_a_bad_picture_is_one_clear_sentence(small, image):
    with pytest.raises(SegmentError, match="picture"):
        small.embed(image)


def test_a_picture_is_encoded_once(small, make_noise):
    first, second, other = (small.embed(make_noise(30, 30)), small.embed(make_noise(30, 30)),
                            small.embed(make_noise(30, 30, seed=1)))
    assert not first.cached and second.cached and not other.cached
    assert second.features is first.features and second.milliseconds == first.milliseconds


def test_pictures_of_equal_bytes_and_different_shape_are_different(small):
    a, b = small.embed(np.zeros((20, 30, 3), np.uint8)), small.embed(np.zeros((30, 20, 3), np.uint8))
    assert not b.cached and a.key != b.key and a.size != b.size


def test_models_never_share_embeddings(small, make_sam, make_noise):
    other, image = Segmenter.of(make_sam(seed=1), "other"), make_noise(30, 30)
    e = small.embed(image)
    assert not torch.equal(e.features, other.embed(image).features)
    with pytest.raises(SegmentError, match="another model"):
        other.predict(e, POINTS[:1], [1])


def test_a_segmenter_holds_nothing_about_a_picture(small, make_noise):
    before = dict(vars(small))
    small.predict(small.embed(make_noise(30, 40)), POINTS[:1], [1])
    assert vars(small) == before


def test_threads_that_embed_one_picture_encode_it_once(small, make_noise, monkeypatch):
    calls, gate, image, out = [], Barrier(4), make_noise(30, 30), []
    encode = small.encode
    monkeypatch.setattr(small, "encode", lambda *a: calls.append(1) or encode(*a))

    def work():
        gate.wait()
        out.append(small.embed(image))
    threads = [Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(calls) == 1 and len(out) == 4 and sum(e.cached for e in out) == 3


def test_two_users_with_turns_see_their_own_masks(small, make_noise):
    a, b = make_noise(40, 60, 1), make_noise(60, 40, 2)
    alone = [small.predict(small.embed(i), POINTS[:1], [1]).masks for i in (a, b)]
    segmenter.EMBEDDINGS.clear()
    ea, eb = small.embed(a), small.embed(b)
    for _ in range(2):
        for e, wanted in ((ea, alone[0]), (eb, alone[1])):
            assert np.array_equal(small.predict(e, POINTS[:1], [1]).masks, wanted)


def test_memory_stays_within_its_limit_over_many_pictures(small, monkeypatch, make_noise):
    size = small.embed(make_noise(20, 20)).features.nbytes
    monkeypatch.setattr(segmenter.EMBEDDINGS, "limit", 3 * size)
    for seed in range(40):
        small.embed(make_noise(20, 20, seed))
        assert segmenter.EMBEDDINGS.bytes <= 3 * size
    assert len(segmenter.EMBEDDINGS) == 3


def test_a_prediction_needs_no_gradient_and_leaves_the_mode_alone(small, make_noise):
    small.sam.requires_grad_(True)
    try:
        logits, _ = small.decode(small.embed(make_noise(30, 30)), POINTS[:1], [1])
        assert not logits.requires_grad and torch.is_grad_enabled()
    finally:
        small.sam.requires_grad_(False)


@settings(max_examples=500, deadline=None)
@given(st.integers(1, 6000), st.integers(1, 6000), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_a_point_comes_back_from_the_models_frame_within_a_pixel(h, w, fx, fy):
    xy = np.array([[fx * w, fy * h]])
    checked, _ = prompts.check_points(np.minimum(xy, np.nextafter([w, h], 0)), [1], (h, w))
    to_input = ResizeLongestSide(1024)
    back = (to_input.apply_coords(checked, (h, w)) * np.array([w, h])
            / np.array(to_input.get_preprocess_shape(h, w, 1024))[::-1].clip(1))
    if min(to_input.get_preprocess_shape(h, w, 1024)) >= 1:
        assert np.abs(back - xy).max() < 1
