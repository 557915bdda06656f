"""A mixture-of-experts feed-forward layer: top-k routing in Mixtral's form (arXiv 2401.04088, section 2.1), no capacity
limit.

p = softmax(W_r x) in float32; the k largest are kept and renormalised; y = sum of p_e expert_e(x).  With k = 1 the
weight stays p_e, as in Switch: renormalised it would be 1, and the loss would teach the router nothing.  With a bias
(arXiv 2408.15664) experts are chosen by sigmoid(W_r x) + bias and weighted by the sigmoids alone.  Balance loss E
sum_e f_e P_e, with f_e the share of the n k assignments that e received and P_e its mean probability: 1 at perfect
balance (Switch, arXiv 2101.03961, equations 4-6, generalised to k).  Router z-loss: mean of logsumexp(logits)^2
(ST-MoE, arXiv 2202.08906, equation 5).
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Routing:
    """Where t = b n tokens went: router `logits`, the kept experts `chosen` with their `gates`, and the two auxiliary
    losses."""

    logits: Annotated[Tensor, "t e"]
    chosen: Annotated[Tensor, "t k"]
    gates: Annotated[Tensor, "t k"]
    balance: Tensor
    z: Tensor


def route(logits: Tensor, k: int, bias: Tensor | None = None) -> Routing:
    """Top-k routing of float32 logits (t, E), with a `bias` (E,) on the choice.  Raises ValueError unless 1 <= k <=
    E."""
    t, e = logits.shape
    if not 1 <= k <= e:
        raise ValueError(f"Each token needs between 1 and {e} experts, not {k}.")
    p = logits.softmax(-1)
    scores = p if bias is None else logits.sigmoid()
    chosen = (scores if bias is None else scores + bias).topk(k, -1).indices
    gates = scores.gather(-1, chosen)
    share = F.one_hot(chosen, e).float().mean((0, 1)) if t else p.new_zeros(e)
    balance = e * (share * p.mean(0)).sum() if t else p.sum()
    z = logits.logsumexp(-1).square().mean() if t else p.sum()
    return Routing(logits, chosen, gates / gates.sum(-1, keepdim=True) if k > 1 else gates, balance, z)


class Experts(nn.Module):
    """(b, n, D) -> (b, n, D) by `experts` two-layer GELU networks of hidden size `hidden`, `k` of them per token;
    `bias` (experts,), where there is one, is no parameter: who trains moves it."""

    def __init__(self, width: int, hidden: int, experts: int, k: int) -> None:
        super().__init__()
        self.k = k
        self.bias: Tensor | None = None
        self.router = nn.Linear(width, experts, bias=False)
        self.up = nn.Parameter(torch.randn(experts, width, hidden) * width ** -0.5)
        self.down = nn.Parameter(torch.randn(experts, hidden, width) * hidden ** -0.5)

    def forward(self, x: Tensor) -> tuple[Tensor, Routing]:
        """The mixed output and where each token went."""
        flat = x.flatten(0, 1)
        routing = route(F.linear(flat.float(), self.router.weight.float()), self.k, self.bias)
        y = torch.zeros_like(flat)
        for e in range(len(self.up)):
            token, slot = (routing.chosen == e).nonzero(as_tuple=True)
            out = F.gelu(flat[token] @ self.up[e]) @ self.down[e]
            y = y.index_add(0, token, out * routing.gates[token, slot, None].to(out.dtype))
        return y.view_as(x), routing
