"""The frequencies theta_i, in radians per token, after each method that changes them: tensors (d/2,), float32, on
the host.

Letters: d head dimension, b base, L trained length, s scale, r_i = theta_i L / 2 pi the turns that pair i makes within
L.  Everything is worked out in float64 and rounded once; s = 1 gives the frequencies back bit by bit.  Held together
with `transformers.modeling_rope_utils` 5.18 by tests: linear, dynamic, yarn, llama3 and longrope.
"""
from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from backends.drawn import hosted
from backends.lm import rotary
from backends.rope import blocks
from backends.rope.params import BASE


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


def from_block(block: dict[str, Any], d: int, n: int, longest: int) -> tuple[Tensor, float]:
    """(theta (d/2,) in radians per token, factor on cos and sin) that a block of rope_parameters gives to d rotated
    channels for n tokens; `longest`: max_position_embeddings.

    `proportional` has exponents over the whole head, d / partial_rotary_factor channels.  Raises ValueError for a type
    that is not known here and for missing numbers."""
    blocks.check(block, d // 2)
    base = float(block.get("rope_theta") or BASE)
    change = FROM_BLOCK.get(blocks.kind_of(block))
    theta = change(block, d, base, n, longest) if change else rotary.frequencies(d, base)
    return theta, blocks.attention(block, n, longest)


def _from_linear(block: dict[str, Any], d: int, base: float, n: int, longest: int) -> Tensor:
    return rotary.frequencies(d, base) / block["factor"]


def _from_proportional(block: dict[str, Any], d: int, base: float, n: int, longest: int) -> Tensor:
    return rotary.frequencies(d, blocks.over_the_head(block, base)) / (block.get("factor") or 1.0)


def _from_dynamic(block: dict[str, Any], d: int, base: float, n: int, longest: int) -> Tensor:
    alpha = block.get("alpha")
    return ntk(d, base, alpha) if alpha else rotary.frequencies(d, dynamic_base(d, base, block["factor"], n, longest))


def _from_yarn(block: dict[str, Any], d: int, base: float, n: int, longest: int) -> Tensor:
    fast, slow = block.get("beta_fast") or 32.0, block.get("beta_slow") or 1.0
    return yarn(d, base, blocks.original(block, longest), blocks.factor_of(block, longest), fast, slow,
                block.get("truncate", True) is not False)


def _from_llama3(block: dict[str, Any], d: int, base: float, n: int, longest: int) -> Tensor:
    low, first = block["low_freq_factor"], blocks.original(block, longest)
    high = max(block["high_freq_factor"], low * (1 + 1e-9))     # Llama 4 has both at 1: a step
    return by_parts(rotary.frequencies(d, base), first, block["factor"], high, low)


def _from_longrope(block: dict[str, Any], d: int, base: float, n: int, longest: int) -> Tensor:
    key = "long_factor" if n > blocks.original(block, longest) else "short_factor"
    return longrope(rotary.frequencies(d, base), tuple(block[key]))


FROM_BLOCK = {"linear": _from_linear, "proportional": _from_proportional, "dynamic": _from_dynamic,
              "yarn": _from_yarn, "llama3": _from_llama3, "longrope": _from_longrope}


def _rounded(theta: Tensor) -> Tensor:
    return theta.float()
