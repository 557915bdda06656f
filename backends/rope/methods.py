"""Each method as a Plan: which frequency, which distance, which keys and which factor on the logits.

score(i, j) = logit(i) (R_theta(distance(i, j)) q_i . k_j) / sqrt(d) for j <= i and visible(i, j); softmax over j.
Every distance here is i - j for near keys and query(i) - key(j) for far ones, so two rotations are enough
(kexue.fm/archives/9708).  Letters: i query, j key, L trained length, s = n / L, w window.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from backends.lm import rotary
from backends.rope import biases, blocks, frequencies
from backends.rope.params import METHODS, ON_ROPE, RUNNING, Method, Rules

__all__ = ["METHODS", "ON_ROPE", "RUNNING", "Far", "Keep", "Method", "Plan", "Rules", "plan", "scale_of"]

DEFAULT = Rules()


@dataclass(frozen=True)
class Far:
    """Pairs with i - j >= `window` have distance `query`(i) - `key`(j); positions (n,) -> (n,), float."""

    window: int
    query: Callable[[Tensor], Tensor]
    key: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Keep:
    """Only keys with i - j < `window` or j < `sinks` are seen."""

    window: int
    sinks: int = 0


@dataclass(frozen=True)
class Plan:
    """A method at one length and head dimension.

    `theta`: radians per token, float32, on the host, zeros where nothing is rotated; `far`: None if every distance is
    i - j; `keep`: None if every earlier key is seen; `logit`: factor on the logits of the queries at positions (n,),
    None for 1; `bias`: (i, j) -> (h, ...) added to the logits of head h, only of methods that are drawn and never run;
    `cache`: whether positions are counted in the cache."""

    name: str
    theta: Annotated[Tensor, "p"]
    far: Far | None = None
    keep: Keep | None = None
    logit: Callable[[Tensor], Tensor] | None = None
    bias: Callable[[Tensor, Tensor], Tensor] | None = None
    cache: bool = False

    def distance(self, i: Tensor, j: Tensor) -> Tensor:
        """Effective distance, in tokens, of queries i and keys j (integers that broadcast), float64."""
        near = (i - j).double()
        if self.far is None:
            return near
        return torch.where(i - j < self.far.window, near, self.far.query(i.double()) - self.far.key(j.double()))

    def visible(self, i: Tensor, j: Tensor) -> Tensor:
        """Whether query i sees key j (bool)."""
        seen = j <= i
        return seen if self.keep is None else seen & ((i - j < self.keep.window) | (j < self.keep.sinks))


def scale_of(n: int, rules: Rules) -> float:
    """s: the one that the rules give, else n / L but at least 1."""
    return rules.scale or max(1.0, n / rules.trained)


def plan(name: str, n: int, d: int, rules: Rules = DEFAULT) -> Plan:
    """The method `name` for n tokens and heads of d channels.  Raises ValueError, one sentence, when it cannot be."""
    if name not in METHODS:
        raise ValueError(f"There is no method called {str(name)[:40]!r}.")
    theta, s, far, keep = rotary.frequencies(d, rules.base), scale_of(n, rules), None, None
    if METHODS[name].family == "frequencies":
        theta = _theta(name, n, d, s, rules)
    if name in ("alibi", "kerple", "sandwich"):
        return Plan(name, torch.zeros_like(theta), bias=biases.BIASES[name])
    if name in FAR:
        far = FAR[name](s, rules)
    if name in KEEP:
        keep = KEEP[name](rules)
    return Plan(name, theta, far, keep, _logit(name, s, rules), cache=name == "sinks")


def _theta(name: str, n: int, d: int, s: float, rules: Rules) -> Tensor:
    """The changed frequencies (d/2,)."""
    base, trained, theta = rules.base, rules.trained, rotary.frequencies(d, rules.base)
    if name == "pi":
        return theta / s
    if name in ("ntk", "ntk2"):
        return frequencies.ntk(d, base, 2 * s if name == "ntk2" and s > 1 else s)
    if name == "dynamic":
        return rotary.frequencies(d, frequencies.dynamic_base(d, base, rules.factor, n, trained))
    if name == "ntk_mixed":
        return frequencies.mixed(theta, s, rules.mix)
    if name == "yarn_hf":
        return frequencies.yarn(d, base, trained, s, rules.beta_fast, rules.beta_slow)
    return frequencies.by_parts(theta, trained, s, rules.tau)


def _rerope(s: float, rules: Rules) -> Far:
    return Far(rules.window, lambda i: torch.full_like(i, rules.window), torch.zeros_like)


def _leaky(s: float, rules: Rules) -> Far:
    w, k = rules.window, rules.leak or 2 * s
    return Far(w, lambda i: i / k + (w - w / k), lambda j: j / k)


def _selfextend(s: float, rules: Rules) -> Far:
    w, g = rules.window, rules.group or math.ceil(2 * s)
    return Far(w, lambda i: (i / g).floor() + (w - w // g), lambda j: (j / g).floor())


def _cached(s: float, rules: Rules) -> Far:
    """The query is never further along than the last place of the cache: `sinks` + `window` - 1."""
    return Far(rules.window, lambda i: i.clamp(max=rules.sinks + rules.window - 1), lambda j: j)


def _clipped(s: float, rules: Rules) -> Far:
    return Far(rules.trained, lambda i: torch.full_like(i, rules.trained), torch.zeros_like)


FAR: dict[str, Callable[[float, Rules], Far]] = {
    "rerope": _rerope, "rerope_logn": _rerope, "logn_rerope": _rerope, "leaky": _leaky, "selfextend": _selfextend,
    "sinks": _cached, "lminfinite": _clipped,
}
KEEP: dict[str, Callable[[Rules], Keep]] = {
    "window": lambda rules: Keep(rules.window),
    "hwfa": lambda rules: Keep(rules.window),
    "sinks": lambda rules: Keep(rules.window, rules.sinks),
    "sinks_text": lambda rules: Keep(rules.window, rules.sinks),
    "lminfinite": lambda rules: Keep(rules.trained, rules.sinks),
}


def _logit(name: str, s: float, rules: Rules) -> Callable[[Tensor], Tensor] | None:
    if name in ("logn", "rerope_logn"):
        return lambda at: ((at + 1).log() / math.log(rules.trained)).clamp_min(1.0)
    if name in ("yarn", "yarn_hf"):
        factor = blocks.yarn_logit(s) ** 2
        return lambda at: torch.full_like(at, factor)
    return None
