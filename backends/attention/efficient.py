"""Efficient attention (Shen 2018, arXiv 1812.01243): y = softmax_d(q) (softmax_n(k)^T v), a softmax over channels and
one over tokens.

A causal form cannot come from masking, since softmax_n sums over the future too.  It takes running sums of exp(k)
instead and divides each row by its own sum, as performer-pytorch's `no_projection` path does (q.softmax(-1), k.exp(),
then causal linear attention):

    A_ij = sum_c s_ic exp(k_jc) / sum_c s_ic exp(L_ic) = sum_c softmax_d(q + L)_ic exp(k_jc - L_ic),  j <= i

with s = softmax_d(q) and L_ic = ln sum_{j <= i} exp(k_jc).

In the last form every exponent is <= 0 and nothing can overflow, whatever k is.  The output is computed chunk by
chunk, its state S_c divided by exp(L) at the chunk's end.  L and all differences are float64, since they cancel.
Letters: h heads, n tokens, d channels, e value channels.
"""
from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 16


def attend(q: Tensor, k: Tensor, v: Tensor, causal: bool, chunk: int = CHUNK) -> Tensor:
    """y (h, n, e) of q, k (h, n, d), v (h, n, e); work n x chunk x d, memory chunk^2 x d."""
    if not causal:
        return q.softmax(-1) @ (k.softmax(1).mT @ v)
    if not k.shape[1]:
        return v
    k, total = k.double(), k.double().logcumsumexp(1)
    share = _share(q, total)
    state, before, parts = v.new_zeros(len(q), q.shape[-1], v.shape[-1]), torch.full_like(k[:, :1], -torch.inf), []
    for s, keys, values, sums in zip(*(x.split(chunk, 1) for x in (share, k, v, total))):
        carried = s * (before - sums).exp().to(s.dtype)
        parts.append(_within(s, keys, sums) @ values + carried @ state)
        last = sums[:, -1:]
        state = (before - last).exp().mT.to(s.dtype) * state + (keys - last).exp().to(s.dtype).mT @ values
        before = last
    return torch.cat(parts, 1)


def matrix(q: Tensor, k: Tensor, causal: bool) -> Tensor:
    """A (h, n, n) with A @ v = `attend`; causal: n x n x d per head is worked out, a chunk of queries at a time."""
    if not causal:
        return q.softmax(-1) @ k.softmax(1).mT
    n, total = k.shape[1], k.double().logcumsumexp(1)
    share, weights = _share(q, total), q.new_zeros(len(q), n, n)
    for start in range(0, n, CHUNK):
        rows = slice(start, min(start + CHUNK, n))
        weights[:, rows, : rows.stop] = _within(share[:, rows], k[:, : rows.stop].double(), total[:, rows])
    return weights


def _share(q: Tensor, total: Tensor) -> Tensor:
    """What each channel gives to a row of sum 1, (h, n, d) of the dtype of q: softmax_d(q + L)."""
    return (q.double() + total).softmax(-1).to(q.dtype)


def _within(share: Tensor, k: Tensor, total: Tensor) -> Tensor:
    """A (h, i, j) of queries whose last one stands at the last key: share (h, i, d), k (h, j, d), total (h, i, d)."""
    i, j = total.shape[1], k.shape[1]
    future = torch.ones(i, j, dtype=torch.bool, device=k.device).triu(j - i + 1)[..., None]
    gap = (k[:, None] - total[:, :, None]).to(share.dtype)
    return torch.einsum("hic,hijc->hij", share, gap.masked_fill_(future, -torch.inf).exp_())
