"""The models that can be segmented with, how each is built, and how its weights come in.

All are `segment_anything.modeling.Sam` objects and differ only in their parts.  vit_b, vit_l and vit_h are built by
segment_anything's own registry (Kirillov et al. 2023, arXiv 2304.02643), mobile_sam by `tinyvit`, tiny by `tiny`.
A loaded module is shared by all users of the process: it is frozen, in evaluation mode, and holds no picture.  Of the
files that are named by a path the last one stays loaded.
"""
from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from segment_anything import sam_model_registry
from segment_anything.modeling import ImageEncoderViT, Sam
from torch import Tensor

from backends import device as devices
from backends import machine, weights
from backends.cache import ByteLRU
from backends.drawn import hosted
from backends.segment.checkpoints import official
from backends.segment.errors import SegmentError
from backends.segment.tinyvit import build_mobile_sam
from backends.segment.vit import in_pieces

SHARE, MOST = 0.2, 6 << 30      # of the memory; the four official models together hold 4.2 GB as float32
MODULES = ByteLRU(machine.share(SHARE, MOST), trims=True)
WARMED = ("cuda",)
VIT_WIDTHS = {768: "vit_b", 1024: "vit_l", 1280: "vit_h"}


@dataclass(frozen=True)
class Model:
    """One row of the model picker.

    build makes the Sam with random weights, `entry` is its name in weights/MANIFEST.json (which has size, licence
    and digest), `side` the length of the model's square input in pixels, `parameters` their number in millions.
    """

    title: str
    build: Callable[[], Sam]
    entry: str
    side: int
    parameters: float
    encoder: str


def _build_tiny() -> Sam:
    from backends.segment.tiny import build_tiny
    return build_tiny()


MODELS: dict[str, Model] = {
    "tiny": Model("Tiny (shipped)", _build_tiny, "segment-tiny", 512, 4.1, "EfficientNet-Lite0 with a pyramid"),
    "vit_b": Model("SAM ViT-B", sam_model_registry["vit_b"], "vit_b", 1024, 93.7, "ViT, 12 layers of 768"),
    "vit_l": Model("SAM ViT-L", sam_model_registry["vit_l"], "vit_l", 1024, 312.3, "ViT, 24 layers of 1024"),
    "vit_h": Model("SAM ViT-H", sam_model_registry["vit_h"], "vit_h", 1024, 641.1, "ViT, 32 layers of 1280"),
    "mobile_sam": Model("MobileSAM", build_mobile_sam, "mobile_sam", 1024, 10.1, "TinyViT, 4 stages"),
}


def infer(state: dict[str, Tensor]) -> str:
    """The name in MODELS whose weights `state` holds, told by key names and shapes.

    Raises SegmentError, which names the likely reason, if it is none of them.
    """
    patches = state.get("image_encoder.patch_embed.proj.weight")
    if patches is not None and patches.ndim == 4 and patches.shape[0] in VIT_WIDTHS:
        return VIT_WIDTHS[patches.shape[0]]
    if "image_encoder.layers.0.blocks.0.conv1.c.weight" in state:
        return "mobile_sam"
    if any(key.startswith("mask_decoder.") for key in state) and _looks_tiny(state):
        return "tiny"
    raise SegmentError(f"This file is no checkpoint of {', '.join(MODELS)}: its first key is "
                       f"{next(iter(state), 'missing')!r}.")


def _looks_tiny(state: dict[str, Tensor]) -> bool:
    expected = hosted(_build_tiny)().state_dict().keys()
    return 2 * len(expected & state.keys()) > len(expected)


def _reason(name: str, expected: dict[str, Tensor], state: dict[str, Tensor]) -> str | None:
    """The sentence that says why `state` does not fit, or None if it fits."""
    missing, extra = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    if missing or extra:
        first = f"{missing[0]} is missing" if missing else f"{extra[0]} is not known"
        return (f"The checkpoint does not fit {name}: {len(missing)} keys are missing and {len(extra)} are not known "
                f"(first: {first}).")
    for key, value in expected.items():
        if state[key].shape != value.shape:
            return (f"The checkpoint does not fit {name}: {key} has shape {tuple(state[key].shape)}, not "
                    f"{tuple(value.shape)}.")
        if state[key].is_floating_point() != value.is_floating_point():
            return f"The checkpoint does not fit {name}: {key} holds {state[key].dtype}, not {value.dtype}."
    return None


def assemble(name: str, state: dict[str, Tensor]) -> Sam:
    """The Sam called `name` with the weights `state`, strictly; half precision is widened to float32; on the host.

    Raises SegmentError on missing, unknown or ill-shaped keys.
    """
    sam = hosted(MODELS[name].build)()
    reason = _reason(name, sam.state_dict(), state)
    if reason:
        raise SegmentError(reason)
    sam.load_state_dict(state, strict=True)
    if isinstance(sam.image_encoder, ImageEncoderViT):
        in_pieces(sam.image_encoder)
    return sam.eval().requires_grad_(False)


@torch.no_grad()
def warm(sam: Sam, device: torch.device) -> None:
    """One picture of zeros through the encoder, so that choosing kernels does not fall into the first answer."""
    side = sam.image_encoder.img_size
    with devices.autocast(device):
        sam.image_encoder(torch.zeros(1, 3, side, side, device=device))


@dataclass(frozen=True)
class Source:
    """Where a model comes from: a name in MODELS, or the path of a checkpoint file.

    `name` is the model's name, or the file's name for a path.
    """

    name: str
    path: Path | None

    @classmethod
    def of(cls, model: str | Path) -> Source:
        """From what the user gave.  Raises SegmentError if it is neither a known name nor a file."""
        if str(model) in MODELS:
            return cls(str(model), None)
        if os.path.isfile(model):
            return cls(Path(model).name, Path(model))
        raise SegmentError(f"There is no model or checkpoint file called {str(model)[:80]!r}; the models are "
                           f"{', '.join(MODELS)}.")

    def digest(self) -> str:
        """SHA-256 (hex) of the weights file: from the manifest for a name, computed for a path."""
        return weights.digest_of(self.path) if self.path else weights.entry(MODELS[self.name].entry).sha256

    def load(self, digest: str, device: torch.device) -> Sam:
        """The shared module on `device`.  Raises WeightsError or SegmentError; modules loaded before are not
        touched."""
        key = (self.path is not None, self.name, digest, str(device))
        sam, held = MODULES.get_or_compute(key, lambda: self.read(device))
        if self.path and not held:
            MODULES.drop(lambda other: other[0] and other != key)
        return sam

    def read(self, device: torch.device) -> tuple[Sam, int]:
        """A module of its own on `device`, and its bytes.  Raises WeightsError or SegmentError."""
        state = official(weights.load_file(self.path)) if self.path else weights.load(MODELS[self.name].entry)
        name = infer(state) if self.path else self.name
        sam = assemble(name, state).to(device)
        if device.type in WARMED:
            warm(sam, device)
        if name == "tiny":
            sam = sam.to(memory_format=torch.channels_last)      # nothing but convolutions, which like this order
        return sam, sum(p.nbytes for p in sam.parameters())
