"""What the routers of public networks choose, by their own rules: from logits to k experts for each token, and weights.

* "softmax": the k largest probabilities, renormalised (Mixtral, arXiv 2401.04088) or as they are (`norm_topk_prob` of
  OLMoE, arXiv 2409.02060, and of Qwen-MoE);
* "chosen": the k largest logits, softmax over those alone (GPT-OSS; its router's bias is in the logits);
* "sigmoid": sigmoid scores; a bias takes part in the choice alone, only some groups of experts are open to a token, and
  a factor scales the weights (DeepSeek-V3, arXiv 2412.19437, section 2.1.2).

Letters: n tokens, e experts, k of them per token.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

NONE, DISABLED, FORCED = "none", "disabled", "forced"


@dataclass(frozen=True)
class Rule:
    """One router's rule.  `normed`: weights sum to 1 before `scale`; `bias` (e,): added before choosing; `groups`: of
    equal size, of which a token chooses `open` by the sum of their two best."""

    kind: str
    k: int
    normed: bool = True
    bias: Tensor | None = None
    groups: int = 1
    open: int = 1
    scale: float = 1.0


@dataclass(frozen=True)
class Change:
    """What is done to one expert of one layer.  "disabled": its logit is -inf before the choice; "forced": where it was
    not chosen it takes the place of the last chosen one, with the weight that the rule gives it there."""

    kind: str = NONE
    layer: int = 0
    expert: int = 0

    def at(self, layer: int) -> Change:
        """The change as this layer sees it."""
        return self if layer == self.layer else Change()


UNCHANGED = Change()


def rule_of(config: Any, bias: Tensor | None = None) -> Rule:
    """The rule of a network with this configuration; `bias` (e,) of its choice, where it has one."""
    k, kind = config.num_experts_per_tok, config.model_type
    if kind == "deepseek_v3":
        return Rule("sigmoid", k, config.norm_topk_prob, bias, config.n_group, config.topk_group,
                    config.routed_scaling_factor)
    return Rule("chosen", k) if kind == "gpt_oss" else Rule("softmax", k, getattr(config, "norm_topk_prob", True))


def chosen(rule: Rule, logits: Tensor, change: Change = UNCHANGED) -> tuple[Tensor, Tensor]:
    """(experts (n, k), weights (n, k)) of logits (n, e), what is chosen first first."""
    logits = logits.float()
    if change.kind == DISABLED:
        logits = logits.index_fill(1, torch.tensor([change.expert], device=logits.device), -torch.inf)
    scores = logits.sigmoid() if rule.kind == "sigmoid" else logits.softmax(-1)
    order = _order(rule, scores, logits)
    experts = order.topk(rule.k, -1).indices
    if change.kind == FORCED:
        experts = _with(experts, change.expert)
    if rule.kind == "chosen":
        return experts, logits.gather(1, experts).softmax(-1)
    values = scores.gather(1, experts)
    if change.kind == DISABLED:                 # too few are left: what no rule would choose brings nothing
        values = values.masked_fill(order.gather(1, experts).isneginf(), 0.0)
    if rule.normed:
        values = values / (values.sum(-1, keepdim=True) + 1e-20)
    return experts, values * rule.scale


def _order(rule: Rule, scores: Tensor, logits: Tensor) -> Tensor:
    """(n, e): what the k largest are taken of; -inf for what a token cannot choose."""
    if rule.kind != "sigmoid":
        return logits
    order = scores if rule.bias is None else scores + rule.bias
    order = order.masked_fill(logits.isneginf(), -torch.inf)
    grouped = order.unflatten(1, (rule.groups, -1))
    best = grouped.topk(min(2, grouped.shape[-1]), -1).values.sum(-1)
    closed = torch.ones_like(best, dtype=torch.bool).scatter(1, best.topk(rule.open, -1).indices, False)
    return grouped.masked_fill(closed[..., None], -torch.inf).flatten(1)


def _with(experts: Tensor, forced: int) -> Tensor:
    """`experts` (n, k) with the forced one in the last place where it has none."""
    out = experts.clone()
    out[(experts != forced).all(-1), -1] = forced
    return out


def spread(experts: Tensor, weights: Tensor, count: int) -> Tensor:
    """(n, count): the weight of every expert, 0 where it was not chosen."""
    return weights.new_zeros(len(weights), count).scatter(1, experts, weights)


def shares(rule: Rule, logits: Tensor) -> Tensor:
    """(n, e): how a token's probability is divided, P of the balance loss; sigmoid scores are made to sum to 1
    (DeepSeek-V3, equation 19)."""
    if rule.kind != "sigmoid":
        return logits.float().softmax(-1)
    scores = logits.float().sigmoid()
    return scores / scores.sum(-1, keepdim=True)


def balance(experts: Tensor, p: Tensor) -> float:
    """e sum f P, as transformers' load_balancing_loss_func counts it: f assignments per token, so that k is even.  Rows
    of several layers, one below the other, are pooled."""
    f = torch.bincount(experts.flatten(), minlength=p.shape[1]).float() / len(p)
    return p.shape[1] * (f * p.mean(0)).sum().item()
