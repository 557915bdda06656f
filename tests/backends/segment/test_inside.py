"""The box opened: what is captured is what the model computed, and every check can fail."""
import numpy as np
import pytest
import torch
from segment_anything.utils.amg import calculate_stability_score

from backends import images, shapes
from backends.segment import Segmenter, SegmentError, interact, rle, tiny
from backends.segment.geodesic import geodesic
from backends.segment.inside import NAMES, Asked, click, encoder, inside, mask
from backends.segment.inside.capture import Found, decoded, watched
from backends.segment.interact import Step
from backends.segment.tinyvit import TinyViT

HISTORY = (Step(((60, 40, 1),)), Step(((90, 70, 0),), choice=1), Step(((30, 80, 1),)))
BOX = (Step(box=(20, 20, 100, 80)), Step(((90, 70, 0),)))


@pytest.fixture(scope="module")
def rough():
    """tiny with random weights."""
    torch.manual_seed(0)
    return Segmenter.of(tiny.build_tiny(256), "rough", "digest")


@pytest.fixture(params=["tiny", "sam"])
def any_model(request, rough, small):
    return rough if request.param == "tiny" else small


def answer(segmenter, image, steps, view, **more):
    return inside(Asked(view), segmenter=segmenter, image=image, steps=steps, **more)


@pytest.mark.parametrize("steps", [HISTORY[:1], HISTORY, BOX], ids=["click", "history", "box"])
def test_the_watched_run_is_the_prediction_to_the_last_bit(any_model, make_scene, steps):
    e = any_model.embed(make_scene(96, 128))
    run = decoded(any_model, e, steps, click.watch)
    expected = interact.replay(any_model, e, steps)
    assert np.array_equal(run.logits, expected.logits) and np.array_equal(run.scores, expected.scores)
    if steps == HISTORY[:1]:
        p = any_model.predict(e, [(60, 40)], [1], multimask=True)
        assert np.array_equal(run.logits, p.logits) and np.array_equal(run.scores, p.scores)


@pytest.mark.parametrize("view", NAMES)
def test_every_view_holds_and_ties_its_tensors_to_the_mask(any_model, make_scene, view):
    result = answer(any_model, make_scene(96, 128), HISTORY, view)
    assert result.finished and result.checks and all(c.ok for c in result.checks), result.checks
    if view != "encoder":
        assert result.checks[0].name == "mask"
        shapes.check(result.body)


def test_another_mask_on_screen_is_told_by_the_number_of_pixels(any_model, make_scene):
    image = make_scene(96, 128)
    shown = interact.replay(any_model, any_model.embed(image), HISTORY).mask.copy()
    shown[3:5, 7:9] ^= True
    [check] = answer(any_model, image, HISTORY, "logits", shown=shown).checks
    assert check.value == 4 and not check.ok


def test_clean_masks_are_the_last_step_of_what_is_shown(any_model, make_scene):
    image = make_scene(96, 128)
    result = answer(any_model, image, HISTORY, "logits", smallest=40)
    clean = interact.replay(any_model, any_model.embed(image), HISTORY, 40).mask
    raw = interact.replay(any_model, any_model.embed(image), HISTORY).mask
    assert result.checks[0].ok and result.body.cleaned == (clean != raw).sum() and result.body.area == raw.sum()
    assert np.array_equal(result.body.on, mask.thin(clean, result.body.every))


def test_no_hook_stays_on_the_shared_modules_and_the_copy_shares_the_weights(any_model, make_scene):
    answer(any_model, make_scene(96, 128), HISTORY[:1], "click")
    answer(any_model, make_scene(96, 128), HISTORY[:1], "encoder")
    for module in any_model.sam.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks
    other = watched(any_model, "mask_decoder").sam.mask_decoder
    mine = any_model.sam.mask_decoder
    assert other is not mine
    assert [p.data_ptr() for p in other.parameters()] == [p.data_ptr() for p in mine.parameters()]


def test_components_are_those_of_a_singular_value_decomposition():
    values = np.random.default_rng(0).normal(size=(7, 5, 6)) * np.arange(1, 8)[:, None, None]
    found, share = encoder.components(values)
    flat = values.reshape(7, -1).T
    _, power, vectors = np.linalg.svd(flat - flat.mean(0), full_matrices=False)
    expected = (flat - flat.mean(0)) @ vectors[:3].T
    np.testing.assert_allclose(np.abs(found.reshape(-1, 3)), np.abs(expected), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(share, (power**2 / (power**2).sum())[:3], rtol=1e-6)
    flat, none = encoder.components(np.ones((2, 3, 4)))
    assert flat.shape == (3, 4, 3) and np.abs(flat).max() < 1e-6 and (none < 1e-6).all()


def test_levels_have_the_strides_of_their_encoder(rough, small, make_scene):
    image = make_scene(96, 128)
    assert [v.stride for v in answer(rough, image, (), "encoder").body.levels] == [4, 8, 16, 32, 16, 8, 4]
    names = [v.name for v in answer(small, image, (), "encoder").body.levels]
    assert names == ["patches", "block 1", "block 2", "neck"]
    vit = TinyViT(224, dims=(16, 32, 32, 64), heads=(2, 2, 2, 2), depths=(1, 1, 1, 1), out=16)
    assert [name for name, _ in encoder.places(vit)] == ["patches", "stage 1", "stage 2", "stage 3", "stage 4", "neck"]


def test_a_long_view_begins_with_what_is_known(rough, make_noise):
    first, *_, last = inside.stream(Asked("encoder"), segmenter=rough, image=make_noise(64, 96), steps=())
    assert not first.finished and len(first.body.levels) == 1 and last.finished and len(last.body.levels) == 7


def test_attention_that_is_not_the_models_own_is_told(small, make_scene):
    e = small.embed(make_scene(96, 128))
    run = decoded(small, e, HISTORY, click.watch)
    body, [check] = click.sam(run, e, HISTORY)
    assert check.ok and body.attention.shape[:3] == (3, 4, 1 + 4 + 3 + 1) and len(body.tokens) == 9
    assert np.array_equal(body.masks[1:], run.logits[:, : body.masks.shape[1]])
    run.found["0 q_proj"][0] *= 3
    assert not click.sam(run, e, HISTORY)[1][0].ok


def test_tokens_are_named_in_the_order_of_the_prompt_encoder(small, make_scene):
    e = small.embed(make_scene(96, 128))
    for steps in (HISTORY, BOX):
        body, _ = click.sam(decoded(small, e, steps, click.watch), e, steps)
        assert body.attention.shape[2] == len(body.tokens)
    assert click.names(BOX)[-3:] == ("click 1 -", "corner 1", "corner 2") and click.names(HISTORY)[-1] == "padding"


def test_a_geodesic_map_and_a_similarity_are_those_of_the_decoders_own_functions(rough, make_scene):
    image = make_scene(96, 128)
    body = answer(rough, image, HISTORY[:2], "click").body
    e = rough.embed(image)
    feat8, _, keys, boundary = tiny.split(e.features.chunk(2, 1)[0])
    scale = np.array(e.input_size)[::-1] / np.array(e.size)[::-1]
    rows = [[*(np.array(point[:2]) * scale), point[2]] for step in HISTORY[:2] for point in step.points]
    sparse = torch.tensor([rows], dtype=torch.float32)
    cells = torch.cat([sparse[..., :2] / tiny.STRIDE, sparse[..., 2:]], -1)
    cost = torch.cat([price + wall * boundary.sigmoid() for price, wall in tiny.COSTS], 1)
    far = geodesic(cost, tiny.cell_mask(cells, 1, feat8.shape[-1]))[0]
    (alike, against), _ = tiny.similar(feat8, keys, cells, 1)
    r, c = body.boundary.shape
    np.testing.assert_allclose(body.distance, far[:, :r, :c], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(body.alike, alike[0, :, :r, :c], atol=1e-6)
    np.testing.assert_allclose(body.against, against[0, :, :r, :c], atol=1e-6)
    assert answer(rough, image, HISTORY[:1], "click").body.against is None


def test_logits_give_the_mask_and_stability_is_segment_anythings(any_model, make_scene):
    image = make_scene(96, 128)
    body = answer(any_model, image, HISTORY, "logits").body
    e = any_model.embed(image)
    whole = interact.replay(any_model, e, HISTORY)
    assert np.array_equal(body.full > 0, mask.thin(whole.mask, body.every)) and body.area == whole.mask.sum()
    expected = calculate_stability_score(any_model.upscale(e, whole.logits), 0.0, 1.0).cpu().numpy()
    np.testing.assert_allclose(body.stability, np.nan_to_num(expected), rtol=1e-6)


def test_the_truth_is_the_object_that_the_mask_overlaps_best_else_the_finished_object(colour):
    truth, image = np.zeros((60, 80), np.uint8), np.full((60, 80, 3), 200, np.uint8)
    truth[10:40, 10:40], truth[45:, 60:] = 1, 2
    image[truth == 1], image[truth == 2] = (255, 0, 0), (0, 0, 255)
    steps = (Step(((25, 25, 1),)), Step(((26, 26, 1),)))
    rated = mask.rated(colour, colour.embed(image), steps, truth)
    found = interact.replay(colour, colour.embed(image), steps)
    assert rated.known and rated.true.shape == (2, 3)
    np.testing.assert_allclose(rated.true[1], [mask.iou(m, truth == 1) for m in found.masks])
    alone = mask.rated(colour, colour.embed(image), steps, None)
    assert not alone.known and alone.true[1, found.chosen] == 1.0


def test_leaving_a_click_out_is_the_history_without_it(any_model, make_scene):
    image = make_scene(96, 128)
    body = answer(any_model, image, HISTORY, "left").body
    e = any_model.embed(image)
    whole = interact.replay(any_model, e, HISTORY).mask
    for at, change in zip(body.steps, body.changes, strict=True):
        other = interact.replay(any_model, e, HISTORY[:at] + HISTORY[at + 1 :]).mask
        small = [mask.thin(m, body.every) for m in (whole, other)]
        assert np.array_equal((change == 1) | (change == 2), small[0])
        assert np.array_equal((change == 1) | (change == 3), small[1])
        assert body.iou[at] == mask.iou(whole, other) and body.areas[at] == other.sum()


def test_one_click_alone_and_many_clicks_are_said(rough, make_scene):
    image = make_scene(96, 128)
    one = answer(rough, image, HISTORY[:1], "left")
    assert one.body.changes.shape[0] == 0 and "second one" in one.notice
    many = answer(rough, image, tuple(Step(((10 + 9 * k, 20 + 5 * k, 1),)) for k in range(8)), "left")
    assert many.body.steps == (2, 3, 4, 5, 6, 7) and "6 of 8" in many.notice


def test_a_model_without_such_a_decoder_is_one_sentence(colour, make_scene):
    with pytest.raises(SegmentError, match="can be opened"):
        answer(colour, make_scene(96, 128), HISTORY[:1], "click")


def test_what_is_found_is_kept_for_each_pass():
    layer, found = torch.nn.Linear(2, 2), Found()
    found.outputs(layer, "out")
    found.inputs(layer, "in")
    x = torch.ones(1, 2)
    layer(x), layer(2 * x)
    assert len(found["out"]) == 2 and torch.equal(found["in"][1], 2 * x)


@pytest.mark.parametrize("picture", ["scene-a", "scene-b"])
def test_the_shipped_model_pays_for_walls_beyond_the_object(picture):
    """On a rendered scene with a click in the middle of its largest object, by the true object as well."""
    truth = images.truth(picture)
    ids, sizes = np.unique(truth[truth > 0], return_counts=True)
    ys, xs = np.nonzero(truth == ids[sizes.argmax()])
    at = np.hypot(ys - ys.mean(), xs - xs.mean()).argmin()
    steps = (Step(((int(xs[at]), int(ys[at]), 1),)),)
    body = answer(Segmenter("tiny"), images.sample(picture), steps, "click").body
    assert body.beyond > 1.5 * body.within


def test_a_history_that_begins_with_a_mask_at_hand_is_followed_too(any_model, make_scene):
    image = make_scene(96, 128)
    hand = np.zeros((96, 128), bool)
    hand[20:60, 30:90] = True
    steps = (Step(mask=rle.encode(hand)), *HISTORY[:2])
    for view in ("click", "rating", "left"):
        result = answer(any_model, image, steps, view)
        assert all(c.ok for c in result.checks), (view, result.checks)
    assert answer(any_model, image, steps, "rating").body.true.shape == (2, 3)
