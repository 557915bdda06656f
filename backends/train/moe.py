"""Byte models with a mixture of experts, for the MoE tab: one with balanced routing, its twin without auxiliary losses,
and a dense one.

    python -m backends.train.moe --model moe              one model; resumes from its own checkpoint in --out
    python -m backends.train.moe --every                  all of them, one after the other
    python -m backends.train.moe --export weights
        what ships: one file per model, and the curves with the routers' loads
    python -m backends.train.moe --measure                the manifest's figures, of what ships

All three see the same batches.  An expert is half as wide as the dense layer and a token uses two, so a token costs the
same in all.
"""
from __future__ import annotations

from functools import partial
from typing import Any

import torch

from backends.lm import corpus, shelf
from backends.lm.model import Decoder
from backends.moe import views
from backends.moe.params import MoeParams
from backends.train import command, loop

WEIGHTS = {"moe": (1e-2, 1e-3), "moe-free": (0.0, 0.0), "moe-dense": (0.0, 0.0)}
"""Weights of the balance loss and of the z-loss, by model."""


def plan(name: str) -> loop.Plan:
    """The plan of one model of `shelf.ROUTED`."""
    balance, z = WEIGHTS[name]
    return loop.Plan(name, shelf.ROUTED[name], corpus.crops, steps=2000, size=16, length=128, balance=balance,
                     z=z, every=25)


@torch.no_grad()
def loads(model: Decoder, count: int = 64) -> list[dict[str, float]]:
    """Of each router on `count` held-out windows: its largest load over the mean load, the smallest over the mean, and
    their variation."""
    tokens = corpus.crops(count, model.config.length, loop.HELD, True)[0].to(model.device)
    found = []
    for routing in model.run(tokens)[1]:
        share = torch.bincount(routing.chosen.flatten(), minlength=model.config.experts).float()
        share = share / share.mean()
        found.append({"most": share.max().item(), "least": share.min().item(),
                      "variation": share.std(correction=0).item()})
    return [{name: round(value, 4) for name, value in row.items()} for row in found]


def knows(name: str) -> list[dict[str, float]]:
    """By routed layer: bits that the experts tell of the token class on held-out modules, and with shuffled classes."""
    tables = views.table(MoeParams(view="classes", model=name)).tables
    return [{"bits": round(t.bits, 4), "shuffled": round(t.control, 4)} for t in tables]


def figures(name: str, batches: int = loop.BATCHES) -> dict[str, Any]:
    """Everything that the manifest says of a shipped model."""
    model = shelf.routed(name)
    return loop.measure(model, plan(name), batches) | ({"loads": loads(model), "classes": knows(name)}
                                              if model.config.routed else {})


def main() -> None:
    """Command line."""
    command.run(__doc__, "run-moe", shelf.ROUTED, plan, partial(loop.export, curves="moe.json"), figures)


if __name__ == "__main__":
    main()
