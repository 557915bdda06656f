"""What a Hugging Face `config.json` says about RoPE: head dimension, base, trained and target length, in old and new
spelling.

New (transformers 5): everything in `rope_parameters`; old: `rope_theta` beside `rope_scaling`, whose type may be called
`type`.  Nested configs are entered at `text_config`, parameters per layer type at `full_attention`.
"""
from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from backends.lm import rotary
from backends.rope import frequencies
from backends.rope.params import BASE, check_model

KNOWN = ("default", "linear", "dynamic", "yarn", "llama3", "longrope")
MAX_CONFIG = 1 << 20
LIMIT = 2**31


@dataclass(frozen=True)
class Model:
    """A model with RoPE.  `head_dim`: rotated channels per head; `partial`: their share of the head; `trained`,
    `target`: tokens it was trained on and shall read; `block`: its own rope_parameters; `notice`: what was assumed or
    left out, or ""."""

    head_dim: int
    base: float
    trained: int
    target: int
    partial: float
    block: dict[str, Any]
    notice: str


def read_config(source: Path | str) -> Model:
    """The model of a `config.json`: a Path is opened, a str is the text itself.  Raises ValueError, one sentence."""
    notices: list[str] = []
    config = _entered(_parsed(source), "text_config", notices)
    block = _block(config, notices)
    merged = {**config, **block}
    whole = _head(config)
    partial = _number(merged, "partial_rotary_factor", 0, 1, 1.0)
    if merged.get("rope_theta") is None:
        notices.append(f"It names no rope_theta, so the usual {BASE:g} is taken.")
    base = _number(merged, "rope_theta", 1, 1e12, BASE)
    trained, target = _lengths(config, block, notices)
    rotated = int(whole * partial)
    check_model(rotated, base, trained, target)
    notices.append(_own({"rope_theta": base, "original_max_position_embeddings": trained, **block}, rotated,
                        trained, target))
    return Model(rotated, base, trained, target, partial, block, " ".join(filter(None, notices)))


def _own(block: dict[str, Any], d: int, trained: int, target: int) -> str:
    """What the model's own block does to its pairs, in a sentence; "" for plain RoPE.  Raises ValueError when it lacks
    a number."""
    kind = block.get("rope_type", "default")
    if kind == "default":
        return ""
    if kind not in KNOWN:
        return f"Its own rope_type {kind!r} is not known here and is left out."
    theta, _ = from_block(block, d, target, trained if kind == "dynamic" else target)
    slowed = int((theta < rotary.frequencies(d, block["rope_theta"]) * (1 - 1e-6)).sum())
    return (f"Its own rope_type {kind} slows {slowed} of {d // 2} pairs at {target} tokens; the methods here start "
            "from its plain RoPE.")


def from_block(block: dict[str, Any], d: int, n: int, longest: int) -> tuple[Tensor, float]:
    """(theta (d/2,) in radians per token, factor on cos and sin) of a rope_parameters block for n tokens; `longest`:
    the model's max_position_embeddings.  Raises ValueError for a type that is not known here and for missing
    numbers."""
    kind, base = block.get("rope_type", "default"), _number(block, "rope_theta", 1, 1e12, BASE)
    theta = rotary.frequencies(d, base)
    if kind == "default":
        return theta, 1.0
    if kind == "linear":
        return theta / _need(block, "factor"), 1.0
    if kind == "dynamic":
        return rotary.frequencies(d, frequencies.dynamic_base(d, base, _need(block, "factor"), n, longest)), 1.0
    if kind in ("yarn", "llama3", "longrope"):
        first = _need(block, "original_max_position_embeddings")
        return {"yarn": _yarn, "llama3": _llama3, "longrope": _longrope}[kind](block, theta, base, first, longest, n)
    raise ValueError(f"The rope_type {str(kind)[:40]!r} is not known here.")


def _yarn(block: dict[str, Any], theta: Tensor, base: float, first: float, longest: int,
          n: int) -> tuple[Tensor, float]:
    s = _number(block, "factor", 1, 1e6, longest / first)
    fast, slow = _number(block, "beta_fast", 0, 1e6, 32.0), _number(block, "beta_slow", 0, 1e6, 1.0)
    changed = frequencies.yarn(2 * len(theta), base, first, s, fast, slow, block.get("truncate", True) is not False)
    above, below = (_number(block, key, 0, 1e3, None) for key in ("mscale", "mscale_all_dim"))
    both = (frequencies.yarn_logit(s, above) / frequencies.yarn_logit(s, below) if above and below
            else frequencies.yarn_logit(s))
    return changed, _number(block, "attention_factor", 0, 1e3, both)


def _llama3(block: dict[str, Any], theta: Tensor, base: float, first: float, longest: int,
            n: int) -> tuple[Tensor, float]:
    low, high = _need(block, "low_freq_factor"), _need(block, "high_freq_factor")
    if high <= low:
        raise ValueError("high_freq_factor must be larger than low_freq_factor in this config.json.")
    return frequencies.by_parts(theta, first, _need(block, "factor"), high, low), 1.0


def _longrope(block: dict[str, Any], theta: Tensor, base: float, first: float, longest: int,
              n: int) -> tuple[Tensor, float]:
    given = block.get("long_factor" if n > first else "short_factor")
    if not isinstance(given, list | tuple) or not all(_finite(f) for f in given):
        raise ValueError("A longrope block needs short_factor and long_factor, one number per pair each.")
    s = _number(block, "factor", 1, 1e6, longest / first)
    return frequencies.longrope(theta, tuple(given)), _number(block, "attention_factor", 0, 1e3,
                                                              frequencies.longrope_logit(s, first))


def _need(block: dict[str, Any], key: str) -> float:
    value = _number(block, key, 0, LIMIT, None)
    if value is None:
        raise ValueError(f"The rope_parameters of type {block.get('rope_type')} need {key}.")
    return value


def _parsed(source: Path | str) -> dict[str, Any]:
    if isinstance(source, Path):
        with source.open("rb") as file:
            text = file.read(MAX_CONFIG + 1).decode("utf-8-sig", "replace")
    else:
        text = source.removeprefix("\ufeff")
    if len(text) > MAX_CONFIG:
        raise ValueError(f"A config.json is smaller than {MAX_CONFIG >> 20} MB; this is something else.")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("This is not a config.json: it cannot be read as JSON.") from None
    if not isinstance(found, dict):
        raise ValueError("This is not a config.json: it should be one JSON object.")
    return found


def _entered(config: dict[str, Any], key: str, notices: list[str]) -> dict[str, Any]:
    inner = config.get(key)
    if not isinstance(inner, dict):
        return config
    notices.append(f"What stands in {key} is read.")
    return inner


def _block(config: dict[str, Any], notices: list[str]) -> dict[str, Any]:
    """The rope_parameters, flat and in new spelling; {} if there are none."""
    found = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(found, dict):
        raise ValueError("The rope_parameters of this config.json should be a JSON object.")
    found = _entered(found, "full_attention", notices)
    kind = found.get("rope_type", found.get("type", "default"))
    if not isinstance(kind, str) or len(kind) > 40:
        raise ValueError("The rope_type of this config.json should be a short text.")
    return {"rope_type": kind, **{k: v for k, v in found.items() if k not in ("type", "rope_type")}} if found else {}


def _head(config: dict[str, Any]) -> int:
    """Channels per head."""
    for key in ("qk_rope_head_dim", "head_dim"):
        given = _number(config, key, 1, 1e5, None)
        if given is not None:
            return _whole(key, given)
    width, heads = (_number(config, key, 1, 1e7, None) for key in ("hidden_size", "num_attention_heads"))
    if width is None or heads is None:
        raise ValueError("This config.json has neither head_dim nor both hidden_size and num_attention_heads.")
    width, heads = _whole("hidden_size", width), _whole("num_attention_heads", heads)
    if width % heads:
        raise ValueError(f"The hidden_size {width} of this config.json is no multiple of its {heads} "
                         "num_attention_heads.")
    return width // heads


def _lengths(config: dict[str, Any], block: dict[str, Any], notices: list[str]) -> tuple[int, int]:
    """(trained, target): what the model was first trained on, and what it is meant to read."""
    longest = _number(config, "max_position_embeddings", 2, LIMIT, None)
    first = _number({**config, **block}, "original_max_position_embeddings", 2, LIMIT, None)
    factor = _number(block, "factor", 1, 1e6, 1.0)
    if longest is None and first is None:
        raise ValueError("This config.json names no max_position_embeddings, so its trained length is unknown.")
    if first is None:
        notices.append("max_position_embeddings is taken as the trained length.")
        trained = _whole("max_position_embeddings", longest)
        return trained, min(LIMIT, math.ceil(trained * factor))
    trained = _whole("original_max_position_embeddings", first)
    return trained, max(trained, _whole("max_position_embeddings", longest) if longest
                        else min(LIMIT, math.ceil(trained * factor)))


def _number(found: dict[str, Any], key: str, low: float, high: float, default: float | None) -> float | None:
    """A finite number above `low` (from it, if that is 1 or more) and up to `high`; `default` when missing or null."""
    value = found.get(key)
    if value is None:
        return default
    if not _finite(value):
        raise ValueError(f"{key} should be a number in this config.json, not {str(value)[:40]!r}.")
    if not (low <= value <= high and value > 0):
        raise ValueError(f"{key} is {value:g} in this config.json, which no model has.")
    return value


def _finite(value: Any) -> bool:
    """Whether it is a number that a float can hold; JSON's whole numbers may be longer."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max


def _whole(key: str, value: float) -> int:
    if value != int(value):
        raise ValueError(f"{key} should be a whole number in this config.json, not {value:g}.")
    return int(value)
