"""One entry for the Deformable tab: `run(params)` yields growing results of the view that is asked for; the last one is whole.

Each view carries checks on its own input; what they compare is worked out twice by different code.
"""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from backends import images
from backends.deform import judge, small
from backends.deform.fit import fit
from backends.deform.params import DeformParams
from backends.deform.probe import conventions
from backends.deform.results import DeformResult, Inside, Score, Twins
from backends.deform.small import KINDS
from backends.deform.stack import held_out, stack
from backends.deform.taps import taps
from backends.shapes import Check

Shown = tuple[Any, str, tuple[Check, ...] | None]
EVERY = 5                      # pictures between two results of the comparison


def run(params: DeformParams, image: np.ndarray | None = None) -> Iterator[DeformResult]:
    """Results of `params.view`, each more complete than the one before; `image`: uint8 (H, W, 3) in place of the sample that is named.
    Raises ValueError, one sentence."""
    began = time.perf_counter()
    image = images.sample(params.picture) if image is None and params.view in ("taps", "stack") else image
    for body, said, checks in VIEWS[params.view](params, image):
        yield DeformResult(params.view, body, checks is not None, said, time.perf_counter() - began, checks or ())


def _taps(params: DeformParams, image: np.ndarray) -> Iterator[Shown]:
    yield taps(params, image)


def _stack(params: DeformParams, image: np.ndarray) -> Iterator[Shown]:
    yield stack(params, image)


def _conventions(params: DeformParams, image: np.ndarray) -> Iterator[Shown]:
    yield conventions()


def _fit(params: DeformParams, image: np.ndarray) -> Iterator[Shown]:
    yield from fit(params)


def _twins(params: DeformParams, image: np.ndarray) -> Iterator[Shown]:
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
    inside = (Inside(bend, *(tuple(getattr(s, name) for s in found) for name in kept)) for bend, found in shares.items())
    return Twins(plan, scores, tuple(inside), tuple(map(small.parameters, KINDS)))


def _equal() -> tuple[Check, ...]:
    """Both networks must have as many parameters, to 5 %."""
    deformable, plain = map(small.parameters, KINDS)
    gap = abs(deformable / plain - 1)
    return (Check("size", gap, 0.05, gap <= 0.05, f"{deformable} parameters against {plain} of the plain twin"),)


VIEWS: dict[str, Callable[[DeformParams, np.ndarray], Iterator[Shown]]] = {
    "taps": _taps, "stack": _stack, "twins": _twins, "fit": _fit, "conventions": _conventions}
