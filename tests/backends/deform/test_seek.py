"""Layers over frozen features: where they read against loops, shares against masks that are known, the view."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from backends import images
from backends.deform import answer, followed, frozen, photo, seek
from backends.deform.params import DeformParams
from backends.deform.seek import Aim, Maps, Read, Seeker, Star
from tests.backends.deform.naive import read
from tests.backends.deform.test_operators import draw

PHOTO = DeformParams(view="photo", picture="scene-b")


def test_nine_taps_and_heads_equal_loops():
    torch.manual_seed(0)
    maps = Maps((draw(0, 1, 8, 6, 9).float(), draw(1, 1, 8, 3, 5).float()), torch.empty(0), torch.empty(0))
    click, query = torch.tensor([[[2.0, 3.5]]]), draw(2, 1, 1, 8).float()
    for layer in (Aim(8, True), Star(8)):
        torch.nn.init.normal_(layer.where.weight, 0, 0.3)
        made, found = layer(query, click, maps)
        planes = [v[0].tolist() for v in maps.values]
        values = []
        for p, w, level in zip(found.at[0, 0], found.weight[0, 0].tolist(), found.level.tolist(), strict=True):
            y, x = ((p + 0.5) / 2**level - 0.5).tolist()
            values.append([w * read(planes[level][c], y, x) for c in range(8)])
        if isinstance(layer, Star):                                      # head m reads channels 2 m and 2 m + 1
            flat = [seek.HEADS * sum(v[c] for k, v in enumerate(values) if k // 8 == c // 2) for c in range(8)]
        else:
            flat = [v[c] for v in values for c in range(8)]
        assert (layer.mix(torch.tensor(flat)) - made[0, 0]).abs().max() < 1e-4


@pytest.mark.parametrize("kind", seek.KINDS)
def test_before_it_learns_it_reads_the_grid_or_the_star(kind):
    model, click = Seeker(kind), torch.tensor([[[4.0, 5.0], [1.0, 2.0]]])
    maps = model.maps(draw(0, 1, 40, 8, 12).float(), draw(1, 1, 112, 4, 6).float())
    for made, still in zip(model(maps, click)[1], model.still(click), strict=True):
        assert torch.allclose(made.at, still.at, atol=1e-6) and torch.allclose(made.weight, still.weight)
    assert model.still(click)[0].at[0, 0, 0].tolist() == ([4.0, 6.0] if kind == "star" else [3.0, 4.0])


def test_shares_are_those_of_a_mask_that_is_known():
    mask = torch.zeros(1, 64, 64)
    mask[:, :, :32] = 1                                                  # the left half: four cells of eight
    cover = followed.coverage(mask)
    at = torch.tensor([[[3.0, 1.0], [3.0, 6.0], [3.0, 3.5], [-3.0, 1.0]]])
    level = torch.tensor([0, 0, 0, 0])
    assert followed.on(cover, at, level)[0].tolist() == pytest.approx([1, 0, 0.5, 0])
    coarse = followed.on(cover, torch.tensor([[[3.5, 3.5]]]), torch.tensor([1]))
    assert coarse.item() == pytest.approx(0.5)                           # between the two middle cells of stride 16
    read_ = [Read(at[None], torch.tensor([[[1.0, 2.0, 1.0, 0.0]]]), level)]
    assert followed.together(read_)[1][0].tolist() == pytest.approx([0.25, 0.5, 0.25, 0])


@pytest.mark.parametrize("learner", ["aimed", "star"])
def test_the_view_reads_and_its_operator_is_the_library_s(learner):
    result = answer(replace(PHOTO, learner=learner, at=(0.3, 0.3)))
    body = result.body
    assert all(check.ok for check in result.checks) and len(body.after.at) == (18 if learner == "aimed" else 64)
    assert body.after.weight.sum() == pytest.approx(1, abs=1e-5) and 0 <= body.mask.min() <= body.mask.max() <= 1
    own = answer(replace(PHOTO, learner=learner, picture="own-0"), image=images.sample("coffee"))
    assert own.body.after.inside is None and max(own.body.image.shape[:2]) == frozen.LONGEST


def test_tiny_pictures_and_panoramas_work():
    for shape in ((2, 2, 3), (3, 90, 3), (400, 40, 3)):
        result = answer(replace(PHOTO, picture="own-0"), image=np.full(shape, 90, np.uint8))
        assert all(check.ok for check in result.checks)
        assert photo.STRIDE * result.body.mask.shape[0] == len(result.body.image)
