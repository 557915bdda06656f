"""What the manifest says of `deform-looks` and `deform-plain`, measured on held-out pictures.

Accuracy: share of the things' cells that get their class, with milder and with stronger deformation than in training.
Inside: for cells of a thing, the share of the 729 places read (weighted by modulation, and unweighted) that lie on that
very thing, against the regular grid's, and against that of the same grid drawn as wide as the learned places are.
Spread: distance of these places from the cell, px, root mean square.  Comparisons are paired by picture; z is mean /
standard error.
"""
from __future__ import annotations

import numpy as np

from backends.deform.judge import Share, accuracy, share
from backends.deform.objects import MILD, STRONG, Warp, render
from backends.deform.small import Looker

PICTURES = 300


def z(difference: list[float]) -> float:
    """Mean over its standard error."""
    d = np.asarray(difference)
    return float(d.mean() / (d.std(ddof=1) / len(d)**0.5))


def mean(shares: list[Share], name: str) -> float:
    """Of one of the fields."""
    return float(np.mean([getattr(one, name) for one in shares]))


def compared(models: dict[str, Looker], warp: Warp, first: int, pictures: int = PICTURES) -> dict[str, float]:
    """Figures of both networks on the pictures from seed `first` on."""
    scenes = [scene for scene in (render(first + i, warp) for i in range(pictures)) if scene.ids.any()]
    scores = {kind: np.array([accuracy(model, scene) for scene in scenes]) for kind, model in models.items()}
    rng = np.random.default_rng(first)
    shares = [share(models["deformable"], scene, rng) for scene in scenes]
    return {
        "pictures": len(scenes),
        **{f"accuracy, {kind}": round(float(s[:, 0].mean()), 4) for kind, s in scores.items()},
        **{f"ground, {kind}": round(float(s[:, 1].mean()), 4) for kind, s in scores.items()},
        "accuracy z": round(z(list(scores["deformable"][:, 0] - scores["plain"][:, 0])), 2),
        **{f"inside, {name}": round(mean(shares, name), 4) for name in ("grid", "wide", "points", "weighted")},
        "weighted against grid, z": round(z([s.weighted - s.grid for s in shares]), 2),
        "weighted against wide, z": round(z([s.weighted - s.wide for s in shares]), 2),
        **{f"{name}, px": round(mean(shares, name), 2) for name in ("grid_spread", "spread")},
    }


def figures(models: dict[str, Looker], pictures: int = PICTURES) -> dict[str, dict[str, float]]:
    """Held-out pictures deformed as in training, and more strongly."""
    return {"mild": compared(models, MILD, 0, pictures), "strong": compared(models, STRONG, 500_000, pictures)}
