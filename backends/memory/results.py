"""What each view of the Memory tab shows, as plain numbers and numpy arrays: no torch.  Fields ending in `seconds` are
measured times."""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from backends.settings import UNPRINTED


@dataclass(frozen=True)
class Recall:
    """One memory at the play head.  `values`: what it makes of the samples at `Scope.at`, NaN where it keeps nothing;
    `error`: by age of the sample, root mean square over the signal's own; `total`: the same over all that it claims to
    keep, `covered` samples; `newest`: over the `Scope.shared` newest ones."""

    name: str
    label: str
    values: tuple[float, ...]
    ages: tuple[float, ...]
    error: tuple[float, ...]
    total: float
    covered: int
    newest: float


@dataclass(frozen=True)
class Scope:
    """A signal of `length` samples and what is remembered of the first `head` ones.  `rule`: how the steps were made,
    in words; `at`: samples that are drawn; `shared`: newest samples, all of which every memory here keeps."""

    signal: str
    length: int
    head: int
    size: int
    window: int
    rule: str
    at: tuple[int, ...]
    truth: tuple[float, ...]
    recalls: tuple[Recall, ...]
    shared: int


@dataclass(frozen=True)
class Course:
    """One way to run the layer on each of `lengths` samples: its measured time, and the largest difference to
    float64."""

    name: str
    label: str
    lengths: tuple[int, ...] = ()
    gaps: tuple[float, ...] = ()
    seconds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Layer:
    """One S4D layer run three ways on up to `plan[-1]` samples; `largest`: of |y|."""

    start: str
    size: int
    plan: tuple[int, ...]
    largest: float
    courses: tuple[Course, ...]


@dataclass(frozen=True)
class Conditions:
    """By state size: condition numbers of both diagonalisations, and the relative error of the kernel that each
    gives."""

    sizes: tuple[int, ...]
    direct: tuple[float, ...]
    nplr: tuple[float, ...]
    direct_error: tuple[float, ...]
    nplr_error: tuple[float, ...]
    skew: float


@dataclass(frozen=True)
class Plane:
    """Eigenvalues inside the unit circle, the kernel that they make, its gain by frequency (cycles per sample), and
    |lambda|^l.  `most`: eigenvalues that there may be."""

    start: str
    real: tuple[float, ...]
    imaginary: tuple[float, ...]
    kernel: tuple[float, ...]
    frequencies: tuple[float, ...]
    gain: tuple[float, ...]
    slowest: float
    half_life: float
    most: int


@dataclass(frozen=True)
class Reader:
    """One trained model on a string of n tokens, m of them read-outs.  `dt` (heads, n) step sizes of the layer,
    `matrix` (n, n) its implied attention for one head, `answers`: what it says, `sure`: its probability of each right
    answer; `ratios` (heads,): mean dt on data over mean dt on noise, NaN without noise; `reads` (m, n - m): of what
    each read-out gets from the slots, |matrix| times the value's length, the share of every slot; `share`: of data,
    over all read-outs; `residual`: of that matrix against the scan."""

    name: str
    label: str
    answers: str
    sure: tuple[float, ...]
    right: int
    ratios: tuple[float, ...]
    share: float
    residual: float
    dt: np.ndarray
    reads: np.ndarray = field(metadata=UNPRINTED)
    matrix: np.ndarray = field(metadata=UNPRINTED)


@dataclass(frozen=True)
class Selective:
    """A string with its read-out places, through a selective model and its time-invariant twin."""

    string: str
    wanted: str
    layer: int
    head: int
    readers: tuple[Reader, ...]


@dataclass(frozen=True)
class Reach:
    """One model: share of right answers at each of the lengths so far, and of each trained seed as recorded after
    training; `ratios`: of each seed by layer and head, as in `Reader`."""

    name: str
    label: str
    accuracy: tuple[float, ...]
    recorded: tuple[tuple[float, ...], ...]
    ratios: tuple[tuple[tuple[float, ...], ...], ...]


@dataclass(frozen=True)
class Lengths:
    """Accuracy of copying at multiples of the trained length."""

    times: tuple[int, ...]
    slots: int
    samples: int
    reaches: tuple[Reach, ...]


@dataclass(frozen=True)
class Member:
    """One recurrence of the family.  `norms`: of its state after each token."""

    name: str
    label: str
    norms: tuple[float, ...]


@dataclass(frozen=True)
class Family:
    """The recurrences on the same q, k, v.  For the chosen one: `mask` (n, n) how much of token j's write is left at
    token i, `matrix` (n, n) with y = matrix v, both of one channel; `residual` of that; `note`: what plays which part,
    with its source."""

    kind: str
    label: str
    note: str
    tokens: int
    channel: int
    residual: float
    members: tuple[Member, ...]
    mask: np.ndarray = field(metadata=UNPRINTED)
    matrix: np.ndarray = field(metadata=UNPRINTED)
