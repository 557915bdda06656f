"""Recipe of `weights/deform-looks.safetensors` and its twin `deform-plain`: learn where to look.

    python -m backends.train.deform_tiny --out run                    train both, resume from run/<kind>.pt
    python -m backends.train.deform_tiny --out run --export weights   write both files
    python -m backends.train.deform_tiny --measure                    the manifest's figures, of what ships

Each cell of 4 px learns the class of the thing it lies on (or ground) from pictures of `backends.deform.objects`,
mildly deformed; loss: cross entropy, the ground weighing less.  Both networks see the same pictures in the same order.
Nothing is asked of the offsets.
"""
from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from backends.deform import small
from backends.deform.objects import MILD, render
from backends.deform.small import CLASSES, KINDS, STRIDE, Looker
from backends.train import command, deform_figures, loop

GROUND = 0.3                   # weight of the ground's cells
FIRST = 1_000_000              # seed of the first training picture; below are the held-out ones


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters; `pictures` are rendered once, and drawn mirrored at random."""

    seed: int = 0
    steps: int = 3000
    batch: int = 16
    pictures: int = 3000
    rate: float = 3e-3
    decay: float = 0.02
    warmup: int = 100
    save_every: int = 100


def pool(recipe: Recipe, out: Path) -> tuple[np.ndarray, np.ndarray]:
    """All training pictures (n, 96, 96, 3) uint8 and kinds (n, 96, 96) uint8, kept in out/pool.npz."""
    file = out / "pool.npz"
    if not file.exists():
        scenes = [render(FIRST + i, MILD) for i in range(recipe.pictures)]
        np.savez(file.with_suffix(".tmp.npz"), images=np.stack([s.image for s in scenes]),
                 kinds=np.stack([s.kinds for s in scenes]))
        file.with_suffix(".tmp.npz").rename(file)
    found = np.load(file)
    return found["images"], found["kinds"]


def batch_of(recipe: Recipe, step: int, images: np.ndarray, kinds: np.ndarray) -> tuple[Tensor, Tensor]:
    """Pictures (batch, 3, 96, 96) in [-1, 1] and kinds (batch, 24, 24) at the cells' centres, of one step."""
    rng = np.random.default_rng((recipe.seed, step))
    at = rng.integers(len(images), size=recipe.batch)
    x = torch.from_numpy(images[at].astype(np.float32)).permute(0, 3, 1, 2) / 127.5 - 1
    y = torch.from_numpy(kinds[at].astype(np.int64))[:, STRIDE // 2::STRIDE, STRIDE // 2::STRIDE]
    ways = [axis for axis in (-1, -2) if rng.random() < 0.5]
    turned = (-1, -2) if rng.random() < 0.5 else (-2, -1)
    return x.flip(ways).movedim((-2, -1), turned).contiguous(), y.flip(ways).movedim((-2, -1), turned).contiguous()


class Trainer:
    """One network on its way; `<kind>.pt` holds everything to go on from, and batches follow from seed and step."""

    def __init__(self, kind: str, recipe: Recipe, out: Path) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.file, self.done, self.model = recipe, out / f"{kind}.pt", 0, Looker(kind)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), recipe.rate, betas=(0.9, 0.98),
                                           weight_decay=recipe.decay)
        self.weight = torch.tensor([GROUND] + [1.0] * (CLASSES - 1))
        if self.file.exists():
            state = torch.load(self.file, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.done = state["done"]

    def step(self, images: np.ndarray, kinds: np.ndarray) -> float:
        """One update; its loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = loop.warm_cosine(self.recipe.rate, self.done, self.recipe.warmup, self.recipe.steps)
        x, y = batch_of(self.recipe, self.done, images, kinds)
        loss = F.cross_entropy(self.model(x), y, self.weight)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.done += 1
        return loss.item()

    def save(self) -> None:
        """Writes the checkpoint, atomically."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "done": self.done}
        loop.write(state, self.file)


def train(recipe: Recipe, out: Path) -> None:
    """Runs or resumes both networks up to `recipe.steps`; a JSON line of the mean loss every `save_every` steps in
    out/<kind>.jsonl."""
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    images, kinds = pool(recipe, out)
    for kind in KINDS:
        trainer, losses, began = Trainer(kind, recipe, out), [], time.process_time()
        while trainer.done < recipe.steps:
            losses.append(trainer.step(images, kinds))
            if trainer.done % recipe.save_every == 0 or trainer.done == recipe.steps:
                trainer.save()
                line = {"step": trainer.done, "cpu_seconds": round(time.process_time() - began),
                        "loss": round(float(np.mean(losses)), 4)}
                with open(out / f"{kind}.jsonl", "a", encoding="utf-8") as log:
                    log.write(json.dumps(line) + "\n")
                losses.clear()


def export(out: Path, folder: Path) -> None:
    """Both networks of the last checkpoints as float16 safetensors, keys of `Looker(kind)`."""
    for kind in KINDS:
        state = torch.load(out / f"{kind}.pt", weights_only=True)["model"]
        save_file({k: v.half().contiguous() for k, v in state.items()}, folder / f"{small.NAMES[kind]}.safetensors")


def main() -> None:
    """Command line; every field of Recipe is a flag."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_flags(p, Recipe)
    p.add_argument("--out", type=Path, default=Path("run-deform"))
    p.add_argument("--export", type=Path, help="only write the trained weights into this folder")
    p.add_argument("--measure", action="store_true", help="only measure what ships")
    a = p.parse_args()
    recipe = command.recipe_of(Recipe, a)
    if a.export:
        export(a.out, a.export)
    elif a.measure:
        print(json.dumps(deform_figures.figures({kind: small.load(kind) for kind in KINDS}), indent=1))
    else:
        print(json.dumps(asdict(recipe)))
        train(recipe, a.out)


if __name__ == "__main__":
    main()
