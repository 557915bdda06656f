"""The parts of the click model's recipe: nested regions, crowds, targets at three levels, their losses, and the fit of
the ratings."""
import numpy as np
import pytest
import torch

from backends.segment.tiny import build_tiny
from backends.train import asked, initial, pictures, rating, regions, scenes, segment_tiny, things


@pytest.fixture(scope="module")
def bank():
    """One photograph of four squares, two of them alike, and one round cut-out."""
    photo = np.zeros((200, 200, 3), np.uint8)
    photo[:100, :100], photo[:100, 100:], photo[100:, :100], photo[100:, 100:] = ((200, 30, 30), (190, 50, 30),
                                                                                  (30, 30, 200), (30, 200, 30))
    y, x = np.mgrid[:90, :90] - 44.5
    disc = np.dstack([np.full((90, 90, 3), 120), 255 * (np.hypot(y, x) < 44)]).astype(np.uint8)
    return pictures.Bank((photo,), (disc,))


def holds(coarse: np.ndarray, fine: np.ndarray) -> bool:
    """Whether every region of `fine` lies in one of `coarse`."""
    return all(len(np.unique(coarse[fine == i])) == 1 for i in np.unique(fine))


def test_levels_are_nested_have_the_counts_asked_for_and_join_what_is_alike_first(bank):
    fine, middle, coarse = regions.levels(bank.photos[0].astype(np.float32), (4, 3, 2))
    assert [len(np.unique(level)) for level in (fine, middle, coarse)] == [4, 3, 2]
    assert holds(middle, fine) and holds(coarse, middle)
    assert middle[20, 20] == middle[20, 180] and len({middle[20, 20], middle[180, 20], middle[180, 180]}) == 3


def test_features_join_regions_that_colours_would_keep_apart(bank):
    features = np.zeros((2, 25, 25), np.float32)
    features[0, 12:], features[1, :12] = 30, 30
    two = regions.levels(bank.photos[0].astype(np.float32), (2,), features)[0]
    assert two[150, 50] == two[150, 150] != two[50, 50] == two[50, 150]


def test_a_photographs_scene_has_parts_in_objects_in_groups(bank):
    scene = scenes.photo_regions(np.random.default_rng(3), bank)
    parts, objects, groups = scene.ids, scene.parent[scene.ids], scene.group[scene.ids]
    assert (parts > 0).all() and holds(objects, parts) and holds(groups, objects)
    assert (scene.parent[np.unique(objects)] == np.unique(objects)).all()


def test_a_crowd_is_many_objects_in_one_group(bank):
    for seed in range(4):
        scene = things.Scene(np.full((512, 512, 3), 90.0), np.zeros((512, 512), np.uint8), np.zeros(256, np.uint8))
        things.paste_crowd(np.random.default_rng(seed), scene, bank)
        seen = np.unique(scene.ids[scene.ids > 0])
        assert len(seen) >= 2 and (scene.parent[seen] == seen).all() and len(np.unique(scene.group[seen])) == 1


def test_photographic_scenes_repeat_themselves_and_own_every_leaf(bank):
    for seed in range(3):
        one, two = (scenes.render(seed, bank, scenes.PHOTOGRAPHIC) for _ in range(2))
        assert all(np.array_equal(getattr(one, name), getattr(two, name))
                   for name in ("image", "ids", "parent", "group"))
        leaves = np.unique(one.ids[one.ids > 0])
        assert (one.parent[leaves] > 0).all() and (one.group[leaves] > 0).all()


def test_targets_ask_for_one_level_and_name_all_three():
    ids = np.zeros((64, 64), np.uint8)
    ids[:16, :32], ids[16:32, :32], ids[:32, 32:] = 1, 2, 3
    scene = {"parent": np.array([0, 1, 1, 3]), "group": np.array([0, 1, 1, 1])}
    for level, focus in enumerate((asked.Focus(1, 0, 0, 0, 1), asked.Focus(1, 0, 1, 0, 1), asked.Focus(1, 0, 0, 1, 1))):
        for wanted, part, thing, group in asked.choose_targets(np.random.default_rng(0), ids, scene, 6, focus):
            assert np.array_equal(wanted, (part, thing, group)[level])
            assert part.sum() <= thing.sum() <= group.sum() == 128 and part.sum() in (32, 64)
    whole = asked.choose_targets(np.random.default_rng(0), np.repeat(ids[:32], 2, 0), scene, 2,
                                 asked.Focus(1, 0, 0, 1, 1))
    assert all(t[0].mean() <= asked.LARGEST for t in whole)


def test_ordered_loss_leaves_out_a_part_or_group_that_is_the_object():
    thing = torch.zeros(1, 1, 8, 8)
    thing[..., :4] = 1
    right, wrong = thing * 60 - 30, 30 - thing * 60
    same = torch.cat([thing] * 3, 1)
    logits = torch.cat([torch.zeros_like(thing), wrong, right, wrong], 1)
    assert segment_tiny.ordered_loss(logits, same, (5.0, 3.0)) < 1e-3
    other = torch.cat([thing * 0, thing, thing], 1)
    assert segment_tiny.ordered_loss(logits, other, (5.0, 3.0)) > 1


def test_a_boundary_inside_of_an_object_counts_less_than_one_between_objects():
    ids = torch.ones(1, 64, 64, dtype=torch.long)
    ids[:, :, 32:] = 2
    sure, apart, together = torch.full((1, 1, 8, 8), -4.0), ids, torch.ones_like(ids)
    sure[..., 3:5] = 4
    assert segment_tiny.boundary_loss(sure, ids, apart) < segment_tiny.boundary_loss(sure, ids, together)
    assert (segment_tiny.edges(ids)[0, 0].sum(0) > 0).tolist() == [False] * 3 + [True] * 2 + [False] * 3


def test_another_file_than_the_packages_is_refused(tmp_path):
    torch.save({}, tmp_path / "x.pth")
    with pytest.raises(ValueError, match="is not the file of"):
        initial.read(tmp_path / "x.pth")


def test_the_whole_encoder_learns_and_depthwise_float32_is_the_same_function():
    backbone = build_tiny().image_encoder.backbone.train()
    initial.settle(backbone)
    assert not any(m.training for m in backbone.modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert all(p.requires_grad for p in backbone.parameters())
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = backbone(x)
        initial.quicken(backbone)
        torch.testing.assert_close(backbone(x), before)


def test_the_fit_finds_the_slope_and_the_offset_that_made_the_ratings_wrong():
    truth = torch.rand(4000, 4, generator=torch.Generator().manual_seed(0)) * 0.9 + 0.05
    wrong = ((truth.logit() - 0.7) / 1.6).sigmoid()
    slope, offset = rating.fit(wrong, truth)
    torch.testing.assert_close(slope, torch.full((4,), 1.6), atol=0.02, rtol=0)
    torch.testing.assert_close(offset, torch.full((4,), 0.7), atol=0.02, rtol=0)
    assert rating.reliability(wrong, truth)["ece"] > 0.08
    assert rating.reliability((wrong.logit() * slope + offset).sigmoid(), truth)["ece"] < 0.005


def test_the_fitted_head_gives_the_fitted_ratings():
    torch.manual_seed(0)
    sam, scene = build_tiny(), scenes.render(0, pictures.Bank())
    before = [r for r, _ in rating.answers(sam, scene, np.random.default_rng(0))]
    slope, offset = torch.tensor([1.5, 0.5, 2.0, 1.0]), torch.tensor([0.3, -0.2, 0.0, 1.0])
    rating.put_in(sam, slope, offset)
    after = [r for r, _ in rating.answers(sam, scene, np.random.default_rng(0))]
    assert len(before) == len(after) == rating.ROUNDS
    torch.testing.assert_close(after[0], (before[0].logit() * slope + offset).sigmoid(), atol=1e-4, rtol=0)
