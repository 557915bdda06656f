"""The mixer family: one small decoder with six token mixers, at equal steps, on the standard library's bytes and on associative recall.

    python -m backends.train.mixers --task bytes --mixer softmax --seed 0     one model; resumes from its own checkpoint in --out
    python -m backends.train.mixers --task mqar --every --seeds 3             the whole family, one after the other
    python -m backends.train.mixers --export weights                          what ships: one file per model, and the curves

AdamW with a linear warm-up and a cosine down to a tenth.  Batches come from (seed, step), so a resumed run repeats an unbroken one.
"""
from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from backends import device
from backends.lm import corpus, shelf, tasks
from backends.lm.model import Decoder

EVERY = 50                  # steps between two points of a curve


@dataclass(frozen=True)
class Recipe:
    """`rate`: peak learning rate; `batch` sequences of `length` tokens a step."""

    steps: int
    batch: int
    length: int
    rate: float
    warmup: int = 100


RECIPES = {"bytes": Recipe(steps=1000, batch=16, length=256, rate=2e-3), "mqar": Recipe(steps=1200, batch=64, length=64, rate=2e-3)}


def batch_of(task: str, recipe: Recipe, seed: int, held: bool = False) -> tuple[Tensor, Tensor]:
    """Tokens and targets (b, n) of one step; `held`: of the held-out modules."""
    if task == "mqar":
        return tasks.mqar(recipe.batch, recipe.length, seed=seed)
    window = corpus.windows(held, recipe.batch, recipe.length + 1, seed)
    return window[:, :-1], window[:, 1:]


def loss_of(model: Decoder, tokens: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """(nats per scored token, share of them guessed right)."""
    logits, scored = model(tokens), targets != tasks.IGNORED
    right = (logits.argmax(-1) == targets)[scored].float().mean()
    return F.cross_entropy(logits[scored], targets[scored]), right


@torch.no_grad()
def measure(model: Decoder, task: str, batches: int = 8, length: int | None = None) -> dict[str, float]:
    """Mean loss (nats) and accuracy on fixed fresh sequences (mqar) or held-out modules (bytes)."""
    recipe = RECIPES[task]
    at = next(model.parameters()).device
    fixed = Recipe(0, 64 if task == "mqar" else 16, length or recipe.length, 0.0)
    rows = [loss_of(model, *(x.to(at) for x in batch_of(task, fixed, (1 << 40) + i, held=True))) for i in range(batches)]
    loss, right = (torch.stack(column).mean().item() for column in zip(*rows))
    return {"loss": round(loss, 4), "accuracy": round(right, 4)}


def rate_at(recipe: Recipe, step: int) -> float:
    """Learning rate of a step: linear warm-up, then a cosine down to a tenth at the last step."""
    progress = min(1.0, step / recipe.steps)
    return recipe.rate * min(1.0, (step + 1) / recipe.warmup) * (0.55 + 0.45 * float(torch.cos(torch.tensor(torch.pi * progress))))


class Run:
    """One model on its way through `recipe`; its file in `out` holds everything to go on from."""

    def __init__(self, task: str, mixer: str, seed: int, out: Path, at: torch.device) -> None:
        torch.manual_seed(seed)
        self.task, self.seed, self.at, self.recipe = task, seed, at, RECIPES[task]
        self.file = out / f"{task}-{mixer}-{seed}.pt"
        self.model = Decoder(shelf.config(task, mixer)).to(at)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), self.recipe.rate, betas=(0.9, 0.95), weight_decay=0.05)
        self.done, self.curve, self.seconds = 0, [], 0.0
        if self.file.exists():
            state = torch.load(self.file, map_location=at, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.done, self.curve, self.seconds = state["done"], state["curve"], state["seconds"]

    def step(self) -> None:
        """One batch, one update; now and then a point of the curve."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(self.recipe, self.done)
        tokens, targets = (x.to(self.at) for x in batch_of(self.task, self.recipe, self.seed * 1_000_003 + self.done))
        loss, _ = loss_of(self.model, tokens, targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.done += 1
        if self.done % EVERY == 0:
            self.curve.append({"step": self.done} | measure(self.model, self.task, batches=1))

    def save(self) -> None:
        """Writes the file, atomically."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        state |= {"done": self.done, "curve": self.curve, "seconds": self.seconds}
        torch.save(state, self.file.with_suffix(".tmp"))
        self.file.with_suffix(".tmp").rename(self.file)

    def finish(self, steps: int) -> dict[str, float]:
        """Trains up to `steps`; returns the final figures."""
        while self.done < steps:
            began = time.time()
            for _ in range(min(EVERY, steps - self.done)):
                self.step()
            self.seconds += time.time() - began
            self.save()
        return measure(self.model, self.task)


def train(task: str, mixers: tuple[str, ...], seeds: tuple[int, ...], out: Path, at: torch.device) -> None:
    """Every mixer with every seed, one JSON line each when it is done."""
    out.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        for mixer in mixers:
            run = Run(task, mixer, seed, out, at)
            figures = run.finish(run.recipe.steps)
            row = {"task": task, "mixer": mixer, "seed": seed, "steps": run.done, "seconds": round(run.seconds)}
            print(json.dumps(row | figures), flush=True)


def export(out: Path, target: Path) -> None:
    """fp16 weights of seed 0 as <task>-<mixer>.safetensors, and every seed's curve in mixers.json."""
    curves: dict[str, list] = {}
    for file in sorted(out.glob("*.pt")):
        task, mixer, seed = file.stem.split("-")
        state = torch.load(file, map_location="cpu", weights_only=True)
        curves.setdefault(f"{task}-{mixer}", []).append({"seed": int(seed), "curve": state["curve"]})
        if seed == "0":
            save_file({k: v.half().contiguous() for k, v in state["model"].items()}, target / f"{task}-{mixer}.safetensors")
    (target / "mixers.json").write_text(json.dumps(curves, separators=(",", ":")) + "\n")


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--task", choices=tuple(RECIPES), default="bytes")
    p.add_argument("--mixer", choices=tuple(shelf.FAMILY), default="softmax")
    p.add_argument("--every", action="store_true", help="the whole family")
    p.add_argument("--seed", type=int, default=0, help="first seed")
    p.add_argument("--seeds", type=int, default=1, help="how many seeds")
    p.add_argument("--device", default="auto")
    p.add_argument("--out", type=Path, default=Path("run-mixers"))
    p.add_argument("--export", type=Path, help="only write what ships into this folder")
    a = p.parse_args()
    if a.export:
        export(a.out, a.export)
    else:
        chosen = tuple(shelf.FAMILY) if a.every else (a.mixer,)
        train(a.task, chosen, tuple(range(a.seed, a.seed + a.seeds)), a.out, device.resolve(a.device))


if __name__ == "__main__":
    main()
