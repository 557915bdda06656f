"""The shipped Swin: timm's SwinTransformer with three small stages, and a head that says which places belong together.

Each place at stride 4 gets a vector e of DIM numbers; two places are of one region with probability sigmoid(a - |e_i -
e_j|^2), a learned.  So the answer to a click is a map of probabilities (pairwise embeddings as in de Brabandere et al.,
arXiv 1708.02551, with a logistic loss).  Each place also gets the mean colour of its region: to work it out, a token
must find the others of its region, which is what its attention is for.  The encoder is timm's class, unchanged, so its
attention is captured as any other Swin's (`backends.swin.capture`).

Windows of 8 x 8 tokens in all stages, strides 4, 8 and 16.  Pictures are resized so that every map is a multiple of the
window.
"""
from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from timm.models.swin_transformer import SwinTransformer
from torch import Tensor, nn

from backends import device, weights
from backends.drawn import hosted

NAME = "swin-regions"
WINDOW, WIDTHS, DEPTHS, HEADS = 8, (64, 128, 256), (2, 2, 4), (2, 4, 8)
STRIDE = 4                     # px of the answer's cells
UNIT = 128                     # px: WINDOW tokens of the last stage
LONGEST = 512                  # px, longer side of what the model sees
MIXED, DIM = 48, 16            # channels of the joined stages, and of a place's vector
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Regions(nn.Module):
    """Swin encoder, and a head that joins its three maps at stride 4: normalised picture (b, 3, H, W) -> vectors (b,
    DIM, H/4, W/4) and the mean colours of the places' regions (b, 3, H/4, W/4), normalised as the picture is."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.swin = SwinTransformer(img_size=256, patch_size=4, embed_dim=widths[0], depths=DEPTHS, num_heads=HEADS,
                                    window_size=WINDOW, num_classes=0, drop_path_rate=0.0, dynamic_img_size=True)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths[:-1])
        self.lateral = nn.ModuleList(nn.Linear(width, MIXED) for width in widths)
        self.mix = nn.Sequential(nn.GELU(), nn.Conv2d(MIXED, MIXED, 3, padding=1), nn.GELU(),
                                 nn.Conv2d(MIXED, DIM + 3, 1))
        self.offset = nn.Parameter(torch.tensor(2.0))
        self.apply(_wide)

    @property
    def device(self) -> torch.device:
        """Where the weights lie, and so where pictures must."""
        return self.offset.device

    def stages(self, x: Tensor) -> list[Tensor]:
        """Normalised maps after each stage: (b, H/4, W/4, 64), (b, H/8, W/8, 128), (b, H/16, W/16, 256)."""
        x, maps = self.swin.patch_embed(x), []
        for layer in self.swin.layers:
            x = layer(x)
            maps.append(x)
        return [norm(x) for norm, x in zip((*self.norms, self.swin.norm), maps)]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.joined(x, self.stages(x))

    def joined(self, x: Tensor, stages: list[Tensor]) -> tuple[Tensor, Tensor]:
        """The head alone, of the picture x and its stages."""
        own = F.avg_pool2d(x, STRIDE)
        maps = [lateral(stage).permute(0, 3, 1, 2) for lateral, stage in zip(self.lateral, stages)]
        fine = maps[0]
        for coarse in maps[1:]:
            fine = fine + F.interpolate(coarse, fine.shape[-2:], mode="bilinear", align_corners=False)
        vectors, change = self.mix(fine).split((DIM, 3), 1)
        return vectors, own + change

    def alike(self, a: Tensor, b: Tensor) -> Tensor:
        """Logit that places with vectors a (..., n, d) and b (..., m, d) are of one region: (..., n, m)."""
        square = a.square().sum(-1, keepdim=True) + b.square().sum(-1).unsqueeze(-2) - 2 * a @ b.mT
        return self.offset - square.clamp_min(0)


def _wide(module: nn.Module) -> None:
    """Xavier's start: with timm's, whose deviation is 0.02 at any width, scores of so few channels begin near zero, and
    stay there long."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)


@hosted
def normalised(image: np.ndarray, mean: tuple[float, ...] = MEAN, std: tuple[float, ...] = STD) -> Tensor:
    """uint8 (H, W, 3) -> float32 (1, 3, H, W) with the statistics of the training, by default those of ImageNet;
    on the host."""
    x = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None] / 255
    return (x - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)


def fitting(height: int, width: int) -> tuple[int, int]:
    """(H, W) that the model sees: multiples of UNIT, the longer side LONGEST, the shorter one nearest to the picture's
    proportions."""
    longer = LONGEST
    shorter = max(UNIT, round(longer * min(height, width) / max(height, width) / UNIT) * UNIT)
    return (longer, shorter) if height >= width else (shorter, longer)


def of(state: dict[str, Tensor]) -> Regions:
    """The model of these weights, on the host, in evaluation mode; its widths are read off them."""
    widths = tuple(state[f"lateral.{stage}.weight"].shape[1] for stage in range(len(WIDTHS)))
    return weights.filled(hosted(Regions)(widths), state)


@device.kept(None)
def load() -> Regions:
    """The shipped model, in evaluation mode, on the device of the mechanisms."""
    return of(weights.load(NAME)).to(device.exact())
