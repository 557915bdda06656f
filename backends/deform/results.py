"""What each view of the Deformable tab shows, as plain numbers and numpy arrays: no torch.  Fields ending in `seconds`
are measured times."""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from backends.settings import UNPRINTED

Place = tuple[float, float]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Point:
    """Where one tap reads: (y, x) in cells of the map that is drawn, `ghost` without its offset; `weight` with which
    `value` (red, green, blue in 0..1) enters the output; `name` in words; `group`: its level, or 0.  `share`: the
    modulation or attention alone, without a kernel."""

    name: str
    at: Place
    ghost: Place
    weight: float
    share: float
    value: Colour
    group: int = 0


@dataclass(frozen=True)
class Neighbour:
    """One of the four cells around a position; off the map it counts as zeros."""

    row: int
    column: int
    weight: float
    inside: bool


@dataclass(frozen=True)
class Taps:
    """One output of one operator.  `map` (H, W, 3) in 0..1: what is read; `start`: the output's cell (y, x);
    `neighbours`: of each point; `output` and `plain` (without offsets and modulation): red, green, blue; `total`: sum
    of the shares; `whole` and `regular` (H, W, 3): the outputs at every cell, with and without offsets.  `sizes`: (H,
    W) of the maps of each group of points."""

    operator: str
    map: np.ndarray = field(metadata=UNPRINTED)
    start: Place
    points: tuple[Point, ...]
    neighbours: tuple[tuple[Neighbour, ...], ...]
    output: Colour
    plain: Colour
    total: float
    sizes: tuple[tuple[int, int], ...]
    whole: np.ndarray = field(metadata=UNPRINTED)
    regular: np.ndarray = field(metadata=UNPRINTED)


@dataclass(frozen=True)
class Field:
    """What one network's output at the chosen cell depends on.  `places` (P, 2) px, (y, x), read by the layers, with
    `weights` (P,) that sum to 1; `gradient` (H, W) of the cell's winning logit, absolute, summed over colours, the
    largest 1; `outside`: its share beyond the plain layers' field; `spread`: its distance from the cell, px, root mean
    square; `named`: class of every cell (h, w), `here` of the chosen one."""

    name: str
    places: np.ndarray = field(metadata=UNPRINTED)
    weights: np.ndarray = field(metadata=UNPRINTED)
    gradient: np.ndarray = field(metadata=UNPRINTED)
    named: np.ndarray = field(metadata=UNPRINTED)
    outside: float
    spread: float
    here: int
    parameters: int
    inside: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Stack:
    """Both trained networks on one picture (H, W, 3).  `cell`: the chosen one (row, column); `reach`: half the side of
    the plain layers' field, px; `truth` (h, w): classes, empty for a photograph, `own`: at the chosen cell (0: ground);
    `layers` that the places go back."""

    image: np.ndarray = field(metadata=UNPRINTED)
    truth: np.ndarray = field(metadata=UNPRINTED)
    cell: tuple[int, int]
    layers: int
    reach: int
    own: int | None
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Look:
    """What the layers read for one click: places `at` (P, 2) px, (y, x), with `weight` (P,) that sums to 1, each of a
    `level` (P,); `spread`: root mean square distance from the click, px; `inside`: share of the weight on the clicked
    thing, None where it is not known."""

    at: np.ndarray = field(metadata=UNPRINTED)
    weight: np.ndarray = field(metadata=UNPRINTED)
    level: np.ndarray = field(metadata=UNPRINTED)
    spread: float
    inside: float | None


@dataclass(frozen=True)
class Photo:
    """Layers that learned on photographs, on the picture (H, W, 3) and a clicked cell of 8 px: where they read before
    they learned and after; the mask (h, w) in 0..1 that follows, and the plain twin's; both networks' parameters."""

    learner: str
    image: np.ndarray = field(metadata=UNPRINTED)
    cell: tuple[int, int]
    before: Look
    after: Look
    mask: np.ndarray = field(metadata=UNPRINTED)
    twin: np.ndarray = field(metadata=UNPRINTED)
    parameters: tuple[int, int]


@dataclass(frozen=True)
class Score:
    """One network on held-out pictures with one deformation: share of the things' cells named right, picture by
    picture."""

    name: str
    bend: str
    accuracy: tuple[float, ...]


@dataclass(frozen=True)
class Inside:
    """Shares of the places read that lie on the very thing of the cell, picture by picture: the regular grid's, the
    same grid as wide as the learned places, the learned ones', and these weighted by modulation."""

    bend: str
    grid: tuple[float, ...]
    wide: tuple[float, ...]
    points: tuple[float, ...]
    weighted: tuple[float, ...]


@dataclass(frozen=True)
class Twins:
    """Both networks compared, on `plan` pictures of each deformation in the end."""

    plan: int
    scores: tuple[Score, ...]
    inside: tuple[Inside, ...]
    parameters: tuple[int, int]


@dataclass(frozen=True)
class Fit:
    """Offsets on their way.  `map` (H, W) in 0..1; `points` (9, 2), `ghost` (9, 2) where they began and `goal` (9, 2)
    that the true turn and growth would give, cells about the middle `start`; `losses` and `gradients` (norm) so far;
    `error`: distance to the goal, cells, rms."""

    map: np.ndarray = field(metadata=UNPRINTED)
    start: Place
    points: tuple[Place, ...]
    ghost: tuple[Place, ...]
    goal: tuple[Place, ...]
    plan: int
    losses: tuple[float, ...]
    gradients: tuple[float, ...]
    error: tuple[float, ...]


@dataclass(frozen=True)
class Convention:
    """One operator's habits, in words; those in `measured` were found by probing it."""

    operator: str
    order: str
    unit: str
    taps: str
    corners: str
    weights: str
    measured: str


@dataclass(frozen=True)
class Conventions:
    """The table of all five."""

    rows: tuple[Convention, ...]
