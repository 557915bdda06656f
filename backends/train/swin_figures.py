"""Figures of the small Swin on held-out procedural scenes, whose seeds are far from those of the training and need no
pictures of others.

Answers: a click on the deepest place of every region of middling size, the places that the model calls the same region
(p > 1/2), and their intersection over union with the region.  Beside it stand the model, the same model untrained, and
colour alone, each with the one threshold that is best *on these very scenes*.

Attention: of the weight that a token gives to others of its window, which share goes to its own region, over the share
of such tokens there (tokens whose whole window is one region are left out, and the token itself, as looking at oneself
is no grouping): 1 is chance.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from backends.swin import capture
from backends.swin.geometry import PAD
from backends.swin.small import STRIDE, Regions, normalised
from backends.train.clicks import overlap
from backends.train.pictures import Bank
from backends.train.scenes import render

FIRST_SEED = 4_000_000
AREA = (0.01, 0.6)             # of the picture: regions that are clicked
SCENES = 8


@lru_cache(64)
def scene(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Picture (512, 512, 3) and region ids (512, 512) of one held-out scene."""
    drawn = render(FIRST_SEED + number, Bank())
    return drawn.image, drawn.ids


def targets(ids: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """(flat index of the deepest place, mask) of every region within AREA of ids (h, w); id 0 is no region."""
    found = []
    for leaf in np.unique(ids[ids > 0]):
        mask = ids == leaf
        if AREA[0] <= mask.mean() <= AREA[1]:
            found.append((int(distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1].argmax()), mask))
    return found


@torch.no_grad()
def answers(model: Regions, image: np.ndarray) -> Tensor:
    """Vectors (h * w, d) of the places at STRIDE."""
    return model(normalised(image).to(model.device))[0][0].flatten(1).T


def click_iou(model: Regions, scenes: int) -> tuple[float, int]:
    """Mean intersection over union of the answers to one click, and the number of clicks."""
    each = []
    for image, ids in map(scene, range(scenes)):
        vectors = answers(model, image)
        small = ids[STRIDE // 2::STRIDE, STRIDE // 2::STRIDE]
        for at, mask in targets(small):
            said = (model.alike(vectors[at:at + 1], vectors)[0] > 0).numpy().reshape(mask.shape)
            each.append(overlap(said, mask))
    return float(np.mean(each)), len(each)


def colours(image: np.ndarray) -> np.ndarray:
    """Mean colours (h * w, 3) of the places at STRIDE."""
    height, width = (n // STRIDE for n in image.shape[:2])
    return image.reshape(height, STRIDE, width, STRIDE, 3).mean((1, 3)).reshape(-1, 3)


def best_iou(features: Callable[[np.ndarray], np.ndarray], scenes: int) -> float:
    """The same with places whose features (h * w, d) of an image are near those of the clicked one: the best threshold
    for these scenes."""
    limits, each = None, []
    for image, ids in map(scene, range(scenes)):
        found = features(image)
        for at, mask in targets(ids[STRIDE // 2::STRIDE, STRIDE // 2::STRIDE]):
            apart = np.linalg.norm(found - found[at], axis=1).reshape(mask.shape)
            limits = apart.mean() * np.geomspace(0.02, 2, 60) if limits is None else limits
            each.append([overlap(apart < limit, mask) for limit in limits])
    return float(np.mean(each, 0).max())


def lift(maps: capture.Maps, ids: np.ndarray) -> tuple[float, float]:
    """(weight on tokens of the own region, share of such tokens), mean over heads and tokens of one block; without the
    token itself."""
    height, width = maps.layout.size
    step = ids.shape[0] // height, ids.shape[1] // width
    labels = np.append(ids[step[0] // 2::step[0], step[1] // 2::step[1]].ravel(), 0)[maps.layout.windows]
    known = (labels > 0) & (maps.layout.windows != PAD)
    others = known[:, :, None] & known[:, None, :] & ~maps.layout.blocked & ~np.eye(known.shape[1], dtype=bool)
    same = others & (labels[:, :, None] == labels[:, None, :])
    mixed = (same.sum(-1) > 0) & (same.sum(-1) < others.sum(-1))
    p = maps.weights * torch.from_numpy(others).unsqueeze(1)
    weight = ((p * torch.from_numpy(same).unsqueeze(1)).sum(-1) / p.sum(-1).clamp_min(1e-12)).mean(1)
    share = same.sum(-1)[mixed] / others.sum(-1)[mixed]
    return float(weight[torch.from_numpy(mixed)].mean()), float(share.mean())


def lifts(model: Regions, scenes: int) -> list[float]:
    """Lift of every block, weight over share, both means over the scenes."""
    rows = []
    for image, ids in map(scene, range(scenes)):
        rows.append([lift(maps, ids) for maps in capture.capture(model.swin, normalised(image).to(model.device))])
    weight, share = np.array(rows).mean(0).T
    return (weight / share).tolist()


def figures(model: Regions, scenes: int = SCENES) -> dict[str, object]:
    """What the manifest says of the model, beside colour alone and beside the untrained model."""
    torch.manual_seed(0)
    untrained = Regions().eval()
    iou, clicks = click_iou(model, scenes)
    best = {name: best_iou(lambda image, m=m: answers(m, image).numpy(), scenes)
            for name, m in (("best", model), ("untrained", untrained))}
    found = {"iou": iou, **{f"iou_{name}": value for name, value in best.items()},
             "iou_colour": best_iou(colours, scenes)}
    looks = {name: [round(v, 3) for v in lifts(m, scenes)]
             for name, m in (("lift", model), ("lift_untrained", untrained))}
    return {"clicks": clicks} | {name: round(value, 4) for name, value in found.items()} | looks
