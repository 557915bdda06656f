"""SAM's image encoder (ViT with windows and decomposed relative positions) with the same weights and the same answer,
in less time and a tenth of the memory.

ViTDet (Li et al. 2022, arXiv 2203.16527); positions after MViTv2 (arXiv 2112.01526, equation 4).  Reference:
segment_anything/modeling/image_encoder.py, whose modules stay and only compute in another order, so that features
agree up to rounding.  What differs:

* attention goes through a bounded piece of the n x n scores at a time, which stays in the processor's cache: bias,
  product, softmax and sum happen there.  The original walks through all 12 x 4096 x 4096 of them, 0.8 GB, seven times;
* padding of windows: a padded token has the bias of `qkv` as its q, k, v, so 4096 tokens are multiplied, not 4900;
* the MLP's wide middle exists for some tokens at a time.

Letters: b pictures, h and w grid sides, n = h*w tokens (of a window), c channels, s window side, d channels of a head.
"""
from __future__ import annotations

import torch
from segment_anything.modeling import ImageEncoderViT
from segment_anything.modeling.image_encoder import Block, get_rel_pos, window_partition, window_unpartition
from torch import Tensor

from backends.device import HOST

PIECE = {HOST: 4 << 20, "cuda": 1 << 30, "mps": 64 << 20}     # bytes of scores at a time
TOKENS = 1024                                                  # of the MLP at a time on a CPU


class CachedBlock(Block):
    """segment_anything's `Block`, made by `in_pieces`.  (b, h, w, c) -> same."""

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attended(self.norm1(x))
        pieces = x.flatten(0, 2).split(TOKENS if x.device.type == HOST else x[..., 0].numel())
        return torch.cat([piece + self.mlp(self.norm2(piece)) for piece in pieces]).view(x.shape)

    def attended(self, x: Tensor) -> Tensor:
        """Attention within windows, or within the whole grid if the block has none."""
        attn, (h, w) = self.attn, x.shape[1:3]
        qkv = attn.qkv(x)
        if self.window_size:
            qkv, padded = window_partition(whole_windows(qkv, self.window_size, attn.qkv.bias), self.window_size)
        side = qkv.shape[1:3]
        q, k, v = qkv.unflatten(3, (3, attn.num_heads, -1)).permute(3, 0, 4, 1, 2, 5).flatten(1, 2).flatten(2, 3)
        rows, columns = (get_rel_pos(m, m, rel) for m, rel in zip(side, (attn.rel_pos_h, attn.rel_pos_w), strict=True))
        out = attention(q, k, v, rows.to(q.dtype), columns.to(q.dtype), attn.scale)
        out = out.unflatten(0, (-1, attn.num_heads)).transpose(1, 2).flatten(2).unflatten(1, side)
        if self.window_size:
            out = window_unpartition(out, self.window_size, padded, (h, w))
        return attn.proj(out)


def whole_windows(qkv: Tensor, window: int, bias: Tensor) -> Tensor:
    """(b, h, w, 3c) with tokens at the right and bottom up to whole windows: those of zeros, `bias` (3c,)."""
    b, h, w, c = qkv.shape
    out = bias.to(qkv.dtype).expand(b, h + -h % window, w + -w % window, c).contiguous()
    out[:, :h, :w] = qkv
    return out


def attention(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, columns: Tensor, scale: float) -> Tensor:
    """softmax(scale q k^T + q . rows[y, y'] + q . columns[x, x']) v, a piece at a time.

    q, k, v (m, n, d) of m heads and windows; rows (h, h, d) and columns (w, w, d) embed the relative positions.
    """
    m, n, _ = q.shape
    (h, w), size = (len(rows), len(columns)), q.element_size() * n * len(columns)
    grid, out = q.unflatten(1, (h, w)), torch.empty_like(v)
    down, along = torch.einsum("mhwd,hkd->mhwk", grid, rows), torch.einsum("mhwd,wkd->mhwk", grid, columns)
    most = max(1, PIECE[q.device.type] // size)                # rows of the grid, each against all n
    heads = min(m, max(torch.get_num_threads(), most // h))
    lines = max(1, min(h, most // heads))
    for i in range(0, m, heads):
        keys = k[i : i + heads].transpose(1, 2)
        for y in range(0, h, lines):
            at = (slice(i, i + heads), slice(y, y + lines))
            bias = (down[at][..., None] + along[at][..., None, :]).flatten(3).flatten(1, 2)
            scores = bias.baddbmm_(grid[at].flatten(1, 2), keys, alpha=scale)
            out[i : i + heads, y * w : (y + lines) * w] = scores.softmax(-1) @ v[i : i + heads]
    return out


def in_pieces(encoder: ImageEncoderViT) -> ImageEncoderViT:
    """The same encoder, whose blocks compute as above from now on."""
    for block in encoder.blocks:
        if type(block) is Block and block.attn.use_rel_pos:
            block.__class__ = CachedBlock
    return encoder
