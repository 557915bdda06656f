"""Entropy of attention against the number of keys, for four scales.

sqrt     q.k / sqrt(d)
logn     q.k log n / (log 512 sqrt(d))          Su 8823: the entropy should not depend on n
keynorm  q.k / |k|                               Su 9859
cosine   4 log n q.k / (|q| |k|)                 Su 9859
Source: independent N(0, 1) entries, or the q and k (rotated by RoPE) of one head of the byte model "bytes-softmax" on held-out text.  Keys
are nested: the rows for n use the last n keys up to the query.
"""
from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from backends.scale.params import SCALES, ScaleParams
from backends.scale.results import Curve, Entropy
from backends.scale.saturate import entropy

LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 4096, 16384)
TRAINED = (16, 32, 64, 128, 256, 512)
QUERIES, REFERENCE = 16, 512
MODEL = "softmax"                     # bytes-softmax on the shelf


def scaled(name: str, q: Tensor, k: Tensor) -> Tensor:
    """Logits (..., m, n) of q (..., m, d) and k (..., n, d) under a scale; n counts the keys."""
    n, d = k.shape[-2:]
    if name == "keynorm":
        return q @ F.normalize(k, dim=-1).mT
    if name == "cosine":
        return 4 * math.log(n) * F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT
    return q @ k.mT * d**-0.5 * (math.log(n) / math.log(REFERENCE) if name == "logn" else 1.0)


def source(params: ScaleParams) -> tuple[Tensor, Tensor]:
    """q (m, 1, d) and k (m, n, d): each query with its keys, the last one its own token."""
    if params.source == "random":
        made = torch.Generator().manual_seed(params.seed)
        q, k = torch.randn(QUERIES, 1, params.d, generator=made), torch.randn(1, LENGTHS[-1], params.d, generator=made)
        return q, k.expand(QUERIES, -1, -1)
    from backends.lm import corpus, shelf

    model, longest = shelf.load(MODEL), TRAINED[-1]
    tokens = corpus.windows(True, 1, longest + QUERIES, params.seed)[0]
    layer = model.trace(tokens).layers[params.layer - 1]
    q, k = layer.q[0, params.head - 1], layer.k[0, params.head - 1]
    ends = range(longest, longest + QUERIES)
    return torch.stack([q[end : end + 1] for end in ends]), torch.stack([k[end + 1 - longest : end + 1] for end in ends])


def curves(params: ScaleParams) -> Iterator[Entropy]:
    """Mean entropy of the rows, one number of keys more each time."""
    q, k = source(params)
    lengths, found = LENGTHS if params.source == "random" else TRAINED, {name: [] for name in SCALES}
    for at, n in enumerate(lengths):
        for name, rows in found.items():
            rows.append(entropy(scaled(name, q, k[:, -n:]).double().softmax(-1)).mean().item())
        made = tuple(Curve(name, SCALES[name], tuple(rows)) for name, rows in found.items())
        yield Entropy(params.source, q.shape[-1], lengths[: at + 1], made)
