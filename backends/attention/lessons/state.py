"""Linear attention as a recurrent network, one step per token, and the rule that repairs its writes; the drawn head,
float32.

    sum rule    S_i = S_{i-1} + f_i v_i^T,                        z_i = z_{i-1} + f_i,    o_i = g_i^T S_i / g_i^T z_i
    delta rule  S_i = S_{i-1} + f_i (v_i - S_{i-1}^T f_i)^T,      f of length 1,          o_i = g_i^T S_i

with f = phi(k), g = phi(q), phi = elu + 1 (Katharopoulos 2020, arXiv 2006.16236, equations 16-20; Schlag 2021, arXiv
2102.11174, with a write strength of 1).  Under the delta rule a pair just written is read back exactly; a sum cannot do
that once keys overlap.  Letters: n tokens, d features, e value channels.
"""
from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from backends.attention import features, linear
from backends.attention.inputs import Inputs
from backends.attention.params import AttentionParams
from backends.attention.results import State


def measure(params: AttentionParams, given: Inputs) -> State:
    """All states of the drawn head, and what can be read back from them."""
    q, k, v = (x[given.head] for x in (given.q, given.k, given.v))
    g, f = features.elu1(q), features.elu1(k)
    step = min(params.step, len(v))
    if params.delta:
        g, f = F.normalize(g, dim=-1), F.normalize(f, dim=-1)
        states, expected = delta(f, v), closed(g, f, v)
        sums = torch.zeros_like(f)
    else:
        states, sums = (f[:, :, None] * v[:, None]).cumsum(0), f.cumsum(0)
        expected = linear.attend(g[None, None], f[None, None], v[None, None], chunk=64, eps=0.0)[0, 0]
    y = read(g, states, sums)
    fresh = error(read(f, states, sums), v)
    recall = error(read(f, states[step - 1], sums[step - 1]), v)
    recall[step:] = torch.nan
    return State(step, params.delta, states, sums, y, fresh, recall, ((y - expected).norm() / expected.norm()).item())


def delta(f: Tensor, v: Tensor) -> Tensor:
    """States (n, d, e) of the delta rule for keys f (n, d) of length 1 and values v (n, e)."""
    s, states = v.new_zeros(f.shape[1], v.shape[1]), []
    for key, value in zip(f, v):
        s = s + key[:, None] * (value - key @ s)
        states.append(s)
    return torch.stack(states)


def closed(g: Tensor, f: Tensor, v: Tensor) -> Tensor:
    """Output (n, e) of the delta rule without a recurrence: tril(g f^T) (I + tril(f f^T, -1))^-1 v."""
    overlap = torch.eye(len(f), dtype=f.dtype, device=f.device) + (f @ f.T).tril(-1)
    return (g @ f.T).tril() @ torch.linalg.solve_triangular(overlap, v, upper=False, unitriangular=True)


def read(x: Tensor, states: Tensor, sums: Tensor) -> Tensor:
    """x^T S / x^T z, or x^T S where z is zero (the delta rule has none): x (n, d), one state for all rows or one each
    -> (n, e)."""
    value = (x[:, None] @ states)[:, 0] if states.dim() == 3 else x @ states
    return value / (x * sums).sum(-1, keepdim=True) if sums.any() else value


def error(found: Tensor, truth: Tensor) -> Tensor:
    """||found - truth|| / ||truth|| per row: (n, e) -> (n,)."""
    return (found - truth).norm(dim=-1) / truth.norm(dim=-1)
