"""The routes of `toy` trained side by side on the same batches, a few steps at a time.

Optimisers: Adam; Adam whose step is multiplied by each matrix's own root mean square, as Adafactor's relative steps are
(Shazeer and Stern 2018, arXiv 1804.04235, section 8), and by sqrt(D), so that a matrix of variance 1/D moves as under
Adam; SGD with momentum.
"""
from __future__ import annotations

import math
import time
from collections.abc import Iterator

import torch

from backends import stop
from backends.drawn import seeded
from backends.scale import toy
from backends.scale.params import ROUTES, ScaleParams
from backends.scale.results import Course, Training

WIDTH, HEADS, BATCH = 64, 1, 32
WARM = 10                             # steps until the full learning rate
BELOW = 1.0                           # nats: when a route counts as having found the task
PAUSE = 0.7                           # seconds at least between two results: a page must have time to draw each


class Runner:
    """One model in training; `losses` so far."""

    def __init__(self, route: str, params: ScaleParams, width: int = WIDTH) -> None:
        self.route, self.params = route, params
        self.model = toy.made(route, width, HEADS, params.seed)
        weights = list(self.model.parameters())
        stop.imported("torch._dynamo")                  # as torch's first optimiser in a process does
        kinds = {"sgd": lambda: torch.optim.SGD(weights, momentum=0.9)}
        self.optimizer = kinds.get(params.optimizer, lambda: torch.optim.Adam(weights, betas=(0.9, 0.98)))()
        self.losses: list[float] = []
        self.random = seeded(params.seed + 1)
        self.start, self.top = self._look()

    @torch.no_grad()
    def _look(self) -> tuple[float, float]:
        """(standard deviation of the first layer's logits, mean largest weight of full rows), before training."""
        tokens, _ = toy.batch(64, seeded(self.params.seed + 2))
        self.model(tokens)
        seen = self.model.mix[0].logits
        return seen.std().item(), seen[:, :, -1].softmax(-1).amax(-1).mean().item()

    def step(self) -> None:
        """One step on the next batch."""
        value = toy.loss(self.model, *toy.batch(BATCH, self.random))
        self.optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._move(self.params.rate * min(1.0, (len(self.losses) + 1) / WARM))
        self.losses.append(value.item())

    @torch.no_grad()
    def _move(self, rate: float) -> None:
        weights = list(self.model.parameters())
        before = [p.clone() for p in weights]
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.step()
        if self.params.optimizer == "relative":
            for p, old in zip(weights, before, strict=True):
                p.copy_(old + (p - old) * old.square().mean().sqrt().clamp_min(1e-3) * WIDTH**0.5)

    def course(self) -> Course:
        """What has been so far."""
        tail = self.losses[-max(1, len(self.losses) // 10):]
        last = sum(tail) / len(tail) if tail else float("nan")
        below = next((step + 1 for step, v in enumerate(self.losses) if v < BELOW), 0)
        return Course(self.route, ROUTES[self.route], tuple(round(v, 5) for v in self.losses), self.start,
                      self.top, last, below)


def training(params: ScaleParams) -> Iterator[Training]:
    """Growing results: after the first step, then about every PAUSE seconds, and the last."""
    runners = [Runner(route, params) for route in ROUTES if route in params.routes]
    chance, shown = math.log(toy.SYMBOLS), -math.inf
    for step in range(1, params.steps + 1):
        for runner in runners:
            runner.step()
        if step == params.steps or time.monotonic() - shown >= PAUSE:
            yield Training(params.steps, chance, tuple(runner.course() for runner in runners))
            shown = time.monotonic()
