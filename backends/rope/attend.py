"""Runs a Plan: q, k, v (b, h, n, d) -> y, causal, queries in chunks, so that memory is chunk x n per head.

Pure frequencies go through scaled_dot_product_attention.  With far keys, a chunk has two rotations: near scores for its
last keys, far scores for the earlier ones, and both only where a key is near for one query of the chunk and far for
another.  What is not kept is never looked at.  Angles are float32: positions reach 65,536, whose products with theta
are exact to 4e-3 radians at worst.
"""
from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from backends.device import HOST
from backends.lm import rotary
from backends.rope.methods import METHODS, Plan

NARROW = 64                 # smallest chunk of queries where only a window of keys is kept
# scores of a chunk that a processor's cache holds: larger chunks are slower, up to two times
CACHED = 1 << 19


def attend(plan: Plan, q: Tensor, k: Tensor, v: Tensor, chunk: int = 256) -> Tensor:
    """y (b, h, m, d) of un-rotated q (b, h, m, d), k and v (b, h, n, d); the queries are the last m <= n tokens.

    Raises ValueError for a method that is only drawn."""
    if not METHODS[plan.name].runs:
        raise ValueError(f"{METHODS[plan.name].label} is shown and not run: there is no model here that was "
                         "trained for it.")
    n = k.shape[2]
    first = n - q.shape[2]
    at = torch.arange(n, device=q.device, dtype=torch.float32)
    if plan.logit is not None:
        q = q * plan.logit(at[first:])[:, None].to(q.dtype)
    near = rotary.rotate(q, at[first:], plan.theta), rotary.rotate(k, at, plan.theta)
    if plan.keep is not None:
        return _kept(plan, near, _far(plan, q, k, plan.keep.sinks), v, chunk)
    if plan.far is None or plan.far.window >= n:
        return _plain(*near, v, chunk)
    return _mixed(plan.far.window, near, _far(plan, q, k, n), v, chunk)


Pair = tuple[Tensor, Tensor]


def _far(plan: Plan, q: Tensor, k: Tensor, count: int) -> Pair:
    """Queries and the first `count` keys, rotated for far pairs."""
    at = torch.arange(k.shape[2], device=q.device, dtype=torch.float32)
    query, key = (at, at) if plan.far is None else (plan.far.query(at), plan.far.key(at))
    return rotary.rotate(q, query[-q.shape[2] :], plan.theta), rotary.rotate(k[:, :, :count], key[:count], plan.theta)


def _plain(q: Tensor, k: Tensor, v: Tensor, chunk: int) -> Tensor:
    """Causal attention of the last queries."""
    m, n = q.shape[2], k.shape[2]
    if m == n:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    out = [F.scaled_dot_product_attention(q[:, :, a:e], k[:, :, : n - m + e], v[:, :, : n - m + e],
                                          attn_mask=_causal(a, e, n - m, q))
           for a, e in _chunks(m, chunk)]
    return torch.cat(out, 2)


def _chunks(m: int, size: int) -> list[tuple[int, int]]:
    return [(a, min(m, a + size)) for a in range(0, m, size)]


def _causal(a: int, e: int, shift: int, like: Tensor) -> Tensor:
    """(e - a, shift + e): which keys the queries a .. e - 1, at positions shift + a .., see."""
    return torch.ones(e - a, shift + e, dtype=torch.bool, device=like.device).tril(shift + a)


def _mixed(window: int, near: Pair, far: Pair, v: Tensor, chunk: int) -> Tensor:
    """All keys: far ones from `window` tokens back on."""
    m, n = near[0].shape[2], v.shape[2]
    root, out = near[0].shape[-1] ** -0.5, []
    if v.device.type == HOST:
        chunk = min(chunk, max(32, CACHED // (v.shape[0] * v.shape[1] * n)))
    near, far = (near[0] * root, near[1].transpose(-1, -2)), (far[0] * root, far[1].transpose(-1, -2))
    for a, e in _chunks(m, chunk):
        low, high = n - m + a, n - m + e                             # positions of these queries
        # keys < old are far for one, keys >= young near for one
        old, young = max(0, high - window), max(0, low - window + 1)
        scores = near[0].new_empty(*near[0].shape[:2], e - a, high)
        scores[..., young:] = near[0][:, :, a:e] @ near[1][..., young:high]
        if old:
            distant = far[0][:, :, a:e] @ far[1][..., :old]
            scores[..., :young] = distant[..., :young]
            gap = _gap(low, high, young, old, v)
            scores[..., young:old] = torch.where(gap >= window, distant[..., young:], scores[..., young:old])
        scores[..., low:] = scores[..., low:].masked_fill(_gap(low, high, low, high, v) < 0, -torch.inf)
        out.append(scores.softmax(-1) @ v[:, :, :high])
    return torch.cat(out, 2)


def _gap(low: int, high: int, start: int, end: int, like: Tensor) -> Tensor:
    """i - j of the queries low .. high - 1 and the keys start .. end - 1."""
    return torch.arange(low, high, device=like.device)[:, None] - torch.arange(start, end, device=like.device)


def _kept(plan: Plan, near: Pair, far: Pair, v: Tensor, chunk: int) -> Tensor:
    """A window of keys and the first ones: of those, the far pairs stand in columns of their own."""
    window, sinks = plan.keep.window, far[1].shape[2]
    m, n = near[0].shape[2], v.shape[2]
    root, out = near[0].shape[-1] ** -0.5, []
    for a, e in _chunks(m, max(NARROW, min(chunk, window))):
        low, high = n - m + a, n - m + e
        young, first = max(0, low - window + 1), min(sinks, max(0, high - window))
        scores = torch.cat([far[0][:, :, a:e] @ far[1][:, :, :first].transpose(-1, -2),
                            near[0][:, :, a:e] @ near[1][:, :, young:high].transpose(-1, -2)], -1) * root
        gap = _gap(low, high, young, high, v)
        seen = torch.cat([_gap(low, high, 0, first, v) >= window, (gap >= 0) & (gap < window)], -1)
        values = torch.cat([v[:, :, :first], v[:, :, young:high]], 2)
        out.append(scores.masked_fill(~seen, -torch.inf).softmax(-1) @ values)
    return torch.cat(out, 2)
