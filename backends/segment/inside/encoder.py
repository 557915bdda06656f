"""The picture through the encoder: at each stride the first three principal components of its features.

Letters: C channels, r rows and c columns of cells, those that the picture reaches.  A component is shown up to its
sign, which is chosen so that its largest weight is positive.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import scipy.linalg
import torch
from torch import Tensor, nn

from backends import shapes
from backends.cache import ByteLRU
from backends.result import Check, check
from backends.segment.inside.capture import Found, cut, watched
from backends.segment.segmenter import Embedding, Segmenter
from backends.segment.tiny import FEAT8, TinyEncoder
from backends.segment.tinyvit import TinyViT

ENCODED = ByteLRU(32 << 20)


@dataclass(frozen=True)
class Level:
    """One place in the encoder.  name; stride in px of the model's input; channels C; components float32 (r, c, 3);
    share (3,): of the variance over the picture that each component explains."""

    name: str
    stride: int
    channels: int
    components: Annotated[np.ndarray, "r c 3"]
    share: Annotated[np.ndarray, "3"]


@dataclass(frozen=True)
class Encoded:
    """Levels in the order of the forward; input_size (h, w) of the picture inside of the model's input, in px."""

    levels: tuple[Level, ...]
    input_size: tuple[int, int]


def components(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features (C, r, c) -> principal components (r, c, 3) and the shares (3,) of variance that they explain; zeros
    where there are fewer."""
    flat = values.reshape(len(values), -1).astype(np.float64)
    flat -= flat.mean(1, keepdims=True)
    spread = flat @ flat.T
    count = min(3, len(spread))
    power, vectors = scipy.linalg.eigh(spread, subset_by_index=(len(spread) - count, len(spread) - 1))
    vectors = vectors[:, ::-1] * np.sign(vectors[np.abs(vectors).argmax(0), range(count)])[::-1]
    found, share = np.zeros((flat.shape[1], 3), np.float32), np.zeros(3)
    found[:, :count] = flat.T @ vectors
    share[:count] = power[::-1] / max(np.trace(spread), 1e-30)
    return found.reshape(*values.shape[1:], 3), share


def places(encoder: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules whose outputs are shown, by the kind of encoder."""
    if isinstance(encoder, TinyEncoder):
        names = {"backbone": "backbone", "pyramid": "merge16", "features": "feat8", "fine features": "feat4"}
        return [(title, getattr(encoder, name)) for title, name in names.items()]
    if isinstance(encoder, TinyViT):
        layers = [(f"stage {i + 1}", layer) for i, layer in enumerate(encoder.layers)]
        return [("patches", encoder.patch_embed), *layers, ("neck", encoder.neck)]
    blocks = getattr(encoder, "blocks", None)
    if blocks is None or not hasattr(encoder, "neck"):
        return []
    ends = sorted({round((len(blocks) - 1) * k / 3) for k in range(4)})
    return [("patches", encoder.patch_embed), *((f"block {i + 1}", blocks[i]) for i in ends), ("neck", encoder.neck)]


def levels(segmenter: Segmenter, e: Embedding, image: np.ndarray) -> tuple[Encoded, float]:
    """The picture encoded once more, watched; and the largest difference of that run's features from the kept ones,
    relative to their largest."""
    other, found = watched(segmenter, "image_encoder"), Found()
    shown = places(other.sam.image_encoder)
    for name, module in shown:
        found.outputs(module, name)
    again = other.encode(image, e.key).features
    apart = float((again - e.features).abs().max() / e.features.abs().max().clamp(min=1e-12))
    side = other.sam.image_encoder.img_size
    rows = [_level(title, x, side, e) for name, _ in shown for title, x in _maps(name, found[name][0])]
    return Encoded(tuple(rows), e.input_size), apart


def _maps(name: str, out: Tensor | list[Tensor]) -> Iterator[tuple[str, Tensor]]:
    """(title, (C, g, g)) of what one module gave: several maps, or one with its channels last as in a ViT's blocks."""
    if isinstance(out, list | tuple):
        yield from ((f"{name}, level {i + 1}", x[0]) for i, x in enumerate(out))
    elif out.shape[1] == out.shape[2] != out.shape[3]:
        yield name, out[0].permute(2, 0, 1)
    else:
        yield name, out[0]


def _level(name: str, x: Tensor, side: int, e: Embedding) -> Level:
    stride = side // x.shape[-1]
    return shapes.check(Level(name, stride, len(x), *components(cut(x, stride, e))))


def kept_alone(segmenter: Segmenter, e: Embedding) -> Encoded:
    """What is known without another run: the kept features that every click reads."""
    x = e.features[0, :FEAT8] if isinstance(segmenter.sam.image_encoder, TinyEncoder) else e.features[0]
    return Encoded((_level("kept features", x, segmenter.sam.image_encoder.img_size, e),), e.input_size)


@torch.no_grad()
def view(params: object, segmenter: Segmenter, image: np.ndarray,
         **others: object) -> Iterator[tuple[Encoded, str, tuple[Check, ...] | None]]:
    """The view `encoder`, a long one for a large model: first the kept features, then every level."""
    e = segmenter.embed(image)
    key = (*e.key, str(segmenter.device))
    found = ENCODED.get(key)
    if found is None:
        yield kept_alone(segmenter, e), "", None
        found = levels(segmenter, e, image)
        ENCODED.put(key, found, sum(level.components.nbytes for level in found[0].levels))
    yield found[0], "", (check("features", found[1], 1e-5, "The features of this run are those that the clicks read."),)
