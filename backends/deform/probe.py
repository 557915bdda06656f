"""The operators' conventions, and what probing each of them on a small map finds.

A map of 5 x 9 cells holds 100 row + column, so a value read tells the place; rows and columns differ in number so that
swaps show.  So small a map stays on the host.
"""
from __future__ import annotations

import torch
from torch import Tensor

from backends.deform import dat, operators
from backends.deform.results import Convention, Conventions
from backends.deform.sampling import Window
from backends.drawn import hosted
from backends.result import Check, check

ROWS, COLUMNS = 5, 9
MIDDLE = (2, 4)
WINDOW = Window()


def told() -> Tensor:
    """The map (1, 1, 5, 9)."""
    return (100 * torch.arange(ROWS)[:, None] + torch.arange(COLUMNS)).double()[None, None]


def place(value: float) -> tuple[int, int]:
    """(rows down, columns right) of the middle that a value was read at."""
    row, column = divmod(round(value), 100)
    return row - MIDDLE[0], column - MIDDLE[1]


def dcn_reads(tap: int, channel: int | None = None) -> tuple[int, int]:
    """Where torchvision's tap reads, from the middle, with 1 in an offset channel if one is named."""
    weight, offset = torch.zeros(1, 1, 3, 3).double(), torch.zeros(1, 18, ROWS, COLUMNS).double()
    weight.view(-1)[tap] = 1
    if channel is not None:
        offset[:, channel] = 1
    return place(operators.dcn(told(), offset, weight, WINDOW)[0, 0][MIDDLE].item())


def dcnv3_reads(tap: int, channel: int | None = None) -> tuple[int, int]:
    """The same for DCNv3: the softmax is driven onto one tap."""
    offset, logits = torch.zeros(1, ROWS, COLUMNS, 18).double(), torch.zeros(1, ROWS, COLUMNS, 9).double()
    logits[..., tap] = 500
    if channel is not None:
        offset[..., channel] = 1
    return place(operators.dcnv3(told(), offset, logits, WINDOW, 1)[0, 0][MIDDLE].item())


def dcnv4_reads(tap: int, channel: int | None = None, weight: float = 1.0) -> float:
    """What DCNv4 gives in the middle with this modulation on one tap, none on the others, and 1 in a channel if one is
    named."""
    given = torch.zeros(1, ROWS, COLUMNS, 32).double()                     # 27 and the authors' padding to 32
    given[..., 18 + tap] = weight
    if channel is not None:
        given[..., channel] = 1
    return operators.dcnv4(told(), given, WINDOW, 1)[0, 0][MIDDLE].item()


def msda_reads(first: float, second: float) -> tuple[int, int]:
    """Where Deformable DETR reads with one point and this offset, from the middle cell's centre."""
    reference = torch.tensor([(MIDDLE[1] + 0.5) / COLUMNS, (MIDDLE[0] + 0.5) / ROWS]).double().view(1, 1, 1, 2)
    at = operators.locations(reference, torch.tensor([first, second]).double().view(1, 1, 1, 1, 1, 2),
                             [(ROWS, COLUMNS)])
    return place(operators.msda([told()[:, None]], at, torch.ones(1, 1, 1, 1, 1).double()).item())


def dat_reads(y: float, x: float) -> float:
    """What DAT reads at (y, x) of [-1, 1]."""
    return dat.dat_read(told(), torch.tensor([y, x]).double().view(1, 1, 1, 2)).item()


def dat_far() -> float:
    """What DAT++ reads for a raw offset of 9 in both numbers."""
    return dat.dat_read(told(), dat.dat_positions(torch.full((1, 2, 1, 1), 9.0).double(), None)).item()


def moved(place: tuple[int, int]) -> str:
    """A displacement in words."""
    ways = (place[0], "down" if place[0] > 0 else "up"), (place[1], "right" if place[1] > 0 else "left")
    parts = [f"{abs(n)} {way}" for n, way in ways if n]
    return " and ".join(parts) or "nowhere"


def _by(moves: tuple[int, int], rest: tuple[int, int]) -> tuple[int, int]:
    return moves[0] - rest[0], moves[1] - rest[1]


@hosted
def conventions() -> tuple[Conventions, str, tuple[Check, ...]]:
    """The table, no sentence, and checks that the probes found what the table says."""
    first, order = _by(dcn_reads(4, 8), dcn_reads(4)), dcn_reads(1)
    first3, order3 = _by(dcnv3_reads(4, 8), dcnv3_reads(4)), dcnv3_reads(1)
    detr, corner = msda_reads(1, 0), dat_reads(-1, -1)
    swing, far, third = dat_reads(0.5, 0) - dat_reads(0, 0), dat_far(), dcnv4_reads(4, weight=3.0)
    first4, order4 = _by(place(dcnv4_reads(4, 8)), place(dcnv4_reads(4))), place(dcnv4_reads(1))
    rows = (
        Convention("torchvision, DCNv1 and v2", "(y, x), interleaved", "cells of the input", "row by row",
                   "False, in effect",
                   "learned kernel; v2 times a modulation that the caller has put through the sigmoid",
                   f"+1 in the first number moves {moved(first)}; tap 1 reads {moved(order)}"),
        Convention("DCNv3", "(x, y)", "cells, times the offset scale", "column by column", "False",
                   "softmax over the taps",
                   f"+1 in the first number moves {moved(first3)}; tap 1 reads {moved(order3)}"),
        Convention("DCNv4", "(x, y), then the modulations, group by group", "cells, times the offset scale",
                   "column by column", "False", "none: modulations are any number",
                   f"+1 in the first number moves {moved(first4)}; tap 1 reads {moved(order4)}; a modulation of 3 "
                   f"gives {third / dcnv4_reads(4):g} times the value"),
        Convention("Deformable DETR", "(x, y)", "cells of the level; P-ths of half the box",
                   "none: free points", "False", "softmax over levels and points together",
                   f"+1 in the first number moves {moved(detr)}"),
        Convention("DAT", "(y, x), swapped before reading", "share of [-1, 1], after tanh",
                   "none: one grid for all queries", "True", "softmax(q k / sqrt(d) + position bias)",
                   f"+0.5 in the first number moves {round(swing / 100)} down of {ROWS} rows; (-1, -1) reads "
                   f"{corner:g}, the first cell"),
        Convention("DAT++", "(y, x), swapped before reading", "share of [-1, 1], unlimited; the place is clamped",
                   "none: one grid for all queries", "True", "softmax(q k / sqrt(d) + position bias)",
                   f"an offset of 9 in both numbers reads {far:g}, the last cell"),
    )
    found = ((first, (1, 0)), (order, (-1, 0)), (first3, (0, 1)), (order3, (0, -1)), (detr, (0, 1)),
             (first4, (0, 1)), (order4, (0, -1)))
    values = ((corner, 0), (swing, 100), (far, told().max().item()), (third, 3 * dcnv4_reads(4)))
    wrong = sum(a != b for a, b in found) + sum(abs(a - b) > 1e-9 for a, b in values)
    words = "eleven probes on a 5 x 9 map find what the table says"
    return Conventions(rows), "", (check("probes that differ", wrong, 0.0, words),)
