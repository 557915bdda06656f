"""Each recipe runs: scenes are exact and repeatable, two steps train, a run resumes where it stopped, the export
loads."""
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from backends.deform import frozen, seek
from backends.deform.small import KINDS, Looker
from backends.lm.model import Decoder
from backends.segment.tiny import build_tiny
from backends.swin import small
from backends.train import (
    copying,
    deform_photo,
    deform_tiny,
    distil,
    lengths,
    loop,
    mixers,
    moe,
    regions,
    scenes,
    segment_tiny,
    shelf,
    swin_tiny,
)
from backends.train.pictures import Bank


@pytest.fixture(scope="module")
def cache(tmp_path_factory, monkeypatch_module):
    folder = tmp_path_factory.mktemp("scenes")
    monkeypatch_module.setattr(shelf, "CHUNK", 3)
    shelf.render_cache(folder, 3, None)
    return folder


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def test_a_scene_is_the_same_for_the_same_seed_and_its_leaves_have_owners():
    one, two = scenes.render(5, Bank()), scenes.render(5, Bank())
    assert np.array_equal(one.image, two.image) and np.array_equal(one.ids, two.ids)
    leaves = np.unique(one.ids[one.ids > 0])
    assert len(leaves) and (one.parent[leaves] > 0).all() and (one.parent[leaves] <= leaves).all()
    assert one.image.dtype == np.uint8 and one.image.shape == (512, 512, 3)


def test_regions_of_a_picture_split_at_its_edge_and_join_what_is_too_small():
    picture = np.zeros((40, 60, 3), np.float32)
    picture[:, 30:] = 200
    picture[5:7, 5:7] = 90
    found = regions.merge(picture, k=100, smallest=50, blur=0.5)
    assert len(np.unique(found)) == 2 and len(np.unique(found[:, :28])) == len(np.unique(found[:, 32:])) == 1
    assert len(np.unique(regions.merge(picture, k=100_000_000, smallest=50))) == 1


def test_the_spanning_tree_of_a_picture_has_one_edge_less_than_pixels_lightest_first():
    a, b, weight = regions.spanning_edges(np.random.default_rng(0).random((5, 7, 3)))
    assert len(a) == len(b) == 34 and (np.diff(weight) >= 0).all()


def test_an_error_click_lies_in_the_larger_error_and_carries_its_sign():
    rng = np.random.default_rng(0)
    truth = np.zeros((32, 32), np.float32)
    truth[4:20, 4:20] = 1
    missed = np.full((32, 32), -5.0)
    x, y, label = segment_tiny.error_click(rng, missed, truth)
    assert label == 1 and truth[int(y / 4), int(x / 4)] == 1
    x, y, label = segment_tiny.error_click(rng, np.full((32, 32), 5.0), truth)
    assert label == 0 and truth[int(y / 4), int(x / 4)] == 0
    assert segment_tiny.error_click(rng, np.where(truth > 0, 5.0, -5.0), truth) is None


def test_mask_loss_is_zero_for_a_sure_right_mask_and_large_for_a_sure_wrong_one():
    target = (torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    right, wrong = (target * 2 - 1) * 30, (1 - target * 2) * 30
    loss = segment_tiny.mask_loss(torch.cat([right, wrong], 1), target)
    assert (loss[:, 0] < 1e-3).all() and (loss[:, 1] > 10).all()


def test_two_steps_train_resume_and_export(cache, tmp_path):
    small = dict(batch=2, prompts=2, save_every=1, warmup=1)
    for polish in (0, 1):
        segment_tiny.train(segment_tiny.Recipe(steps=1, polish=polish, **small), cache, tmp_path)
    assert torch.load(tmp_path / "last.pt", weights_only=True)["done"] == 2
    segment_tiny.export(tmp_path, tmp_path / "tiny.safetensors")
    state = load_file(tmp_path / "tiny.safetensors")
    assert {v.dtype for v in state.values() if v.is_floating_point()} == {torch.float16}
    build_tiny().load_state_dict(state, strict=True)


def test_interrupted_training_ends_where_an_uninterrupted_one_ends(cache, tmp_path):
    recipe = segment_tiny.Recipe(steps=1, polish=1, batch=1, prompts=2, save_every=1, warmup=1)
    segment_tiny.train(recipe, cache, tmp_path / "whole")
    parts = segment_tiny.Trainer(recipe, cache)
    parts.sam.train()
    parts.step()
    (tmp_path / "parts").mkdir()
    parts.save(tmp_path / "parts")
    segment_tiny.train(recipe, cache, tmp_path / "parts")
    whole, resumed = (torch.load(tmp_path / f / "last.pt", weights_only=True)["sam"] for f in ("whole", "parts"))
    assert all(torch.equal(whole[k], resumed[k]) for k in whole)


def test_the_small_swin_trains_resumes_to_the_same_end_and_exports(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(swin_tiny, "SIDE", 128)
    recipe = swin_tiny.Recipe(steps=2, batch=2, places=16, save_every=1, warmup=1, regions_from=0.5)
    photos = (np.random.default_rng(0).integers(256, size=(300, 400, 3), dtype=np.uint8),)
    swin_tiny.train(recipe, cache, tmp_path / "whole", photos)
    (tmp_path / "parts").mkdir()
    parts = swin_tiny.Trainer(recipe, cache, tmp_path / "parts", photos)
    assert parts.step().keys() == {"features"}            # what the pretrained network sees comes first
    parts.save()
    swin_tiny.train(recipe, cache, tmp_path / "parts", photos)
    last = json.loads((tmp_path / "parts" / "log.jsonl").read_text().splitlines()[-1])
    assert {"features", "pairs", "relation", "click", "colour"} < last.keys()
    whole, resumed = (torch.load(tmp_path / f / "last.pt", weights_only=True) for f in ("whole", "parts"))
    assert whole["done"] == 2 and all(torch.equal(whole["model"][k], resumed["model"][k]) for k in whole["model"])
    swin_tiny.export(tmp_path / "whole", tmp_path / "swin.safetensors")
    state = load_file(tmp_path / "swin.safetensors")
    assert {v.dtype for v in state.values() if v.is_floating_point()} == {torch.float16}
    assert small.of(state).lateral[2].in_features == small.WIDTHS[2]


def test_the_bent_things_networks_train_resume_to_the_same_end_and_export(tmp_path):
    recipe = deform_tiny.Recipe(steps=2, batch=2, pictures=4, warmup=1, save_every=1)
    deform_tiny.train(recipe, tmp_path / "whole")
    (tmp_path / "parts").mkdir()
    images, kinds = deform_tiny.pool(recipe, tmp_path / "parts")
    assert images.shape == (4, 96, 96, 3) and kinds.shape == (4, 96, 96)
    for kind in KINDS:
        trainer = deform_tiny.Trainer(kind, recipe, tmp_path / "parts")
        trainer.step(images, kinds)
        trainer.save()
    deform_tiny.train(recipe, tmp_path / "parts")
    for kind in KINDS:
        whole, resumed = (torch.load(tmp_path / f / f"{kind}.pt", weights_only=True) for f in ("whole", "parts"))
        assert whole["done"] == resumed["done"] == 2
        assert all(torch.equal(whole["model"][k], resumed["model"][k]) for k in whole["model"])
    deform_tiny.export(tmp_path / "whole", tmp_path)
    for kind, name in zip(KINDS, ("deform-looks", "deform-plain"), strict=True):
        shipped = load_file(tmp_path / f"{name}.safetensors")
        assert {v.dtype for v in shipped.values()} == {torch.float16}
        Looker(kind).load_state_dict(shipped, strict=True)


def test_the_layers_over_frozen_features_train_on_pasted_things_and_are_judged(cache, tmp_path):
    net, file = frozen.network(), next(iter(cache.glob("*.npz")))
    deform_photo.featured(net, file, tmp_path / "features.npz")
    data = deform_photo.pool([tmp_path / "features.npz"])
    assert data.fine.dtype == torch.float16 and data.fine.shape[1:] == (40, 32, 32)
    assert data.coarse.shape[1:] == (112, 16, 16) and data.things.shape[1:] == (256, 256) and data.things.any()
    recipe = deform_photo.Recipe(steps=2, batch=2, clicks=3, warmup=1)
    for kind in seek.KINDS:
        model, losses = deform_photo.train(kind, recipe, data)
        again, same = deform_photo.train(kind, recipe, data)
        assert losses == same and all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(),
                                                                          strict=True))
        found = deform_photo.judged(model, data)
        shares = [v for k, v in vars(found).items() if "spread" not in k]
        assert all(0 <= float(v.min()) and float(v.max()) <= 1 + 1e-6 for v in shares)
    assert deform_photo.parted([Path(f"{k:06d}.npz") for k in (0, 100, 500000, 500100)], 1) == (
        [Path("000100.npz"), Path("500100.npz")], [Path("000000.npz"), Path("500000.npz")])


def test_pasted_things_are_told_from_regions_of_a_photograph():
    ids = np.ones((32, 32), np.uint8)
    ids[:, 16:] = 2                                                      # two regions of a photograph, in whole squares
    ids[5:12, 13:20] = 3                                                 # a thing on both
    ids[0:4, 0:9] = 4                                                    # one that two sides of the picture cut
    found = deform_photo.things(ids, np.arange(256, dtype=np.uint8))
    assert set(np.unique(found)) == {0, 3} and ((found == 3) == (ids == 3)).all()


def test_pairs_and_colours_of_the_small_swin_have_the_losses_that_they_say():
    ids = torch.tensor([[1, 1, 2, 0, 0]])
    sure = 60 * (ids.unsqueeze(-1) == ids.unsqueeze(-2)).float() - 30
    assert swin_tiny.pair_loss(sure, ids) < 1e-6 and swin_tiny.pair_loss(-sure, ids) > 29
    wrong = sure.clone()
    wrong[0, 3, 4] = wrong[0, 4, 3] = -30                  # two places of no known region
    assert swin_tiny.pair_loss(wrong, ids) < 1e-6
    drawn = torch.tensor([[1, 2, 0, 2, 1, 1, 2, 0]])         # the first four were drawn anywhere
    exact = 60 * (drawn.unsqueeze(-1) == drawn.unsqueeze(-2)).float() - 30
    assert swin_tiny.click_loss(exact, drawn) < 1e-6
    assert swin_tiny.click_loss(torch.full((1, 8, 8), 30.0), drawn) == pytest.approx(1 - 3 / 8)    # all: IoU 1/4 or 2/4
    x = torch.arange(2 * 3 * 8 * 8, dtype=torch.float32).view(2, 3, 8, 8)
    leaves = torch.tensor([[[1, 1], [2, 2]], [[3, 3], [3, 3]]])
    means = swin_tiny.region_means(x, leaves)
    assert torch.allclose(means[0, 0, 0], x[0, 0, :4].mean()) and torch.allclose(means[1, 2], x[1, 2].mean())
    assert swin_tiny.colour_loss(means, x, leaves) < 1e-5 < swin_tiny.colour_loss(means + 1, x, leaves)


def test_what_the_small_swin_learns_of_its_teacher():
    torch.manual_seed(0)
    features = [torch.randn(2, c, n, n) for c, n in zip(distil.CHANNELS, (8, 4, 2), strict=True)]
    assert distil.feature_loss([3 * f for f in features], features) < 1e-6
    assert distil.feature_loss([-f for f in features], features) == pytest.approx(2)
    alike = distil.likeness(features[2], torch.tensor([[0, 255, 0], [5, 5, 200]]), (16, 16))
    own = F.normalize(features[2][0], dim=0)[:, [0, 1], [0, 1]].T       # the corners are the outer cells' own
    apart = (own[0] - own[1]).square().sum()
    assert alike[0, 0, 1] == pytest.approx(float(torch.sigmoid(distil.SHARP * (distil.NEAR - apart))), abs=1e-5)
    assert torch.allclose(alike.diagonal(0, 1, 2), torch.sigmoid(torch.tensor(distil.SHARP * distil.NEAR)), atol=1e-4)


PLANS = [mixers.plan("bytes", "transnormer"), mixers.plan("mqar", "elu1"),
         *(lengths.plan(name) for name in ("rope-lm", "passkey", "sink"))]
PLANS += [copying.plan("copy-ssd"), copying.plan("copy-lti"), moe.plan("moe")]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_a_small_decoder_trains_resumes_and_exports(plan, tmp_path):
    small = replace(plan, size=2, length=72, steps=2, every=1)
    whole = loop.Run(small, 0, tmp_path, torch.device("cpu"))
    whole.finish(2)
    (tmp_path / "parts").mkdir()
    loop.Run(small, 0, tmp_path / "parts", torch.device("cpu")).finish(1)
    resumed = loop.Run(small, 0, tmp_path / "parts", torch.device("cpu"))
    assert resumed.done == 1
    resumed.finish(2)
    assert all(torch.equal(a, b) for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True))
    loop.export(tmp_path, tmp_path, "curves.json")
    Decoder(plan.config).load_state_dict(load_file(tmp_path / f"{plan.name}.safetensors"), strict=True)
    [run] = json.loads((tmp_path / "curves.json").read_text())[plan.name]
    assert [point["step"] for point in run["curve"]] == [1, 2]


def test_a_small_decoder_learns_what_it_is_shown():
    plan = replace(mixers.plan("mqar", "softmax"), size=4, length=24, batches=lambda *_: mixers.recall(4, 24, 0, False),
                   steps=60, warmup=5)
    run = loop.Run(plan, 0, Path(), torch.device("cpu"))
    before = loop.measure(run.model, plan, 1)["loss"]
    for _ in range(40):
        run.step()
    assert loop.measure(run.model, plan, 1)["loss"] < 0.2 * before


def test_every_fourth_document_repeats_and_held_out_ones_do_not():
    tokens, targets = lengths.documents(8, 200, 3, False)
    periods = [[p for p in range(*lengths.PERIODS) if torch.equal(row[p:], row[:-p])] for row in tokens]
    assert [bool(found) for found in periods] == [True, False, False, False] * 2
    assert torch.equal(tokens[:, 1:], targets[:, :-1])
    held, _ = lengths.documents(8, 200, 3, True)
    assert not any(torch.equal(row[p:], row[:-p]) for row in held for p in range(*lengths.PERIODS))
