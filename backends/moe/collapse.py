"""How routers share the work while they are trained: small models trained now with several balance weights, and the
shipped trainings."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from backends import device, stop, weights
from backends.drawn import hosted
from backends.lm import corpus
from backends.lm.experts import Routing
from backends.lm.model import Config, Decoder
from backends.moe.params import EXPERTS, MoeParams
from backends.moe.results import Course, Race
from backends.moe.views import LABELS

SIZE, LENGTH, RATE = 16, 64, 4e-3      # of a live training: sequences, bytes of each, peak learning rate
EVERY = 5                              # steps between two points
SPEED = 0.01                           # of the bias: ten times that of arXiv 2408.15664, for trainings this short
SWITCH = 0.01                          # weight of Switch's balance loss (arXiv 2101.03961, section 2.2)
CURVES = "moe.json"                    # beside the shipped weights: their trainings' loss and loads


def config(k: int) -> Config:
    """The small byte model of a live training: one layer, whose feed-forward is routed to `k` of EXPERTS."""
    return Config(("softmax",), width=64, heads=2, hidden=128, routed=(0,), experts=EXPERTS, k=k, length=LENGTH)


class Racer:
    """One small model in training with one weight of the balance loss and one, `zeta`, of the z-loss; `biased`: its
    choice has a bias that follows the loads."""

    def __init__(self, weight: float, k: int, steps: int, seed: int, zeta: float = 0.0, biased: bool = False) -> None:
        torch.manual_seed(seed)
        self.weight, self.zeta, self.steps, self.done = weight, zeta, steps, 0
        self.model = hosted(Decoder)(config(k)).to(device.exact())
        self.layer = self.model.blocks[0].mlp
        if biased:
            self.layer.bias = torch.zeros(EXPERTS, device=device.exact())

    @cached_property
    def optimizer(self) -> torch.optim.Optimizer:
        """Made by the first step, as a look needs none.  torch's first optimiser in a process imports much."""
        stop.imported("torch._dynamo")
        return torch.optim.AdamW(self.model.parameters(), RATE, betas=(0.9, 0.95), weight_decay=0.05)

    def step(self, tokens: Tensor) -> tuple[float, float, tuple[float, ...]]:
        """One update on tokens (b, n + 1): its loss in nats, the router's mean logsumexp^2, and its loads as shares."""
        for group in self.optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (self.done + 1) / 20) * (1 - 0.9 * self.done / self.steps)
        loss, routing = self.look(tokens)
        self.optimizer.zero_grad(set_to_none=True)
        (loss + self.weight * routing.balance + self.zeta * routing.z).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.done += 1
        if self.layer.bias is not None:
            load = torch.bincount(routing.chosen.flatten(), minlength=EXPERTS).float()
            self.layer.bias = self.layer.bias + SPEED * (load.mean() - load).sign()
        return told(loss, routing)

    def look(self, tokens: Tensor) -> tuple[Tensor, Routing]:
        """Loss and routing of tokens (b, n + 1) as the model is now."""
        tokens = tokens.to(self.model.device)
        logits, (routing,) = self.model.run(tokens[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()), routing


def told(loss: Tensor, routing: Routing) -> tuple[float, float, tuple[float, ...]]:
    """Loss in nats, mean logsumexp^2 and loads, as plain numbers."""
    return loss.item(), routing.z.item(), loads(routing)


def loads(routing: Routing) -> tuple[float, ...]:
    """Share of the k t assignments of each expert, counted from the experts with a weight."""
    t, k = routing.gates.shape
    counts = torch.bincount(routing.chosen[routing.gates > 0], minlength=routing.logits.shape[1])
    return tuple((counts / (k * t)).tolist())


def racer(name: str, params: MoeParams) -> Racer:
    """One of `params.RACERS` at the start."""
    weight = {"bias": 0.0, "top1": SWITCH}[name] if name in ("bias", "top1") else float(name)
    return Racer(weight, 1 if name == "top1" else params.k, params.steps, params.seed, float(params.zeta),
                 name == "bias")


def label(name: str) -> str:
    """What one of `params.RACERS` is called in a figure."""
    return {"bias": "bias, no loss", "top1": f"top-1, α = {SWITCH}"}.get(name, f"α = {name}")


def race(params: MoeParams) -> Iterator[Race]:
    """The view "race": one small model for each racer, all on the same batches, a point before the first step and
    every EVERY steps."""
    racers = {name: racer(name, params) for name in params.alphas}
    courses = {name: Course(name, label(name)) for name in params.alphas}
    with torch.enable_grad():
        for step in range(params.steps + 1):
            batch = corpus.windows(False, SIZE, LENGTH + 1, params.seed * 1_000_003 + step)
            found = {name: one.step(batch) if step else told(*one.look(batch)) for name, one in racers.items()}
            if step % EVERY:
                continue
            for name, (loss, z, load) in found.items():
                old = courses[name]
                courses[name] = replace(old, steps=(*old.steps, step), loss=(*old.loss, loss),
                                         loads=(*old.loads, (load,)), z=(*old.z, z))
            yield Race(True, params.steps, EXPERTS, params.k, tuple(courses.values()))


def recorded(params: MoeParams) -> Race:
    """The view "training": loss and loads of the shipped models' own trainings, and the dense twin's loss."""
    curves = {name: runs[0]["curve"] for name, runs in weights.curves(CURVES).items()}
    courses = tuple(_course(name, curves[name]) for name in LABELS)
    dense = tuple(point["loss"] for point in curves["moe-dense"])
    return Race(False, courses[0].steps[-1], EXPERTS, 2, courses, dense)


def _course(name: str, points: list[dict]) -> Course:
    loads = tuple(tuple(map(tuple, point["loads"])) for point in points)
    return Course(name, LABELS[name], tuple(p["step"] for p in points), tuple(p["loss"] for p in points), loads)
