"""Routers on the plane: 2-D tokens in uneven clusters, experts at places that the user drags.

logit of expert c = sharp (x . c - |c|^2 / 2): a linear router with a bias, whose largest logit is the nearest expert.
"""
from __future__ import annotations

import torch
from torch import Tensor

from backends import device
from backends.drawn import hosted, normal, seeded
from backends.moe import views
from backends.moe.params import ROUTERS, MoeParams
from backends.moe.results import Panel, Plane
from backends.moe.routers import route

CLUSTERS = ((-0.5, 0.35, 0.5), (0.55, 0.5, 0.2), (0.45, -0.5, 0.2), (-0.4, -0.6, 0.1))
"""Of the tokens: middle x, y and share; half of them lie in one cluster."""
WIDTH = 0.16                  # standard deviation of a cluster


@hosted
def points(count: int, seed: int) -> Tensor:
    """(count, 2) tokens in [-1, 1], in random order, on the host."""
    random = seeded(seed)
    share = torch.tensor([c[2] for c in CLUSTERS])
    which = share.multinomial(count, replacement=True, generator=random)
    middle = torch.tensor([c[:2] for c in CLUSTERS])[which]
    return (middle + WIDTH * normal(count, 2, random=random)).clamp(-1, 1)


def logits(x: Tensor, prototypes: Tensor, sharp: float) -> Tensor:
    """(t, e) of tokens (t, 2) and places (e, 2)."""
    return sharp * (x @ prototypes.T - prototypes.square().sum(-1) / 2)


def plane(params: MoeParams) -> Plane:
    """The chosen router, then expert choice and the bias router on the same tokens."""
    x = points(params.count, params.seed).to(device.exact())
    values = logits(x, torch.tensor(params.prototypes, device=x.device), params.sharp)
    names = tuple(dict.fromkeys((params.router, "choice", "free")))
    panels = (Panel(name, ROUTERS[name].label, ROUTERS[name].causal, views.layer(0, route(name, values, params.rules)))
              for name in names)
    return Plane(params.prototypes, params.sharp, device.array(x), tuple(panels))
