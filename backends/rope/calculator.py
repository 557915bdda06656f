"""The RoPE calculator: for a model with given head dimension, base and trained length, what each method does to every
pair of channels.

Pair i turns by theta_i per token; its wavelength is 2 pi / theta_i tokens, and it makes L / wavelength turns within the
trained length L.  A pair of less than one turn has seen only an arc.  At the target length, with frequency theta' and
the largest distance D, it is

stretched  its arc theta' D is longer than the trained arc theta L, and it never went round: it meets untrained angles
squeezed   it did go round in training, so it needed no help, but was slowed down: neighbouring tokens come closer
safe       neither: every angle is known, and no detail is lost without need

`rope_parameters` are the blocks of transformers 5: what it has no type for, but what only changes frequencies, is
written as longrope.  A model's own rule, from its config.json, is a row like the others.
"""
from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from backends.drawn import hosted
from backends.lm import rotary
from backends.rope import blocks, config, described, distances, frequencies
from backends.rope.config import Model, Rule
from backends.rope.methods import DEFAULT, Keep, Plan, plan
from backends.rope.params import CALCULATED, METHODS, OWN, Rules, check_model
from backends.settings import UNPRINTED

State = Literal["safe", "stretched", "squeezed"]
NO_BLOCK = "rope_parameters cannot say this: it needs other attention code."


@dataclass(frozen=True)
class Row:
    """One method on the model, or its own rule ("own"; "own <layers>" for other layers).  `theta`: radians per token;
    `reach`: the largest effective distance in tokens; `arc`: theta times reach, radians; `attention`: factor on cos and
    sin; `logit`: that on the logits of the last query, `attention`^2 and what else is on the softmax scale; `kind`:
    rope_type, "" where transformers 5 has none; `block`: rope_parameters to go with `positions`, its
    max_position_embeddings, or None; of a model's own rule what stands in its file; `remark`: what else to know, or
    ""."""

    name: str
    label: str
    theta: Annotated[Tensor, "p"]
    reach: float
    arc: Annotated[Tensor, "p"] = field(metadata=UNPRINTED)
    states: tuple[State, ...]
    attention: float
    logit: float
    kind: str
    block: dict[str, Any] | None
    positions: int
    remark: str


@dataclass(frozen=True)
class Calculation:
    """The model's pairs (p of them, fastest first) and one row per method.  `wavelength` in tokens, `turns` within the
    trained length, `arc`: radians that were trained, `unfinished`: the pairs that never went round, `scale`: s."""

    head_dim: int
    base: float
    trained: int
    target: int
    scale: float
    wavelength: Annotated[Tensor, "p"]
    turns: Annotated[Tensor, "p"]
    arc: Annotated[Tensor, "p"] = field(metadata=UNPRINTED)
    unfinished: tuple[int, ...]
    rows: tuple[Row, ...]


@hosted
def calculate(head_dim: int, base: float, trained: int, target: int, methods: tuple[str, ...] = CALCULATED,
              rules: Rules = DEFAULT, partial: float = 1.0, model: Model | None = None) -> Calculation:
    """Every method on the pairs of a model that was trained on `trained` tokens and shall read `target`.

    `head_dim`: rotated channels per head; `partial`: their share of the head, kept in the blocks; `model`: what its
    config.json says, whose own rules come first.  Raises ValueError, one sentence."""
    check_model(head_dim, base, trained, target)
    s = rules.scale or target / trained
    rules = replace(rules, base=base, trained=trained, scale=s)
    theta = rotary.frequencies(head_dim, base)
    turns = frequencies.turns(theta, trained)
    arc = theta.double() * trained
    own = tuple(_own(rule, model, target, rules) for rule in (model.rules if model else ())
                if rule.head_dim == head_dim)
    rows = own + tuple(_row(name, target, head_dim, rules, partial, arc) for name in methods)
    unfinished = tuple(torch.nonzero(turns < 1).flatten().tolist())
    return Calculation(head_dim, base, trained, target, s, 2 * math.pi / theta.double(), turns, arc, unfinished, rows)


def _row(name: str, target: int, d: int, rules: Rules, partial: float, trained_arc: Tensor) -> Row:
    p = plan(name, target, d, rules)
    reach = distances.reach(p, target)
    arc = p.theta.double() * reach
    block, remark = rope_parameters(p, d, rules, partial)
    logit = 1.0 if p.logit is None else p.logit(torch.tensor([target - 1.0])).item()
    positions = rules.trained if name == "dynamic" else target
    attention = math.sqrt(logit) if METHODS[name].family == "frequencies" else 1.0
    return Row(name, METHODS[name].label, p.theta, reach, arc, states(p.theta, arc, trained_arc, d, rules), attention,
               logit, block["rope_type"] if block else "", block, positions, remark)


def _own(rule: Rule, model: Model, target: int, rules: Rules) -> Row:
    """One of the model's own rules; layers with a window have not seen further in training either."""
    d, first = rule.head_dim, rule is model.rules[0]
    p, attention = own_plan(rule, model, target)
    trained = max(2, min(rules.trained, rule.window)) if rule.window else rules.trained
    plain = replace(rules, trained=trained, base=model.base if first else float(rule.block["rope_theta"]))
    reach = distances.reach(p, target)
    arc, trained_arc = p.theta.double() * reach, rotary.frequencies(d, plain.base).double() * trained
    return Row(OWN if first else f"{OWN} {rule.layers}", described.label(model, rule), p.theta, reach, arc,
               states(p.theta, arc, trained_arc, d, plain), attention, p.logit(torch.zeros(1)).item(),
               blocks.kind_of(rule.block), config.shown(model), model.longest, model.said if first else "")


def own_plan(rule: Rule, model: Model, n: int) -> tuple[Plan, float]:
    """(plan for n tokens, factor on cos and sin) of one of the model's own rules."""
    theta, attention = frequencies.from_block(rule.block, rule.head_dim, n, model.longest)
    factor = attention**2 * (model.softmax if rule is model.rules[0] else 1.0)
    return Plan(OWN, theta, keep=Keep(rule.window) if rule.window else None,
                logit=lambda at: torch.full_like(at, factor)), attention


def states(theta: Tensor, arc: Tensor, trained_arc: Tensor, d: int, rules: Rules) -> tuple[State, ...]:
    """The state of each pair: changed frequencies (p,), tested and trained arcs (p,) in radians."""
    old = rotary.frequencies(d, rules.base)
    whole = frequencies.turns(old, rules.trained) >= 1
    stretched = ~whole & (arc > trained_arc * (1 + 1e-6))
    squeezed = whole & (theta < old * (1 - 1e-6))
    return tuple("stretched" if a else "squeezed" if b else "safe"
                 for a, b in zip(stretched.tolist(), squeezed.tolist()))


def rope_parameters(p: Plan, d: int, rules: Rules, partial: float = 1.0) -> tuple[dict[str, Any] | None, str]:
    """(block, remark) of a plan with `rules` whose scale is set: the dict to paste into a config.json of transformers
    5, or None."""
    if METHODS[p.name].family not in ("none", "frequencies"):
        return None, NO_BLOCK
    made, remark = _block(p, d, rules)
    made = {"rope_type": made.pop("rope_type"), "rope_theta": made.pop("rope_theta", rules.base), **made}
    return made | ({"partial_rotary_factor": partial} if partial != 1 else {}), remark


def _block(p: Plan, d: int, rules: Rules) -> tuple[dict[str, Any], str]:
    s, length = rules.scale, {"original_max_position_embeddings": rules.trained}
    if p.name == "none":
        return {"rope_type": "default"}, ""
    if p.name == "pi":
        return {"rope_type": "linear", "factor": s}, ""
    if p.name in ("ntk", "ntk2"):
        base = frequencies.ntk_base(d, rules.base, 2 * s if p.name == "ntk2" and s > 1 else s)
        return {"rope_type": "default", "rope_theta": base}, "A larger base is all there is to it."
    if p.name == "dynamic":
        return ({"rope_type": "dynamic", "factor": rules.factor},
                "max_position_embeddings has to stay at the trained length.")
    if p.name == "yarn_hf":
        turns = {"beta_fast": rules.beta_fast, "beta_slow": rules.beta_slow}
        return {"rope_type": "yarn", "factor": s, **length, **turns}, ""
    if p.name == "parts":
        ends = {"low_freq_factor": 1.0, "high_freq_factor": rules.tau}
        return {"rope_type": "llama3", "factor": s, **length,
                **ends}, "Llama 3's rule is NTK-by-parts with tau = high_freq_factor."
    factors = [float(f"{f:.9g}") for f in (rotary.frequencies(d, rules.base).double() / p.theta.double()).tolist()]
    logit = blocks.yarn_logit(s) if p.name == "yarn" else 1.0
    return ({"rope_type": "longrope", "factor": s, **length, "short_factor": factors, "long_factor": factors,
             "attention_factor": logit},
            "transformers has no type for it; longrope takes any factor per pair.")
