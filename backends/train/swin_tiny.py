"""Recipe of `weights/swin-regions.safetensors`: a small Swin learns from a pretrained network what it sees, and from
scenes what belongs to one region.

    python -m backends.train.segment_tiny --cache scenes --render 400 --pictures FOLDER
        render scenes once, as for click segmentation
    python -m backends.train.segment_tiny --cache scenes --render 2800 --photographic --pictures FOLDER --init FILE
    python -m backends.train.swin_tiny --cache scenes --pictures FOLDER --init FILE --out run
        train, resume from run/last.pt; FILE: the pretrained network (backends.train.initial)
    python -m backends.train.swin_tiny --out run --export weights/swin-regions.safetensors
    python -m backends.train.swin_tiny --measure   the manifest's figures, of what ships

Crops of 256 px: of scenes, and every third one straight from a free photograph.  First the maps of all three stages
learn the features of the pretrained network alone (`distil`).  From `regions_from` on the head learns too.  A scene has
regions at three levels (part, object, group).  Pairs of places, half of the places drawn anywhere, half equally often
in every region: logistic, equal and different pairs counted alike, a mean over the levels; and over all pairs whether
the teacher finds them alike, the one thing that is asked of photographs.  Clicks: every place's answer (probabilities
of the places that were drawn anywhere) has to overlap its object, 1 - soft IoU.  The mean colour of every place's part:
absolute error.  (With pairs alone the attention of the last stage became uniform within 300 steps.)  Nothing is asked
of the attention maps; what they look at is measured afterwards.
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
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from backends.swin import small
from backends.swin.small import STRIDE, WIDTHS, Regions, normalised
from backends.train import command, distil, loop, swin_figures
from backends.train.pictures import load_bank
from backends.train.shelf import crop_of, lit

SIDE = 256                     # px of a crop
FILES, ROTATE = 6, 100         # files of scenes in use, and for how many steps
COLOUR, RELATION, CLICK = 2.0, 0.5, 1.0       # weights of the losses beside that of pairs
KEPT = 0.5                     # weight of the features while the head learns
PHOTOGRAPHS = 1 / 3            # of the crops, if there are any
SMALLEST = 256                 # px, side of a square of a photograph
LEVELS = 3                     # part, object, group
STATES = ("model", "readout", "mean", "optimizer")
UNKNOWN = 0                    # id of what is no target: two such places may or may not be of one region


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters; a step takes `batch` crops and `places` places in each."""

    seed: int = 0
    steps: int = 1300
    batch: int = 4
    places: int = 256
    regions_from: float = 0.3
    rate: float = 1.5e-3
    decay: float = 0.05
    warmup: int = 100
    ema: float = 0.996
    save_every: int = 100
    threads: int = 1


@lru_cache(FILES + 2)
def scenes_of(path: Path) -> dict[str, np.ndarray]:
    """One file of rendered scenes: image (n, 512, 512, 3), ids (n, 512, 512), parent and group (n, 256)."""
    return dict(np.load(path))


def crops(cache: Path, photos: tuple[np.ndarray, ...], seed: int, step: int, count: int) -> tuple[Tensor, np.ndarray]:
    """Pictures (count, 3, SIDE, SIDE), normalised, and the regions of one step, (count, LEVELS, SIDE/4, SIDE/4)."""
    files = sorted(cache.glob("[0-9]*[0-9].npz"))
    chosen = np.random.default_rng((seed, step // ROTATE)).permutation(len(files))[:FILES]
    rng = np.random.default_rng((seed, 1, step))
    images, ids = [], []
    for _ in range(count):
        if photos and rng.random() < PHOTOGRAPHS:
            image, tables = square_of(rng, photos[rng.integers(len(photos))]), np.zeros((LEVELS, 256), np.uint8)
            leaves = np.zeros((SIDE, SIDE), np.uint8)
        else:
            scenes = scenes_of(files[rng.choice(chosen)])
            at = rng.integers(len(scenes["image"]))
            image, leaves = crop_of(rng, {"image": scenes["image"][at], "ids": scenes["ids"][at]}, SIDE)
            tables = np.stack([np.arange(256), scenes["parent"][at], scenes["group"][at]])
        images.append(normalised(image.astype(np.uint8)))
        ids.append(tables[:, leaves[STRIDE // 2::STRIDE, STRIDE // 2::STRIDE]])
    return torch.cat(images), np.stack(ids).astype(np.int64)


def square_of(rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """A random square of a photograph (H, W, 3), as scenes are lit: float (SIDE, SIDE, 3)."""
    shorter = min(photo.shape[:2])
    side = int(rng.uniform(min(SMALLEST, shorter), shorter))
    y, x = (int(rng.integers(n - side + 1)) for n in photo.shape[:2])
    square = Image.fromarray(photo[y:y + side, x:x + side]).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return lit(rng, np.asarray(square, np.float32), np.zeros((1, 1)))[0]


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


def click_loss(logits: Tensor, ids: Tensor) -> Tensor:
    """1 - soft IoU of every place's answer, logits (b, k, k): the first half of the places was drawn anywhere and says
    where the regions are, ids (b, k); clicks on UNKNOWN are left out."""
    said, known = logits[..., :ids.shape[1] // 2].sigmoid(), ids != UNKNOWN
    same = (ids.unsqueeze(-1) == ids[:, :ids.shape[1] // 2].unsqueeze(-2)).float()
    lost = 1 - (said * same).sum(-1) / (said + same - said * same).sum(-1)
    return (lost * known).sum() / known.sum().clamp_min(1)


class Trainer:
    """The model on its way; `last.pt` in `out` holds everything to go on from, and batches follow from seed and
    step.  photos: of `pictures`; the teacher: of the file `init`."""

    def __init__(self, recipe: Recipe, cache: Path, out: Path, photos: tuple[np.ndarray, ...] = (),
                 init: Path | None = None) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.cache, self.file, self.done = recipe, cache, out / "last.pt", 0
        self.photos, self.teacher = photos, distil.Teacher(init)
        self.model, self.readout = Regions(), distil.Readout(WIDTHS)
        self.mean = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema))
        every = [*self.model.parameters(), *self.readout.parameters()]
        groups = [{"params": [p for p in every if p.ndim >= 2]},
                  {"params": [p for p in every if p.ndim < 2], "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, recipe.rate, betas=(0.9, 0.98), weight_decay=recipe.decay)
        if self.file.exists():
            state = torch.load(self.file, weights_only=True)
            for name in STATES:
                getattr(self, name).load_state_dict(state[name])
            self.done = state["done"]

    def step(self) -> dict[str, float]:
        """One update; its losses."""
        r = self.recipe
        for group in self.optimizer.param_groups:
            group["lr"] = loop.warm_cosine(r.rate, self.done, r.warmup, r.steps)
        x, ids = crops(self.cache, self.photos, r.seed, self.done, r.batch)
        features = self.teacher(x)
        with torch.autocast("cpu", torch.bfloat16):
            maps = self.model.stages(x)
            said = self.readout(maps)
        losses, weights = {"features": distil.feature_loss(said, features)}, {"features": 1.0}
        if self.done >= r.regions_from * r.steps:
            losses |= self.regions(x, maps, torch.from_numpy(ids), features)
            weights = {"features": KEPT, "pairs": 1.0, "relation": RELATION, "click": CLICK, "colour": COLOUR}
        self.optimizer.zero_grad(set_to_none=True)
        sum(weights[name] * loss for name, loss in losses.items()).backward()
        torch.nn.utils.clip_grad_norm_([*self.model.parameters(), *self.readout.parameters()], 1.0)
        self.optimizer.step()
        self.mean.update_parameters(self.model)
        self.done += 1
        return {name: loss.item() for name, loss in losses.items()}

    def regions(self, x: Tensor, maps: list[Tensor], ids: Tensor, features: list[Tensor]) -> dict[str, Tensor]:
        """What the head's answers cost: ids (b, LEVELS, h, w), the stages' `maps`, the teacher's `features`."""
        rng, r = np.random.default_rng((self.recipe.seed, 2, self.done)), self.recipe
        at = torch.from_numpy(np.stack([places(rng, one[0], r.places) for one in ids.numpy()]))
        with torch.autocast("cpu", torch.bfloat16):
            vectors, colours = (part.float() for part in self.model.joined(x, maps))
        chosen = vectors.flatten(2).mT.gather(1, at[..., None].expand(-1, -1, vectors.shape[1]))
        logits = self.model.alike(chosen, chosen)
        levels = ids.flatten(2).gather(2, at.unsqueeze(1).expand(-1, LEVELS, -1)).unbind(1)
        alike = distil.likeness(features[-1], at, vectors.shape[2:])
        return {"pairs": torch.stack([pair_loss(logits, level) for level in levels]).mean(),
                "relation": F.binary_cross_entropy_with_logits(logits, alike),
                "click": click_loss(logits, levels[1]), "colour": colour_loss(colours, x, ids[:, 0])}

    def save(self) -> None:
        """Writes last.pt, atomically."""
        state = {name: getattr(self, name).state_dict() for name in STATES}
        loop.write(state | {"done": self.done}, self.file)


def train(recipe: Recipe, cache: Path, out: Path, photos: tuple[np.ndarray, ...] = (),
          init: Path | None = None) -> None:
    """Runs or resumes up to `recipe.steps`; one JSON line of the mean losses every `save_every` steps in
    out/log.jsonl."""
    torch.set_num_threads(recipe.threads)
    out.mkdir(parents=True, exist_ok=True)
    trainer, losses, began = Trainer(recipe, cache, out, photos, init), [], time.perf_counter()
    while trainer.done < recipe.steps:
        losses.append(trainer.step())
        if trainer.done % recipe.save_every == 0 or trainer.done == recipe.steps:
            trainer.save()
            line = {"step": trainer.done, "seconds": round(time.perf_counter() - began)} | means(losses)
            with open(out / "log.jsonl", "a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
            losses.clear()


def means(losses: list[dict[str, float]]) -> dict[str, float]:
    """The mean of every loss over the steps that had it."""
    return {name: round(float(np.mean([one[name] for one in losses if name in one])), 4)
            for name in {name: None for one in losses for name in one}}


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
    p.add_argument("--pictures", help="folder of backends/train/pictures.py")
    p.add_argument("--init", type=Path, help="the pretrained network, of which the model learns")
    p.add_argument("--export", type=Path, help="only write the trained weights to this file")
    p.add_argument("--measure", action="store_true", help="only measure what ships")
    a = p.parse_args()
    recipe = command.recipe_of(Recipe, a)
    if a.export:
        export(a.out, a.export)
    elif a.measure:
        print(json.dumps(swin_figures.figures(small.load())))
    elif a.init is None:
        p.error("--init: whom should it learn from?")
    else:
        print(json.dumps(asdict(recipe)))
        train(recipe, a.cache, a.out, load_bank(a.pictures).photos, a.init)


if __name__ == "__main__":
    main()
