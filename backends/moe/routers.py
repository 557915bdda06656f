"""Seven routers by their exact rules, from logits to who computes what with which weight.

A rule gives `wanted` (which experts a token asks for, and in which rank) and `weights`; an expert's places are then
filled first choices first, in the order of `Rules.order`, until its capacity is reached.  A token that gets none passes
through the residual alone: its row of gates is zero.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional as F

from backends import stop
from backends.drawn import normal, seeded, uniform
from backends.moe.params import ROUTERS, Rules
from backends.shapes import check


@dataclass(frozen=True)
class Losses:
    """Auxiliary losses of one routing; f shares of tokens, P mean softmax probabilities, CV2 squared coefficient of
    variation.

    `switch`: e sum f P with f the share of all assignments, 1 when balanced (Switch, equations 4-6, generalised to k);
    `first`: the same with the first choices alone, as GShard's algorithm 1 (there divided by e^2) and ST-MoE have it;
    `mixtral`: k times `switch`, as transformers counts it; `z`: mean logsumexp^2; `importance`: CV2 of the summed gates
    (Shazeer, equations 6-7); `load`: CV2 of the loads, for the noisy router of the smooth estimate (Shazeer, appendix
    A)."""

    switch: Tensor
    first: Tensor
    mixtral: Tensor
    z: Tensor
    importance: Tensor
    load: Tensor


@dataclass(frozen=True)
class Routed:
    """Where t tokens went: router probabilities (of the bias router: sigmoid scores), the experts they asked for, those
    that took them, and the weight of each expert's answer (0 where it did not).  `capacity`: places of each expert in
    each group, None without a limit; `bias`: what was added before choosing; `off`: the expert that could not be
    chosen, None when all could."""

    probabilities: Annotated[Tensor, "t e"]
    wanted: Annotated[Tensor, "t e"]
    kept: Annotated[Tensor, "t e"]
    gates: Annotated[Tensor, "t e"]
    bias: Annotated[Tensor, "e"]
    losses: Losses
    capacity: tuple[int, ...] | None
    off: int | None = None

    @property
    def dropped(self) -> Tensor:
        """(t, e): asked for, and not taken."""
        return self.wanted & ~self.kept


def places(tokens: int, experts: int, each: int, factor: float) -> int:
    """Capacity of an expert: floor(CF each t / e), at least 1.  `each` is 1 in Switch (section 2.2) and in ST-MoE's
    code, though its tokens ask two experts; 2 in GShard as DeepSpeed counts it."""
    return max(1, int(factor * each * tokens / experts + 1e-9))


def route(name: str, logits: Tensor, rules: Rules) -> Routed:
    """Route logits (t, e) by the rule called `name`.  Raises ValueError, one sentence, for k > e, no tokens or an
    unknown name."""
    if name not in ROUTERS:
        raise ValueError(f"There is no router called {name!r}.")
    t, e = logits.shape
    k = ROUTERS[name].k or rules.k
    if not 1 <= k <= e:
        raise ValueError(f"k is {k}, but there are only {e} experts.")
    if t < 1:
        raise ValueError("There is no token to route.")
    logits = logits.float()
    p, bias = logits.sigmoid() if name == "free" else logits.softmax(-1), logits.new_zeros(e)
    if name == "choice":
        kept = torch.cat([chosen(part, places(len(part), e, k, 1.0)) for part in p.split(rules.group or t)])
        return check(Routed(p, kept, kept, p * kept, bias, losses(logits, kept, p * kept, kept), None))
    if name == "free":
        bias = balanced(p, k, rules)
    asked, weights = RULES[name](logits, k, rules, bias)
    wanted, first = (spread(asked[:, :most], logits.new_ones(t, min(most, k)), e) > 0 for most in (k, 1))
    kept, capacity = fill(asked, p, each, rules) if (each := ROUTERS[name].places) else (wanted, None)
    gates = spread(asked, weights, e) * kept
    load = smooth(logits, k, rules) if name == "shazeer" else None
    return check(Routed(p, wanted, kept, gates, bias, losses(logits, wanted, gates, first, load), capacity))


def spread(asked: Tensor, values: Tensor, experts: int) -> Tensor:
    """(t, e): `values` (t, k) at the experts `asked` (t, k), -1 = none; 0 elsewhere."""
    out = values.new_zeros(len(asked), experts + 1)
    return out.scatter(1, asked % (experts + 1), values)[:, :experts]


def _largest(p: Tensor, k: int) -> tuple[Tensor, Tensor]:
    values, asked = p.topk(k, -1)
    return asked, values


def mixtral(logits: Tensor, k: int, rules: Rules, bias: Tensor) -> tuple[Tensor, Tensor]:
    """(experts asked (t, k), weights (t, k)): softmax, top k, renormalised."""
    asked, values = _largest(logits.softmax(-1), k)
    return asked, values / values.sum(-1, keepdim=True)


def switch(logits: Tensor, k: int, rules: Rules, bias: Tensor) -> tuple[Tensor, Tensor]:
    """The largest probability, as it is."""
    return _largest(logits.softmax(-1), 1)


def _second(logits: Tensor, rules: Rules, reach: float) -> tuple[Tensor, Tensor]:
    """Top 2 renormalised; the second is asked with probability min(1, g2 / reach), else -1."""
    asked, weights = mixtral(logits, 2, rules, logits)
    drawn = uniform(len(logits), random=seeded(rules.seed)).to(logits.device)
    asked = asked.clone()
    asked[weights[:, 1] / reach <= drawn, 1] = -1
    return asked, weights


def gshard(logits: Tensor, k: int, rules: Rules, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Top 2 renormalised; the second with probability 2 g2."""
    return _second(logits, rules, 0.5)


def stmoe(logits: Tensor, k: int, rules: Rules, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Top 2 renormalised; the second with probability g2 / 0.2."""
    return _second(logits, rules, 0.2)


def shazeer(logits: Tensor, k: int, rules: Rules, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Normal noise, top k, softmax over those."""
    asked, values = _largest(noisy(logits, rules), k)
    return asked, values.softmax(-1)


def noisy(logits: Tensor, rules: Rules) -> Tensor:
    """H (t, e): the logits with noise of standard deviation `rules.noise`, a number or softplus(x W_noise) (t, e)."""
    return logits + rules.noise * normal(*logits.shape, random=seeded(rules.seed)).to(logits.device)


def smooth(logits: Tensor, k: int, rules: Rules) -> Tensor:
    """Load (e,): the number of tokens that an expert can expect when its own noise alone is drawn anew, Phi((logit -
    kth largest H of the others) / deviation) summed over tokens (Shazeer, equations 8-10).  Differentiable by the
    logits."""
    t, e = logits.shape
    if k == e:
        return logits.new_full((e,), float(t))
    h = noisy(logits, rules)
    top = h.topk(k + 1, -1).values
    bar = torch.where(h >= top[:, k - 1 : k], top[:, k:], top[:, k - 1 : k])
    noise = torch.as_tensor(rules.noise, device=logits.device).clamp_min(1e-9)
    return torch.special.ndtr((logits - bar) / noise).sum(0)


def free(logits: Tensor, k: int, rules: Rules, bias: Tensor) -> tuple[Tensor, Tensor]:
    """The k largest sigmoid(logit) + bias; weights from the sigmoid alone, renormalised."""
    scores = logits.sigmoid()
    asked = (scores + bias).topk(k, -1).indices
    values = scores.gather(1, asked)
    return asked, values / values.sum(-1, keepdim=True).clamp_min(1e-20)


RULES = {"mixtral": mixtral, "switch": switch, "gshard": gshard, "stmoe": stmoe, "shazeer": shazeer, "free": free}


def balanced(scores: Tensor, k: int, rules: Rules) -> Tensor:
    """The bias (e,) after `updates` rounds b += u sign(mean load - load) on these very tokens (arXiv 2408.15664,
    algorithm 1)."""
    bias = scores.new_zeros(scores.shape[1])
    for _ in range(rules.updates):
        stop.check()
        load = torch.bincount((scores + bias).topk(k, -1).indices.flatten(), minlength=scores.shape[1]).float()
        bias = bias + rules.speed * (load.mean() - load).sign()
    return bias


def chosen(p: Tensor, each: int) -> Tensor:
    """(t, e): whether an expert chose the token as one of its `each` best (Expert Choice, equations 1-2)."""
    return torch.zeros_like(p, dtype=torch.bool).scatter(0, p.topk(min(each, len(p)), 0).indices, True)


def fill(asked: Tensor, p: Tensor, each: int, rules: Rules) -> tuple[Tensor, tuple[int, ...]]:
    """(kept (t, e), capacity of each group): places are given to first choices, then to second ones, in the order of
    the rules."""
    t, e = p.shape
    size = rules.group or t
    kept, capacity = [], []
    for part, chance in zip(asked.split(size), p.split(size)):
        capacity.append(places(len(part), e, each, rules.factor))
        kept.append(_filled(part, chance, capacity[-1], rules.order))
    return torch.cat(kept), tuple(capacity)


def _filled(asked: Tensor, p: Tensor, capacity: int, order: str) -> Tensor:
    turn = torch.arange(len(p), device=p.device)
    if order == "priority":
        turn = p.amax(-1).argsort(descending=True, stable=True)
    kept, taken = torch.zeros_like(p, dtype=torch.bool), p.new_zeros(p.shape[1])
    for rank in range(asked.shape[1]):
        one = F.one_hot(asked[turn, rank] % (p.shape[1] + 1), p.shape[1] + 1)[:, : p.shape[1]].float()
        place = one.cumsum(0) + taken
        kept[turn] |= (one > 0) & (place <= capacity)
        taken = taken + one.sum(0)
    return kept


def losses(logits: Tensor, wanted: Tensor, gates: Tensor, first: Tensor, load: Tensor | None = None) -> Losses:
    """The auxiliary losses of a routing, differentiable by the logits where the gates are.  `first`: what was wanted
    most, (t, e); `load`: (e,), without it the number of tokens that want each expert."""
    k, p = wanted.float().sum(-1).mean(), logits.softmax(-1).mean(0)
    every, one = (logits.shape[1] * (x.float().sum(0) / x.sum() * p).sum() for x in (wanted, first))
    load = wanted.float().sum(0) if load is None else load
    return Losses(every, one, k * every, logits.logsumexp(-1).square().mean(), varied(gates.sum(0)), varied(load))


def varied(x: Tensor) -> Tensor:
    """Squared coefficient of variation of x (e,)."""
    return x.var(correction=0) / x.mean().square().clamp_min(1e-20)
