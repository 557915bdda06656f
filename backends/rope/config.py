"""What a Hugging Face `config.json` says about RoPE: rotated channels, base, trained and target length, and the model's
own rule, layer type by layer type, in old and new spelling.

New (transformers 5): everything in `rope_parameters`, by layer type where layers differ; old: `rope_theta` beside
`rope_scaling`, whose type may be called `type`.  Nested configs are entered (`text_config`, ..).  What a file leaves
open is filled as transformers fills it (`families`) or as the sentence in `notice` says; `described` words the rule.
"""
from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from backends.rope import blocks, spelling
from backends.rope.blocks import ORIGINAL
from backends.rope.families import NOPE_FULL, PLAIN_SLIDING, SCALED
from backends.rope.fields import LIMIT, number, whole
from backends.rope.params import BASE, MAX_OWN, check_model
from backends.rope.spelling import FULL, SLIDING


@dataclass(frozen=True)
class Rule:
    """What some layers do to their pairs.  `layers`: their type, "" for all; `block`: their rope_parameters, flat and
    in new spelling, {"rope_type": "default", ..} for plain RoPE; `head_dim`: their rotated channels; `window`: tokens
    that they see, 0 for all."""

    layers: str
    block: dict[str, Any]
    head_dim: int
    window: int = 0


@dataclass(frozen=True)
class Model:
    """A model with RoPE.  `head_dim`: rotated channels per head, of `width`; `partial`: their share; `base`: of those
    channels; `trained`, `target`: tokens it was trained on and shall read; `longest`: its max_position_embeddings;
    `rules`: its own, that of all or of the full-attention layers first; `softmax`: factor on its softmax scale;
    `window`: tokens that its windowed layers see, 0 for none; `unrotated`: layers without rotation, of all; `named`:
    the rope_type in the file's spelling; `own`: the keys of the file that say so, as they stand there; `assumed`: what
    the file leaves open, in sentences."""

    head_dim: int
    width: int
    base: float
    trained: int
    target: int
    partial: float
    longest: int
    rules: tuple[Rule, ...]
    softmax: float
    window: int
    unrotated: tuple[int, int]
    named: str
    own: dict[str, Any]
    assumed: str

    @cached_property
    def said(self) -> str:
        """What its rule is, in sentences."""
        from backends.rope import described  # torch comes with it

        return described.sentences(self)

    @property
    def notice(self) -> str:
        """What was assumed, and what its rule is."""
        return " ".join(filter(None, (self.assumed, self.said)))

    @property
    def block(self) -> dict[str, Any]:
        """The rope_parameters of its first rule."""
        return self.rules[0].block

    @property
    def known(self) -> bool:
        """Whether its rules can be worked out here."""
        return all(blocks.kind_of(rule.block) in blocks.KNOWN for rule in self.rules)


def read_config(source: Path | str) -> Model:
    """The model of a `config.json`: a Path is opened, a str is the text itself.  Raises ValueError, one sentence."""
    notices: list[str] = []
    given = spelling.entered(spelling.parsed(source), notices)
    config = spelling.completed(spelling.spelled(given), notices)
    width, rules = _head(config), _rules(config, notices)
    block, rotated = rules[0].block, rules[0].head_dim
    base = float(block["rope_theta"])
    if block["rope_type"] == "proportional":
        width, base = _wide(config), blocks.over_the_head(block, base)
    trained, target, longest = _lengths(config, block, notices)
    check_model(rotated, base, trained, target)
    for rule in rules:
        check_model(rule.head_dim, rule.block["rope_theta"], trained, target)
        if blocks.kind_of(rule.block) in blocks.KNOWN:
            blocks.check(rule.block, rule.head_dim // 2)
    softmax = blocks.softmax_factor(block, longest) if config.get("qk_rope_head_dim") else 1.0
    return Model(rotated, width, base, trained, target, block.get("partial_rotary_factor", rotated / width), longest,
                 rules, softmax, _window(config), _unrotated(config), spelling.type_of(spelling.main_block(config)),
                 spelling.kept(given), " ".join(notices))


@lru_cache(16)
def configured(own: str) -> Model:
    """The model whose `compact` text this is.  Raises ValueError, one sentence."""
    return read_config(own)


def compact(model: Model) -> str:
    """What the file says of its rule as a short text that gives the model again; "" where it cannot be worked out
    here, or is longer than MAX_OWN."""
    text = json.dumps(model.own, separators=(",", ":")) if model.known else ""
    return text if len(text) <= MAX_OWN else ""


def shown(model: Model) -> dict[str, Any]:
    """Its rule as it stands in the file, without what only gives the shape of the model."""
    return {key: value for key, value in model.own.items() if key not in spelling.SHAPE}


def _rules(config: dict[str, Any], notices: list[str]) -> tuple[Rule, ...]:
    """The model's rules, that of the full-attention layers first."""
    found, local = spelling.block_of(config), number(config, "rope_local_base_freq", 1, 1e12, None)
    if config.get("rope_scaling") and config.get("rope_parameters"):
        notices.append("Both rope_scaling and rope_parameters are given; rope_scaling is read, as transformers does.")
    given = spelling.nested(found) or {"": found}
    beside = {"rope_theta": local} if local else {}
    if SLIDING in given:
        given[SLIDING] = beside | given[SLIDING]
    elif local or (found and config.get("model_type") in PLAIN_SLIDING):
        given = {FULL: spelling.main_block(config), SLIDING: beside}
    if "rope_theta" not in config and all(block.get("rope_theta") is None for block in given.values()):
        notices.append(f"It names no rope_theta, so the usual {BASE:g} is taken.")
    made = {layers: _block(block, config) for layers, block in given.items()}
    return tuple(Rule(layers, block, _rotated(config, block), _window(config) * (layers == SLIDING))
                 for layers, block in made.items())


def _window(config: dict[str, Any]) -> int:
    """Tokens that layers with a sliding window see; 0 where none has one."""
    used = config.get("use_sliding_window") is not False
    return whole(config, "sliding_window", 1, LIMIT) or 0 if used else 0


def _block(found: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """One block of rope_parameters in new spelling, with what stands beside it in the file."""
    kind = spelling.type_of(found)
    if kind == "su" or (kind == "yarn" and "long_factor" in found):     # Phi-3 called longrope so
        kind = "longrope"
    rest = {key: value for key, value in found.items() if key not in ("type", "rope_type") and value is not None}
    whole_file = {**config, **rest}
    made = {"rope_type": kind, **rest, "rope_theta": number(whole_file, "rope_theta", 1, 1e12, BASE)}
    if kind in blocks.STRETCHED and ORIGINAL in config:      # transformers: the file's own comes before the block's
        made[ORIGINAL] = config[ORIGINAL]
    share = number(whole_file, "partial_rotary_factor", 0, 1, 1.0)
    return made | ({"partial_rotary_factor": share} if share != 1 else {})


def _rotated(config: dict[str, Any], block: dict[str, Any]) -> int:
    """Rotated channels per head."""
    share, turned, width = block.get("partial_rotary_factor", 1.0), whole(config, "rotary_dim", 1, 1e5), _head(config)
    if block["rope_type"] == "proportional":        # the other pairs stand still
        return 2 * int(share * _wide(config) // 2)
    return min(turned, width) if turned and share == 1 else int(width * share)


def _wide(config: dict[str, Any]) -> int:
    """Channels per head of the full-attention layers, where Gemma 4 has more of them."""
    return whole(config, "global_head_dim", 1, 1e5) or _head(config)


def _head(config: dict[str, Any]) -> int:
    """Channels per head."""
    for key in ("qk_rope_head_dim", "head_dim"):
        given = whole(config, key, 1, 1e5)
        if given is not None:
            return given
    width, heads = (whole(config, key, 1, 1e7) for key in ("hidden_size", "num_attention_heads"))
    if width is None or heads is None:
        raise ValueError("This config.json has neither head_dim nor both hidden_size and num_attention_heads.")
    if width % heads:
        raise ValueError(f"The hidden_size {width} of this config.json is no multiple of its {heads} "
                         "num_attention_heads.")
    return width // heads


def _lengths(config: dict[str, Any], block: dict[str, Any], notices: list[str]) -> tuple[int, int, int]:
    """(trained, target, longest): what the model was first trained on, what it is meant to read, and its
    max_position_embeddings."""
    longest = whole(config, "max_position_embeddings", 2, LIMIT)
    first = whole({**block, **config}, ORIGINAL, 2, LIMIT)
    factor = number(block, "factor", 1, 1e6, 1.0)
    if longest is None and first is None:
        raise ValueError("This config.json names no max_position_embeddings, so its trained length is unknown.")
    if first is None:
        return _guessed(config, block["rope_type"], longest, factor, notices)
    reached = min(LIMIT, math.ceil(first * factor))
    longest = longest or reached
    if block["rope_type"] in ("yarn", "linear") and longest != reached and "factor" in block:
        meant = "meant (Qwen's own documentation)" if longest < reached else "taken"
        notices.append(f"max_position_embeddings ({longest}) and factor x original ({reached}) disagree; the larger "
                       f"is {meant}.")
        return first, max(longest, reached), longest
    return first, max(first, longest), longest


def _guessed(config: dict[str, Any], kind: str, longest: int, factor: float,
             notices: list[str]) -> tuple[int, int, int]:
    """The lengths of a file that names no original one."""
    if kind not in blocks.KNOWN or kind in blocks.PLAIN or factor == 1:
        notices.append("max_position_embeddings is taken as the trained length.")
        return longest, longest, longest
    if kind == "linear" and config.get("model_type") in SCALED:
        trained = max(2, math.floor(longest / factor))
        notices.append(f"{longest} is the length after scaling; the file does not say the trained length, and "
                       f"{longest} / {factor:g} = {trained} is taken.")
        return trained, longest, longest
    target = min(LIMIT, math.ceil(longest * factor))
    notices.append(f"max_position_embeddings is taken as the trained length, and {factor:g} times it, {target}, as the "
                   "target: the file does not say whether it counts before or after scaling.")
    return longest, target, longest


def _unrotated(config: dict[str, Any]) -> tuple[int, int]:
    """(layers without rotation, all layers); (0, 0) where the file does not say."""
    count = whole(config, "num_hidden_layers", 1, 10_000) or 0
    named, every = config.get("no_rope_layers"), whole(config, "no_rope_layer_interval", 1, 10_000)
    types, found = config.get("layer_types"), spelling.block_of(config)
    if isinstance(named, list) and named:
        return sum(one in (0, False) for one in named), len(named)
    if every:
        return count // every, count
    if isinstance(types, list):
        still = {key for key, value in found.items() if value is None}
        if config.get("model_type") in NOPE_FULL and SLIDING in types:
            still.add(FULL)
        return sum(isinstance(one, str) and one in still for one in types), len(types)
    return 0, 0
