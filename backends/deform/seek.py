"""Layers that learned on photographs what to read for a clicked thing, over frozen features (`frozen`).

A click reads a few places of a map, and what it read there, nothing else, becomes a direction in feature space; the
mask is where the map points the same way.  So a place off the thing spoils the mask, and a network that can choose
where to read is paid for choosing places on the thing.  Nothing tells it where the thing is.

Three kinds, each of two layers one after the other; the second one's places depend on what the first one read:

aimed: DCNv2's nine taps with offsets and modulations (2 sigmoid, 1 at first), on stride 8;
grid: its twin, a plain 3 x 3 layer, made wider until its parameters are as many;
star: Deformable DETR's attention, 4 heads, 2 levels (strides 8 and 16), 4 points, begun as its star.

Places are (y, x) in cells of stride 8, cell i centred at i.  B pictures, N clicks, C channels, P places.
"""
from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backends import device, weights
from backends.deform.frozen import CHANNELS
from backends.deform.operators import star
from backends.deform.sampling import Window, kernel_grid, sample
from backends.deform.small import Norm
from backends.drawn import hosted

KINDS = ("aimed", "grid", "star")
NAMES = {"aimed": "seek-aimed", "grid": "seek-grid", "star": "seek-star"}
WIDTH = {"aimed": 48, "grid": 54, "star": 48}
LAYERS, HEADS, LEVELS, POINTS = 2, 4, 2, 4
QUICK = 2.0                    # offsets are this times what their layer gives, in cells
TAPS = 9
SHARP = {"aimed": 4.0, "grid": 4.0, "star": 2.0}       # logarithm of what likeness is multiplied by, at first
MOST = 4.1                     # of it


@dataclass(frozen=True)
class Maps:
    """What the layers read of a picture: `values`, one map for each level, `keys` (B, C, h, w) of unit length, and
    `around` (B, C, h, w), from which a click's first places follow."""

    values: tuple[Tensor, ...]
    keys: Tensor
    around: Tensor


@dataclass(frozen=True)
class Read:
    """What one layer read: places (B, N, P, 2), their weights (B, N, P), and each one's level (P,): it was read in
    cells of stride 8 times 2^level."""

    at: Tensor
    weight: Tensor
    level: Tensor


class Aim(nn.Module):
    """One layer of nine taps."""

    def __init__(self, width: int, moves: bool) -> None:
        super().__init__()
        self.where = zeroed(nn.Linear(width, 3 * TAPS)) if moves else None
        self.mix = nn.Sequential(nn.Linear(TAPS * width, width), nn.LayerNorm(width), nn.GELU())
        self.register_buffer("taps", kernel_grid(Window(), torch.float32) - 1, persistent=False)

    def look(self, query: Tensor | None, click: Tensor) -> Read:
        """Where it reads about clicks (B, N, 2) for queries (B, N, C); None: as before it learned."""
        at, level = click[:, :, None] + self.taps, torch.zeros(TAPS, dtype=torch.long, device=click.device)
        if query is None or self.where is None:
            return Read(at, torch.ones_like(at[..., 0]), level)
        moved, raw = self.where(query).split((2 * TAPS, TAPS), -1)
        return Read(at + QUICK * moved.unflatten(-1, (TAPS, 2)), 2 * raw.sigmoid(), level)

    def forward(self, query: Tensor, click: Tensor, maps: Maps) -> tuple[Tensor, Read]:
        """What it makes of the values read, (B, N, C), and the places."""
        read = self.look(query, click)
        value = sample(maps.values[0], read.at).permute(0, 2, 3, 1) * read.weight[..., None]
        return self.mix(value.flatten(2)), read


class Star(nn.Module):
    """One layer of Deformable DETR's attention: heads x levels x points places, a softmax over levels and points
    together in each head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.where = zeroed(nn.Linear(width, HEADS * LEVELS * POINTS * 3))
        self.mix = nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width), nn.GELU())
        self.register_buffer("star", star(HEADS, LEVELS, POINTS).flip(-1).float(), persistent=False)

    def look(self, query: Tensor | None, click: Tensor) -> Read:
        """Where it reads about clicks (B, N, 2) for queries (B, N, C); None: the star."""
        size = *click.shape[:2], self.where.out_features
        given = click.new_zeros(size) if query is None else self.where(query)
        given = given.unflatten(-1, (HEADS, LEVELS, POINTS, 3))
        share = given[..., 2].flatten(-2).softmax(-1) / HEADS
        moved, step = self.star + QUICK * given[..., :2], 2.0 ** torch.arange(LEVELS, device=click.device)
        at = click[:, :, None, None, None] + moved * step[:, None, None]     # a level's cells are twice the last one's
        level = torch.arange(LEVELS, device=click.device)[:, None].expand(HEADS, LEVELS, POINTS).flatten()
        return Read(at.flatten(2, 4), share.flatten(2), level)

    def forward(self, query: Tensor, click: Tensor, maps: Maps) -> tuple[Tensor, Read]:
        """What it makes of the values read, (B, N, C), and the places."""
        read, found = self.look(query, click), 0
        at, share = (t.unflatten(2, (HEADS, LEVELS, POINTS)) for t in (read.at, read.weight))
        for level, value in enumerate(maps.values):
            there = (at[:, :, :, level] + 0.5) / 2**level - 0.5
            heads = [sample(v, there[:, :, m]) for m, v in enumerate(value.chunk(HEADS, 1))]
            found = found + torch.einsum("mbdnp,bnmp->bnmd", torch.stack(heads), share[:, :, :, level])
        return self.mix(HEADS * found.flatten(2)), read


class Seeker(nn.Module):
    """The maps of a picture and clicks in it -> logits (B, N, h, w) of their masks."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        width = WIDTH[kind]
        self.fine, self.coarse = (nn.Conv2d(channels, width, 1) for channels in CHANNELS)
        self.norm = Norm(width)
        self.value, self.key = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1)
        self.second = nn.Conv2d(CHANNELS[1], width, 1) if kind == "star" else None
        self.seen = None if kind == "grid" else nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in CHANNELS)
        self.around = None if kind == "grid" else nn.Sequential(
            Norm(width), nn.GELU(), nn.Conv2d(width, width, 5, padding=2, groups=width), nn.Conv2d(width, width, 1),
            Norm(width), nn.GELU())
        self.layers = nn.ModuleList(Star(width) if kind == "star" else Aim(width, kind == "aimed")
                                    for _ in range(LAYERS))
        self.name = nn.Linear(LAYERS * width, width + 1)
        self.sharp = nn.Parameter(torch.tensor(SHARP[kind]))

    def maps(self, fine: Tensor, coarse: Tensor) -> Maps:
        """The frozen maps (B, 40, h, w) and (B, 112, h/2, w/2) -> what the layers read."""
        x = self.norm(both(self.fine, self.coarse, fine, coarse)).relu()
        values = (self.value(x),) if self.second is None else (self.value(x), self.second(coarse))
        return Maps(values, F.normalize(self.key(x), dim=1),
                    x if self.around is None else self.around(both(*self.seen, fine, coarse)))

    def still(self, click: Tensor) -> list[Read]:
        """Where the layers read before they had learned."""
        return [layer.look(None, click) for layer in self.layers]

    def forward(self, maps: Maps, click: Tensor) -> tuple[Tensor, list[Read]]:
        query, found, reads = sample(maps.around, click).movedim(1, -1), [], []
        for layer in self.layers:
            made, read = layer(query, click, maps)
            query = query + made
            found.append(made)
            reads.append(read)
        way = self.name(torch.cat(found, -1))
        logits = torch.einsum("bnc,bchw->bnhw", F.normalize(way[..., :-1], dim=-1), maps.keys)
        return logits * self.sharp.clamp_max(MOST).exp() + way[..., -1][..., None, None], reads


def both(first: nn.Module, second: nn.Module, fine: Tensor, coarse: Tensor) -> Tensor:
    """The two frozen maps as one of stride 8."""
    return first(fine) + F.interpolate(second(coarse), fine.shape[-2:], mode="bilinear")


def zeroed(layer: nn.Linear) -> nn.Linear:
    """All its numbers zero: no offset at first, and even weights."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


@device.kept(None)
def load(kind: str) -> Seeker:
    """The shipped network of that kind, in evaluation mode, on the device of the mechanisms."""
    return weights.filled(hosted(Seeker)(kind), weights.load(NAMES[kind])).to(device.exact())


def parameters(kind: str) -> int:
    """How many numbers it learns."""
    return sum(p.numel() for p in hosted(Seeker)(kind).parameters())
