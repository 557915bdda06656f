"""DAT: attention whose keys and values are read at deformed places that all queries share (Xia et al., arXiv
2201.00520, eqs. 4 to 9).

q = x W_q; the offset network (depthwise convolution of kernel and stride r, LayerNorm, GELU, 1 x 1 to two channels)
turns q into raw offsets for each of G groups of channels; deformed places = reference + tanh(raw) * reach / (n - 1); k
and v are projections of x read there; then ordinary softmax(q k^T / sqrt(d) + bias), the bias read between the entries
of a table at the continuous displacement.

DAT++ (Xia et al., arXiv 2309.01430) does not limit the offsets and clamps the places instead: (reference +
raw).clamp(-1, 1), `reach` None here, a negative `offset_range_factor` in the authors' code.

Positions are (y, x) in [-1, 1], read with align_corners=True: -1 is the centre of the first cell.  As in the authors'
code the reference points are linspace(0.5, n - 0.5) / (n - 1) and so not symmetric: the last one lies outside.  B
pictures, M heads, hk x wk keys, N queries.
"""
from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from backends.drawn import hosted


@hosted
def dat_reference(height: int, width: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """DAT's reference points (height, width, 2) as (y, x) in [-1, 1]: 0.5 .. n - 0.5 over n - 1, so the last one lies
    outside; on the host."""
    rows, columns = (torch.linspace(0.5, n - 0.5, n, dtype=dtype) / max(n - 1, 1) * 2 - 1 for n in (height, width))
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1)


def dat_positions(raw: Tensor, reach: float | None) -> Tensor:
    """raw (B, 2, hk, wk) of the offset network -> positions (B, hk, wk, 2), (y, x) in [-1, 1]: reference + tanh(raw) *
    reach / (n - 1); with no reach DAT++'s, reference + raw, clamped."""
    hk, wk = raw.shape[-2:]
    if reach is None:
        return (dat_reference(hk, wk, raw.dtype).to(raw.device) + raw.movedim(1, -1)).clamp(-1, 1)
    most = torch.tensor([1 / max(hk - 1, 1), 1 / max(wk - 1, 1)], dtype=raw.dtype, device=raw.device)
    return dat_reference(hk, wk, raw.dtype).to(raw.device) + raw.movedim(1, -1).tanh() * most * reach


def dat_read(x: Tensor, at: Tensor) -> Tensor:
    """Values of x (B, C, H, W) at positions (B, hk, wk, 2), (y, x) in [-1, 1]: (B, C, hk, wk).  align_corners=True,
    unlike the others."""
    return F.grid_sample(x, at.flip(-1), mode="bilinear", padding_mode="zeros", align_corners=True)


def dat_bias(table: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
    """Position bias read between the entries of a table (M, 2H-1, 2W-1): queries (N, 2), keys (S, 2), (y, x) in [-1, 1]
    -> (M, N, S)."""
    apart = (queries[:, None] - keys[None]) * 0.5
    return F.grid_sample(table[None], apart[None].flip(-1), mode="bilinear", align_corners=True)[0]


@dataclass(frozen=True)
class DatWeights:
    """Everything that DAT learns: q, k, v (C, C); depthwise (C / G, 1, r, r), gain and shift of the LayerNorm (C / G,),
    point (2, C / G) of the offset network; table (M, 2H-1, 2W-1), None for no position bias.  The output projection is
    left out."""

    q: Tensor
    k: Tensor
    v: Tensor
    depthwise: Tensor
    gain: Tensor
    shift: Tensor
    point: Tensor
    table: Tensor | None = None


def offsets(q: Tensor, w: DatWeights, groups: int, stride: int) -> Tensor:
    """The offset network: q (B, C, H, W) -> raw offsets (B G, 2, hk, wk)."""
    size = w.depthwise.shape[-1]
    x = q.unflatten(1, (groups, -1)).flatten(0, 1)
    x = F.conv2d(x, w.depthwise, stride=stride, padding=0 if size == stride else size // 2, groups=x.shape[1])
    x = F.gelu(F.layer_norm(x.movedim(1, -1), (x.shape[1],), w.gain, w.shift))
    return (x @ w.point.mT).movedim(-1, 1)


@hosted
def query_grid(height: int, width: int, dtype: torch.dtype) -> Tensor:
    """Positions (H W, 2) of the queries, (y, x) in [-1, 1]: the centres of the map's cells; on the host."""
    rows, columns = (torch.arange(n, dtype=dtype) / max(n - 1, 1) * 2 - 1 for n in (height, width))
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1).flatten(0, 1)


def position_bias(table: Tensor, places: Tensor, size: tuple[int, int], groups: int) -> Tensor:
    """The bias (B, M, H W, hk wk) of a table (M, 2H-1, 2W-1) for keys at places (B G, hk, wk, 2); heads belong to
    groups in order."""
    grid, shared = query_grid(*size, places.dtype).to(places.device), len(table) // groups
    keys = places.unflatten(0, (-1, groups)).flatten(2, 3)
    return torch.stack([torch.cat([dat_bias(table[g * shared:(g + 1) * shared], grid, one[g]) for g in range(groups)])
                        for one in keys])


def attend(x: Tensor, w: DatWeights, heads: int, groups: int, stride: int,
           reach: float | None) -> tuple[Tensor, Tensor, Tensor]:
    """x (B, C, H, W) -> output (B, C, H, W), places (B, G, hk, wk, 2), attention (B, M, H W, hk wk)."""
    batch, channels, height, width = x.shape
    q = torch.einsum("oc,bchw->bohw", w.q, x)
    places = dat_positions(offsets(q, w, groups, stride), reach)
    read = dat_read(x.unflatten(1, (groups, -1)).flatten(0, 1), places).reshape(batch, channels, -1)
    k, v = (torch.einsum("oc,bcs->bos", m, read).unflatten(1, (heads, -1)) for m in (w.k, w.v))
    queries = q.flatten(2).unflatten(1, (heads, -1))
    scores = torch.einsum("bmdn,bmds->bmns", queries, k) * (channels // heads) ** -0.5
    if w.table is not None:
        scores = scores + position_bias(w.table, places, (height, width), groups)
    weights = scores.softmax(-1)
    out = torch.einsum("bmns,bmds->bmdn", weights, v).reshape(x.shape)
    return out, places.unflatten(0, (batch, groups)), weights
