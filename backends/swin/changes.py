"""What Swin V2 changes, on the picture's tokens: the scores, the bias, the place of the norms.

Scores are those of the shipped Swin's q and k, which were not trained for a cosine; whole blocks have weights drawn at
random.  Formulas: `second`.
"""
from __future__ import annotations

from typing import Any

import numpy as np
import torch
from timm.models.swin_transformer_v2 import SwinTransformerV2Block
from torch import Tensor, nn
from torchvision.models.swin_transformer import SwinTransformerBlockV2

from backends import device, metrics
from backends.drawn import hosted
from backends.result import Check, check
from backends.swin import attend, relative, second
from backends.swin.geometry import PAD, Layout, Pair, layout
from backends.swin.lessons import CHANNELS
from backends.swin.params import HEADS, WINDOW
from backends.swin.results import Cosine
from backends.swin.stage import ROUNDING, Scene


def cosine(scene: Scene) -> tuple[Cosine, tuple[Check, ...]]:
    """What Swin V2 changes: scaled cosine on the same q and k, the bias and its coordinates, the place of the norms."""
    q, k, _ = attend.split(attend.gathered(scene.x, scene.layout), scene.weights)
    real = torch.from_numpy(scene.layout.windows != PAD).to(q.device)
    pairs = (real[:, :, None] & real[:, None, :]).unsqueeze(1)
    scale = float(second.clamped(torch.tensor(scene.params.scale, device=device.HOST).log()))
    scored = [attend.scores(q, k, s, scale) for s in ("dot", "cosine")]
    largest = [tuple((each.abs() * pairs).amax((0, 2, 3)).tolist()) for each in scored]
    support = [_support(attend.soften(each, scene.bias, scene.layout, scene.params.masked), scene) for each in scored]
    window = scene.layout.window
    axes = [(f(max(window), WINDOW), f(WINDOW, WINDOW))
            for f in (relative.linear_coordinates, relative.log_coordinates)]
    lines = [tuple(axis.tolist()) for axis, _ in axes]
    offsets, stretches = tuple(range(1 - max(window), max(window))), [relative.stretch(*pair) for pair in axes]
    block = second.drawn(scene.params.seed, CHANNELS, HEADS, scene.x)
    tables = scene.table, second.table(block.inner, block.outer, window, window)
    biases = [tuple(_row(each, window, scene.params.head - 1)) for each in tables]
    sizes, held = _sizes(scene)
    found = Cosine(*largest, *support, scale, WINDOW, offsets, *lines, *stretches, *biases, *sizes)
    top = max(largest[1])
    text = "largest |score| before the bias with scaled cosine; the dot product has no bound"
    return found, (Check("Cosine is bounded by its scale", top, scale, top <= scale * (1 + 1e-5), text), held,
                   _parity(scene, block))


def _support(p: Tensor, scene: Scene) -> tuple[float, ...]:
    """Mean effective keys of every head over the tokens."""
    values = attend.per_token(metrics.support(p), scene.layout)
    return tuple(float(head.mean()) for head in values)


def _row(table: Tensor, window: Pair, head: int) -> list[float]:
    """The bias of a head along one axis, offsets (0, 1 - M) .. (0, M - 1)."""
    return table[:, head].view(2 * window[0] - 1, -1)[window[0] - 1].tolist()


def _sizes(scene: Scene) -> tuple[tuple[Any, ...], Check]:
    """Root mean squares of the map through `depth` blocks drawn at random, norms before and after, output weights
    enlarged and not.  What was normed adds at most 1 to it (triangle inequality), and a block does so twice."""
    p, plain = scene.params, layout(scene.params.size, scene.params.window, 0, scene.params.order)
    blocks = [second.drawn(p.seed + depth, CHANNELS, HEADS, scene.x) for depth in range(p.depth)]

    def sizes(run: Any, gain: float) -> tuple[float, ...]:
        x, found = scene.x, [_rms(scene.x)]
        for depth, block in enumerate(blocks):
            x = run(x, second.enlarged(block, gain), scene.layout if depth % 2 else plain)
            found.append(_rms(x))
        return tuple(found)

    enlarged = tuple(sizes(run, p.gain) for run in (second.before, second.after))
    as_drawn = enlarged if p.gain == 1 else tuple(sizes(run, 1.0) for run in (second.before, second.after))
    most = max(float(np.diff(each[1]).max()) for each in (enlarged, as_drawn))
    text = "largest growth of the map's root mean square in one block with norms after both branches"
    return (*enlarged, as_drawn), check("A block adds at most 2", most, 2 + 1e-4, text)


def _rms(x: Tensor) -> float:
    return float(x.square().mean().sqrt())


def _library(block: second.Block, one: Layout) -> tuple[str, nn.Module]:
    """The library whose order it is, and its block with these weights; timm's where the window is one token wide, which
    torchvision divides by zero."""
    a, layers = block.attention, block.mlp
    if one.order == "timm" or min(one.window) == 1:
        name, made = "timm", hosted(SwinTransformerV2Block)(CHANNELS, one.size, HEADS, one.window, one.shift)
        bias = {"attn.q_bias": a.qkv_bias[:CHANNELS], "attn.v_bias": a.qkv_bias[2 * CHANNELS:]}
        mlp = second.linears(("mlp.fc1", "mlp.fc2"), layers)
    else:
        made = hosted(SwinTransformerBlockV2)(CHANNELS, HEADS, list(one.window), list(one.shift))
        name, bias, mlp = "torchvision", {"attn.qkv.bias": a.qkv_bias}, second.linears(("mlp.0", "mlp.3"), layers)
    made.load_state_dict(made.state_dict() | second.named(block) | bias | mlp)
    return name, made.eval().to(a.qkv.device)


def _parity(scene: Scene, block: second.Block) -> Check:
    """One block with weights drawn at random against the library's own, on these tokens."""
    name, theirs = _library(block, scene.layout)
    gap = float((second.after(scene.x, block, scene.layout) - theirs(scene.x[None])[0]).abs().max())
    text = f"largest difference of any output to {name}'s own Swin V2 block, weights drawn at random"
    return check(f"The block is that of {name}", gap, ROUNDING, text)
