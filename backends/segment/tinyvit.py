"""TinyViT, the image encoder of MobileSAM, under the names of the official checkpoint.

Papers: MobileSAM (Zhang et al. 2023, arXiv 2306.14289) keeps SAM's prompt encoder and mask decoder and distils its
ViT-H encoder into TinyViT-5M (Wu et al. 2022, arXiv 2207.10666).  Four stages: one of inverted bottlenecks (MBConv),
three of window attention; three convolutions with norm lead from stage to stage.  In MobileSAM the last of them keeps
the resolution, so that 1024 px end in a 64 x 64 grid (stride 16), and a neck brings 320 channels to SAM's 256.

Letters: b pictures, c channels, h and w grid sides, s window side, n = s*s tokens of a window, d channels of a head.

Simplified: evaluation only (no stochastic depth, no dropout, no checkpointing), and the attention biases are read on
every pass, where the original keeps a copy that goes stale when weights are loaded after `eval()`.  The classifier
(`norm_head`, `head`) is never run; it is here because the official file holds it and loading is strict.
"""
from __future__ import annotations

import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from segment_anything.modeling.common import LayerNorm2d
from torch import Tensor, nn
from torch.nn import functional as F


class ConvNorm(nn.Sequential):
    """Convolution `c` without bias, then batch norm `bn`."""

    def __init__(self, a: int, b: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.add_module("c", nn.Conv2d(a, b, kernel, stride, kernel // 2, groups=groups, bias=False))
        self.add_module("bn", nn.BatchNorm2d(b))


class PatchEmbed(nn.Module):
    """(b, 3, H, W) -> (b, c, H/4, W/4) by two strided convolutions."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.seq = nn.Sequential(ConvNorm(3, dim // 2, 3, 2), nn.GELU(), ConvNorm(dim // 2, dim, 3, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.seq(x)


class MBConv(nn.Module):
    """Inverted bottleneck: widen by `expand`, 3x3 depthwise, narrow, add the input, GELU.  (b, c, h, w) -> same."""

    def __init__(self, dim: int, expand: int = 4) -> None:
        super().__init__()
        wide = dim * expand
        self.conv1 = ConvNorm(dim, wide)
        self.conv2 = ConvNorm(wide, wide, 3, groups=wide)
        self.conv3 = ConvNorm(wide, dim)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x + self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x))))))


class Downsample(nn.Module):
    """From stage to stage: (b, a, h, w) -> (b, c, h/stride, w/stride)."""

    def __init__(self, dim: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(dim, out)
        self.conv2 = ConvNorm(out, out, 3, stride, groups=out)
        self.conv3 = ConvNorm(out, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x)))))


class Attention(nn.Module):
    """Attention inside windows with one learned bias per head and per distance (|dy|, |dx|).

    softmax(q k^T / sqrt(d) + bias[|dy|, |dx|]) v; rows of `qkv` are grouped by head, then q, k, v (LeViT's order).
    """

    def __init__(self, dim: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window * window))
        side = torch.arange(window)
        y, x = side.repeat_interleave(window), side.repeat(window)
        distance = (y[:, None] - y).abs() * window + (x[:, None] - x).abs()
        self.register_buffer("attention_bias_idxs", distance, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(windows, n, c) -> same.  Padding is not masked: a zero token still has the bias of norm and qkv."""
        windows, n, c = x.shape
        qkv = self.qkv(self.norm(x)).view(windows, n, self.heads, 3, -1)
        q, k, v = qkv.permute(3, 0, 2, 1, 4)
        bias = self.attention_biases[:, self.attention_bias_idxs]
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))
        return self.proj(out.transpose(1, 2).reshape(windows, n, c))


class Mlp(nn.Module):
    """Norm, widen, GELU, narrow, on the last axis."""

    def __init__(self, dim: int, ratio: int = 4) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, dim * ratio)
        self.fc2 = nn.Linear(dim * ratio, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(self.norm(x))))


class Block(nn.Module):
    """Window attention, a 3x3 depthwise convolution that joins the windows, MLP.  (b, c, h, w) -> same."""

    def __init__(self, dim: int, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attn = Attention(dim, heads, window)
        self.mlp = Mlp(dim)
        self.local_conv = ConvNorm(dim, dim, 3, groups=dim)

    def attend(self, x: Tensor) -> Tensor:
        """(b, h, w, c) -> same: zeros at the right and bottom up to whole windows, attention, crop."""
        s, (b, h, w, c) = self.window, x.shape
        x = F.pad(x, (0, 0, 0, -w % s, 0, -h % s))
        rows, columns = x.shape[1] // s, x.shape[2] // s
        x = x.view(b, rows, s, columns, s, c).transpose(2, 3).reshape(-1, s * s, c)
        x = self.attn(x).view(b, rows, columns, s, s, c).transpose(2, 3)
        return x.reshape(b, rows * s, columns * s, c)[:, :h, :w]

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.permute(0, 2, 3, 1)
        x = self.local_conv((tokens + self.attend(tokens)).permute(0, 3, 1, 2))
        return x + self.mlp(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Stage(nn.Module):
    """`blocks`, then `downsample` (None after the last stage)."""

    def __init__(self, blocks: list[nn.Module], downsample: nn.Module | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class TinyViT(nn.Module):
    """TinyViT-5M as MobileSAM builds it.  (b, 3, L, L) normalised pixels -> (b, 256, L/16, L/16) float32.

    Source of names, shapes and formulas: mobile_sam/modeling/tiny_vit_sam.py of ChaoningZhang/MobileSAM (Apache-2.0),
    itself after microsoft/Cream (MIT).
    """

    def __init__(self, img_size: int = 1024, dims: tuple[int, ...] = (64, 128, 160, 320),
                 depths: tuple[int, ...] = (2, 2, 6, 2), heads: tuple[int, ...] = (2, 4, 5, 10),
                 windows: tuple[int, ...] = (7, 7, 14, 7), strides: tuple[int, ...] = (2, 2, 1),
                 classes: int = 1000, out: int = 256) -> None:
        super().__init__()
        self.img_size = img_size
        self.patch_embed = PatchEmbed(dims[0])
        self.layers = nn.ModuleList()
        for i, (dim, depth) in enumerate(zip(dims, depths, strict=True)):
            blocks = [MBConv(dim) if i == 0 else Block(dim, heads[i], windows[i]) for _ in range(depth)]
            self.layers.append(Stage(blocks, Downsample(dim, dims[i + 1], strides[i]) if i + 1 < len(dims) else None))
        self.norm_head = nn.LayerNorm(dims[-1])
        self.head = nn.Linear(dims[-1], classes)
        self.neck = nn.Sequential(nn.Conv2d(dims[-1], out, 1, bias=False), LayerNorm2d(out),
                                  nn.Conv2d(out, out, 3, padding=1, bias=False), LayerNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x)
        for layer in self.layers:
            x = layer(x)
        return self.neck(x)


def build_mobile_sam() -> Sam:
    """MobileSAM with random weights: TinyViT and SAM's own prompt encoder and mask decoder (build_sam_vit_t there)."""
    side, grid, dim = 1024, 64, 256
    transformer = TwoWayTransformer(depth=2, embedding_dim=dim, mlp_dim=2048, num_heads=8)
    return Sam(
        image_encoder=TinyViT(side, out=dim),
        prompt_encoder=PromptEncoder(embed_dim=dim, image_embedding_size=(grid, grid), input_image_size=(side, side),
                                     mask_in_chans=16),
        mask_decoder=MaskDecoder(num_multimask_outputs=3, transformer=transformer, transformer_dim=dim,
                                 iou_head_depth=3, iou_head_hidden_dim=256),
    ).eval()
