"""A model's own RoPE in words: the label of its rows, and the sentences that say its rule and what stands beside it."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backends.lm import rotary
from backends.rope import blocks, frequencies
from backends.rope.fields import number

if TYPE_CHECKING:
    from backends.rope.config import Model, Rule

LAYERS = {"full_attention": "full-attention", "sliding_attention": "sliding"}
MOST = 6            # keys that are named in one sentence


def label(model: Model, rule: Rule) -> str:
    """What the rows of a rule are called."""
    if rule is model.rules[0]:
        return f"as configured: {_words(rule.block, model.longest)}"
    return f"as configured, {_layers(rule)} layers: {_words(rule.block, model.longest)}, base {_base(rule)}"


def sentences(model: Model) -> str:
    """All that is said of a model's rule."""
    (still, layers), window = model.unrotated, model.window
    other = [found for rule in model.rules if (found := blocks.kind_of(rule.block)) not in blocks.KNOWN]
    said = [f"Its own rope_type {other[0]!r} is not known here and is left out."] if other else _own(model)
    if still:
        said.append(f"{still} of {layers} layers have no rotation (NoPE).")
    if 0 < window < model.target:
        said.append(f"Layers with a sliding window see {window} tokens.")
    return " ".join(said + _share(model) + _beside(model))


def _own(model: Model) -> list[str]:
    first, block = model.rules[0], model.block
    theta, factor = frequencies.from_block(block, model.head_dim, model.target, model.longest)
    parts = [_words(block, model.longest) + _more(model)]
    if len(model.rules) > 1:
        parts[0] += f", in the {_layers(first)} layers"
    parts += [f"{_words(rule.block, model.longest)} with base {_base(rule)} in the {_layers(rule)} ones"
              for rule in model.rules[1:]]
    said = [f"As configured: {'; '.join([*parts, *_factors(model, factor)])}."]
    slowed = int((theta < rotary.frequencies(model.head_dim, model.base) * (1 - 1e-6)).sum())
    if slowed:
        said.append(f"It slows {slowed} of {model.head_dim // 2} pairs at {model.target} tokens; the methods here "
                    "start from its plain RoPE.")
    return said


def _words(block: dict[str, Any], longest: int) -> str:
    kind = blocks.kind_of(block)
    if kind == "dynamic" and block.get("alpha"):
        return f"dynamic, alpha {block['alpha']:g}"
    if kind in ("linear", "dynamic", "yarn", "llama3"):
        rounded = ", ends not rounded" if kind == "yarn" and block.get("truncate") is False else ""
        return f"{kind}, factor {blocks.factor_of(block, longest):g}{rounded}"
    return kind


def _more(model: Model) -> str:
    """What the words of a rule leave out, in brackets."""
    known, block, wanted = blocks.kind_of(model.block), model.block, model.target / model.trained
    if known == "longrope" and model.named != known:
        return f" ({model.named} is its old name)"
    if known == "yarn" and block.get("truncate") is False:
        return " (truncate false)"
    if known == "llama3" and block["factor"] != wanted:
        return f" (not the {wanted:g} that target / trained gives)"
    return ""


def _factors(model: Model, factor: float) -> list[str]:
    """The factors on cos and sin and on the softmax scale."""
    block, kind, s = model.block, blocks.kind_of(model.block), blocks.factor_of(model.block, model.longest)
    parts = [f"factor on cos and sin {factor:.5g}"] if kind == "yarn" else []
    if kind == "longrope":
        first = block.get("original_max_position_embeddings", model.longest)
        derived = "" if {"attention_factor", "long_mscale"} & set(block) else f"sqrt(1 + ln {s:g} / ln {first:g}) = "
        parts = ["both lists shown", f"attention factor {derived}{factor:.5g}"]
    if model.softmax != 1:
        strength = block["mscale_all_dim"]
        inside = f"0.1 {'' if strength == 1 else f'x {strength:g} '}ln {s:g} + 1"
        parts.append(f"softmax scale times ({inside})^2 = {model.softmax:.5g}")
    return parts


def _share(model: Model) -> list[str]:
    """How much of a head is rotated."""
    if model.head_dim == model.width:
        return []
    said = [f"{model.head_dim} of {model.width} channels of a head are rotated."]
    if blocks.kind_of(model.block) == "proportional":
        said.append(f"The exponents count over the whole head, which is the same as base {model.base:.5g} over its "
                    "rotated channels; its pairs lie half a head apart, so the blocks of the other methods do not fit "
                    "it.")
    return said


def _beside(model: Model) -> list[str]:
    """What else stands in the block: sections, vLLM's factor, and what is not read."""
    block, said = model.block, []
    sections = block.get("mrope_section")
    if isinstance(sections, list):
        said.append(f"mrope_section {str(sections)[:40]} shares the pairs among time, height and width; in a text "
                    "these are the same position, so it changes nothing there.")
    factor = number(block, "attn_factor", 0, 1e3, None) if blocks.kind_of(block) == "yarn" else None
    if factor is not None:
        usual = blocks.yarn_logit(blocks.factor_of(block, model.longest))
        said.append(f"attn_factor {factor:.5g} is not used here: vLLM reads it and multiplies its factor on cos and "
                    f"sin by it, {usual:.5g} to {usual * factor:.5g}; transformers reads attention_factor instead.")
    known = {*blocks.COMMON, *blocks.READ.get(blocks.kind_of(block), ())}
    left = [key[:40] for key in block if key not in known]
    if left and model.known:
        more = ["..."] if len(left) > MOST else []
        said.append(f"Its block also holds {', '.join(left[:MOST] + more)}: not used here.")
    return said


def _layers(rule: Rule) -> str:
    return LAYERS.get(rule.layers, rule.layers.removesuffix("_attention"))


def _base(rule: Rule) -> str:
    return f"{rule.block['rope_theta']:.12g}"
