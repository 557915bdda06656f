"""The decoder of `tiny` for the many clicks of everything mode on a CPU: in bfloat16 where that is multiplied quicker
(the 3 x 3 convolutions run some eight times as fast as in float32 with AMX, twice with AVX512-BF16), else in float32.

Batch norms are folded into the convolutions before them, the sum and the ReLU after a convolution are done in its pass
(they took longer than the convolution itself), and tensors stay in one memory format.  What geometry is made of
(distances along paths, similarities, ratings) stays float32.  The masks are those of the float32 decoder up to
rounding: in bfloat16 IoU 0.998 in the median on the samples, predicted IoU within 0.001 on average.
"""
from __future__ import annotations

import copy
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from segment_anything.modeling import Sam
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from backends.device import HOST, precision
from backends.segment.tiny import TinyMaskDecoder, prompt_maps, repeat, split, up

if TYPE_CHECKING:
    from backends.segment.segmenter import Segmenter

PADDED = 64            # channels that `refine` reads here: matrix units like whole tiles
MADE: WeakKeyDictionary[nn.Module, QuickDecoder] = WeakKeyDictionary()      # of each decoder, as long as that lives


class QuickDecoder(TinyMaskDecoder):
    """`TinyMaskDecoder` whose convolutions run in bfloat16 or in float32; made by `quick`, for inference."""

    def predict_all(self, embedding: Tensor, sparse: Tensor, dense: Tensor) -> tuple[Tensor, Tensor]:
        """All four masks (b, 4, 2g, 2g) and predicted IoU (b, 4), float32."""
        h, detail, boundary = self.seen(embedding, sparse, dense)
        for block in self.refine:
            detail = rectified(block[0], detail)
        masks = self.masks(detail).float().contiguous()
        return masks, self.rate(h.float(), masks, boundary)

    def seen(self, embedding: Tensor, sparse: Tensor, dense: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Trunk features (b, 64, g, g), what `refine` reads (b, 64, 2g, 2g) and boundary logits (b, 1, g, g)."""
        each = len(sparse) // len(embedding)
        feat8, feat4, keys, boundary = split(embedding)
        prompt, clicked, fine = prompt_maps(feat8, keys, boundary, sparse, dense, each)
        h = self.prompt_in(self.read(prompt)).add_(spread(self.image_in(self.read(feat8)), each))
        h = h.add_(self.under_click(clicked.to(h.dtype))[..., None, None]).relu_()
        for block in self.trunk:
            h = rectified(block.outer[0], rectified(block.inner[0], h), h)
        detail = torch.empty(len(sparse), PADDED, *fine.shape[2:], dtype=h.dtype, device=h.device,
                             memory_format=torch.channels_last)
        start = 0
        for part in (up(self.narrow(h)), spread(self.read(feat4), each), self.read(fine)):
            detail[:, start : start + part.shape[1]] = part
            start += part.shape[1]
        detail[:, start:] = 0
        return h, detail, repeat(boundary, each)

    def read(self, x: Tensor) -> Tensor:
        """In the precision and with the memory format that the convolutions like."""
        return x.to(self.prompt_in.weight.dtype, memory_format=torch.channels_last)

    def coarse_guess(self, coarse: Tensor, sparse: Tensor, dense: Tensor) -> Tensor:
        """Logits (b, 1, 2g, 2g) of the single answer in the coarse view, which needs no rating."""
        self.rate = lambda h, masks, boundary: None
        try:
            return super().coarse_guess(coarse, sparse, dense)
        finally:
            del self.rate


def rectified(conv: nn.Conv2d, x: Tensor, onto: Tensor | None = None) -> Tensor:
    """relu(conv(x)), or relu(onto + conv(x)), which is written over `onto`: oneDNN does it all in one pass."""
    shape = (conv.padding, conv.stride, conv.dilation, conv.groups)
    if onto is None:
        return torch.ops.mkldnn._convolution_pointwise(x, conv.weight, conv.bias, *shape, "relu", [], None)
    return torch.ops.mkldnn._convolution_pointwise_.binary(onto, x, conv.weight, conv.bias, *shape, "add", 1.0, "relu",
                                                           [], None)


def spread(x: Tensor, each: int) -> Tensor:
    """`repeat` where the features are of several pictures; those of one meet all prompts by broadcasting."""
    return x if len(x) == 1 else repeat(x, each)


def folded(module: nn.Module) -> nn.Module:
    """Every batch norm of `module` that follows a convolution in a sequence goes into that convolution, in place."""
    for inner in module.modules():
        if isinstance(inner, nn.Sequential):
            for i in range(1, len(inner)):
                if isinstance(inner[i], nn.BatchNorm2d) and isinstance(inner[i - 1], nn.Conv2d):
                    inner[i - 1], inner[i] = fuse_conv_bn_eval(inner[i - 1], inner[i]), nn.Identity()
    return module


def quick(decoder: TinyMaskDecoder, dtype: torch.dtype) -> QuickDecoder:
    """A copy of `decoder` that runs in this precision."""
    made = folded(copy.deepcopy(decoder).eval()).to(dtype, memory_format=torch.channels_last)
    made.iou.float()
    first = made.refine[0][0]
    first.weight = nn.Parameter(F.pad(first.weight, (0, 0, 0, 0, 0, PADDED - first.in_channels)), requires_grad=False)
    first.in_channels = PADDED
    made.__class__ = QuickDecoder
    return made


def pays(device: torch.device) -> bool:
    """Whether oneDNN, whose passes these are, computes there."""
    return device.type == HOST and torch.backends.mkldnn.is_available()


def quickened(segmenter: Segmenter) -> Segmenter:
    """The same model with the quick decoder where it has one and that pays; else `segmenter` itself."""
    sam, decoder = segmenter.sam, segmenter.sam.mask_decoder
    if type(decoder) is not TinyMaskDecoder or not pays(segmenter.device):
        return segmenter
    if decoder not in MADE:
        MADE[decoder] = quick(decoder, precision(segmenter.device))
    other = Sam(sam.image_encoder, sam.prompt_encoder, MADE[decoder]).requires_grad_(False)
    return segmenter.of(other, segmenter.name, segmenter.digest)
