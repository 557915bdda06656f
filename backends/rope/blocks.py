"""What a block of rope_parameters (transformers 5; `rope_scaling` before) does to the pairs: frequencies, and the
factor on cos and sin.

Held together with `transformers.modeling_rope_utils` 5.18 by tests, type by type.  Not of that file: `mrope` (Qwen-VL:
its sections share the pairs among time, height and width, which are the same position in a text, so it is plain RoPE),
`alpha` of dynamic (HunYuan) and `short_mscale`, `long_mscale` of longrope (Phi-3.5-MoE), from their models' code.
Letters: d rotated channels, n tokens, L original length, s factor.
"""
from __future__ import annotations

from typing import Any

from torch import Tensor

from backends.lm import rotary
from backends.rope import frequencies
from backends.rope.fields import LIMIT, finite, needed, number
from backends.rope.params import BASE

PLAIN = ("default", "mrope")
KNOWN = (*PLAIN, "linear", "dynamic", "yarn", "llama3", "longrope", "proportional")
ORIGINAL = ("yarn", "llama3", "longrope")       # types that read original_max_position_embeddings
COMMON = ("rope_type", "rope_theta", "partial_rotary_factor", "factor", "original_max_position_embeddings",
          "max_position_embeddings", "mrope_section", "mrope_interleaved")
READ = {"yarn": ("attention_factor", "attn_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate"),
        "llama3": ("low_freq_factor", "high_freq_factor"), "dynamic": ("alpha",),
        "longrope": ("attention_factor", "short_factor", "long_factor", "short_mscale", "long_mscale")}


def kind_of(block: dict[str, Any]) -> str:
    """The rope_type; "default" when it names none."""
    return block.get("rope_type", "default")


def from_block(block: dict[str, Any], d: int, n: int, longest: int) -> tuple[Tensor, float]:
    """(theta (d/2,) in radians per token, factor on cos and sin) for n tokens; `longest`: max_position_embeddings.

    `proportional` has exponents over the whole head, d / partial_rotary_factor channels.  Raises ValueError for a type
    that is not known here and for missing numbers."""
    kind, base = kind_of(block), number(block, "rope_theta", 1, 1e12, BASE)
    theta = rotary.frequencies(d, base)
    if kind in PLAIN:
        return theta, 1.0
    if kind == "linear":
        return theta / needed(block, "factor"), 1.0
    if kind == "proportional":
        return rotary.frequencies(d, over_the_head(block, base)) / number(block, "factor", 0, 1e6, 1.0), 1.0
    if kind == "dynamic":
        return rotary.frequencies(d, _dynamic(block, d, base, n, longest)), 1.0
    if kind in ORIGINAL:
        first = number(block, "original_max_position_embeddings", 2, LIMIT, longest)
        return {"yarn": _yarn, "llama3": _llama3, "longrope": _longrope}[kind](block, theta, base, first, longest, n)
    raise ValueError(f"The rope_type {str(kind)[:40]!r} is not known here.")


def over_the_head(block: dict[str, Any], base: float) -> float:
    """The base b^p that over the rotated share p of a head gives the frequencies that b gives over all of it."""
    return base ** number(block, "partial_rotary_factor", 0, 1, 1.0)


def _dynamic(block: dict[str, Any], d: int, base: float, n: int, longest: int) -> float:
    alpha = number(block, "alpha", 0, LIMIT, None)
    if alpha is not None:
        return frequencies.ntk_base(d, base, alpha)
    return frequencies.dynamic_base(d, base, needed(block, "factor"), n, longest)


def _yarn(block: dict[str, Any], theta: Tensor, base: float, first: float, longest: int,
          n: int) -> tuple[Tensor, float]:
    s = number(block, "factor", 1, 1e6, longest / first)
    fast, slow = number(block, "beta_fast", 0, 1e6, 32.0), number(block, "beta_slow", 0, 1e6, 1.0)
    changed = frequencies.yarn(2 * len(theta), base, first, s, fast, slow, block.get("truncate", True) is not False)
    above, below = (number(block, key, 0, 1e3, None) for key in ("mscale", "mscale_all_dim"))
    both = (frequencies.yarn_logit(s, above) / frequencies.yarn_logit(s, below) if above and below
            else frequencies.yarn_logit(s))
    return changed, number(block, "attention_factor", 0, 1e3, both)


def _llama3(block: dict[str, Any], theta: Tensor, base: float, first: float, longest: int,
            n: int) -> tuple[Tensor, float]:
    low, high = needed(block, "low_freq_factor"), needed(block, "high_freq_factor")
    if high < low:
        raise ValueError("high_freq_factor must not be smaller than low_freq_factor in this config.json.")
    # Llama 4 has both at 1: a step
    return frequencies.by_parts(theta, first, needed(block, "factor"), max(high, low * (1 + 1e-9)), low), 1.0


def _longrope(block: dict[str, Any], theta: Tensor, base: float, first: float, longest: int,
              n: int) -> tuple[Tensor, float]:
    given = block.get("long_factor" if n > first else "short_factor")
    if not isinstance(given, list | tuple) or not all(finite(f) for f in given):
        raise ValueError("A longrope block needs short_factor and long_factor, one number per pair each.")
    s = number(block, "factor", 1, 1e6, longest / first)
    factor = number(block, "attention_factor", 0, 1e3, frequencies.longrope_logit(s, first))
    return frequencies.longrope(theta, tuple(given)), number(block, "long_mscale" if n > first else "short_mscale", 0,
                                                             1e3, factor)


def softmax_factor(block: dict[str, Any], longest: int) -> float:
    """By what DeepSeek's attention multiplies its softmax scale besides: (0.1 mscale_all_dim ln s + 1)^2, and 1 where
    the block names no mscale_all_dim (transformers 5.18, yarn_apply_mscale)."""
    strength = number(block, "mscale_all_dim", 0, 1e3, None)
    if kind_of(block) != "yarn" or not strength:
        return 1.0
    return frequencies.yarn_logit(factor_of(block, longest), strength) ** 2


def factor_of(block: dict[str, Any], longest: int) -> float:
    """s: its own, else the longest length over the original one."""
    first = number(block, "original_max_position_embeddings", 2, LIMIT, longest)
    return number(block, "factor", 1, 1e6, max(1.0, longest / first))


def at_rest(block: dict[str, Any]) -> dict[str, Any]:
    """The same block with factor 1, which should change nothing."""
    ones = {key: [1.0] * len(block[key]) for key in ("short_factor", "long_factor") if key in block}
    return {**block, "factor": 1.0, **ones} | ({"alpha": 1.0} if "alpha" in block else {})
