"""The frequencies theta_i, in radians per token, after each method that changes them: tensors (d/2,), float32, on
the host.

Letters: d head dimension, b base, L trained length, s scale, r_i = theta_i L / 2 pi the turns that pair i makes within
L.  Everything is worked out in float64 and rounded once; s = 1 gives the frequencies back bit by bit.  Held together
with `transformers.modeling_rope_utils` 5.18 by tests: linear, dynamic, yarn, llama3 and longrope.
"""
from __future__ import annotations

import math

import torch
from torch import Tensor

from backends.drawn import hosted
from backends.lm import rotary


def turns(theta: Tensor, trained: float) -> Tensor:
    """r_i, how often each pair goes round within the trained length: (p,) -> (p,), float64."""
    return theta.double() * trained / (2 * math.pi)


def ntk(d: int, base: float, s: float) -> Tensor:
    """Base b s^(d/(d-2)): the fastest pair stays, the slowest becomes theta / s (kexue.fm/archives/9675).  ValueError
    for d = 2."""
    return rotary.frequencies(d, ntk_base(d, base, s))


def ntk_base(d: int, base: float, s: float) -> float:
    """b s^(d/(d-2)).  Raises ValueError for d = 2, whose only pair is both the fastest and the slowest."""
    if d == 2:
        raise ValueError("NTK-aware scaling needs a head dimension above 2: a single pair cannot be both untouched and "
                         "divided by s.")
    return base * s ** (d / (d - 2))


def dynamic_base(d: int, base: float, factor: float, n: float, trained: float) -> float:
    """The base of Dynamic NTK at length n: b (f n'/L - (f - 1))^(d/(d-2)) with n' = max(n, L)."""
    return ntk_base(d, base, factor * max(n, trained) / trained - (factor - 1))


@hosted
def mixed(theta: Tensor, s: float, c: float) -> Tensor:
    """theta_m / exp(a m^c), m = 1 .. d/2, a (d/2)^c = ln s (kexue.fm/archives/9706): c = 0 divides all by s, c = 1 is
    NTK-fixed."""
    m = torch.arange(1, len(theta) + 1, dtype=torch.float64)
    return _rounded(theta.double() / (math.log(s) * (m / len(theta)) ** c).exp())


def by_parts(theta: Tensor, trained: float, s: float, high: float, low: float = 1.0) -> Tensor:
    """theta (g + (1 - g) / s), g = clip((r - low) / (high - low), 0, 1): NTK-by-parts (arXiv 2309.00071).

    Llama 3 uses it with low = 1, high = 4 (transformers: low_freq_factor, high_freq_factor)."""
    kept = ((turns(theta, trained) - low) / (high - low)).clamp(0, 1)
    return _rounded(theta.double() * (kept + (1 - kept) / s))


@hosted
def yarn(d: int, base: float, trained: float, s: float, fast: float = 32.0, slow: float = 1.0,
         truncate: bool = True) -> Tensor:
    """YaRN as transformers has it: the share that stays falls linearly in the pair's index i, from where a pair makes
    `fast` turns to where it makes `slow`, both ends rounded outwards (`truncate`)."""
    low, high = (d * math.log(trained / (2 * math.pi * r)) / (2 * math.log(base)) for r in (fast, slow))
    if truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, d - 1)
    ramp = ((torch.arange(d // 2, dtype=torch.float64) - low) / ((high - low) or 0.001)).clamp(0, 1)
    return _rounded(rotary.frequencies(d, base).double() * (1 - ramp + ramp / s))


@hosted
def longrope(theta: Tensor, factors: tuple[float, ...]) -> Tensor:
    """theta_i / factor_i: LongRoPE's rescaling, whose factors were searched for (arXiv 2402.13753).  ValueError unless
    one per pair."""
    if len(factors) != len(theta) or not all(f > 0 and math.isfinite(f) for f in factors):
        raise ValueError(f"LongRoPE needs {len(theta)} factors above 0, one per pair.")
    return _rounded(theta.double() / torch.tensor(factors, dtype=torch.float64))


def yarn_logit(s: float, strength: float = 1.0) -> float:
    """0.1 `strength` ln s + 1, by which YaRN multiplies cos and sin; so logits get its square (arXiv 2309.00071)."""
    return 0.1 * strength * math.log(max(1.0, s)) + 1.0


def longrope_logit(s: float, trained: float) -> float:
    """sqrt(1 + ln s / ln L), LongRoPE's factor on cos and sin."""
    return math.sqrt(1 + math.log(max(1.0, s)) / math.log(trained))


def _rounded(theta: Tensor) -> Tensor:
    return theta.float()
