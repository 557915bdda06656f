"""Swin V2's block beside Swin's: the norm after each branch, cosine attention with a clamped scale, a bias that a small
network makes.

Liu et al., "Swin Transformer V2" (arXiv 2111.09883), section 3, in the scale of its code, which timm and torchvision
follow:

    norm    x + norm(attention(x)), then x + norm(mlp(x)); Swin has x + attention(norm(x)), then x + mlp(norm(x))
    scores  cos(q, k) * exp(min(s, ln 100)) + 16 sigmoid(g(dy, dx)); s is learned, by head, and starts from ln 10
    g       two layers with a ReLU, which read log-spaced offsets (`relative.log_coordinates`); no bias for k

What a norm puts out has a root mean square of 1, whatever the size of the branch: a block adds at most 2 to that of the
map (triangle inequality, norms of scale 1), where Swin's adds what its output weights make of it.

Letters: H, W map; C channels; h heads; M window.
"""
from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from backends.drawn import normal, seeded
from backends.swin import relative
from backends.swin.attend import Projections, attend
from backends.swin.geometry import Layout, Pair

CLAMP, START, TOP = 100.0, 10.0, 16.0       # of the scale; where it starts; of the bias
EPS = 1e-5                                  # of the norms
HIDDEN, WIDER = 512, 4                      # of g; of the MLP, times C

Linear = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Block:
    """The weights of one block: `scale` (h, 1, 1), before the clamp, as a logarithm; of g `inner` (512, 2) with its
    bias and `outer` (h, 512); two norms; the MLP's two layers."""

    attention: Projections
    scale: Tensor
    inner: Linear
    outer: Tensor
    norms: tuple[Linear, Linear]
    mlp: tuple[Linear, Linear]


def clamped(scale: Tensor) -> Tensor:
    """exp(min(s, ln 100))."""
    return scale.clamp(max=math.log(CLAMP)).exp()


def table(inner: Linear, outer: Tensor, window: Pair, trained: Pair) -> Tensor:
    """The bias table ((2M-1)^2, h), 16 sigmoid(g), of offsets scaled to the `trained` window."""
    axes = [torch.from_numpy(relative.log_coordinates(*pair)).to(outer) for pair in zip(window, trained)]
    at = torch.cartesian_prod(*axes)
    return TOP * torch.sigmoid(F.linear(F.linear(at, *inner).relu(), outer))


def _attention(x: Tensor, block: Block, layout: Layout) -> Tensor:
    made = table(block.inner, block.outer, layout.window, layout.window)
    weights = replace(block.attention, table=made, window=layout.window)
    return attend(x, weights, layout, scale=clamped(block.scale))


def _mlp(x: Tensor, block: Block) -> Tensor:
    first, second = block.mlp
    return F.linear(F.gelu(F.linear(x, *first)), *second)


def _norm(x: Tensor, weights: Linear) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], *weights, EPS)


def after(x: Tensor, block: Block, layout: Layout) -> Tensor:
    """Swin V2's block: (H, W, C) -> (H, W, C)."""
    x = x + _norm(_attention(x, block, layout), block.norms[0])
    return x + _norm(_mlp(x, block), block.norms[1])


def before(x: Tensor, block: Block, layout: Layout) -> Tensor:
    """The same with Swin's norms, before each branch: nothing but their place differs."""
    x = x + _attention(_norm(x, block.norms[0]), block, layout)
    return x + _mlp(_norm(x, block.norms[1]), block)


def drawn(seed: int, channels: int, heads: int, like: Tensor) -> Block:
    """Weights drawn at random, of size 1 / sqrt(inputs), of the type of `like` and where it lies."""
    draw = seeded(seed)

    def random(*size: int, width: float) -> Tensor:
        return (width * normal(*size, random=draw)).to(like)

    def linear(outputs: int, inputs: int) -> Linear:
        return random(outputs, inputs, width=inputs**-0.5), random(outputs, width=0.1)

    (qkv, bias), out, inner = linear(3 * channels, channels), linear(channels, channels), linear(HIDDEN, 2)
    bias[channels:2 * channels] = 0                              # k has none
    attention = Projections(qkv, bias, *out, bias.new_zeros(1, heads), (1, 1))
    norms = tuple((bias.new_ones(channels), bias.new_zeros(channels)) for _ in range(2))
    mlp = linear(WIDER * channels, channels), linear(channels, WIDER * channels)
    scale = bias.new_full((heads, 1, 1), math.log(START))
    return Block(attention, scale, inner, random(heads, HIDDEN, width=HIDDEN**-0.5), norms, mlp)


def enlarged(block: Block, gain: float) -> Block:
    """The same with the outputs of both branches `gain` times as large."""
    a, (first, last) = block.attention, block.mlp
    return replace(block, attention=replace(a, out=gain * a.out, out_bias=gain * a.out_bias),
                   mlp=(first, tuple(gain * value for value in last)))


def linears(names: tuple[str, ...], layers: tuple[Linear, ...]) -> dict[str, Tensor]:
    """Layers or norms under the names of a library."""
    return {f"{name}.{kind}": value for name, pair in zip(names, layers, strict=True)
            for kind, value in zip(("weight", "bias"), pair)}


def named(block: Block) -> dict[str, Tensor]:
    """The weights under the names that both libraries' blocks have in common; the MLP's and the bias of qkv are
    theirs."""
    a = block.attention
    return {"attn.qkv.weight": a.qkv, "attn.logit_scale": block.scale, "attn.cpb_mlp.2.weight": block.outer,
            **linears(("attn.proj", "attn.cpb_mlp.0", "norm1", "norm2"),
                      ((a.out, a.out_bias), block.inner, *block.norms))}
