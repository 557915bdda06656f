"""The views of the Deformable tab.

Each view carries checks on its own input; what they compare is worked out twice by different code.
"""
from __future__ import annotations

from collections.abc import Callable

import numpy as np

from backends import images
from backends.deform import judge, small
from backends.deform.fit import fit
from backends.deform.mine import Given, own
from backends.deform.params import DeformParams
from backends.deform.photo import photo
from backends.deform.probe import conventions
from backends.deform.results import Inside, Score, Twins
from backends.deform.small import KINDS
from backends.deform.stack import held_out, stack
from backends.deform.taps import taps
from backends.result import Check, Work, check

EVERY = 5                      # pictures between two results of the comparison


def _sampled(params: DeformParams, image: np.ndarray | None) -> np.ndarray:
    return images.sample(params.picture) if image is None else image


def _taps(params: DeformParams, image: np.ndarray | None = None) -> Work:
    yield taps(params, _sampled(params, image))


def _own(params: DeformParams, image: np.ndarray | None = None, mine: Given | None = None) -> Work:
    yield own(params, _sampled(params, image), mine)


def _photo(params: DeformParams, image: np.ndarray | None = None) -> Work:
    yield photo(params, _sampled(params, image))


def _stack(params: DeformParams, image: np.ndarray | None = None) -> Work:
    yield stack(params, _sampled(params, image))


def _conventions(params: DeformParams, image: np.ndarray | None = None) -> Work:
    yield conventions()


def _fit(params: DeformParams, image: np.ndarray | None = None) -> Work:
    yield from fit(params)


def _twins(params: DeformParams, image: np.ndarray | None = None) -> Work:
    """Both networks on the first held-out pictures of each deformation; those without a thing are skipped."""
    models = {kind: small.load(kind) for kind in KINDS}
    rng = np.random.default_rng(params.seed)
    right: dict[tuple[str, str], list[float]] = {(kind, bend): [] for bend in ("mild", "strong") for kind in KINDS}
    shares: dict[str, list[judge.Share]] = {"mild": [], "strong": []}
    for index in range(params.samples):
        for bend in shares:
            scene = held_out(bend, index)
            if scene.ids.any():
                for kind, model in models.items():
                    right[kind, bend].append(judge.accuracy(model, scene)[0])
                shares[bend].append(judge.share(models["deformable"], scene, rng))
        done = index + 1 == params.samples
        if done or index % EVERY == EVERY - 1:
            yield _compared(params.samples, right, shares), "", _equal() if done else None


def _compared(plan: int, right: dict[tuple[str, str], list[float]], shares: dict[str, list[judge.Share]]) -> Twins:
    scores = tuple(Score(kind, bend, tuple(values)) for (kind, bend), values in right.items())
    kept = ("grid", "wide", "points", "weighted")
    inside = (Inside(bend, *(tuple(getattr(s, name) for s in found) for name in kept))
              for bend, found in shares.items())
    return Twins(plan, scores, tuple(inside), tuple(map(small.parameters, KINDS)))


def _equal() -> tuple[Check, ...]:
    """Both networks must have as many parameters, to 5 %."""
    deformable, plain = map(small.parameters, KINDS)
    gap = abs(deformable / plain - 1)
    return (check("size", gap, 0.05, f"{deformable} parameters against {plain} of the plain twin"),)


VIEWS: dict[str, Callable[..., Work]] = {
    "taps": _taps, "own": _own, "photo": _photo, "stack": _stack, "twins": _twins, "fit": _fit,
    "conventions": _conventions}
