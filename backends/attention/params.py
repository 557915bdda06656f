"""What the comparison of attention kinds takes and gives: parameters, the kinds, cards, and the results of the lessons.

Nothing here computes, and torch is not imported, so that a page can be drawn before torch is loaded.
Letters: h heads, n tokens, d head dimension, e value channels, m random features.  Arrays marked UNPRINTED do not
belong in printed numbers.
"""
from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

from backends.settings import UNPRINTED, setting

if TYPE_CHECKING:
    from torch import Tensor
else:
    Tensor = Any

Reading = Literal["raw", "absolute", "row"]
Family = Literal["softmax", "kernel", "sparse", "low rank"]
MAX_BYTES = 512                     # of a text, that is tokens that are drawn
TEXT = """def add(a, b):
    return a + b

def sub(a, b):
    return a - b

def mul(a, b):
    return a * b

print(add(2, sub(3, 1)))
"""


@dataclass(frozen=True)
class Kind:
    """One way to mix tokens.  `causal`: whether it can be; `random`: whether it draws; `note`: one sentence with its
    source."""

    name: str
    label: str
    family: Family
    causal: bool
    note: str
    random: bool = False


def _kind(name: str, label: str, family: Family, note: str, causal: bool = True, random: bool = False) -> Kind:
    return Kind(name, label, family, causal, note, random)


KINDS: dict[str, Kind] = {kind.name: kind for kind in (
    _kind("softmax", "Softmax", "softmax",
          "softmax(q k^T / sqrt(d)): the reference (Vaswani 2017, arXiv 1706.03762, equation 1)."),
    _kind("unscaled", "Softmax without 1/sqrt(d)", "softmax",
          "softmax(q k^T): for unit normal q, k the logits have variance d instead of 1 (arXiv 1706.03762, "
          "section 3.2.1)."),
    _kind("elu1", "elu + 1", "kernel", "phi = elu + 1 in place of exp (Katharopoulos 2020, arXiv 2006.16236)."),
    _kind("relu", "ReLU", "kernel", "phi = max(x, 0): a query without a channel in common with any key has row sum 0."),
    _kind("taylor", "Taylor 1 + cos", "kernel",
          "1 + q.k of unit vectors, so never negative, and blind to the length of q and k (Su, "
          "kexue.fm/archives/7546)."),
    _kind("efficient", "Efficient attention", "kernel",
          "softmax over the channels of q and over the tokens of k (Shen 2018, arXiv 1812.01243); causal by running "
          "sums of exp(k)."),
    _kind("cosformer", "cosFormer", "kernel",
          "ReLU features times cos(pi (i - j) / 2n), split into cosine and sine (Qin 2022, arXiv 2202.08791)."),
    _kind("performer", "Performer, positive", "kernel",
          "FAVOR+: m positive random features of exp(q.k), in float64 (Choromanski 2021, arXiv 2009.14794).",
          random=True),
    _kind("performer_trig", "Performer, sin/cos", "kernel",
          "m random Fourier features of exp(q.k), in float64: weights and row sums can be negative (arXiv 2009.14794).",
          random=True),
    _kind("performer_hyp", "Performer, hyperbolic", "kernel",
          "positive features of both signs of each random direction, in float64 (arXiv 2009.14794, lemma 1).",
          random=True),
    _kind("norm", "NormAttention", "kernel",
          "elu + 1 without a denominator, RMSNorm of the output instead (Qin 2022, arXiv 2210.10340)."),
    _kind("diag", "DiagAttention", "sparse", "softmax inside blocks that do not overlap (Qin 2022, arXiv 2210.10340)."),
    _kind("local", "Local window", "sparse",
          "softmax over the token itself and its nearest keys, `window` to each side."),
    _kind("strided", "Strided sparse", "sparse",
          "the last `stride` keys and every `stride`-th one, in one head (Child 2019, arXiv 1904.10509, section 4.3)."),
    _kind("fixed", "Fixed sparse", "sparse",
          "the own block of `stride` keys and the last columns of every block, in one head (arXiv 1904.10509, "
          "section 4.3)."),
    _kind("longformer", "Longformer", "sparse",
          "a window, and first tokens that see all and all see (Beltagy 2020, arXiv 2004.05150)."),
    _kind("bigbird", "BigBird", "sparse",
          "blocks: the neighbours, the first ones and random ones (Zaheer 2020, arXiv 2007.14062).", random=True),
    _kind("linformer", "Linformer", "low rank",
          "keys and values mixed down to `rank` rows by one random projection, untrained here (Wang 2020, arXiv "
          "2006.04768); never causal.", causal=False, random=True),
)}
LESSONS = ("none", "bracket", "favor", "gradient", "training", "dilution", "state", "mask")


@dataclass(frozen=True)
class AttentionParams:
    """Settings of a comparison.  Layer, head and step count as people count: the first is 1."""

    source: Literal["text", "synthetic", "file"] = setting(
        "text", "Input", "q, k, v of a trained model, random ones, or those of your own file")
    text: str = setting(TEXT, "Text", f"what the trained model reads: at most {MAX_BYTES} bytes", kind="lines",
                        max_length=MAX_BYTES)
    layer: int = setting(1, "Layer", "of the trained softmax model", (1, 4))
    head: int = setting(1, "Head", "which head is drawn", (1, 4))
    n: int = setting(128, "Tokens n", "length of a synthetic input", (1, 512))
    dim: int = setting(32, "Head dimension d", "of a synthetic input", (2, 128), 2)
    norm: float = setting(1.0, "Norm of q and k", "multiplies q and k: larger is sharper", (0.0, 8.0), 0.05)
    causal: bool = setting(True, "Causal", "a token sees only itself and earlier ones")
    seed: int = setting(0, "Seed", "of all that is drawn at random", (0, 9999))
    kinds: tuple[str, ...] = setting(("softmax", "elu1", "cosformer", "performer", "performer_trig", "norm", "diag",
                                      "longformer"),
                                     "Kinds", "which mechanisms are compared", kind="json")
    reading: Literal["raw", "absolute", "row"] = setting(
        "raw", "Reading", "raw: A as applied; absolute: |A| over the row's sum of |A|; row: A over its row sum")
    m: int = setting(64, "Random features m", "of the Performers", (1, 512))
    orthogonal: bool = setting(True, "Orthogonal features", "directions orthogonal in blocks, else independent")
    window: int = setting(16, "Window", "keys to each side: local, Longformer", (0, 512))
    stride: int = setting(8, "Stride", "strided and fixed sparse attention", (1, 512))
    block: int = setting(16, "Block", "tokens per block: DiagAttention, BigBird", (1, 512))
    globals: int = setting(1, "Global", "tokens (Longformer), blocks (BigBird) or columns of each block (fixed) that "
                                        "all see", (0, 64))
    blocks: int = setting(1, "Random blocks", "per block of queries: BigBird", (0, 16))
    rank: int = setting(32, "Rank", "rows that Linformer keeps of k and v", (1, 512))
    radius: int = setting(8, "Radius", "of the metric locality", (0, 512))
    lesson: Literal["none", "bracket", "favor", "gradient", "training", "dilution", "state", "mask"] = setting(
        "none", "Lesson", "what is worked out beside the maps")
    step: int = setting(1, "Step", "token after which the state is drawn", (1, 512))
    depth: int = setting(3, "Layers", "over which a mask's receptive field grows", (1, 12))
    delta: bool = setting(False, "Delta rule", "a write first takes away what its key already reads")

    def __post_init__(self) -> None:
        for entry in fields(self):
            low, high = entry.metadata.get("range", (None, None))
            if low is not None and not low <= getattr(self, entry.name) <= high:
                raise ValueError(f"{entry.metadata['label']} must lie between {low} and {high}.")
        if self.dim % 2:
            raise ValueError("The head dimension must be even.")
        unknown = [str(name)[:40] for name in self.kinds if name not in KINDS]
        if unknown:
            raise ValueError(f"There is no kind of attention called {unknown[0]!r}.")
        if len(set(self.kinds)) < len(self.kinds) or not self.kinds:
            raise ValueError("Please choose at least one kind of attention, and each of them once.")
        if self.lesson not in LESSONS:
            raise ValueError(f"There is no lesson called {str(self.lesson)[:40]!r}.")


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
    output: Annotated[Tensor, "h n d"] = field(metadata=UNPRINTED)
    residual: float
    metrics: dict[str, float]
    bad_rows: tuple[int, ...]
    note: str


@dataclass(frozen=True)
class Comparison:
    """All kinds on one input.  `labels`: one per token; `digest`: of q, k, v; `head` counts from 0; `lesson`: None
    until it is there."""

    labels: tuple[str, ...]
    digest: str
    head: int
    reading: Reading
    radius: int
    cards: tuple[Card, ...]
    lesson: Bracket | Favor | Gradient | Training | Dilution | State | Mask | None = None


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
    """Random features for exp(q.k): per kind k (positive, trigonometric, hyperbolic) and number of directions m.

    `error`: sqrt(sum (estimate - exp)^2 / sum exp^2) over all pairs, root mean square over draws; `low` and `high`: its
    range over draws; `theory`: the same from the closed forms, which hold for independent directions; `slope`: of log
    error against log m; `non_positive`: share of rows whose estimated sum is <= 0.  `longest`: the largest |q + k|^2,
    whose exponential the variance grows with.
    """

    kinds: tuple[str, ...]
    m: tuple[int, ...]
    error: Annotated[Tensor, "k m"]
    low: Annotated[Tensor, "k m"]
    high: Annotated[Tensor, "k m"]
    theory: Annotated[Tensor, "k m"]
    non_positive: Annotated[Tensor, "k m"]
    slope: tuple[float, ...]
    longest: float
    draws: int
    orthogonal: bool


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
