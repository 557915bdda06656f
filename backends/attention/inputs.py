"""Where q, k and v come from: a model reading a text, a seeded draw, or a safetensors file.

Letters: h heads, g key heads, n tokens, d head dimension, e value channels.  The norm dial multiplies q and k of every
source.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from torch import Tensor

from backends import device, weights
from backends.attention import readers
from backends.attention.exact import PLAIN, Own
from backends.attention.params import MAX_TOKENS, AttentionParams
from backends.attention.words import Words
from backends.drawn import normal, seeded
from backends.lm import pretrained
from backends.lm.pretrained import Heads, wide

Tensors = tuple[Tensor, Tensor, Tensor]
HEADS = 4                    # of a synthetic input
MAX_DIM, MAX_HEADS, MAX_VALUE = 256, 64, 1e6
MAX_FILE = 256 << 20


@dataclass(frozen=True)
class Inputs:
    """q, k, v (float32, on the device that computes), how each token reads, which head is drawn (from 0), and a
    sentence on what was cut or is unusual ("" if nothing).

    Of a model they are those of the one head, with what its softmax has besides, `own`, and the weights that it uses,
    `map`."""

    q: Annotated[Tensor, "h n d"]
    k: Annotated[Tensor, "h n d"]
    v: Annotated[Tensor, "h n e"]
    words: Words
    head: int = 0
    notice: str = ""
    own: Own = PLAIN
    map: Annotated[Tensor, "n n"] | None = None


def load(params: AttentionParams, tensors: Tensors | None = None) -> Inputs:
    """The input that `params` names; `tensors` are those of a file.  Raises ValueError with one sentence for the
    user."""
    if params.source in ("text", "model"):
        found = _read(params)
    elif params.source == "file":
        if tensors is None:
            raise ValueError("Please choose a safetensors file that holds q, k and v.")
        found = _numbered(*(x.to(device.exact()) for x in tensors), params)
    else:
        made = normal(3, HEADS, params.n, params.dim, random=seeded(params.seed))
        found = _numbered(*made.to(device.exact()), params)
    return replace(found, q=found.q * params.norm, k=found.k * params.norm)


def _numbered(q: Tensor, k: Tensor, v: Tensor, params: AttentionParams) -> Inputs:
    names = tuple(f"q{i}" for i in range(q.shape[1]))
    return Inputs(q, k, v, Words(names, names), _one_of(len(q), params))


def _one_of(heads: int, params: AttentionParams) -> int:
    """The drawn head, from 0.  Raises ValueError where there are fewer."""
    if params.head > heads:
        raise ValueError(f"This input has {heads} head{'s' * (heads > 1)}; please choose one of them.")
    return params.head - 1


def _read(params: AttentionParams) -> Inputs:
    """One head of a model that reads the text."""
    model = readers.reader(params)
    tokens, said, notice = model.read(params.text)
    layers = readers.caught(model, tokens)
    if params.layer > len(layers):
        raise ValueError(f"This model has {len(layers)} layers; please choose one of them.")
    heads = layers[params.layer - 1]
    head = _one_of(heads.q.shape[1], params)
    one = readers.plain(heads, slice(head, head + 1))
    own = Own(one.window if (one.window or len(tokens)) < len(tokens) else None, one.softcap, one.sinks)
    return Inputs(*readers.folded(one), said, 0, " ".join(filter(None, (notice, own.said()))), own,
                  _used(heads)[head])


def _used(heads: Heads) -> Tensor:
    """The weights (h, n, n) that a model's layer uses, in float32."""
    sinks = None if heads.sinks is None else heads.sinks.float()
    exactly = replace(heads, q=heads.q.float(), k=heads.k.float(), sinks=sinks)
    return pretrained.weights(exactly)[0].to(device.exact())


def read_tensors(path: str | Path) -> Tensors:
    """q (h, n, d), k (h, n, d) and v (h, n, e), float32, of a safetensors file with these keys: (n, d), (h, n, d) or
    (1, h, n, d) each.  Fewer heads of k and v are repeated, each for its group of query heads.

    Raises ValueError, one sentence: no safetensors file, keys missing, shapes or types wrong, too large, or values that
    are not finite.
    """
    file = Path(path)
    if file.is_file() and file.stat().st_size > MAX_FILE:
        raise ValueError(f"This file is larger than {MAX_FILE >> 20} MB; q, k and v of one layer need less.")
    try:
        found = weights.load_file(file, trusted=False)
    except weights.WeightsError as error:
        raise ValueError(str(error)) from None
    missing = [name for name in "qkv" if name not in found]
    if missing:
        raise ValueError(f"This file holds no tensor called {missing[0]}; it needs q, k and v.")
    q, k, v = (_checked(name, found[name]) for name in "qkv")
    if (q.shape[1:], len(k), k.shape[1]) != (k.shape[1:], len(v), v.shape[1]) or len(q) % len(k):
        raise ValueError("q, k and v must have the same tokens, q and k the same channels, and k and v a number of "
                         f"heads that divides q's, but have {', '.join(str(tuple(x.shape)) for x in (q, k, v))}.")
    return q, _widened(k, len(q)), _widened(v, len(q))


def _widened(x: Tensor, heads: int) -> Tensor:
    return wide(x[None], heads)[0]


def _checked(name: str, x: Tensor) -> Tensor:
    """One tensor as (h, n, d) float32."""
    shape = tuple(x.shape)
    if x.dim() == 4 and len(x) == 1:
        x = x[0]
    x = x[None] if x.dim() == 2 else x
    if x.dim() != 3 or not x.numel():
        raise ValueError(f"{name} has shape {shape}; it should be (n, d), (h, n, d) or (1, h, n, d), without an "
                         "empty axis.")
    if len(x) > MAX_HEADS or x.shape[1] > MAX_TOKENS or x.shape[2] > MAX_DIM:
        raise ValueError(f"{name} has shape {shape}; at most {MAX_HEADS} heads, {MAX_TOKENS} tokens and {MAX_DIM} "
                         "channels can be shown.")
    if not x.is_floating_point():
        raise ValueError(f"{name} holds {str(x.dtype).removeprefix('torch.')} numbers; real floating-point ones "
                         "are needed.")
    x = x.float()
    if not x.isfinite().all():
        raise ValueError(f"{name} holds values that are not finite (NaN or infinity).")
    if x.abs().max() > MAX_VALUE:
        raise ValueError(f"{name} holds values beyond {MAX_VALUE:.0e}; please scale it down first.")
    return x.contiguous()
