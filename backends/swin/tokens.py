"""The picture as a grid of tokens, with the queries, keys and values of a trained Swin.

The whole picture is resized to TOKEN px for each token, the shipped Swin reads it, and what arrives at the chosen block
of its last stage (stride 16), normed as that block norms it, is what the page's windows are cut from.  The weights are
the block's own; window, shift, mask and bias are the page's.
"""
from __future__ import annotations

import copy

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from backends import device, images
from backends.cache import ByteLRU
from backends.drawn import hosted
from backends.swin import small
from backends.swin.geometry import Layout, Pair
from backends.swin.params import TOKEN

LARGEST = 1024                 # px
KEPT = ByteLRU(64 << 20)       # bytes of tokens of earlier pictures and grids


def block_of(number: int) -> nn.Module:
    """Block `number`, from 1, of the shipped Swin's last stage."""
    return small.load().swin.layers[-1].blocks[number - 1]


def shrunk(image: np.ndarray) -> np.ndarray:
    """The picture uint8 (H, W, 3) itself, or a copy with a longer side of LARGEST px: no view looks closer."""
    height, width = image.shape[:2]
    scale = LARGEST / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def tokens(image: np.ndarray, size: Pair, block: int) -> Tensor:
    """What arrives at the block's attention: (rows, columns, C) of a picture uint8 (H, W, 3)."""
    states, _ = KEPT.get_or_compute((device.exact(), images.digest(image), size), lambda: _states(image, size))
    return block_of(block).norm1(states[block - 1])


@torch.no_grad()
def _states(image: np.ndarray, size: Pair) -> tuple[Tensor, int]:
    """What arrives at every block of the last stage, (blocks, rows, columns, C), and its bytes."""
    resized = Image.fromarray(image).resize((TOKEN * size[1], TOKEN * size[0]), Image.Resampling.BILINEAR)
    whole = small.load()
    swin = whole.swin
    x = swin.patch_embed(small.normalised(np.asarray(resized)).to(whole.device))
    for layer in swin.layers[:-1]:
        x = layer(x)
    x, found = swin.layers[-1].downsample(x), []
    for block in swin.layers[-1].blocks:
        found.append(x[0])
        x = block(x)
    states = torch.stack(found)
    return states, states.nbytes


@hosted
def library_block(block: int, layout: Layout) -> nn.Module:
    """timm's own block with the shipped weights on a map of this layout: the reference of the live check."""
    twin = copy.deepcopy(block_of(block))
    twin.dynamic_mask = False
    twin.set_input_size(layout.size, layout.window, always_partition=False)
    twin.shift_size = layout.shift
    weight = twin.norm1.weight
    twin.register_buffer("attn_mask", twin.get_attn_mask(device=weight.device, dtype=weight.dtype), persistent=False)
    return twin.to(weight.device)
