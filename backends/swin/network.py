"""The whole network for one picture: patch embedding, blocks, merging, with the sizes that this picture gives them.

Sizes are those that arrived at each block (`capture.listening`), and multiply-adds follow from them: of a block with N
padded tokens of Np, windows of M x M, C channels and an MLP of width R,

    3 Np C^2 + Np C^2     q, k, v and the output, of padded tokens too
    2 Np M^2 C            q k^T and the product with v
    2 H W C R             the MLP, which sees no padding
    bias                  of Swin V2's small network, for each offset

of a merge H' W' 4C 2C, of the embedding H W 3 p^2 C.  torch counts while the model runs, and the check sets both side
by side.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from backends import device, images
from backends.cache import ByteLRU
from backends.swin import capture
from backends.swin.capture import Maps, Reader
from backends.swin.results import Part

COUNTED = ByteLRU(1 << 12)


def parts(model: nn.Module, maps: Sequence[Maps]) -> Iterator[Part]:
    """What the picture goes through, in order; `maps` of all blocks."""
    stages, modules = model.layers if hasattr(model, "layers") else model.stages, list(capture.blocks(model))
    size = maps[0].layout.size
    weight = model.patch_embed.proj.weight
    yield Part("embed", 0, 0, 0, size, weight.shape[0], work=size[0] * size[1] * weight.numel(), side=weight.shape[-1])
    for number, (one, (stage, block, module)) in enumerate(zip(maps, modules, strict=True), 1):
        now = one.layout.size
        if now != size:
            merge = stages[stage].downsample.reduction.weight
            yield Part("merge", stage, 0, 0, now, merge.shape[0], padded=tuple(2 * n for n in now),
                       work=now[0] * now[1] * merge.numel())
            size = now
        yield _block(one, number, module)


def _block(one: Maps, number: int, module: nn.Module) -> Part:
    where, heads = one.layout, one.weights.shape[1]
    channels, n, full = module.norm1.weight.shape[0], int(np.prod(where.size)), int(np.prod(where.padded))
    area = int(np.prod(where.window))
    work = (4 * full * channels**2 + 2 * full * area * channels + 2 * n * channels * module.mlp.fc1.out_features
            + _bias(module.attn))
    return Part("block", one.stage, one.block, number, where.size, channels, heads, where.window, where.shift,
                where.padded, len(where.windows), work)


def _bias(attention: nn.Module) -> int:
    """Multiply-adds of the network that makes the bias; 0 where there is a table."""
    for network, table in (("cpb_mlp", "relative_coords_table"), ("meta_mlp", "relative_coordinates_log")):
        if hasattr(attention, network):
            layers = (m for m in getattr(attention, network).modules() if isinstance(m, nn.Linear))
            return getattr(attention, table).numel() // 2 * sum(m.weight.numel() for m in layers)
    return 0


def counted(reader: Reader, image: np.ndarray) -> int:
    """Multiply-adds of the model on the picture, without a head, as torch counts them while it runs."""
    def count() -> tuple[int, int]:
        at = device.exact()
        model, x = reader.model.to(at), reader.normalised(reader.picture(image)).to(at)
        with torch.no_grad(), capture.ONE, FlopCounterMode(display=False) as counter:
            capture.unfused(model)
            model.forward_features(x)
        return counter.get_total_flops() // 2, 64
    return COUNTED.get_or_compute((device.exact(), reader.key, images.digest(image)), count)[0]
