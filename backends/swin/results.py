"""What each view of the Swin tab shows, as numbers and numpy arrays: no torch, so that figures can be drawn from any of
them.

Places count row by row from 0; shares lie in 0..1.  `Board` is the stage on which all views of the tokens are shown.
"""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from backends.settings import UNPRINTED
from backends.swin.cost import Price
from backends.swin.geometry import ORDERS, Layout, Pair
from backends.swin.merging import Stage


@dataclass(frozen=True)
class Board:
    """The picture's tokens in windows.  `token`, its `window` and its `place` there; `partners`: flat tokens that it
    may look at; `weights` (nW, N, N): attention of the drawn head; `row` (H, W): of the token; `padding`: what it gives
    to padded places.

    `blocked`: share of all pairs of places that the mask blocks; `strangers`: pairs of tokens that meet only because of
    the roll, and `through`: those of them that the mask lets through; `lost`: true neighbours that it blocks.  `leak`:
    mean weight that tokens give to strangers, all heads, as the mask is set."""

    layout: Layout
    steps: tuple[str, ...]
    token: Pair
    window: int
    place: int
    partners: tuple[int, ...]
    blocked: float
    strangers: int
    through: int
    lost: int
    leak: float
    row: np.ndarray
    padding: float
    weights: np.ndarray = field(metadata=UNPRINTED)


@dataclass(frozen=True)
class Reach:
    """`first` (H, W): after how many blocks the token first depends on each one, 0 = not within `depth`; `still`:
    without any shift; reached tokens after 1 .. depth blocks in both."""

    depth: int
    first: np.ndarray
    still: np.ndarray
    reached: tuple[int, ...]
    reached_still: tuple[int, ...]


@dataclass(frozen=True)
class Leak:
    """`share` (H, W): weight that each token gives to strangers when the mask is off, mean of all heads.  `off`, `on`:
    its mean over the tokens that have strangers in their window, mask off and on; `touched`: the share of such tokens;
    `heads`: `off` by head; `uniform`: what equal weights would give."""

    share: np.ndarray
    off: float
    on: float
    touched: float
    heads: tuple[float, ...]
    uniform: float


@dataclass(frozen=True)
class Orders:
    """The three conventions, `names`, on the same tokens and weights.  `difference` (H, W): largest difference of any
    output channel between the chosen one and the `other`, whose board stands beside it; `largest` of them all, beside
    the `scale` (root mean square) of the outputs; leak and weight on padding of each, mask on; `pairs`: the largest
    difference between any two."""

    difference: np.ndarray
    largest: float
    scale: float
    leak: tuple[float, ...]
    padding: tuple[float, ...]
    pairs: tuple[tuple[str, str, float], ...]
    other: Board = field(metadata=UNPRINTED)
    names: tuple[str, ...] = ORDERS


@dataclass(frozen=True)
class Bias:
    """The table of every head (h, 2M - 1, 2M - 1), offsets (query - key) from 1 - M on; `edited`: cells (dy, dx) of the
    drawn head."""

    head: int
    tables: np.ndarray
    edited: tuple[Pair, ...]
    source: str


@dataclass(frozen=True)
class Cosine:
    """Swin V2's changes.  By head: the largest |score| before the bias and the mean effective keys (exponential of the
    entropy), for the dot product and for cosine times `scale`, as it is after the clamp.  Coordinates along one axis
    for the window, of offsets 1 - M .. M - 1, and how far the window leaves the trained one of `trained` tokens, as a
    share of its range.  `table`: Swin's bias of the drawn head along one row, and `made`, Swin V2's by a network drawn
    at random.

    Root mean squares of the map before the first and after each block, weights drawn at random: `before`, norms where
    Swin has them, `after`, where Swin V2 has them; `plain`: both with output weights that are not enlarged."""

    largest_dot: tuple[float, ...]
    largest_cosine: tuple[float, ...]
    support_dot: tuple[float, ...]
    support_cosine: tuple[float, ...]
    scale: float
    trained: int
    offsets: tuple[int, ...]
    linear: tuple[float, ...]
    log: tuple[float, ...]
    stretch_linear: float
    stretch_log: float
    table: tuple[float, ...]
    made: tuple[float, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    plain: tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Merge:
    """The pyramid that starts with the token grid; `order`: where each of the four neighbours goes, as (row,
    column)."""

    stages: tuple[Stage, ...]
    order: tuple[Pair, ...]
    unshuffle: tuple[Pair, ...]


@dataclass(frozen=True)
class Cost:
    """`asked`: the first map of the chosen picture; `prices`: maps of growing size, timed as far as they have been."""

    window: int
    channels: int
    heads: int
    asked: Price
    prices: tuple[Price, ...]


@dataclass(frozen=True)
class Head:
    """One head's row of one block: weight on itself, places in effect (exponential of the entropy), the same as a share
    of the visible ones (1: all alike), weight on padding."""

    itself: float
    support: float
    share: float
    padding: float


@dataclass(frozen=True)
class BlockRow:
    """What the clicked token looked at in one block.  `map` size in tokens; `corner` and `inside`: first token and size
    of the part of its window that it may look at; `visible`: its places, padded ones too, so that a weight times it is
    1 where all are alike; `weights` (h, rows, columns) there; `heads`: figures, the mean of all first."""

    stage: int
    block: int
    map: Pair
    window: Pair
    shift: Pair
    token: Pair
    corner: Pair
    inside: Pair
    visible: int
    heads: tuple[Head, ...]
    weights: np.ndarray = field(metadata=UNPRINTED)


@dataclass(frozen=True)
class Model:
    """Real attention of one model on the picture.  `seen`: (H, W) in px that the model saw; `chosen` counts blocks from
    0, `head` -1 is the mean; `alike` (h, w): probability that a place belongs to the region of the clicked one, for the
    shipped model alone."""

    name: str
    seen: Pair
    blocks: tuple[BlockRow, ...]
    chosen: int
    head: int
    alike: np.ndarray | None = field(metadata=UNPRINTED)


@dataclass(frozen=True)
class Part:
    """A part of the network: `kind` "embed" (patches of `side` px), "block" or "merge"; `stage` and `block` count from
    0, `number` counts blocks from 1 through all stages; `size` and `channels` of what it puts out; `padded`: what a
    block pads it to, or the map that is merged with its zeros; `work`: multiply-adds."""

    kind: str
    stage: int
    block: int
    number: int
    size: Pair
    channels: int
    heads: int = 0
    window: Pair = (0, 0)
    shift: Pair = (0, 0)
    padded: Pair = (0, 0)
    windows: int = 0
    work: int = 0
    side: int = 0


@dataclass(frozen=True)
class Network:
    """The whole network for one picture of `seen` (H, W) px, in order; `chosen`: the block, from 1, that is drawn from
    inside; `after`: whether its norms come after each branch."""

    name: str
    seen: Pair
    parts: tuple[Part, ...]
    chosen: int
    after: bool


@dataclass(frozen=True)
class Flow:
    """Rollout of the clicked place from one block: tokens of the picture that have any weight under equal weights, in
    effect (exponential of the entropy, padding aside) for the real and for equal weights, the half sum of their
    differences, and what went to padding."""

    stage: int
    block: int
    reached: int
    support: float
    equal: float
    moved: float
    padding: float


@dataclass(frozen=True)
class Rollout:
    """Rollout from the clicked token of the `chosen` block (from 0), whose map has `size` tokens: `real` and `equal`
    (H, W) over the first map; `flows` of all blocks."""

    name: str
    seen: Pair
    chosen: int
    token: Pair
    size: Pair
    flows: tuple[Flow, ...]
    real: np.ndarray = field(metadata=UNPRINTED)
    equal: np.ndarray = field(metadata=UNPRINTED)


@dataclass(frozen=True)
class Shown:
    """One view: `board` for the views of tokens; `lesson`: what the view adds, one of the above (None for "roll")."""

    board: Board | None
    lesson: Reach | Leak | Orders | Bias | Cosine | Merge | Cost | Model | Network | Rollout | None
