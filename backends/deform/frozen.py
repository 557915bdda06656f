"""The frozen network under the layers that learned on photographs: EfficientNet-Lite0 as ImageNet left it, up to stride
16 (Tan and Le, arXiv 1905.11946; timm's `tf_efficientnet_lite0`).

A picture becomes two maps, 40 channels at stride 8 and 112 at stride 16.  Nothing here is ever trained; the numbers
come from a package (`backends.train.initial`) and ship in half precision without the later stages.
"""
from __future__ import annotations

import numpy as np
import timm
import torch
from PIL import Image
from torch import Tensor, nn

from backends import device, weights
from backends.drawn import hosted

NAME, ARCHITECTURE = "lite0-stages", "tf_efficientnet_lite0"
STRIDES, CHANNELS = (8, 16), (40, 112)
STAGES = 5                     # of seven: the last of them is the first one's map at stride 16
LONGEST, PART = 320, 16        # px of the longer side on the page; sides are multiples of PART


@hosted
def network() -> nn.Module:
    """The stages, without their numbers."""
    made = timm.create_model(ARCHITECTURE, features_only=True, pretrained=False, out_indices=(2, 3))
    made.blocks = made.blocks[:STAGES]
    return made.eval()


@device.kept(None)
def load() -> nn.Module:
    """The shipped stages, on the device of the mechanisms."""
    made = network()
    missing = made.load_state_dict({name: v.float() for name, v in weights.load(NAME).items()}, strict=False)
    if any(not name.endswith("num_batches_tracked") for name in missing.missing_keys) or missing.unexpected_keys:
        raise weights.WeightsError(f"The weights {NAME} do not fit {ARCHITECTURE}.")
    return made.requires_grad_(False).to(device.exact())


def fitted(image: np.ndarray, longest: int = LONGEST) -> np.ndarray:
    """uint8 (H, W, 3) with at most `longest` px on the longer side and sides that are multiples of PART."""
    scale = min(1.0, longest / max(image.shape[:2]))
    size = tuple(max(PART, round(n * scale / PART) * PART) for n in (image.shape[1], image.shape[0]))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


@torch.no_grad()
def maps(net: nn.Module, images: np.ndarray) -> tuple[Tensor, Tensor]:
    """uint8 (B, H, W, 3), sides multiples of PART -> its maps (B, 40, H/8, W/8) and (B, 112, H/16, W/16)."""
    x = torch.from_numpy(images.copy()).permute(0, 3, 1, 2).to(next(net.parameters()).device)
    fine, coarse = net(x.float() / 127.5 - 1)
    return fine, coarse
