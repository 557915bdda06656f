"""A block of rope_parameters (transformers 5; `rope_scaling` before): which types there are, what each reads, and the
factors that it puts on cos and sin and on the softmax scale.  `frequencies.from_block` has its frequencies.

No torch, so that a page can be drawn before torch is loaded.  Held together with `transformers.modeling_rope_utils`
5.18 by tests, type by type.  Not of that file: `mrope` (Qwen-VL: its sections share the pairs among time, height and
width, which are the same position in a text, so it is plain RoPE), `alpha` of dynamic (HunYuan) and `short_mscale`,
`long_mscale` of longrope (Phi-3.5-MoE), from their models' code.  Letters: n tokens, L original length, s factor.
"""
from __future__ import annotations

import math
from typing import Any

from backends.rope.fields import LIMIT, finite, needed, number

PLAIN = ("default", "mrope")
KNOWN = (*PLAIN, "linear", "dynamic", "yarn", "llama3", "longrope", "proportional")
ORIGINAL = "original_max_position_embeddings"
STRETCHED = ("yarn", "llama3", "longrope")      # types that read ORIGINAL
COMMON = ("rope_type", "rope_theta", "partial_rotary_factor", "factor", ORIGINAL, "max_position_embeddings",
          "mrope_section", "mrope_interleaved", "truncate", "short_factor", "long_factor")
READ = {"yarn": {"attention_factor": 1e3, "attn_factor": 1e3, "beta_fast": 1e6, "beta_slow": 1e6, "mscale": 1e3,
                 "mscale_all_dim": 1e3},
        "llama3": {"low_freq_factor": LIMIT, "high_freq_factor": LIMIT}, "dynamic": {"alpha": LIMIT},
        "longrope": {"attention_factor": 1e3, "short_mscale": 1e3, "long_mscale": 1e3}}
"""Numbers that a type reads besides, and the largest that they may be; 0 counts as missing."""
NEEDED = {"linear": ("factor",), "llama3": ("factor", "low_freq_factor", "high_freq_factor")}


def kind_of(block: dict[str, Any]) -> str:
    """The rope_type; "default" when it names none."""
    return block.get("rope_type", "default")


def check(block: dict[str, Any], pairs: int) -> None:
    """Raises ValueError, one sentence, for a type that is not known here and for numbers that no model has."""
    kind = kind_of(block)
    if kind not in KNOWN:
        raise ValueError(f"The rope_type {str(kind)[:40]!r} is not known here.")
    number(block, "factor", 1, 1e6, None)
    number(block, ORIGINAL, 2, LIMIT, None)
    for key, most in READ.get(kind, {}).items():
        number({key: block.get(key) or None}, key, 0, most, None)
    for key in ("factor",) if kind == "dynamic" and not block.get("alpha") else NEEDED.get(kind, ()):
        needed(block, key)
    if kind == "llama3" and block["high_freq_factor"] < block["low_freq_factor"]:
        raise ValueError("high_freq_factor must not be smaller than low_freq_factor in this config.json.")
    if kind == "longrope":
        _listed(block, pairs)


def _listed(block: dict[str, Any], pairs: int) -> None:
    for given in (block.get("short_factor"), block.get("long_factor")):
        if not isinstance(given, list | tuple) or not all(map(finite, given)):
            raise ValueError("A longrope block needs short_factor and long_factor, one number per pair each.")
        if len(given) != pairs or min(given, default=0) <= 0:
            raise ValueError(f"LongRoPE needs {pairs} factors above 0, one per pair.")


def factor_of(block: dict[str, Any], longest: int) -> float:
    """s: its own, else the longest length over the original one."""
    return number(block, "factor", 1, 1e6, max(1.0, longest / original(block, longest)))


def original(block: dict[str, Any], longest: int) -> float:
    """L: its own, else the longest length."""
    return number(block, ORIGINAL, 2, LIMIT, longest)


def attention(block: dict[str, Any], n: int, longest: int) -> float:
    """The factor on cos and sin for n tokens; `longest`: max_position_embeddings."""
    kind, s, given = kind_of(block), factor_of(block, longest), block.get("attention_factor")
    if kind == "longrope":
        first = original(block, longest)
        return block.get("long_mscale" if n > first else "short_mscale") or given or longrope_logit(s, first)
    if kind != "yarn":
        return 1.0
    above, below = block.get("mscale"), block.get("mscale_all_dim")
    return given or (yarn_logit(s, above) / yarn_logit(s, below) if above and below else yarn_logit(s))


def softmax_factor(block: dict[str, Any], longest: int) -> float:
    """By what DeepSeek's attention multiplies its softmax scale besides: (0.1 mscale_all_dim ln s + 1)^2, and 1 where
    the block names no mscale_all_dim (transformers 5.18, yarn_apply_mscale)."""
    strength = block.get("mscale_all_dim") if kind_of(block) == "yarn" else None
    return yarn_logit(factor_of(block, longest), strength) ** 2 if strength else 1.0


def yarn_logit(s: float, strength: float = 1.0) -> float:
    """0.1 `strength` ln s + 1, by which YaRN multiplies cos and sin; so logits get its square (arXiv 2309.00071)."""
    return 0.1 * strength * math.log(max(1.0, s)) + 1.0


def longrope_logit(s: float, trained: float) -> float:
    """sqrt(1 + ln s / ln L), LongRoPE's factor on cos and sin."""
    return math.sqrt(1 + math.log(max(1.0, s)) / math.log(trained))


def over_the_head(block: dict[str, Any], base: float) -> float:
    """The base b^p that over the rotated share p of a head gives the frequencies that b gives over all of it."""
    return base ** number(block, "partial_rotary_factor", 0, 1, 1.0)


def at_rest(block: dict[str, Any]) -> dict[str, Any]:
    """The same block with factor 1, which should change nothing."""
    kind = kind_of(block)
    ones = {key: [1.0] * len(block[key]) for key in ("short_factor", "long_factor") if kind == "longrope"}
    return {**block, "factor": 1.0, **ones} | ({"alpha": 1.0} if kind == "dynamic" and block.get("alpha") else {})
