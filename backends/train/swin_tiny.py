"""Recipe of `weights/swin-regions.safetensors`: a small Swin learns from procedural scenes what belongs to one region.

    python -m backends.train.segment_tiny --cache scenes --render 2400 --pictures FOLDER
        render scenes once, as for click segmentation
    python -m backends.train.segment_tiny --cache scenes --render 1200 --photographic --pictures FOLDER
    python -m backends.train.swin_tiny --cache scenes --out run   train, resume from run/last.pt
    python -m backends.train.swin_tiny --out run --export weights/swin-regions.safetensors
    python -m backends.train.swin_tiny --measure   the manifest's figures, of what ships

Two losses on crops of 256 px.  Pairs of places, half of the places drawn anywhere, half equally often in every region:
logistic, equal and different pairs counted alike.  The mean colour of every place's region: absolute error.  (With
pairs alone the attention of the last stage became uniform within 300 steps.)  Nothing is asked of the attention maps;
what they look at is measured afterwards.
"""
from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from backends.swin import small
from backends.swin.small import STRIDE, Regions, normalised
from backends.train import command, loop, swin_figures
from backends.train.shelf import crop_of

SIDE = 256                     # px of a crop
FILES, ROTATE = 6, 100         # files of scenes in use, and for how many steps
COLOUR = 4.0                   # weight of the colour loss
UNKNOWN = 0                    # id of what is no target: two such places may or may not be of one region


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters; a step takes `batch` crops and `places` places in each."""

    seed: int = 0
    steps: int = 2000
    batch: int = 8
    places: int = 256
    rate: float = 2e-3
    decay: float = 0.05
    warmup: int = 100
    ema: float = 0.995
    save_every: int = 100
    threads: int = 1


@lru_cache(FILES + 2)
def scenes_of(path: Path) -> dict[str, np.ndarray]:
    """One file of rendered scenes: image (n, 512, 512, 3), ids (n, 512, 512), parent (n, 256)."""
    return dict(np.load(path))


def crops(cache: Path, seed: int, step: int, count: int) -> tuple[Tensor, np.ndarray]:
    """Pictures (count, 3, SIDE, SIDE), normalised, and region ids (count, SIDE/4, SIDE/4) of one step."""
    files = sorted(cache.glob("[0-9]*[0-9].npz"))
    chosen = np.random.default_rng((seed, step // ROTATE)).permutation(len(files))[:FILES]
    rng = np.random.default_rng((seed, 1, step))
    images, ids = [], []
    for _ in range(count):
        scenes = scenes_of(files[rng.choice(chosen)])
        at = rng.integers(len(scenes["image"]))
        image, leaves = crop_of(rng, {"image": scenes["image"][at], "ids": scenes["ids"][at]}, SIDE)
        images.append(normalised(image.astype(np.uint8)))
        ids.append(leaves[STRIDE // 2::STRIDE, STRIDE // 2::STRIDE])
    return torch.cat(images), np.stack(ids).astype(np.int64)


def places(rng: np.random.Generator, ids: np.ndarray, count: int) -> np.ndarray:
    """`count` flat indices into ids (h, w): half of them anywhere, half equally often in each region."""
    flat = ids.ravel()
    _, region, size = np.unique(flat, return_inverse=True, return_counts=True)
    share = 1 / size[region]
    anywhere = rng.integers(len(flat), size=count // 2)
    return np.concatenate([anywhere, rng.choice(len(flat), count - count // 2, p=share / share.sum())])


def pair_loss(logits: Tensor, ids: Tensor) -> Tensor:
    """Logistic loss over pairs, logits (b, k, k), ids (b, k): equal and different pairs weigh the same; two UNKNOWN are
    left out."""
    same = ids.unsqueeze(-1) == ids.unsqueeze(-2)
    known = (ids != UNKNOWN).unsqueeze(-1) | (ids != UNKNOWN).unsqueeze(-2)
    each = F.binary_cross_entropy_with_logits(logits, same.float(), reduction="none")
    parts = [(each * chosen).sum() / chosen.sum().clamp_min(1) for chosen in (same & known, ~same)]
    return (parts[0] + parts[1]) / 2


def region_means(x: Tensor, ids: Tensor) -> Tensor:
    """Mean colour of the region of every place: pictures (b, 3, H, W), ids (b, h, w) below 256 -> (b, 3, h, w)."""
    own, flat = F.avg_pool2d(x, STRIDE).flatten(2), ids.flatten(1).unsqueeze(1)
    total = x.new_zeros(len(x), 3, 256).scatter_add_(2, flat.expand_as(own), own)
    count = x.new_zeros(len(x), 1, 256).scatter_add_(2, flat, torch.ones_like(flat, dtype=x.dtype))
    return (total / count.clamp_min(1)).gather(2, flat.expand_as(own)).unflatten(2, ids.shape[1:])


def colour_loss(colours: Tensor, x: Tensor, ids: Tensor) -> Tensor:
    """Mean absolute error of the colours (b, 3, h, w) where the region is known."""
    known = (ids != UNKNOWN).unsqueeze(1)
    return ((colours - region_means(x, ids)).abs() * known).sum() / (3 * known.sum()).clamp_min(1)


class Trainer:
    """The model on its way; `last.pt` in `out` holds everything to go on from, and batches follow from seed and
    step."""

    def __init__(self, recipe: Recipe, cache: Path, out: Path) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.cache, self.file, self.done = recipe, cache, out / "last.pt", 0
        self.model = Regions()
        self.mean = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema))
        plain = [p for p in self.model.parameters() if p.ndim < 2]
        groups = [{"params": [p for p in self.model.parameters() if p.ndim >= 2]},
                  {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, recipe.rate, betas=(0.9, 0.98), weight_decay=recipe.decay)
        if self.file.exists():
            state = torch.load(self.file, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.mean.load_state_dict(state["mean"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.done = state["done"]

    def step(self) -> tuple[float, float]:
        """One update; its loss of pairs, and of colours."""
        for group in self.optimizer.param_groups:
            group["lr"] = loop.warm_cosine(self.recipe.rate, self.done, self.recipe.warmup, self.recipe.steps)
        r = self.recipe
        x, ids = crops(self.cache, r.seed, self.done, r.batch)
        rng = np.random.default_rng((r.seed, 2, self.done))
        at = torch.from_numpy(np.stack([places(rng, one, r.places) for one in ids]))
        with torch.autocast("cpu", torch.bfloat16):
            vectors, colours = (part.float() for part in self.model(x))
        leaves = torch.from_numpy(ids)
        chosen = vectors.flatten(2).mT.gather(1, at[..., None].expand(-1, -1, vectors.shape[1]))
        pairs = pair_loss(self.model.alike(chosen, chosen), leaves.flatten(1).gather(1, at))
        colour = colour_loss(colours, x, leaves)
        self.optimizer.zero_grad(set_to_none=True)
        (pairs + COLOUR * colour).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.mean.update_parameters(self.model)
        self.done += 1
        return pairs.item(), colour.item()

    def save(self) -> None:
        """Writes last.pt, atomically."""
        state = {name: getattr(self, name).state_dict() for name in ("model", "mean", "optimizer")}
        loop.write(state | {"done": self.done}, self.file)


def train(recipe: Recipe, cache: Path, out: Path) -> None:
    """Runs or resumes up to `recipe.steps`; one JSON line of the mean losses every `save_every` steps in
    out/log.jsonl."""
    torch.set_num_threads(recipe.threads)
    out.mkdir(parents=True, exist_ok=True)
    trainer, losses, began = Trainer(recipe, cache, out), [], time.time()
    while trainer.done < recipe.steps:
        losses.append(trainer.step())
        if trainer.done % recipe.save_every == 0 or trainer.done == recipe.steps:
            trainer.save()
            means = np.mean(losses, 0).round(4).tolist()
            line = {"step": trainer.done, "seconds": round(time.time() - began), "pairs": means[0], "colour": means[1]}
            with open(out / "log.jsonl", "a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
            losses.clear()


def export(out: Path, target: Path) -> None:
    """The moving average of the last checkpoint as float16 safetensors, keys of `Regions()`."""
    mean = torch.load(out / "last.pt", weights_only=True)["mean"]
    state = {k.removeprefix("module."): v for k, v in mean.items() if k.startswith("module.")}
    save_file({k: v.half().contiguous() for k, v in state.items()}, target)


def main() -> None:
    """Command line; every field of Recipe is a flag."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_flags(p, Recipe)
    p.add_argument("--cache", type=Path, default=Path("scenes"))
    p.add_argument("--out", type=Path, default=Path("run-swin"))
    p.add_argument("--export", type=Path, help="only write the trained weights to this file")
    p.add_argument("--measure", action="store_true", help="only measure what ships")
    a = p.parse_args()
    recipe = command.recipe_of(Recipe, a)
    if a.export:
        export(a.out, a.export)
    elif a.measure:
        print(json.dumps(swin_figures.figures(small.load())))
    else:
        print(json.dumps(asdict(recipe)))
        train(recipe, a.cache, a.out)


if __name__ == "__main__":
    main()
