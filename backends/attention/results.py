"""What the comparison of attention kinds gives: cards, and the results of the lessons.

Letters: h heads, n tokens, d head dimension, e value channels, m random features.  Arrays marked UNPRINTED do not
belong in printed numbers.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from backends.attention.params import Family, Reading
from backends.settings import UNPRINTED

if TYPE_CHECKING:
    from torch import Tensor
else:
    Tensor = Any


@dataclass(frozen=True)
class Card:
    """One kind on this input.

    `causal`: what it really is here.  `weights`: the matrix A as applied; rows that cannot be normalised hold NaN.
    `output`: by the fast path, never A @ v.  `residual`: ||A v - output|| / ||output|| over the finite rows.  `metrics`
    of the drawn head: entropy, support, top1, sink, locality, rank, error (to softmax; error_low, error_high: its range
    over random draws), negative (share of row sums <= 0).  `bad_rows`: rows of the drawn head whose sum, before the
    division, is <= 0 or not finite.
    """

    kind: str
    label: str
    family: Family
    causal: bool
    weights: Annotated[Tensor, "h n n"] = field(metadata=UNPRINTED)
    output: Annotated[Tensor, "h n e"] = field(metadata=UNPRINTED)
    residual: float
    metrics: dict[str, float]
    bad_rows: tuple[int, ...]
    note: str


@dataclass(frozen=True)
class Comparison:
    """All kinds on one input.  `labels`: what each token is called; `pieces`: what it adds to the text; `digest`: of q,
    k, v; `head`: which of those that were worked out is drawn, from 0; `lesson`: None until it is there."""

    labels: tuple[str, ...]
    pieces: tuple[str, ...]
    digest: str
    head: int
    reading: Reading
    radius: int
    cards: tuple[Card, ...]
    lesson: Bracket | Favor | Gradient | Training | Dilution | State | Mask | None = None


@dataclass(frozen=True)
class Sheet:
    """All heads of a model on one text of n tokens: l layers, h heads.

    `maps`: each head's weights as bytes, 255 sqrt(weight), the largest of each of s x s cells.  Means over the queries:
    `first`, the weight on the first token, `previous`, on the token before, `entropy` of a row in nats, `reach`, the
    distance in tokens that is looked back.  `induction`: the weight on the token after an earlier equal one, on a
    string of `random` tokens that is read twice; `baseline`: the same weight on as many tokens without a repeat; None
    until they are measured.  `unit`: what the model's tokens are.
    """

    model: str
    unit: str
    n: int
    maps: Annotated[Tensor, "l h s s"] = field(metadata=UNPRINTED)
    first: Annotated[Tensor, "l h"]
    previous: Annotated[Tensor, "l h"]
    entropy: Annotated[Tensor, "l h"]
    reach: Annotated[Tensor, "l h"]
    random: int
    induction: Annotated[Tensor, "l h"] | None = None
    baseline: Annotated[Tensor, "l h"] | None = None


@dataclass(frozen=True)
class Price:
    """One kind in the place of softmax: mean loss in nats, and the share of next tokens that are guessed right."""

    kind: str
    label: str
    loss: float
    right: float


@dataclass(frozen=True)
class Cost:
    """A model that reads n tokens with other kinds in the place of softmax, without training, in layer `layer` (from 1)
    or in all, 0.  `own`: as it is; `alike`: the loss of who finds all tokens equally likely."""

    model: str
    unit: str
    n: int
    layer: int
    own: Price
    alike: float
    prices: tuple[Price, ...] = ()


@dataclass(frozen=True)
class Bracket:
    """(Q K^T) V against Q (K^T V), one head of dimension `dim`, without mask and division, at lengths `n` so far.

    Seconds are medians over repeats; bytes: peak of the tensors alive, counted op by op, inputs left out; flops count
    multiply and add.  None: not run, its matrix would take too much of the free memory.  `predicted`: the n at which
    both orders need the same flops, n = d; `crossover_seconds`: the n at which the measured times cross, None while
    they do not.  `difference`: largest relative gap of results.
    """

    dim: int
    n: tuple[int, ...]
    quadratic_seconds: tuple[float | None, ...]
    linear_seconds: tuple[float, ...]
    quadratic_bytes: tuple[int | None, ...]
    linear_bytes: tuple[int, ...]
    quadratic_flops: tuple[int, ...]
    linear_flops: tuple[int, ...]
    predicted: int
    crossover_seconds: float | None
    difference: float
    finished: bool


@dataclass(frozen=True)
class Favor:
    """Random features for exp(q.k): per kind k (positive, trigonometric, hyperbolic) and number of directions m, of
    which each makes `features`.

    `error`: sqrt(sum (estimate - exp)^2 / sum exp^2) over all pairs, root mean square over draws; `low` and `high`: its
    range over draws; `theory`: the same from the closed forms, which hold for independent directions; `slope`: of log
    error against log m; `non_positive`: share of rows whose estimated sum is <= 0.  `longest`: the largest |q + k|^2,
    whose exponential the variance grows with; `moved`: how far performer-pytorch's epsilon moves the output, relative,
    and `same`: what is left of that at epsilon 0.
    """

    kinds: tuple[str, ...]
    m: tuple[int, ...]
    features: tuple[int, ...]
    error: Annotated[Tensor, "k m"]
    low: Annotated[Tensor, "k m"]
    high: Annotated[Tensor, "k m"]
    theory: Annotated[Tensor, "k m"]
    non_positive: Annotated[Tensor, "k m"]
    slope: tuple[float, ...]
    longest: float
    draws: int
    orthogonal: bool
    moved: float
    same: float


@dataclass(frozen=True)
class Gradient:
    """How one attention row answers to its scores s * u (u > 0, mean 1) as s shrinks: per kind k (softmax, linear,
    norm) and s.

    `jacobian`: d p_j / d s_i, p the weights (of "norm": the implicit ones).  `weight`: its largest entry, with its
    bound; `output`: the largest root mean square over channels of d y / d s_i, with its bound.  `difference`: these
    formulas against autograd, relative.
    """

    kinds: tuple[str, ...]
    s: Annotated[Tensor, "s"]
    jacobian: Annotated[Tensor, "k s j j"] = field(metadata=UNPRINTED)
    weight: Annotated[Tensor, "k s"]
    weight_bound: Annotated[Tensor, "k s"]
    output: Annotated[Tensor, "k s"]
    output_bound: Annotated[Tensor, "k s"]
    eps: float
    difference: float


@dataclass(frozen=True)
class Training:
    """How the shipped models m were trained: held-out nats per byte at `steps` s (one seed), and accuracy of
    associative recall at `recall_steps` t for each seed r.  Every model of a task saw the same data in the same
    order."""

    models: tuple[str, ...]
    steps: tuple[int, ...]
    loss: Annotated[Tensor, "m s"]
    recall_steps: tuple[int, ...]
    recall: Annotated[Tensor, "m r t"]


@dataclass(frozen=True)
class Dilution:
    """Share of |A| on keys at most r * n tokens away, mean over heads and rows: per trained model m, layer l and r.
    `uniform`: the same of equal weights over all earlier tokens; `kinds`: what mixes tokens in each layer of each
    model."""

    models: tuple[str, ...]
    kinds: tuple[tuple[str, ...], ...]
    n: int
    r: Annotated[Tensor, "r"]
    mass: Annotated[Tensor, "m l r"]
    uniform: Annotated[Tensor, "r"]


@dataclass(frozen=True)
class State:
    """elu + 1 attention of the drawn head as a recurrent network: S_i (d e) and z_i (d) after each token i.

    `fresh[i]`: relative error of reading value i with its own key right after it was written; `recall[j]`: the same for
    pair j after `step` tokens, NaN for later pairs.  `residual`: the recurrent output against the chunked one; with the
    delta rule, its closed form.
    """

    step: int
    delta: bool
    states: Annotated[Tensor, "n d e"] = field(metadata=UNPRINTED)
    sums: Annotated[Tensor, "n d"] = field(metadata=UNPRINTED)
    output: Annotated[Tensor, "n e"] = field(metadata=UNPRINTED)
    fresh: Annotated[Tensor, "n"]
    recall: Annotated[Tensor, "n"]
    residual: float


@dataclass(frozen=True)
class Mask:
    """A sparse pattern and what it reaches.  `first[i, j]`: after how many layers token i first depends on token j, 0 =
    not within `depth`.  `reach`: share of the allowed pairs reached after 1 .. depth layers.  Flops: scores and mixing
    of one head, 4 d per pair."""

    kind: str
    depth: int
    pattern: Annotated[Tensor, "n n"] = field(metadata=UNPRINTED)
    first: Annotated[Tensor, "n n"] = field(metadata=UNPRINTED)
    reach: tuple[float, ...]
    pairs: int
    full_pairs: int
    flops: int
    full_flops: int
