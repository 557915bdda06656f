"""The training loop of the small decoders: AdamW, linear warm-up, a cosine down to a tenth, a checkpoint every few
minutes.

Batches come from (seed, step), so a run that was stopped and resumed repeats an unbroken one.
"""
from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from backends.lm import tasks
from backends.lm.experts import Routing
from backends.lm.model import Config, Decoder

EVERY = 50                  # steps between two points of a curve
HELD = 1 << 40              # first seed of the batches that are measured
BATCHES = 8                 # of them, for the figures in the manifest


@dataclass(frozen=True)
class Plan:
    """How one model is trained.  `batches(size, length, seed, held)` gives tokens and targets (b, n); `held`: of
    held-out data, where there is such a thing.  `rate`: peak learning rate; `size` sequences of `length` tokens a step;
    `balance`, `z`: weights of the routers' auxiliary losses, summed over layers; `every`: steps between two points of
    the curve."""

    name: str
    config: Config
    batches: Callable[[int, int, int, bool], tuple[Tensor, Tensor]]
    steps: int
    size: int
    length: int
    rate: float = 2e-3
    warmup: int = 100
    balance: float = 0.0
    z: float = 0.0
    every: int = EVERY


def loss_of(model: Decoder, tokens: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """(nats per scored token, share of them guessed right)."""
    logits, scored = model(tokens), targets != tasks.IGNORED
    right = (logits.argmax(-1) == targets)[scored].float().mean()
    return F.cross_entropy(logits[scored], targets[scored]), right


@torch.no_grad()
def measure(model: Decoder, plan: Plan, batches: int = BATCHES, length: int | None = None) -> dict[str, float]:
    """Mean loss (nats) and accuracy over `batches` fixed fresh batches, the first ones if fewer than usual."""
    at = next(model.parameters()).device
    drawn = (plan.batches(plan.size, length or plan.length, HELD + i, True) for i in range(batches))
    rows = [loss_of(model, *(x.to(at) for x in batch)) for batch in drawn]
    loss, right = (torch.stack(column).mean().item() for column in zip(*rows))
    return {"loss": round(loss, 4), "accuracy": round(right, 4)}


def rate_at(plan: Plan, step: int) -> float:
    """Learning rate of a step: linear warm-up, then a cosine down to a tenth at the last step."""
    progress = min(1.0, step / plan.steps)
    return plan.rate * min(1.0, (step + 1) / plan.warmup) * (0.55 + 0.45
                                                             * float(torch.cos(torch.tensor(torch.pi * progress))))


def warm_cosine(rate: float, done: int, warmup: int, steps: int) -> float:
    """Learning rate of the step after `done`: linear warm-up, then a cosine down to nothing at the last of `steps`."""
    return rate * min(1, (done + 1) / warmup) * (0.5 + 0.5 * math.cos(math.pi * min(1, done / steps)))


def write(state: dict[str, Any], file: Path) -> None:
    """Writes a checkpoint, atomically."""
    torch.save(state, file.with_suffix(".tmp"))
    file.with_suffix(".tmp").rename(file)


class Run:
    """One model on its way through `plan`; its file <name>-<seed>.pt in `out` holds everything to go on from."""

    def __init__(self, plan: Plan, seed: int, out: Path, at: torch.device) -> None:
        torch.manual_seed(seed)
        self.plan, self.seed, self.at = plan, seed, at
        self.file = out / f"{plan.name}-{seed}.pt"
        self.model = Decoder(plan.config).to(at)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), plan.rate, betas=(0.9, 0.95), weight_decay=0.05)
        self.done, self.curve, self.seconds = 0, [], 0.0
        if self.file.exists():
            state = torch.load(self.file, map_location=at, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.done, self.curve, self.seconds = state["done"], state["curve"], state["seconds"]

    def step(self) -> None:
        """One batch, one update; now and then a point of the curve."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(self.plan, self.done)
        batch = self.plan.batches(self.plan.size, self.plan.length, self.seed * 1_000_003 + self.done, False)
        tokens, targets = (x.to(self.at) for x in batch)
        logits, routings = self.model.run(tokens)
        scored = targets != tasks.IGNORED
        loss = F.cross_entropy(logits[scored], targets[scored])
        for routing in routings:
            loss = loss + self.plan.balance * routing.balance + self.plan.z * routing.z
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.done += 1
        if self.done % self.plan.every == 0:
            self.curve.append({"step": self.done} | measure(self.model, self.plan, batches=1) | _routed(routings))

    def save(self) -> None:
        """Writes the file, atomically."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        state |= {"done": self.done, "curve": self.curve, "seconds": self.seconds}
        write(state, self.file)

    def finish(self, steps: int) -> dict[str, float]:
        """Trains up to `steps`; returns the final figures."""
        while self.done < steps:
            began = time.perf_counter()
            for _ in range(min(EVERY, steps - self.done)):
                self.step()
            self.seconds += time.perf_counter() - began
            self.save()
        return measure(self.model, self.plan)


def _routed(routings: tuple[Routing, ...]) -> dict[str, list]:
    """Each router's loads (shares of its assignments) and balance loss on the step's own batch; nothing for a model
    without routers."""
    if not routings:
        return {}
    loads = [torch.bincount(r.chosen.flatten(), minlength=r.logits.shape[1]) / r.chosen.numel() for r in routings]
    return {"loads": [[round(v, 4) for v in load.tolist()] for load in loads],
            "balance": [round(r.balance.item(), 4) for r in routings]}


def train(plans: Iterable[Plan], seeds: Iterable[int], out: Path, at: torch.device) -> None:
    """Every plan with every seed, one JSON line each when it is done."""
    out.mkdir(parents=True, exist_ok=True)
    for seed, plan in ((seed, plan) for seed in seeds for plan in plans):
        run = Run(plan, seed, out, at)
        figures = run.finish(plan.steps)
        print(json.dumps({"model": plan.name, "seed": seed, "steps": run.done, "seconds": round(run.seconds)}
                         | figures), flush=True)


def export(out: Path, target: Path, curves: str) -> None:
    """fp16 weights of seed 0 as <name>.safetensors, and every seed's curve in the JSON file called `curves`."""
    kept: dict[str, list] = {}
    for file in sorted(out.glob("*.pt")):
        name, _, seed = file.stem.rpartition("-")
        state = torch.load(file, map_location="cpu", weights_only=True)
        kept.setdefault(name, []).append({"seed": int(seed), "curve": state["curve"]})
        if seed == "0":
            save_file({k: v.half().contiguous() for k, v in state["model"].items()}, target / f"{name}.safetensors")
    (target / curves).write_text(json.dumps(kept, separators=(",", ":")) + "\n")
