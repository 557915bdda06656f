"""The small network that ships, and its twin of plain convolutions.

Two strided convolutions bring a picture to cells of 4 px; three 3 x 3 layers then look around, each a DCNv2 whose
offsets and modulation come from a convolution on the same map (zero at first, modulation 2 sigmoid = 1, so it begins as
a plain convolution); a 1 x 1 convolution names each cell's class.  The twin has plain layers, made wider until its
parameters are as many.  An output cell of the three layers reads 9 * 9 * 9 = 729 places.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from backends import device, weights
from backends.deform.operators import dcn_sampled
from backends.deform.sampling import Window
from backends.drawn import hosted

KINDS = ("deformable", "plain")
CLASSES = 5                    # background and four kinds of marks
STRIDE = 4                     # px of a cell
LAYERS = 3
WIDTH = {"deformable": 32, "plain": 43}
WINDOW = Window()
NAMES = {"deformable": "deform-looks", "plain": "deform-plain"}


@dataclass
class Trace:
    """What each looking layer did: offsets (B, 18, h, w) in cells and modulation (B, 9, h, w)."""

    offsets: list[Tensor]
    masks: list[Tensor]


class Norm(nn.LayerNorm):
    """Normalisation over the channels of each place alone, so that no place hears of others through statistics."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Look(nn.Module):
    """One 3 x 3 layer, deformable or plain, with normalisation and rectifier: (B, C, h, w) -> (B, C, h, w)."""

    def __init__(self, width: int, deformable: bool) -> None:
        super().__init__()
        self.main = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = Norm(width)
        self.where = nn.Conv2d(width, 3 * WINDOW.taps, 3, padding=1) if deformable else None
        if self.where is not None:
            nn.init.zeros_(self.where.weight)
            nn.init.zeros_(self.where.bias)

    def forward(self, x: Tensor, trace: Trace | None = None) -> Tensor:
        if self.where is None:
            return self.norm(self.main(x)).relu()
        offset, raw = self.where(x).split((2 * WINDOW.taps, WINDOW.taps), 1)
        mask = 2 * raw.sigmoid()
        if trace is not None:
            trace.offsets.append(offset)
            trace.masks.append(mask)
        return self.norm(dcn_sampled(x, offset, self.main.weight, WINDOW, mask)).relu()


class Looker(nn.Module):
    """Picture (B, 3, H, W) in [-1, 1], H and W multiples of 4 -> logits (B, CLASSES, H/4, W/4)."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        width = WIDTH[kind]
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), Norm(16), nn.ReLU(),
                                  nn.Conv2d(16, width, 3, 2, 1, bias=False), Norm(width), nn.ReLU())
        self.looks = nn.ModuleList(Look(width, kind == "deformable") for _ in range(LAYERS))
        self.name = nn.Conv2d(width, CLASSES, 1)

    @property
    def device(self) -> torch.device:
        """Where the weights lie, and so where pictures must."""
        return self.name.weight.device

    def forward(self, x: Tensor, trace: Trace | None = None) -> Tensor:
        x = self.stem(x)
        for look in self.looks:
            x = look(x, trace)
        return self.name(x)


def normalised(image: np.ndarray) -> Tensor:
    """uint8 (H, W, 3) -> float32 (1, 3, H, W) in [-1, 1], cut to multiples of the stride; on the host."""
    height, width = (n // STRIDE * STRIDE for n in image.shape[:2])
    return torch.from_numpy(image[:height, :width].astype(np.float32)).permute(2, 0, 1)[None] / 127.5 - 1


@device.kept(None)
def load(kind: str) -> Looker:
    """The shipped network of that kind, in evaluation mode, on the device of the mechanisms."""
    return weights.filled(hosted(Looker)(kind), weights.load(NAMES[kind])).to(device.exact())


def parameters(kind: str) -> int:
    """How many numbers it learns."""
    return sum(p.numel() for p in hosted(Looker)(kind).parameters())
