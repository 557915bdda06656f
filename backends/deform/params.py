"""What the Deformable tab takes.  Nothing here computes, and torch is not imported, so that a page can be drawn before
torch is loaded.

Places are (y, x): of the picture as shares of its height and width, of a map in cells, cell i centred at i.  Taps count
row by row from 0.
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from backends.settings import check, setting

OPERATORS = {"dcn1": "DCNv1: offsets", "dcn2": "DCNv2: offsets and modulation", "dcn3": "DCNv3: softmax over taps",
             "dcn4": "DCNv4: any weight", "msda": "Deformable DETR: levels and heads", "dat": "DAT: shared keys",
             "dat2": "DAT++: unlimited, clamped"}
ON_TAPS = ("dcn1", "dcn2", "dcn3", "dcn4")
KERNELS = {"mean": "mean of nine", "sobel": "edges (Sobel, across x)", "sharpen": "sharpen"}
PATTERNS = {"affine": "turn, grow and shear", "edge": "along the edge that is there"}
SOURCES = {"bent": "bent things, as in training", "picture": "the picture"}
BENDS = {"mild": "as in training", "strong": "stronger than in training"}
STARTS = {"grid": "on the texture", "flat": "where all is flat"}
GIVEN = {"shipped": "the shipped network's first layer", "3": "mine: 3 × 3 taps", "1": "mine: 1 × 1",
         "5": "mine: 5 × 5", "7": "mine: 7 × 7", "0": "mine: free points"}
ORDERS = {"yx": "y, x of each tap (DCN)", "xy": "x, y of each tap (Deformable DETR)",
          "columns": "x, y, column by column (DCNv3)", "split": "all y, then all x", "split_x": "all x, then all y"}
UNITS = {"cells": "cells of the map", "strides": "strides of the layer", "minus": "[-1, 1] over the map (DAT)",
         "unit": "[0, 1] over the map (Deformable DETR)"}
LEARNERS = {"aimed": "DCNv2: two layers of nine taps", "star": "Deformable DETR: two layers of heads and levels"}
TAPS, HEADS, LEVELS, POINTS, LAYERS = 9, 8, 4, 4, 3
MOST = 500.0                          # cells: the longest offset
MAX_RAW = 8.0                         # of a raw modulation, either way


@dataclass(frozen=True)
class DeformParams:
    """Settings of the Deformable tab.  `offsets`: nine (dy, dx) in cells, row by row, in place of the pattern; `raw`:
    nine numbers that become modulations; both may be empty."""

    view: Literal["taps", "own", "photo", "stack", "twins", "fit",
                  "conventions"] = setting("taps", "View", "what is worked out")
    picture: str = setting("coffee", "Picture", "a sample's name; an own picture cannot travel in a link",
                           max_length=80)
    operator: str = setting("msda", "Operator", "how it chooses where to read", choices=tuple(OPERATORS))
    at: tuple[float, float] = setting((0.42, 0.55), "Place", "[y, x], shares of height and width; a click writes it",
                                      kind="json")
    cells: int = setting(72, "Cells", "of the map, on the picture's longer side", (2, 80))
    kernel: str = setting("mean", "Kernel", "the weights w of DCNv1 and v2", choices=tuple(KERNELS))
    dilation: int = setting(5, "Dilation", "cells between the regular taps", (1, 8))
    pattern: str = setting("affine", "Offsets", "where they come from until a tap is dragged", choices=tuple(PATTERNS))
    turn: float = setting(30.0, "Turn", "degrees, clockwise", (-180.0, 180.0), 1)
    grow: float = setting(1.3, "Grow", "factor", (0.25, 4.0), 0.05)
    shear: float = setting(0.0, "Shear", "x moved by this much y", (-1.5, 1.5), 0.05)
    offsets: tuple[tuple[float, float], ...] = setting(
        (), "Your offsets", "[dy, dx] of nine taps, cells; []: the pattern; dragging a tap writes them", kind="json")
    raw: tuple[float, ...] = setting(
        (), "Raw modulation",
        "of nine taps: v2 takes the sigmoid, v3 the softmax, v4 nothing; []: zeros; the slider writes it", kind="json")
    scale: float = setting(1.0, "Offset scale", "DCNv3 and v4: multiplies grid and offsets", (0.25, 4.0), 0.05)
    head: int = setting(0, "Head", "0: all", (0, HEADS))
    box: float = setting(0.0, "Reference box", "side as a share of the picture; 0: a point", (0.0, 1.0), 0.05)
    noise: float = setting(0.0, "Random weights", "deviation of the layer that gives the offsets; 0: as initialised",
                           (0.0, 4.0), 0.1)
    factor: float = setting(2.0, "Reach", "DAT: most offset, in cells of the keys", (0.0, 8.0), 0.5)
    stride: int = setting(8, "Stride", "DAT, DAT++: cells between keys", (4, 16))
    given: str = setting("shipped", "Offsets of", "a layer", choices=tuple(GIVEN))
    order: str = setting("yx", "Order", "of the numbers of a group", choices=tuple(ORDERS))
    unit: str = setting("cells", "Unit", "of an offset", choices=tuple(UNITS))
    frame: tuple[int, int, int] = setting(
        (1, 1, 1), "Groups, dilation, stride", "[groups or heads, cells between taps, cells between outputs]",
        kind="json")
    learner: str = setting("aimed", "Layers", "that learned on photographs", choices=tuple(LEARNERS))
    source: str = setting("bent", "Looks at", "what the trained network is given", choices=tuple(SOURCES))
    bend: str = setting("strong", "Deformation", "of the bent things", choices=tuple(BENDS))
    layers: int = setting(LAYERS, "Layers", "back from the last one: 9, 81 or 729 places", (1, LAYERS))
    samples: int = setting(60, "Pictures", "held out, of each deformation", (10, 300), 10)
    start: str = setting("grid", "Starts", "where the taps are when learning begins", choices=tuple(STARTS))
    steps: int = setting(150, "Steps", "of gradient descent", (10, 400), 10)
    tap: int = setting(-1, "Chosen point", "by its number; -1: the page chooses one", (-1, 4095), kind="hidden")
    seed: int = setting(0, "Seed", "of all that is drawn at random", (0, 9999))
    FORMER: ClassVar[tuple[dict[str, Any], ...]] = ({"seed": 14}, {"seed": 28})

    def __post_init__(self) -> None:
        check(self)
        check_place(self.at)
        check_offsets(self.offsets)
        if len(self.frame) != 3 or not all(1 <= n <= 64 for n in self.frame):
            raise ValueError("Groups, dilation and stride are three whole numbers from 1 to 64.")
        if self.raw and (len(self.raw) != TAPS or not all(abs(v) <= MAX_RAW for v in self.raw)):
            raise ValueError(f"Raw modulation is a list of {TAPS} numbers from -{MAX_RAW:g} to {MAX_RAW:g}, or empty.")

    def cell(self, size: tuple[int, int]) -> tuple[int, int]:
        """The chosen place as a cell of a map of this size, (row, column)."""
        return tuple(min(int(v * n), n - 1) for v, n in zip(self.at, size, strict=True))


def check_place(at: tuple[float, float]) -> None:
    """ValueError, one sentence, unless it lies on the picture."""
    if len(at) != 2 or not all(0 <= v <= 1 for v in at):
        raise ValueError("A place is [y, x], two shares from 0 to 1.")


def check_offsets(offsets: tuple[tuple[float, float], ...]) -> None:
    """ValueError, one sentence, unless there are none or nine finite ones.  They may lead off the map: zeros are read
    there."""
    if offsets and len(offsets) != TAPS:
        raise ValueError(f"Offsets are {TAPS} pairs [dy, dx], one for each tap, or an empty list.")
    if any(len(pair) != 2 or not all(math.isfinite(v) and abs(v) <= MOST for v in pair) for pair in offsets):
        raise ValueError(f"An offset is a pair [dy, dx] of at most {MOST:g} cells either way.")
