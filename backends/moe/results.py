"""What each view of the MoE tab shows, as plain numbers and numpy arrays: no torch.

Loads are counts of assignments, losses nats per byte, layers are numbered from 1, experts from 0.
"""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from backends.settings import UNPRINTED


@dataclass(frozen=True)
class Layer:
    """One routed layer on t tokens.  `asked`, `kept`: assignments by expert; `capacity`: places of each expert in all
    groups together, None without a limit; `partly`, `lost`: tokens of which some or all experts had no place;
    `balance`, `first`, `mixtral`, `z`, `importance`, `load`: the losses of `routers.Losses`; `off`: the expert that was
    left out, if any.  Arrays: `main` (t,) the expert with the largest gate, 255 = none; `state` (t,) 0 kept, 1 partly,
    2 lost; `p` (t, e) the router's probabilities or, of the bias router, its sigmoid scores."""

    layer: int
    asked: tuple[int, ...]
    kept: tuple[int, ...]
    capacity: int | None
    partly: int
    lost: int
    balance: float
    first: float
    mixtral: float
    z: float
    importance: float
    load: float
    bias: tuple[float, ...]
    off: int | None
    main: np.ndarray = field(metadata=UNPRINTED)
    state: np.ndarray = field(metadata=UNPRINTED)
    p: np.ndarray = field(metadata=UNPRINTED)
    gates: np.ndarray = field(metadata=UNPRINTED)

    @property
    def on(self) -> int:
        """How many experts could be chosen."""
        return len(self.asked) - (self.off is not None)

    @property
    def skew(self) -> float:
        """The largest load over the mean load of the experts that could be chosen."""
        return max(self.kept) * self.on / max(1, sum(self.kept))


@dataclass(frozen=True)
class Text:
    """A text of `tokens` bytes through one model.  `loss`: mean over its bytes with these rules, `unlimited`: with the
    same rules and a place for every token, `trained`: as the model was trained, `guess`: of guessing, ln 256;
    `labels`: what each byte is shown as."""

    model: str
    router: str
    source: str
    tokens: int
    windows: int
    loss: float
    unlimited: float
    trained: float
    guess: float
    layers: tuple[Layer, ...]
    labels: tuple[str, ...] = field(metadata=UNPRINTED)

    @property
    def far(self) -> bool:
        """Whether the model, as it was trained, is within a tenth of guessing, or worse."""
        return self.trained >= 0.9 * self.guess


@dataclass(frozen=True)
class Load:
    """One routed layer of a real model on n tokens, called `module` in its network.  `counts`: tokens of each expert;
    `entropy`: of these, in bits, log2 e when even; `balance`: e sum f P, k when even; `told`: bits that one of a
    token's experts tells of one of those in the next routed layer, and `chance`, the same with that layer's tokens
    shuffled, None for the last layer.  Arrays (n, k): `experts`, the largest weight first, and their `weights`."""

    layer: int
    module: str
    counts: tuple[int, ...]
    entropy: float
    balance: float
    told: float | None
    chance: float | None
    experts: np.ndarray = field(metadata=UNPRINTED)
    weights: np.ndarray = field(metadata=UNPRINTED)

    @property
    def skew(self) -> float:
        """The largest load over the mean load."""
        return max(self.counts) * len(self.counts) / sum(self.counts)


@dataclass(frozen=True)
class Own:
    """The first `tokens` of a text of `whole` tokens through a model of `depth` layers, of which `loads` are routed, to
    k of e experts each.  `loss`: nats per token, `guess`: of guessing; `changed`: the loss with `expert` of `layer`
    disabled or forced, None before it is measured, `met`: tokens that this sends elsewhere; `pooled`: `Load.balance` of
    all layers' tokens together, `reported`: the network's own aux_loss, None where it has none; `pair`: the layer and
    the routed one after it, if any; `together` (e, e): tokens that an expert of the one and one of the other both
    work on; `labels`: what each token is shown as."""

    title: str
    kind: str
    source: str
    tokens: int
    whole: int
    depth: int
    experts: int
    k: int
    loads: tuple[Load, ...]
    loss: float
    guess: float
    change: str
    layer: int
    expert: int
    changed: float | None
    met: int
    pooled: float
    reported: float | None
    pair: tuple[int, ...]
    together: np.ndarray | None = field(metadata=UNPRINTED)
    labels: tuple[str, ...] = field(metadata=UNPRINTED)

    @property
    def shown(self) -> tuple[Load, ...]:
        """The layers of `pair`."""
        return tuple(load for load in self.loads if load.layer in self.pair)


@dataclass(frozen=True)
class Table:
    """Assignments of one layer by expert and class (e, c).  `bits`: mutual information of expert and class; `control`,
    `highest`: its mean and largest value with shuffled classes; `shifted`: its mean with the classes moved along the
    text, whose runs stay whole; `entropy`: of the classes, the most there can be; `byte`: bits that the byte itself
    tells of the expert; `beyond`: bits that the class adds to the byte, `within`: the same with classes shuffled among
    equal bytes; `top`: by expert, the bytes that go there more than their share."""

    layer: int
    counts: tuple[tuple[int, ...], ...]
    bits: float
    control: float
    highest: float
    shifted: float
    entropy: float
    byte: float
    beyond: float
    within: float
    top: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Classes:
    """Experts against token classes on `tokens` bytes."""

    model: str
    source: str
    tokens: int
    classes: tuple[str, ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Trade:
    """One order of service over capacity factors; shares are means over the layers.  `dropped`: of assignments; `lost`:
    of tokens; `padding`: of places that stay empty; `places`: per token; `flops`: of these places, 4 D F each, in all
    routed layers together, per token; `loss`: nats per byte; `where`: dropped share by place in the text."""

    order: str
    dropped: tuple[float, ...] = ()
    lost: tuple[float, ...] = ()
    padding: tuple[float, ...] = ()
    places: tuple[float, ...] = ()
    flops: tuple[float, ...] = ()
    loss: tuple[float, ...] = ()
    where: tuple[float, ...] = ()


@dataclass(frozen=True)
class Capacity:
    """Capacity factors `plan` (those of `factors` are done), for both orders; `at`: the factor of `where`, `bins`:
    middles of its places; `unlimited`: loss of the same rule with a place for every token, `trained`: as the model was
    trained."""

    model: str
    router: str
    source: str
    tokens: int
    trained: float
    unlimited: float
    plan: tuple[float, ...]
    factors: tuple[float, ...]
    at: float
    bins: tuple[float, ...]
    trades: tuple[Trade, ...]


@dataclass(frozen=True)
class Panel:
    """One router on the plane: as `Layer`, and each token's weights."""

    router: str
    label: str
    causal: bool
    layer: Layer


@dataclass(frozen=True)
class Plane:
    """Tokens (t, 2) and experts' places; logit = sharp (x . c - |c|^2 / 2), so that the largest is the nearest."""

    prototypes: tuple[tuple[float, float], ...]
    sharp: float
    points: np.ndarray = field(metadata=UNPRINTED)
    panels: tuple[Panel, ...] = ()


@dataclass(frozen=True)
class Course:
    """One training: at each of `steps` the loss, of each layer the loads as shares (summing to 1), and, where it is
    live, the router's mean logsumexp^2."""

    name: str
    label: str
    steps: tuple[int, ...] = ()
    loss: tuple[float, ...] = ()
    loads: tuple[tuple[tuple[float, ...], ...], ...] = ()
    z: tuple[float, ...] = ()

    def spread(self, step: int = -1) -> tuple[float, ...]:
        """By layer: the largest load over the mean load."""
        return tuple(max(load) * len(load) for load in self.loads[step])

    def variation(self, step: int = -1) -> tuple[float, ...]:
        """By layer: coefficient of variation of the loads."""
        return tuple(float(np.std(load) * len(load)) for load in self.loads[step])

    def dead(self, step: int = -1) -> tuple[int, ...]:
        """By layer: experts with less than a hundredth of the mean load."""
        return tuple(sum(v * len(load) < 0.01 for v in load) for load in self.loads[step])


@dataclass(frozen=True)
class Race:
    """Trainings that run side by side up to `plan` steps, or shipped ones (`live` false); `dense`: the loss of a dense
    twin at each step."""

    live: bool
    plan: int
    experts: int
    k: int
    courses: tuple[Course, ...]
    dense: tuple[float, ...] = ()


@dataclass(frozen=True)
class Rounding:
    """One model's router weights times each of `scales`: what bfloat16 does to it.  `error`: largest change of a
    probability; `mean`: mean change; `first`, `pair`: share of tokens whose first expert, or set of k, is another; `z`:
    mean logsumexp^2 at that scale."""

    model: str
    label: str
    error: tuple[float, ...]
    mean: tuple[float, ...]
    first: tuple[float, ...]
    pair: tuple[float, ...]
    z: tuple[float, ...]


@dataclass(frozen=True)
class Precision:
    """The routers of both shipped models on one text in bfloat16 against float32."""

    source: str
    tokens: int
    k: int
    scales: tuple[float, ...]
    models: tuple[Rounding, ...]
