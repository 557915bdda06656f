"""The spellings of a Hugging Face `config.json`: which part of it is read, under which names, and what transformers
takes where nothing is named.
"""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from backends.rope.families import DEFAULTS

MAX_CONFIG = 1 << 20
INNER = ("thinker_config", "text_config", "llm_config", "language_config")
FULL, SLIDING = "full_attention", "sliding_attention"
SPELLINGS = {"hidden_size": ("n_embd", "d_model"), "num_attention_heads": ("n_head", "n_heads"),
             "num_hidden_layers": ("n_layer", "n_layers"),
             "max_position_embeddings": ("n_positions", "max_seq_len", "max_sequence_length", "seq_length"),
             "original_max_position_embeddings": ("initial_context_length",),
             "rope_theta": ("rotary_emb_base", "global_rope_theta"),
             "rope_local_base_freq": ("local_rope_theta", "swa_rope_theta"),
             "partial_rotary_factor": ("rotary_pct", "rope_pct", "rotary_emb_fraction")}
RULES = ("max_position_embeddings", "original_max_position_embeddings", "rope_theta", "rope_local_base_freq",
         "partial_rotary_factor")
SHOWN = ("rope_parameters", "rope_scaling", "rotary_dim", "no_rope_layers", "no_rope_layer_interval",
         *(name for key in RULES for name in (key, *SPELLINGS.get(key, ()))))
"""Keys of a file that are the rule; SHAPE are the others that it cannot be read without."""
SHAPE = ("model_type", "head_dim", "global_head_dim", "qk_rope_head_dim", "sliding_window", "use_sliding_window",
         "layer_types", *(name for key in ("hidden_size", "num_attention_heads", "num_hidden_layers")
                          for name in (key, *SPELLINGS[key])))


def parsed(source: Path | str) -> dict[str, Any]:
    """The JSON object of a file or text.  Raises ValueError, one sentence."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            text = file.read(MAX_CONFIG + 1).decode("utf-8-sig", "replace")
    else:
        text = source.removeprefix("\ufeff")
    if len(text) > MAX_CONFIG:
        raise ValueError(f"A config.json is smaller than {MAX_CONFIG >> 20} MB; this is something else.")
    try:
        found = json.loads(text, parse_constant=_endless)
    except (ValueError, RecursionError):
        raise ValueError("This is not a config.json: it cannot be read as JSON.") from None
    if not isinstance(found, dict):
        raise ValueError("This is not a config.json: it should be one JSON object.")
    return found


def _endless(name: str) -> float:
    raise ValueError(name)


def entered(config: dict[str, Any], notices: list[str]) -> dict[str, Any]:
    """The language model's own part of a config.json."""
    for key in INNER:
        inner = config.get(key)
        if isinstance(inner, dict):
            notices.append(f"What stands in {key} is read.")
            kind = config.get("model_type")
            config = ({"model_type": f"{kind}_text"} if isinstance(kind, str) else {}) | inner
    return config


def spelled(config: dict[str, Any]) -> dict[str, Any]:
    """The same under the names of today, without what is null."""
    found = {key: value for key, value in config.items() if value is not None}
    for key, others in SPELLINGS.items():
        known = [found[name] for name in (key, *others) if name in found]
        found |= {key: known[0]} if known else {}
    return found


def completed(config: dict[str, Any], notices: list[str]) -> dict[str, Any]:
    """The same with what transformers takes for the family where nothing is named."""
    family = config.get("model_type") if isinstance(config.get("model_type"), str) else ""
    left = {key: value for key, value in DEFAULTS.get(family, {}).items() if not _named(config, key)}
    if left:
        named = ", ".join(f"{key} {value:.12g}" for key, value in left.items())
        notices.append(f"Not named, and taken as transformers does for {family}: {named}.")
    place = config.get("position_embedding_type", "rope")
    if place not in ("rope", "rotary"):
        notices.append(f"Its position_embedding_type is {str(place)[:40]!r}, which may be no rotation.")
    return config | left


def _named(config: dict[str, Any], key: str) -> bool:
    """Whether the file says this, under any name or in any block."""
    block, instead = block_of(config), {"partial_rotary_factor": "rotary_dim", "head_dim": "qk_rope_head_dim",
                                        "no_rope_layer_interval": "no_rope_layers"}
    local = key == "rope_local_base_freq" and "rope_theta" in nested(block).get(SLIDING, {})
    parts = (config, block, *nested(block).values())
    return local or bool(config.get(instead.get(key, ""))) or any(part.get(key) is not None for part in parts)


def block_of(config: dict[str, Any]) -> dict[str, Any]:
    """The rope_scaling or rope_parameters as they stand in the file; {} if there are none."""
    found = config.get("rope_scaling") or config.get("rope_parameters") or {}
    if not isinstance(found, dict):
        raise ValueError("The rope_parameters of this config.json should be a JSON object.")
    return found


def nested(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Blocks by layer type, the full-attention layers first; {} for a flat block."""
    if "rope_type" in found or "type" in found:
        return {}
    some = sorted((key != FULL, key) for key, value in found.items() if isinstance(value, dict))
    return {key.encode("ascii", "replace").decode()[:40]: found[key] for _, key in some}


def main_block(config: dict[str, Any]) -> dict[str, Any]:
    """The block of all or of the full-attention layers, as it stands in the file."""
    found = block_of(config)
    return next(iter(nested(found).values()), found)


def type_of(block: dict[str, Any]) -> str:
    """The rope_type that a block names, "default" if none."""
    kind = block.get("rope_type") or block.get("type") or "default"
    if not isinstance(kind, str) or len(kind) > 40:
        raise ValueError("The rope_type of this config.json should be a short text.")
    return kind


def kept(config: dict[str, Any]) -> dict[str, Any]:
    """What a file says of its own rule, as it stands there.  Raises ValueError for what no figure can show."""
    found = {key: config[key] for key in (*SHAPE, *SHOWN) if config.get(key) is not None}
    if not _shallow(found, 4):
        raise ValueError("The rope_parameters of this config.json are nested too deeply.")
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("This is not a config.json: it cannot be read as JSON.") from None
    return found


def _shallow(value: Any, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    return depth > 0 and all(_shallow(one, depth - 1) for one in (value.values() if isinstance(value, dict) else value))
