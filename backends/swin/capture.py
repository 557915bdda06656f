"""Real attention of any timm Swin, Swin V2 or Swin V2-CR: every block's weights as they were applied, and rows of them
on the picture.

timm's Swin calls fused attention only when told to (TIMM_FUSED_ATTN=2); then no softmax is seen.  So `fused_attn` is
switched off in every module, one by one, and the input of `attn_drop` is kept, which is the softmax's output in all
three families.  Letters: H, W tokens of a block's map; nW windows of N places; h heads.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Annotated, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from backends import shapes, weights
from backends.drawn import hosted
from backends.swin import small
from backends.swin.geometry import PAD, Layout

FAMILIES = ("swin_", "swinv2_")
ONE = Lock()                   # hooks belong to a module, so one picture at a time


class CaptureError(ValueError):
    """A model or a checkpoint that cannot be used; the message is one sentence for the user."""


@dataclass(frozen=True)
class Maps:
    """The attention of one block: stage and block count from 0, `layout` says where its windows lie, weights (nW, h, N,
    N)."""

    stage: int
    block: int
    layout: Layout
    weights: Annotated[Tensor, "w h n n"]


@dataclass(frozen=True)
class Row:
    """What one token looked at: its place (row, column) on the map of `size`, and by head (h, H, W) the weights of all
    tokens, zero outside of its window; `padding` (h,): the weight of padded places; `inside` (H, W): tokens of its
    window that it may look at; `given` (h, N): its whole row; `visible`: how many places the mask lets it see, padded
    ones too, so that equal weights are 1 / visible."""

    token: tuple[int, int]
    size: tuple[int, int]
    weights: Tensor
    padding: Tensor
    inside: np.ndarray
    given: Tensor
    visible: int


def blocks(model: nn.Module) -> Iterator[tuple[int, int, nn.Module]]:
    """(stage, block, module) of every Swin block, first to last."""
    for stage, layer in enumerate(model.layers if hasattr(model, "layers") else model.stages):
        for block, module in enumerate(layer.blocks):
            yield stage, block, module


def unfused(model: nn.Module) -> None:
    """Switches fused attention off in every module that has the switch."""
    for module in model.modules():
        if getattr(module, "fused_attn", False):
            module.fused_attn = False


@contextmanager
def listening(model: nn.Module) -> Iterator[list[Maps]]:
    """While inside, every forward pass of one picture appends its blocks' maps to the list."""
    found: list[Maps] = []
    sizes: dict[nn.Module, tuple[int, int]] = {}
    unfused(model)

    def arrives(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        sizes[module] = tuple(args[0].shape[1:3])

    def softened(stage: int, block: int, module: nn.Module) -> Any:
        def keep(_: nn.Module, args: tuple[Tensor, ...]) -> None:
            where = Layout(sizes[module], tuple(module.window_size), tuple(module.shift_size), "timm")
            found.append(shapes.check(Maps(stage, block, where, args[0].detach())))
        return keep

    hooks = []
    for stage, block, module in blocks(model):
        hooks.append(module.register_forward_pre_hook(arrives))
        hooks.append(module.attn.attn_drop.register_forward_pre_hook(softened(stage, block, module)))
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def capture(model: nn.Module, x: Tensor) -> tuple[Maps, ...]:
    """All blocks' maps of one normalised picture (1, 3, H, W)."""
    with ONE, listening(model) as found:
        model.forward_features(x)
    return tuple(found)


def row(maps: Maps, place: tuple[float, float]) -> Row:
    """What the token at `place` (y, x in 0..1 of the picture) looked at in one block."""
    height, width = maps.layout.size
    token = min(int(place[0] * height), height - 1), min(int(place[1] * width), width - 1)
    window, inner = maps.layout.places[token[0] * width + token[1]]
    source, given = maps.layout.windows[window], maps.weights[window, :, inner]
    real = source != PAD
    spread = given.new_zeros(given.shape[0], height * width)
    places, there = (torch.from_numpy(x).to(given.device) for x in (source[real], real))
    spread[:, places] = given[:, there]
    allowed = np.zeros(height * width, bool)
    allowed[source[real & ~maps.layout.blocked[window, inner]]] = True
    padding = given[:, ~there].sum(-1)
    visible = int((~maps.layout.blocked[window, inner]).sum())
    return Row(token, (height, width), spread.view(-1, height, width), padding, allowed.reshape(height, width), given,
               visible)


@dataclass(frozen=True)
class Reader:
    """A model and how it wants its pictures: `size` (H, W) in pixels or None for `small.fitting`, with the statistics
    of its training.  `key` tells its weights from others."""

    name: str
    key: str
    model: nn.Module
    size: tuple[int, int] | None = None
    mean: tuple[float, ...] = small.MEAN
    std: tuple[float, ...] = small.STD

    def picture(self, image: np.ndarray) -> np.ndarray:
        """uint8 (H, W, 3), resized as a whole to what the model sees."""
        height, width = self.size or small.fitting(*image.shape[:2])
        return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))

    def normalised(self, image: np.ndarray) -> Tensor:
        """float32 (1, 3, H, W) of a picture of the right size."""
        return small.normalised(image, self.mean, self.std)


def shipped() -> Reader:
    """The small Swin of the project; its encoder alone."""
    return Reader(small.NAME, small.NAME, small.load().swin)


def names() -> tuple[str, ...]:
    """All Swin architectures of timm."""
    import timm
    return tuple(name for name in timm.list_models() if name.startswith(FAMILIES))


@lru_cache(2)
def own(path: Path, name: str) -> Reader:
    """The user's weights, safetensors, in timm's architecture `name`, on the host.  Raises CaptureError or
    WeightsError, one sentence."""
    import timm
    if name not in names():
        raise CaptureError(f"timm has no Swin architecture called {str(name)[:60]!r}.")
    state = weights.load_file(path, trusted=False)
    head = next((state[key] for key in ("head.fc.weight", "head.weight") if key in state), None)
    options = {"pretrained": False, "num_classes": 0 if head is None else len(head)}
    with torch.device("meta"):
        wanted = sum(p.numel() for p in timm.create_model(name, **options).parameters())
    if wanted > sum(v.numel() for v in state.values()):                # before the memory is spent
        raise CaptureError(f"These weights do not fit {name}: it has {wanted / 1e6:.1f} million numbers, the "
                           "file has fewer.")
    model = hosted(timm.create_model)(name, **options)
    try:
        model.load_state_dict(_filtered(state, model))
    except (RuntimeError, KeyError, AttributeError, ValueError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise CaptureError(f"These weights do not fit {name}: {lines[min(1, len(lines) - 1)][:140]}") from None
    config = model.pretrained_cfg
    size = tuple(config["input_size"][1:])
    return Reader(name, f"{path} {name}", model.eval().requires_grad_(False), size, tuple(config["mean"]),
                  tuple(config["std"]))


def _filtered(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Keys of the original checkpoints, or of timm's, as timm's classes have them now."""
    import sys
    return sys.modules[type(model).__module__].checkpoint_filter_fn(state, model)
