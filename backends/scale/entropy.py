"""Entropy of attention against the number of keys, for four scales.

sqrt     q.k / sqrt(d)
logn     q.k log n / (log 512 sqrt(d))          Su 8823: the entropy should not depend on n
keynorm  q.k / |k|                               Su 9859
cosine   4 log n q.k / (|q| |k|)                 Su 9859
Source: independent N(0, 1) entries, or the q and k (rotated by RoPE) of one head of the byte model "bytes-softmax" on
held-out text.  Keys are nested: the rows for n use the last n keys up to the query.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from backends import device, stop
from backends.drawn import normal, seeded
from backends.scale.params import SCALES, ScaleParams
from backends.scale.results import Curve, Entropy
from backends.scale.saturate import entropy

LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 4096, 16384, 65536)
TRAINED = (16, 32, 64, 128, 256, 512)
QUERIES, REFERENCE = 16, 512
PART = 4096                           # keys that are drawn at once
MODEL = "softmax"                     # bytes-softmax on the shelf


@dataclass(frozen=True)
class Products:
    """`dots` q.k (m, n), lengths `q` (m, 1) of the queries and `k` (m, n) or (1, n) of the keys, their dimension `d`;
    `last`: the queries and the last REFERENCE keys themselves."""

    dots: Tensor
    q: Tensor
    k: Tensor
    d: int
    last: tuple[Tensor, Tensor]


def products(q: Tensor, k: Tensor) -> Products:
    """Of queries (m, d) and keys (n, d), or (m, n, d) when each query has its own."""
    dots = q @ k.mT if k.ndim == 2 else (k @ q[:, :, None])[..., 0]
    last = (q, k[..., -REFERENCE:, :].clone())
    return Products(dots, q.norm(dim=-1, keepdim=True), torch.atleast_2d(k.norm(dim=-1)), q.shape[-1], last)


def scaled(name: str, of: Products, n: int) -> Tensor:
    """Logits (m, n) of the last n keys under a scale."""
    dots, k = of.dots[:, -n:], of.k[:, -n:]
    if name == "keynorm":
        return dots / k
    if name == "cosine":
        return 4 * math.log(n) * dots / (of.q * k)
    return dots * of.d**-0.5 * (math.log(n) / math.log(REFERENCE) if name == "logn" else 1.0)


def drawn(d: int, seed: int) -> Products:
    """Independent N(0, 1) entries; the keys a part at a time."""
    made, at = seeded(seed), device.exact()
    q = normal(QUERIES, d, random=made).to(at)
    parts = []
    for _ in range(LENGTHS[-1] // PART):
        stop.check()
        parts.append(products(q, normal(PART, d, random=made).to(at)))
    return Products(torch.cat([one.dots for one in parts], 1), parts[0].q, torch.cat([one.k for one in parts], 1), d,
                    parts[-1].last)


def trained(layer: int, head: int, seed: int) -> Products:
    """One head of the byte model on held-out text, layer and head from 1: each query with its keys, the last one its
    own token."""
    from backends.lm import corpus, shelf

    model, longest = shelf.load(MODEL), TRAINED[-1]
    text = corpus.windows(True, 1, longest + QUERIES, seed)[0].to(model.device)
    one = model.trace(text).layers[layer - 1]
    q, k = one.q[0, head - 1], one.k[0, head - 1]
    ends = range(longest, longest + QUERIES)
    return products(torch.stack([q[end] for end in ends]),
                    torch.stack([k[end + 1 - longest : end + 1] for end in ends]))


def chosen(params: ScaleParams) -> Products:
    """Of the source that is set."""
    if params.source == "random":
        return drawn(params.d, params.seed)
    return trained(params.layer, params.head, params.seed)


def curves(params: ScaleParams, of: Products) -> Iterator[Entropy]:
    """Mean entropy of the rows, one number of keys more each time."""
    lengths, found = LENGTHS if params.source == "random" else TRAINED, {name: [] for name in SCALES}
    for at, n in enumerate(lengths):
        for name, rows in found.items():
            rows.append(entropy(scaled(name, of, n).double().softmax(-1)).mean().item())
        made = tuple(Curve(name, SCALES[name], tuple(rows)) for name, rows in found.items())
        yield Entropy(params.source, of.d, lengths[: at + 1], made)
