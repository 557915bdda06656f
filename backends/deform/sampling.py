"""Positions of taps, and reading a map between its cells.

Everything here is in cells of the map that is read, (y, x), cell i centred at i.  Reading is bilinear with zeros
outside: at y = -0.25 of a map of ones the value is 0.75, at -1 it is 0.  `torch.nn.functional.grid_sample` with zeros
and align_corners=False does exactly that at grid = (2 p + 1) / size - 1, so it serves as the oracle of
`torchvision.ops.deform_conv2d`.

B pictures, C channels, G groups of channels with own offsets, K taps (row-major: tap k is at row k // kw, column k % kw
of the kernel).
"""
from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from backends.drawn import hosted


@dataclass(frozen=True)
class Window:
    """The kernel's frame: (kh, kw) taps, stride, padding and dilation, each (y, x), in cells."""

    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)

    @property
    def taps(self) -> int:
        """K."""
        return self.kernel[0] * self.kernel[1]

    def size(self, height: int, width: int) -> tuple[int, int]:
        """(Ho, Wo) of the output of a map (height, width); ValueError where the kernel does not fit."""
        out = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d
                    in zip((height, width), self.kernel, self.stride, self.padding, self.dilation))
        if min(out) < 1:
            raise ValueError(f"A kernel that spans {self.dilation[0] * (self.kernel[0] - 1) + 1} x "
                             f"{self.dilation[1] * (self.kernel[1] - 1) + 1} cells does not fit on {height} x "
                             f"{width} cells.")
        return out


@hosted
def kernel_grid(window: Window, dtype: torch.dtype = torch.float64) -> Tensor:
    """Displacements p_k of the taps from the kernel's first one, (K, 2), (y, x), row-major, dilation included; on
    the host."""
    (kh, kw), (dy, dx) = window.kernel, window.dilation
    rows, columns = torch.meshgrid(torch.arange(kh) * dy, torch.arange(kw) * dx, indexing="ij")
    return torch.stack([rows, columns], -1).reshape(-1, 2).to(dtype)


@hosted
def regular(window: Window, height: int, width: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Where a plain convolution reads: out * stride - padding + tap * dilation, (K, Ho, Wo, 2); on the host."""
    ho, wo = window.size(height, width)
    rows, columns = (torch.arange(ho) * window.stride[0] - window.padding[0],
                     torch.arange(wo) * window.stride[1] - window.padding[1])
    origin = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1).to(dtype)
    return kernel_grid(window, dtype)[:, None, None] + origin


def unpack(offset: Tensor, window: Window) -> Tensor:
    """torchvision's offsets (B, 2 G K, Ho, Wo), channel 2 (g K + k) = dy and the next one dx, as (B, G, K, Ho, Wo,
    2)."""
    if offset.shape[1] % (2 * window.taps):
        raise ValueError(f"Offsets need a multiple of {2 * window.taps} channels, dy and dx of {window.taps} taps, not "
                         f"{offset.shape[1]}.")
    return offset.unflatten(1, (-1, window.taps, 2)).movedim(3, -1)


def pack(offset: Tensor) -> Tensor:
    """The inverse of `unpack`: (B, G, K, Ho, Wo, 2) -> (B, 2 G K, Ho, Wo)."""
    return offset.movedim(-1, 3).flatten(1, 3)


def sample(x: Tensor, at: Tensor) -> Tensor:
    """Values of x (B, C, H, W) at `at` (B, ..., 2), (y, x) in cells: (B, C, ...).  Zeros outside, with an edge one cell
    soft."""
    height, width = x.shape[-2:]
    size = torch.tensor([width, height], dtype=at.dtype, device=at.device)
    grid = (2 * at.flip(-1) + 1) / size - 1
    found = F.grid_sample(x, grid.flatten(1, -2).unsqueeze(1), mode="bilinear", padding_mode="zeros",
                          align_corners=False)
    return found.squeeze(2).unflatten(2, at.shape[1:-1])


@dataclass(frozen=True)
class Corner:
    """One of the four cells around a position: row, column, weight, and whether it lies on the map (else it counts as
    zero)."""

    row: int
    column: int
    weight: float
    inside: bool


def corners(y: float, x: float, height: int, width: int) -> tuple[Corner, ...]:
    """The four bilinear neighbours of (y, x), upper left first, row-major; their weights sum to 1."""
    top, left = math.floor(y), math.floor(x)
    found = []
    for row, wy in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, wx in ((left, 1 - (x - left)), (left + 1, x - left)):
            found.append(Corner(row, column, wy * wx, 0 <= row < height and 0 <= column < width))
    return tuple(found)
