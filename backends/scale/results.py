"""What each view of the Scale tab shows, as plain numbers: no torch.  Fields ending in `seconds` are measured times."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rows:
    """Attention rows at one head dimension.  `top`: mean largest weight; `entropy`: mean, nats; `saturated`: share of
    rows whose largest weight is above 0.99; `jacobian`: 10, 25, 50, 75 and 90 % quantile of the Frobenius norm of the
    softmax Jacobian."""

    d: int
    top: float
    entropy: float
    saturated: float
    jacobian: tuple[float, ...]


@dataclass(frozen=True)
class Dial:
    """Attention at one d, and the sweep over d with the same exponent and with 0.5.  `edges`, `counts`: histogram of
    the logits; `sigma`: their standard deviation expected of independent entries; `row`: one row's weights, largest
    first; `inside`: share within 3 sigma."""

    d: int
    n: int
    exponent: float
    sigma: float
    measured: float
    inside: float
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    row: tuple[float, ...]
    here: Rows
    sweep: tuple[Rows, ...]
    rooted: tuple[Rows, ...]


@dataclass(frozen=True)
class Course:
    """One route of training: loss of each step so far, nats; `start`: standard deviation of the logits before the first
    step; `top`: mean largest attention weight then; `last`: mean loss of the last tenth of the steps; `below`: first
    step with a loss under 1 nat, 0 when there was none."""

    name: str
    label: str
    losses: tuple[float, ...]
    start: float
    top: float
    last: float
    below: int


@dataclass(frozen=True)
class Training:
    """Small models on the same batches.  `chance`: the loss of guessing."""

    plan: int
    chance: float
    courses: tuple[Course, ...]


@dataclass(frozen=True)
class Depth:
    """A stack at initialisation, by layer from 0 (its input) to L: `forward` second moment of the activations,
    `backward` second moment of the gradient of a random linear loss with respect to them; `weights`: root mean square
    gradient of each layer's first matrix and of its last one; `moment`: of the activation at N(0, 1); `jump`: of a step
    of Adam of 0.001 in every weight, the relative change of the first matrix, and `other`: under the other
    parametrisation (standard or NTK)."""

    layers: int
    label: str
    forward: tuple[float, ...]
    backward: tuple[float, ...]
    first: tuple[float, ...]
    second: tuple[float, ...]
    moment: float
    gain: float
    jump: float
    other: float = 0.0


@dataclass(frozen=True)
class Curve:
    """Mean entropy by number of keys, nats, and its share of log n."""

    name: str
    label: str
    entropy: tuple[float, ...]


@dataclass(frozen=True)
class Entropy:
    """Entropy of attention rows against the number of keys."""

    source: str
    d: int
    lengths: tuple[int, ...]
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class Growth:
    """One parametrisation: by width, root mean square change of the coordinates after the last step, of hidden states,
    attention logits and output logits."""

    name: str
    label: str
    hidden: tuple[float, ...]
    attention: tuple[float, ...]
    output: tuple[float, ...]


@dataclass(frozen=True)
class Widths:
    """Coordinate check; `slopes`: by parametrisation, the powers of the width with which hidden, attention and output
    changes grow."""

    plan: tuple[int, ...]
    widths: tuple[int, ...]
    steps: int
    growths: tuple[Growth, ...]
    slopes: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Truncated:
    """Draws cut at 2 sigma.  `edges`, `counts`: histograms of the plain cut and the corrected one; `factor`: the
    variance left, exactly; `found`: measured for normal, cut, corrected, and for torch.nn.init.trunc_normal_(std=0.02)
    with its absolute cut-offs, over 0.02^2."""

    edges: tuple[float, ...]
    counts: tuple[tuple[int, ...], ...]
    factor: float
    correction: float
    found: tuple[float, ...]
