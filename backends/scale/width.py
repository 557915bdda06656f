"""Coordinate check: how far hidden states, attention logits and outputs move in a few steps of Adam, against the width.

Standard: every matrix N(0, 1/fan-in), one learning rate, logits q.k / sqrt(d).  muP for Adam (Yang et al. 2022, arXiv
2203.03466, table 3 and definition 4.1): inner matrices take the rate times BASE / D, logits are q.k / d times sqrt(d at
BASE), the output matrix has standard deviation 1 / D times sqrt(BASE), and its rate falls as BASE / D too; both are the
same model at D = BASE.  Head count is fixed, so d grows.
"""
from __future__ import annotations

from collections.abc import Iterator

import torch

from backends import stop
from backends.drawn import hosted, seeded
from backends.scale import toy
from backends.scale.params import ScaleParams
from backends.scale.results import Growth, Widths

BASE, HEADS, STEPS = 32, 2, 4
WIDTHS = (32, 64, 128, 256, 512)
NAMES = {"standard": "standard", "mup": "muP"}
BATCH = 16


def started(kind: str, width: int, rate: float, seed: int) -> tuple[toy.Toy, torch.optim.Adam]:
    """A model of a width and its optimiser."""
    model = toy.made("sqrt", width, HEADS, seed)
    matrices = [p for name, p in model.named_parameters() if "embed" not in name and "place" not in name]
    tables = [model.embed.weight, model.place.weight]
    if kind == "mup":
        with torch.no_grad():
            model.out.weight.mul_((BASE / width) ** 0.5)
        for mix in model.mix:
            mix.scale = (BASE / HEADS) ** 0.5 / (width / HEADS)
    stop.imported("torch._dynamo")                      # as torch's first optimiser in a process does
    slower = BASE / width if kind == "mup" else 1.0
    return model, torch.optim.Adam([{"params": matrices, "lr": rate * slower}, {"params": tables, "lr": rate}])


@torch.no_grad()
def seen(model: toy.Toy, tokens: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """(hidden states, attention logits of the last layer, output logits)."""
    hidden = model.hidden(tokens)
    return hidden, model.mix[-1].logits, model(tokens)


def moved(kind: str, width: int, params: ScaleParams, steps: int = STEPS) -> tuple[float, ...]:
    """Root mean square change of each of `seen` after so many steps."""
    model, optimizer = started(kind, width, params.rate, params.seed)
    random = seeded(params.seed + 1)
    tokens, wanted = toy.batch(BATCH, random)
    before = seen(model, tokens)
    for _ in range(steps):
        optimizer.zero_grad()
        toy.loss(model, tokens, wanted).backward()
        optimizer.step()
    return tuple((a - b).square().mean().sqrt().item() for a, b in zip(seen(model, tokens), before, strict=True))


@hosted
def slope(widths: list[int], values: list[float]) -> float:
    """Power of the width with which values grow, by least squares on logarithms; 0 of a single value."""
    if len(widths) < 2:
        return 0.0
    x, y = torch.tensor(widths).double().log(), torch.tensor(values).double().log()
    return (((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()).item()


def widths(params: ScaleParams) -> Iterator[Widths]:
    """Growing results, one width more each time."""
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in NAMES}
    for at, width in enumerate(WIDTHS):
        for name in NAMES:
            found[name].append(moved(name, width, params))
        done = list(WIDTHS[: at + 1])
        growths = tuple(Growth(name, NAMES[name], *(tuple(column) for column in zip(*rows, strict=True)))
                        for name, rows in found.items())
        slopes = tuple(tuple(slope(done, list(column)) for column in (g.hidden, g.attention, g.output))
                       for g in growths)
        yield Widths(WIDTHS, tuple(done), STEPS, growths, slopes)
