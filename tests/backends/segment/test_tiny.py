"""The tiny model: geometry of the prompt maps, and the Sam contract."""
import numpy as np
import pytest
import torch
from segment_anything import SamPredictor

from backends.segment import tiny


@pytest.fixture(scope="module")
def sam():
    torch.manual_seed(0)
    return tiny.build_tiny()


def test_discs_and_boxes_land_on_their_own_cells_in_x_y_order():
    sparse = torch.tensor([[[6.5, 2.5, 1.0], [1.0, 3.0, 2.0], [4.0, 7.0, 3.0]]])
    disc = tiny.discs(sparse, tiny.FOREGROUND, 9, 1.5)[0, 0]
    assert disc.argmax() == 2 * 9 + 6
    box = tiny.box_map(sparse, 9)[0, 0]
    ys, xs = torch.nonzero(box, as_tuple=True)
    assert (xs.min(), xs.max(), ys.min(), ys.max()) == (1, 3, 3, 6)


def test_similarity_is_one_under_a_positive_click_and_minus_one_without_a_negative_one(sam):
    with torch.no_grad():
        feat8, _, keys, _ = tiny.split(sam.image_encoder.features(torch.randn(1, 3, 128, 128)))
        maps, clicked = tiny.similar(feat8, keys, torch.tensor([[[5.5, 9.5, 1.0]]]), 1)
    torch.testing.assert_close(maps[0][0, :, 9, 5], torch.ones(tiny.HEADS))
    assert (maps[1] == -1).all()
    torch.testing.assert_close(clicked[0], feat8[0, :, 9, 5])


@pytest.mark.parametrize("size", [(321, 481), (480, 200), (64, 512)], ids=str)
@pytest.mark.parametrize("prompt", ["point", "box", "both"])
def test_sam_predictor_runs_the_tiny_model_unchanged(sam, size, prompt):
    predictor = SamPredictor(sam)
    predictor.set_image(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8))
    point = {"point_coords": np.array([[30.0, 40.0]]), "point_labels": np.array([1])}
    box = {"box": np.array([5.0, 6.0, 60.0, 50.0])}
    given = {"point": point, "box": box, "both": point | box}[prompt]
    masks, scores, logits = predictor.predict(**given)
    assert masks.shape == (3, *size) and logits.shape == (3, 128, 128) and ((0 <= scores) & (scores <= 1)).all()
    again, _, _ = predictor.predict(**given, mask_input=logits[:1], multimask_output=False)
    assert again.shape == (1, *size)


def test_prompts_on_one_picture_do_not_see_each_other(sam):
    sparse = torch.tensor([[[40.0, 60.0, 1.0]], [[200.0, 90.0, 1.0]]])
    with torch.no_grad():
        embedding = sam.image_encoder.features(torch.randn(1, 3, 256, 256))
        together, _ = sam.mask_decoder.predict_all(embedding, sparse, torch.zeros(2, 2, 64, 64))
        alone, _ = sam.mask_decoder.predict_all(embedding, sparse[1:], torch.zeros(1, 2, 64, 64))
    torch.testing.assert_close(together[1:], alone, atol=1e-4, rtol=1e-4)


def test_the_embedding_holds_the_full_view_and_the_coarse_one_and_the_answer_uses_both(sam):
    x = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        both = sam.image_encoder(x)
        fine, coarse = both.chunk(2, 1)
        side = tiny.coarse_side(32)
        assert side == 16 and (coarse[..., side:, :] == 0).all() and (coarse[..., side:] == 0).all()
        torch.testing.assert_close(fine, sam.image_encoder.features(x))
        sparse, dense = torch.tensor([[[40.0, 60.0, 1.0]]]), torch.zeros(1, 2, 64, 64)
        masks, scores = sam.mask_decoder(both, None, sparse, dense, True)
        single, rating = sam.mask_decoder(both, None, sparse, dense, False)
        guess = sam.mask_decoder.coarse_guess(coarse, sparse, dense)
        alone = sam.mask_decoder.predict_all(fine, sparse, tiny.as_prompt(guess))[0][:, :1]
    torch.testing.assert_close(masks[:, :1], single)
    torch.testing.assert_close(single, alone + guess)
    torch.testing.assert_close(scores[:, :1], rating)


def test_of_part_object_and_group_the_one_like_the_single_answer_gives_way_to_it():
    masks = -torch.ones(2, 4, 8, 8)
    for k, width in enumerate((4, 2, 4, 8)):               # the single answer is the object
        masks[0, k, :, :width] = 1
    for k, width in enumerate((7, 2, 4, 8)):               # nearest to the group
        masks[1, k, :, :width] = 1
    assert tiny.further(masks).tolist() == [[0, 1, 3], [0, 1, 2]]
