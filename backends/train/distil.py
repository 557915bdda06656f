"""Learning from a pretrained network: its features at strides 8, 16 and 32, and which places it finds alike.

The teacher is the ImageNet-trained EfficientNet-Lite0 of a package (`backends.train.initial`), frozen.  Features: the
student's maps, each through a linear layer of its own that is not shipped, point where the teacher's do; the loss is
1 - cosine at every place (stride 32 is read from the student's stride 16, averaged over 2 x 2).  Relations (Park et
al., "Relational knowledge distillation", CVPR 2019): two places are alike with probability sigmoid(SHARP (NEAR - |a -
b|^2)), a and b the teacher's features at stride 32 of length 1.  NEAR is the squared distance that tells regions best
on procedural scenes (`benchmarks.swin_regions --teacher`).
"""
from __future__ import annotations

from pathlib import Path

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.swin.small import MEAN, STD
from backends.train import initial

CHANNELS = (40, 112, 320)      # of the teacher's features at strides 8, 16, 32
NEAR, SHARP = 0.7, 8.0


class Teacher:
    """The frozen network: pictures normalised for the student (b, 3, H, W) -> features at strides 8, 16 and 32.
    Without a file it is untrained, for tests."""

    def __init__(self, file: Path | None) -> None:
        self.network = timm.create_model(initial.NAME, features_only=True, pretrained=False, out_indices=(2, 3, 4))
        if file:
            initial.fill(self.network, file)
        self.network.eval().requires_grad_(False).to(memory_format=torch.channels_last)      # a third faster
        self.scale, self.shift = (torch.tensor(v).view(1, 3, 1, 1) for v in (STD, MEAN))

    @torch.no_grad()
    def __call__(self, x: Tensor) -> list[Tensor]:
        x = x.contiguous(memory_format=torch.channels_last)
        return self.network((x * self.scale + self.shift) * 2 - 1)


class Readout(nn.Module):
    """The student's maps at strides 4, 8, 16 (b, h, w, width) -> what it says of the teacher's features, (b, C, h, w)
    each."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(map(nn.Linear, (*widths[1:], widths[-1]), CHANNELS))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        coarse = F.avg_pool2d(maps[2].permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
        return [layer(x).permute(0, 3, 1, 2) for layer, x in zip(self.layers, (*maps[1:], coarse), strict=True)]


def feature_loss(said: list[Tensor], features: list[Tensor]) -> Tensor:
    """1 - cosine, the mean over places and strides."""
    return torch.stack([(1 - F.cosine_similarity(a.float(), b, dim=1)).mean()
                        for a, b in zip(said, features, strict=True)]).mean()


def likeness(features: Tensor, at: Tensor, size: tuple[int, int]) -> Tensor:
    """Probability that the teacher finds places alike: its features at stride 32 (b, C, h, w), flat places at (b, k) of
    a map of `size` -> (b, k, k)."""
    fine = F.interpolate(F.normalize(features, dim=1), size, mode="bilinear", align_corners=False).flatten(2)
    own = F.normalize(fine.gather(2, at.unsqueeze(1).expand(-1, fine.shape[1], -1)), dim=1)
    return torch.sigmoid(SHARP * (NEAR - (2 - 2 * own.mT @ own)))
