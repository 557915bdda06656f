"""What the Swin tab takes.  Nothing here computes, and torch is not imported, so that a page can be drawn before torch
is loaded.

Letters: M window, s shift, both in tokens; places are (y, x), shares of the picture's height and width.
"""
from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from backends.settings import setting

ON_TOKENS = ("roll", "reach", "leak", "orders", "bias", "cosine")     # views that show the picture's tokens in windows
OF_MODELS = ("network", "model", "rollout")                            # views of a whole model
STEPS = ("picture", "roll", "pad", "windows", "regions", "mask", "attention", "back")
TOKEN = 16                     # px of the resized picture in one token
BLOCKS, HEADS, WINDOW = 4, 8, 8       # of the last stage of the shipped Swin, whose q, k and v are used
AUTOMATIC = -1
MAX_EDITS, MAX_BIAS = 64, 20.0
ARCHITECTURES = (
    "swin_base_patch4_window7_224", "swin_base_patch4_window12_384", "swin_large_patch4_window7_224",
    "swin_large_patch4_window12_384",
    "swin_s3_base_224", "swin_s3_small_224", "swin_s3_tiny_224", "swin_small_patch4_window7_224",
    "swin_tiny_patch4_window7_224",
    "swinv2_base_window8_256", "swinv2_base_window12_192", "swinv2_base_window12to16_192to256",
    "swinv2_base_window12to24_192to384",
    "swinv2_base_window16_256", "swinv2_cr_base_224", "swinv2_cr_base_384", "swinv2_cr_base_ns_224",
    "swinv2_cr_giant_224",
    "swinv2_cr_giant_384", "swinv2_cr_huge_224", "swinv2_cr_huge_384", "swinv2_cr_large_224", "swinv2_cr_large_384",
    "swinv2_cr_small_224", "swinv2_cr_small_384", "swinv2_cr_small_ns_224", "swinv2_cr_small_ns_256",
    "swinv2_cr_tiny_224",
    "swinv2_cr_tiny_384", "swinv2_cr_tiny_ns_224", "swinv2_large_window12_192", "swinv2_large_window12to16_192to256",
    "swinv2_large_window12to24_192to384", "swinv2_small_window8_256", "swinv2_small_window16_256",
    "swinv2_tiny_window8_256",
    "swinv2_tiny_window16_256",
)
"""All Swin models of timm 1.0.31."""

SETTINGS_OF = {"masked": ("roll", "reach", "bias", "cosine"), "similarity": ("roll", "leak", "bias"),
               "scale": ("cosine",), "gain": ("cosine",),
               "edits": ("bias",), "bias": ("roll", "leak", "orders", "bias", "cosine"), "moving": ("reach",)}
"""By setting: the views that show it.  In the others it counts as untouched."""

Edit = tuple[int, int, float]


@dataclass(frozen=True)
class SwinParams:
    """Settings of the Swin tab.  A window that reaches the whole map has no shift, as in the libraries; a shift that is
    not smaller than the window is not possible, and the largest possible one is used instead, which the result says."""

    view: Literal["network", "roll", "reach", "leak", "orders", "bias", "cosine", "merge", "cost", "model",
                  "rollout"] = setting("roll", "View", "what is worked out")
    picture: str = setting("chelsea", "Picture", "a sample's name; an own picture cannot travel in a link",
                           kind="hidden", max_length=80)
    rows: int = setting(14, "Token rows", "", (1, 24))
    columns: int = setting(14, "Token columns", "", (1, 28))
    window: int = setting(7, "Window M", "tokens on each side", (1, 12))
    shift: int = setting(AUTOMATIC, "Shift s", "-1: half the window, as in Swin", (AUTOMATIC, 11))
    masked: bool = setting(True, "Shift mask", "-100 between tokens of different regions")
    order: Literal["timm", "torchvision", "microsoft"] = setting(
        "timm", "Order", "timm rolls, then pads; torchvision pads, then rolls; Microsoft's code shifts nothing where "
        "the window covers a side")
    y: float = setting(0.82, "Place y", "of the clicked token, share of the height", (0.0, 1.0), 0.001)
    x: float = setting(0.82, "Place x", "of the clicked token, share of the width", (0.0, 1.0), 0.001)
    step: Literal[STEPS] = setting("mask", "Step", "what the stage shows", kind="hidden")
    block: int = setting(2, "Block", "of the trained Swin's last stage, whose q, k and v are used", (1, BLOCKS))
    head: int = setting(4, "Head", "", (1, HEADS))
    similarity: Literal["dot", "cosine"] = setting("dot", "Similarity",
                                                   "dot: Swin; cosine: Swin V2, at its first scale of 10")
    bias: Literal["trained", "none", "near", "rows"] = setting("trained", "Position bias", "near and rows are made up")
    edits: tuple[Edit, ...] = setting((), "Edits", "of the chosen head's bias: [dy, dx, value] each", kind="json")
    scale: float = setting(10.0, "Scale of the cosine", "Swin V2 learns it from 10 on, and clamps it at 100",
                           (1.0, 200.0), 1)
    gain: float = setting(1.0, "Output weights ×", "of both branches of the blocks below", (1.0, 16.0), 0.5)
    depth: int = setting(6, "Blocks", "one after another, every second one shifted", (1, 12))
    moving: bool = setting(True, "Every second block is shifted")
    channels: int = setting(96, "Channels C", "", (32, 512), 32)
    pixels: int = setting(224, "Picture side", "px; tokens of the first stage are 4 px wide", (32, 2048), 4)
    model: Literal["shipped", "own"] = setting("shipped", "Model")
    architecture: str = setting("swin_tiny_patch4_window7_224", "Architecture",
                                "of your own weights, by its name in timm", max_length=80)
    map_block: int = setting(5, "Block", "first to last, through all stages", (1, 48), kind="hidden")
    map_head: int = setting(0, "Head", "0: the mean of all", (0, 64), kind="hidden")
    region: bool = setting(False, "Region", "what the model calls the clicked one's region, over the picture",
                           kind="hidden")
    seed: int = setting(0, "Seed", "of all that is drawn at random", (0, 9999))

    def __post_init__(self) -> None:
        if len(self.edits) > MAX_EDITS:
            raise ValueError(f"At most {MAX_EDITS} cells of the bias can be edited.")
        for dy, dx, value in self.edits:
            if max(abs(dy), abs(dx)) > 11 or not abs(value) <= MAX_BIAS or math.isnan(value):
                raise ValueError(f"An edit is an offset of at most 11 tokens and a value from -{MAX_BIAS:g} to "
                                 f"{MAX_BIAS:g}.")

    @property
    def used(self) -> SwinParams:
        """The same without what the view does not show: no hidden setting changes a picture."""
        hidden = [name for name, views in SETTINGS_OF.items() if self.view not in views]
        return replace(self, **{name: self.__dataclass_fields__[name].default for name in hidden})

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of tokens."""
        return self.rows, self.columns

    @property
    def token(self) -> tuple[int, int]:
        """(row, column) of the clicked token."""
        return min(int(self.y * self.rows), self.rows - 1), min(int(self.x * self.columns), self.columns - 1)

    @property
    def shifted(self) -> int:
        """The shift that is used: never as large as the window, and none where no block is shifted."""
        if self.view == "reach" and not self.moving:
            return 0
        return self.window // 2 if self.shift == AUTOMATIC else min(self.shift, self.window - 1)
