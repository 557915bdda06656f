"""What a click adds, as the decoder sees it.

tiny: the maps that enter its prompt convolution.  SAM (Kirillov et al. 2023, arXiv 2304.02643, appendix A): attention
from the tokens to the picture in every layer and head, and the mask tokens.

Letters: g cells per side, s similarity heads, k cost channels, l cells per side of low-resolution logits; a attention
layers, h heads, n tokens, m masks.  Maps hold the cells that the picture reaches (r, c); the fine ones (y, x).
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn

from backends import device, shapes
from backends.result import Check, check
from backends.segment.inside.capture import Found, Run, cut
from backends.segment.interact import Step
from backends.segment.segmenter import Embedding
from backends.segment.tiny import COSTS, HEADS, STRIDE, TinyMaskDecoder, split

FINE = STRIDE // 2
"""px of the model's input in a cell of low-resolution logits: 4 for every model."""


@dataclass(frozen=True)
class TinyClick:
    """coarse: logits of the coarse view's guess; alike, against: cosine with the features under the including and the
    excluding clicks, by head; boundary: probability; distance, away: geodesic distance from the including and the
    excluding clicks, by what a wall costs; walls: that price; `against` and `away` are None without an excluding click.

    within, beyond: mean distance (cheapest walls) inside and outside of the mask on screen.
    """

    coarse: Annotated[np.ndarray, "y x"]
    alike: Annotated[np.ndarray, "s r c"]
    against: Annotated[np.ndarray, "s r c"] | None
    boundary: Annotated[np.ndarray, "r c"]
    distance: Annotated[np.ndarray, "k r c"]
    away: Annotated[np.ndarray, "k r c"] | None
    walls: tuple[float, ...]
    within: float
    beyond: float
    input_size: tuple[int, int]


@dataclass(frozen=True)
class SamClick:
    """attention: from every token to the picture, rows of it sum to 1 over the model's whole input; tokens: their
    names; before, after: cosines between the four mask tokens as they enter and leave; masks: logits of all four mask
    tokens; token: the one whose mask is on screen."""

    attention: Annotated[np.ndarray, "a h n r c"]
    tokens: tuple[str, ...]
    before: Annotated[np.ndarray, "m m"]
    after: Annotated[np.ndarray, "m m"]
    masks: Annotated[np.ndarray, "m y x"]
    token: int
    input_size: tuple[int, int]


def watch(decoder: nn.Module, found: Found) -> None:
    """What is captured of one decoding."""
    if isinstance(decoder, TinyMaskDecoder):
        found.inputs(decoder.prompt_in, "maps")
        found.method(decoder, "coarse_guess")
        return
    found.inputs(decoder.transformer, "tokens", 2)
    found.outputs(decoder.transformer, "out")
    found.method(decoder, "predict_masks")
    for at, attention in enumerate(layers(decoder)):
        for name in ("q_proj", "k_proj", "v_proj"):
            found.outputs(getattr(attention, name), f"{at} {name}")
        found.inputs(attention.out_proj, f"{at} mixed")
        found["heads"].append(attention.num_heads)


def layers(decoder: nn.Module) -> list[nn.Module]:
    """The attentions from tokens to the picture, in the order of the forward."""
    transformer = decoder.transformer
    return [*(layer.cross_attn_token_to_image for layer in transformer.layers), transformer.final_attn_token_to_image]


# --- tiny ---

def tiny(run: Run, e: Embedding, steps: Sequence[Step]) -> tuple[TinyClick, tuple[Check, ...]]:
    """The maps of the fine view, and what must hold under an including click."""
    maps = run.found["maps"][-1][0]
    near, far, alike, against = maps[: 2 * len(COSTS) + 2 * HEADS].split([len(COSTS)] * 2 + [HEADS] * 2)
    boundary = split(e.features.chunk(2, 1)[0])[3][0, 0].sigmoid()
    distance = -near.log()
    excluded = any(label == 0 for step in steps for *_, label in step.points)
    away, walls = cut(-far.log(), STRIDE, e) if excluded else None, tuple(wall for _, wall in COSTS)
    within, beyond = _on_both_sides(cut(distance, STRIDE, e)[0], run, e)
    body = TinyClick(
        cut(run.found["coarse_guess"][0][0, 0], FINE, e), cut(alike, STRIDE, e),
        cut(against, STRIDE, e) if excluded else None, cut(boundary, STRIDE, e), cut(distance, STRIDE, e),
        away, walls, within, beyond, e.input_size)
    return shapes.check(body), _under_clicks(body, e, steps)


def _on_both_sides(distance: np.ndarray, run: Run, e: Embedding) -> tuple[float, float]:
    """Mean distance (r, c) over the cells that the chosen mask covers by more than half, and over the others."""
    logits = torch.from_numpy(run.logits[run.shown.chosen])[None, None]
    share = cut(nn.functional.avg_pool2d((logits > 0).float(), 2)[0, 0], STRIDE, e) > 0.5
    return tuple(float(distance[side].mean()) if side.any() else 0.0 for side in (share, ~share))


def _under_clicks(body: TinyClick, e: Embedding, steps: Sequence[Step]) -> tuple[Check, ...]:
    """Under every including click the similarity is 1 and the distance 0."""
    cells = [cell(x, y, e, body.boundary.shape) for step in steps for x, y, label in step.points if label]
    if not cells:
        return ()
    apart = max(float(np.abs(body.alike[:, r, c] - 1).max()) for r, c in cells)
    far = max(float(np.abs(body.distance[:, r, c]).max()) for r, c in cells)
    return (check("similarity", apart, 1e-4, "Under a click that includes, every head's similarity is 1."),
            check("distance", far, 1e-4, "Under a click that includes, the geodesic distance is 0."))


def cell(x: float, y: float, e: Embedding, shape: tuple[int, ...]) -> tuple[int, int]:
    """(row, column) of the cell that a pixel of the picture lies in, on a map (rows, columns) that covers it."""
    place = (y * e.input_size[0] / e.size[0], x * e.input_size[1] / e.size[1])
    return tuple(min(int(v // STRIDE), n - 1) for v, n in zip(place, shape, strict=True))


# --- SAM ---

def sam(run: Run, e: Embedding, steps: Sequence[Step]) -> tuple[SamClick, tuple[Check, ...]]:
    """Attention and mask tokens; the weights are held against what the model mixed with them."""
    found, side = run.found, e.features.shape[-1]
    pairs = [_attention(found, at) for at in range(found.count("mixed"))]
    maps = torch.stack([weights.unflatten(-1, (side, side)) for weights, _ in pairs])
    before, after = found["tokens"][0][0], found["out"][0][0][0]
    masks = found["predict_masks"][0][0][0]
    body = SamClick(cut(maps, FINE * masks.shape[-1] // side, e), names(steps), _cosines(before), _cosines(after),
                    cut(masks, FINE, e), run.shown.chosen + 1, e.input_size)
    apart = max(difference for _, difference in pairs)
    return shapes.check(body), (check("attention", apart, 1e-4,
                                      "These weights times the values are what the layers passed on."),)


def _attention(found: Found, at: int) -> tuple[Tensor, float]:
    """Weights (h, n, g g) of one layer from its own queries and keys, and the largest difference of `weights @ v` from
    what went into its output projection, relative to the largest entry."""
    q, k, v, mixed = (found[f"{at} {name}"][0][0] for name in ("q_proj", "k_proj", "v_proj", "mixed"))
    heads = found["heads"][0]
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(0, 1) for x in (q, k, v))
    weights = (q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])).softmax(-1)
    again = (weights @ v).transpose(0, 1).flatten(1)
    return weights, float((again - mixed).abs().max() / mixed.abs().max().clamp(min=1e-12))


def _cosines(tokens: Tensor) -> np.ndarray:
    """(m, m) between the mask tokens, the four rows after the IoU token of (n, C)."""
    unit = nn.functional.normalize(tokens[1:5].float(), dim=-1)
    return device.array(unit @ unit.T)


def names(steps: Sequence[Step]) -> tuple[str, ...]:
    """What each token stands for: rating, masks, clicks, and either the corners of the box or padding."""
    clicks = [label for step in steps for *_, label in step.points]
    said = [f"click {i + 1} {'+' if label else '-'}" for i, label in enumerate(clicks)]
    boxed = any(step.box is not None for step in steps)
    return ("IoU", *(f"mask {i}" for i in range(4)), *said, *(("corner 1", "corner 2") if boxed else ("padding",)))
