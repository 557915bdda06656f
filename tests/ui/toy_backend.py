"""A small mechanism for tests of the frame: a sum of odd harmonics with damping. Pure numpy, no page code."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from backends.shapes import Check


@dataclass(frozen=True)
class WaveParams:
    """terms: harmonics; damping: per harmonic; shape: base wave; note: any text; flip: sign; gains: two factors."""

    terms: int = field(default=3, metadata={"range": (0, 12), "step": 1, "help": "how many harmonics are summed"})
    damping: float = field(default=0.5, metadata={"range": (0.0, 2.0), "step": 0.05})
    shape: Literal["sine", "cosine"] = field(default="sine", metadata={"label": "Base wave"})
    note: str = field(default="hello", metadata={"max_length": 200, "help": "shown in the table"})
    flip: bool = False
    gains: tuple[float, float] = (1.0, 1.0)
    seed: int = field(default=1, metadata={"range": (0, 99)})
    pause: float = field(default=0.0, metadata={"range": (0.0, 0.5), "help": "seconds between two steps of a long run"})

    def __post_init__(self) -> None:
        if self.terms == 7 and self.flip:
            raise ValueError("Seven harmonics cannot be flipped.")


@dataclass(frozen=True)
class WaveResult:
    """x, y: (64,) samples of one period; energy: mean of y squared; note: the text; checks: live invariants."""

    x: np.ndarray
    y: np.ndarray
    energy: float
    note: str
    checks: tuple[Check, ...]


def run(params: WaveParams) -> WaveResult:
    """The damped sum of ``params.terms`` harmonics."""
    return _wave(params, params.terms)


def grow(params: WaveParams) -> Iterator[WaveResult]:
    """The same sum, one harmonic after the other."""
    for terms in range(params.terms + 1):
        time.sleep(params.pause)
        yield _wave(params, terms)


def _wave(params: WaveParams, terms: int) -> WaveResult:
    x = np.linspace(0.0, 2.0 * np.pi, 64, endpoint=False)
    wave = np.sin if params.shape == "sine" else np.cos
    odd = 2 * np.arange(terms) + 1
    y = (np.exp(-params.damping * np.arange(terms))[:, None] * wave(odd[:, None] * x)).sum(0)
    y = y * params.gains[0] * params.gains[1] * (-1.0 if params.flip else 1.0)
    y = y + 1e-3 * np.random.default_rng(params.seed).standard_normal(64)
    mean = abs(float(y.mean()))
    check = Check("mean is zero", mean, 1e-3, mean < 1e-3, "every harmonic has zero mean")
    return WaveResult(x, y, float((y * y).mean()), params.note, (check,))
