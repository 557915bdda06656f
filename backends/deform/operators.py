"""Operators that choose where to read; DAT and DAT++ are in `dat`.  Formulas and letters:

DCNv1 (Dai et al., arXiv 1703.06211, eq. 2): y(p) = sum_k w_k x(p + p_k + dp_k(p)); offsets in cells of the input.
DCNv2 (Zhu et al., arXiv 1811.11168, eq. 1): the same with a modulation m_k(p) in [0, 1] on each tap.
DCNv3 (Wang et al., InternImage, arXiv 2211.05778, eq. 2): y = sum_g w_g sum_k m_gk x_g(p + s (p_k + dp_gk)), m the
softmax over taps.  Deformable DETR (Zhu et al., arXiv 2010.04159, eq. 3): sum over levels and points of A x^l(ref_l +
dp), softmax over both together.

Conventions differ in every respect, see `conventions`.  All inputs are (B, C, H, W) here; layouts of the originals are
named where they differ. torchvision has no bfloat16 kernel on the CPU, so `dcn` computes such inputs in float32 and
rounds the result.
"""
from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import deform_conv2d

from backends.deform.sampling import Window, kernel_grid, regular, sample, unpack
from backends.device import HOST
from backends.drawn import hosted


def dcn(x: Tensor, offset: Tensor, weight: Tensor, window: Window, mask: Tensor | None = None,
        bias: Tensor | None = None) -> Tensor:
    """DCNv1, with `mask` DCNv2, by torchvision: x (B, C, H, W), offset (B, 2 G K, Ho, Wo), mask (B, G K, Ho, Wo),
    weight (O, C / g, kh, kw)."""
    given = x.dtype
    if given == torch.bfloat16 and x.device.type == HOST:
        x, offset, weight, mask, bias = (t if t is None else t.float() for t in (x, offset, weight, mask, bias))
    out = deform_conv2d(x, offset, weight, bias, window.stride, window.padding, window.dilation, mask)
    return out.to(given)


def dcn_sampled(
    x: Tensor, offset: Tensor, weight: Tensor, window: Window, mask: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    """The same by `grid_sample` and a product: oracle of `dcn`, and on a CPU four times faster with its gradients, so
    it trains."""
    at = regular(window, *x.shape[-2:], offset.dtype).to(x.device) + unpack(offset, window)
    batch, groups, taps, ho, wo, _ = at.shape
    values = sample(x.unflatten(1, (groups, -1)).flatten(0, 1), at.flatten(0, 1)).unflatten(0, (batch, groups))
    if mask is not None:
        values = values * mask.unflatten(1, (groups, 1, taps))
    parts = x.shape[1] // weight.shape[1]
    columns = values.flatten(1, 2).reshape(batch, parts, -1, ho * wo)
    out = torch.einsum("gon,bgnp->bgop", weight.reshape(parts, -1, columns.shape[2]),
                       columns).reshape(batch, -1, ho, wo)
    return out if bias is None else out + bias.view(1, -1, 1, 1)


@hosted
def dcnv3_grid(window: Window, remove_center: bool = False) -> Tensor:
    """DCNv3's taps about the centre (of an even kernel the cell before the middle, as in the authors' code), (K, 2) as
    (x, y), the column outermost: k = ix * kh + iy; `remove_center` leaves eight of nine; on the host."""
    kh, kw = window.kernel
    half = torch.tensor([window.dilation[0] * (kh - 1) // 2, window.dilation[1] * (kw - 1) // 2], dtype=torch.float64)
    taps = (kernel_grid(window) - half).view(kh, kw, 2).transpose(0, 1).reshape(-1, 2).flip(-1)
    keep = [k for k in range(len(taps)) if not (remove_center and k == len(taps) // 2)]
    return taps[keep]


def dcnv3(
    x: Tensor, offset: Tensor, logits: Tensor, window: Window, groups: int, scale: float = 1.0,
    remove_center: bool = False
) -> Tensor:
    """The sampling core of DCNv3 before its output projection: x (B, C, H, W), offset (B, Ho, Wo, 2 G K) in (x, y),
    logits (B, Ho, Wo, G K) -> (B, C, Ho, Wo).  `scale` multiplies the regular grid together with the offsets."""
    weights = logits.unflatten(-1, (groups, -1)).softmax(-1)
    return _weighed(x, dcnv3_positions(offset, window, x.shape[-2:], groups, scale, remove_center), weights, groups)


def dcnv4(
    x: Tensor, offset_mask: Tensor, window: Window, groups: int, scale: float = 1.0, remove_center: bool = False
) -> Tensor:
    """The sampling core of DCNv4: x (B, C, H, W), offset_mask (B, Ho, Wo, 3 G K or more): for each group 2 K offsets
    in (x, y), then K modulations, which nothing bounds; what follows is the authors' padding -> (B, C, Ho, Wo)."""
    taps = len(dcnv3_grid(window, remove_center))
    parts = offset_mask[..., :3 * groups * taps].unflatten(-1, (groups, 3 * taps))
    offset, weights = parts[..., :2 * taps].flatten(-2), parts[..., 2 * taps:]
    return _weighed(x, dcnv3_positions(offset, window, x.shape[-2:], groups, scale, remove_center), weights, groups)


def _weighed(x: Tensor, at: Tensor, weights: Tensor, groups: int) -> Tensor:
    """x (B, C, H, W) read at (B, G, Ho, Wo, K, 2), (x, y) in cells, and summed with weights (B, Ho, Wo, G, K)."""
    values = sample(x.unflatten(1, (groups, -1)).flatten(0, 1), at.flip(-1).flatten(0, 1))
    values = values.unflatten(0, (len(x), groups))
    return torch.einsum("bgcyxk,byxgk->bgcyx", values, weights.to(values.dtype)).flatten(1, 2)


def dcnv3_positions(
    offset: Tensor, window: Window, size: tuple[int, int], groups: int, scale: float, remove_center: bool = False
) -> Tensor:
    """Where DCNv3 reads, (B, G, Ho, Wo, K, 2) as (x, y) in cells."""
    (kh, kw), (dy, dx) = window.kernel, window.dilation
    taps = dcnv3_grid(window, remove_center).to(offset)
    ho, wo = window.size(*size)
    start = dx * (kw - 1) // 2 - window.padding[1], dy * (kh - 1) // 2 - window.padding[0]
    rows, columns = (torch.arange(n, dtype=offset.dtype, device=offset.device) * step
                     for n, step in zip((ho, wo), window.stride))
    steps = torch.meshgrid(rows, columns, indexing="ij")
    centre = torch.stack(steps[::-1], -1) + offset.new_tensor(start)
    moved = offset.unflatten(-1, (groups, len(taps), 2)).permute(0, 3, 1, 2, 4, 5)
    return centre[:, :, None] + scale * (taps + moved)


@hosted
def star(heads: int, levels: int, points: int) -> Tensor:
    """Deformable DETR's initial offsets, (heads, levels, points, 2) as (x, y) in cells of each level: head h looks in
    direction 2 pi h / heads, the larger coordinate scaled to 1, its k-th point k + 1 times as far; on the host."""
    turn = torch.arange(heads, dtype=torch.float64) * (2 * math.pi / heads)
    ways = torch.stack([turn.cos(), turn.sin()], -1)
    ways = ways / ways.abs().amax(-1, keepdim=True)
    return ways[:, None, None] * torch.arange(1, points + 1, dtype=torch.float64)[:, None].expand(levels, points, 1)


def locations(reference: Tensor, offset: Tensor, sizes: list[tuple[int, int]]) -> Tensor:
    """Sampling locations in [0, 1], (x, y): reference (B, N, L, 2) points or (B, N, L, 4) boxes (centre, width and
    height), offset (B, N, M, L, P, 2), `sizes` (H_l, W_l).  About a point offsets count cells of the level, about a box
    P-ths of half its sides."""
    if reference.shape[-1] == 2:
        unit = torch.tensor([[w, h] for h, w in sizes], dtype=offset.dtype, device=offset.device)
        return reference[:, :, None, :, None] + offset / unit[:, None]
    centre, sides = reference[:, :, None, :, None, :2], reference[:, :, None, :, None, 2:]
    return centre + offset / offset.shape[-2] * sides * 0.5


def msda(values: list[Tensor], at: Tensor, weights: Tensor) -> Tensor:
    """Multi-scale deformable attention without its projections: values, one map (B, M, D, H_l, W_l) for each level,
    `at` (B, N, M, L, P, 2) in [0, 1] as (x, y), weights (B, N, M, L, P) that sum to 1 over (L, P) -> (B, N, M, D)."""
    out = 0
    for level, value in enumerate(values):
        grid = (2 * at[:, :, :, level] - 1).transpose(1, 2).flatten(0, 1)
        found = F.grid_sample(value.flatten(0, 1), grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        found = found.unflatten(0, value.shape[:2])
        out = out + torch.einsum("bmdnp,bnmp->bnmd", found, weights[:, :, :, level].to(found.dtype))
    return out
