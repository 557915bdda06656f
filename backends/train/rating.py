"""How true is the predicted IoU?  Fits it on held-out scenes after the training, and measures it on others.

    python -m backends.train.rating --scenes 60   reliability curve and expected calibration error of the shipped model

Platt scaling (Platt 1999; Guo et al., arXiv 1706.04599) with the IoU itself as the soft target: each of the four
ratings r becomes sigmoid(a logit(r) + b); a > 0 and b go into the last layer of the IoU head, so the shipped model has
no further numbers.  Expected calibration error: over ten bins of predicted IoU, |mean predicted - mean true|, weighted
by how many fall into each.
"""
import argparse
import json
from collections.abc import Iterator

import numpy as np
import torch
from segment_anything.modeling import Sam
from torch import Tensor

from backends.segment import Segmenter
from backends.train.asked import FINISH, choose_targets, click_in, error_click, sparse_of
from backends.train.pictures import Bank
from backends.train.scenes import PHOTOGRAPHIC, PROCEDURAL, Scene, render

FITTED_SEED, MEASURED_SEED = 2_000_000, 3_100_000
PROMPTS, ROUNDS, BINS = 4, 2, 10


def scenes(first: int, count: int, bank: Bank) -> Iterator[Scene]:
    """`count` scenes from this seed on; every other one photographic where there are pictures."""
    for seed in range(first, first + count):
        yield render(seed, bank, PHOTOGRAPHIC if bank.photos and seed % 2 else PROCEDURAL)


@torch.no_grad()
def answers(sam: Sam, scene: Scene, rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Predicted and true IoU (b, 4) of all masks after each round of clicks on PROMPTS targets of a scene."""
    targets = [t[0] for t in choose_targets(rng, scene.ids, {"parent": scene.parent, "group": scene.group},
                                            PROMPTS, FINISH)]
    if not targets:
        return
    x = (torch.from_numpy(scene.image.copy()).permute(2, 0, 1)[None].float() - sam.pixel_mean) / sam.pixel_std
    fine, coarse = sam.image_encoder(x).chunk(2, 1)
    truth = torch.from_numpy(np.stack(targets))[:, None] > 0.5
    prompts = [[(*click_in(rng, t > 0.5 if (t > 0.5).any() else t == t.max(), FINISH.centre), 1)] for t in targets]
    dense = torch.zeros(len(targets), 2, *truth.shape[2:])
    for _ in range(ROUNDS):
        sparse = sparse_of(prompts, scene.image.shape[0])
        logits, rating = sam.mask_decoder.refined(fine, sam.mask_decoder.coarse_guess(coarse, sparse, dense),
                                                  sparse, dense)
        on = logits > 0
        yield rating, (on & truth).sum((2, 3)) / (on | truth).sum((2, 3)).clamp(min=1)
        for p, mask, target in zip(prompts, logits[:, 0].numpy(), targets):
            new = error_click(rng, mask, target)
            p += [new] if new else []


def judged(sam: Sam, first: int, count: int, bank: Bank) -> tuple[Tensor, Tensor]:
    """Predicted and true IoU (n, 4) over `count` scenes."""
    rng = np.random.default_rng(first)
    rows = [row for scene in scenes(first, count, bank) for row in answers(sam, scene, rng)]
    return torch.cat([r for r, _ in rows]), torch.cat([t for _, t in rows])


def fit(rating: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes and offsets (4,) with which sigmoid(slope * logit(rating) + offset) is nearest to the truth in
    cross-entropy."""
    x = rating.clamp(1e-4, 1 - 1e-4).logit()
    log_slope, offset = torch.zeros(4, requires_grad=True), torch.zeros(4, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_slope, offset], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = torch.nn.functional.binary_cross_entropy_with_logits(x * log_slope.exp() + offset, truth)
        value.backward()
        return value
    optimizer.step(loss)
    return log_slope.detach().exp(), offset.detach()


@torch.no_grad()
def put_in(sam: Sam, slope: Tensor, offset: Tensor) -> None:
    """Scales and shifts the last layer of the IoU head."""
    last = sam.mask_decoder.iou[-1]
    last.weight *= slope[:, None]
    last.bias.mul_(slope).add_(offset)


def calibrate(sam: Sam, count: int, bank: Bank) -> tuple[Tensor, Tensor]:
    """Fits the four ratings on `count` scenes and changes the model; returns slopes and offsets."""
    slope, offset = fit(*judged(sam, FITTED_SEED, count, bank))
    put_in(sam, slope, offset)
    return slope, offset


def reliability(rating: Tensor, truth: Tensor) -> dict[str, object]:
    """Expected calibration error, and per bin of predicted IoU [mean predicted, mean true, count]."""
    flat, true = rating.flatten().numpy(), truth.flatten().numpy()
    at = np.minimum((flat * BINS).astype(int), BINS - 1)
    curve = [[round(float(v), 3) for v in (flat[at == i].mean(), true[at == i].mean())] + [int((at == i).sum())]
             for i in np.unique(at)]
    error = sum(abs(p - t) * n for p, t, n in curve) / len(flat)
    return {"ece": round(error, 4), "curve": curve}


def main() -> None:
    """Command line: prints one JSON object a mask, and one for the three masks of a click together."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", default="tiny")
    p.add_argument("--scenes", type=int, default=60)
    a = p.parse_args()
    rating, truth = judged(Segmenter(a.model).sam, MEASURED_SEED, a.scenes, Bank())
    for i, name in enumerate(("single", "part", "object", "group")):
        print(json.dumps({"mask": name, "n": len(rating)} | reliability(rating[:, i], truth[:, i])))
    print(json.dumps({"mask": "part, object, group", "n": 3 * len(rating)} | reliability(rating[:, 1:], truth[:, 1:])))


if __name__ == "__main__":
    main()
