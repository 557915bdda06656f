"""What the comparison of attention kinds takes: its settings, and the kinds.

Nothing here computes, and torch is not imported, so that a page can be drawn before torch is loaded.
Letters: n tokens, d head dimension, m random features.
"""
from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from backends import smollm
from backends.settings import setting

Reading = Literal["raw", "absolute", "row"]
Family = Literal["softmax", "kernel", "sparse", "low rank"]
MAX_TOKENS = 512                    # that are drawn; of a byte model, bytes
MAX_TEXT = 8192                     # characters of a text, of which a language model makes fewer tokens
REPEATED = 64                       # random tokens that are read twice, to measure induction
MOST = 128                          # layers, and heads of one, that can be counted
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
          "sums of exp(k), each row divided by its own sum, as performer-pytorch has it."),
    _kind("cosformer", "cosFormer", "kernel",
          "ReLU features times cos(pi (i - j) / 2n), split into cosine and sine (Qin 2022, arXiv 2202.08791)."),
    _kind("performer", "Performer, positive", "kernel",
          "FAVOR+: m positive random features of exp(q.k), in float64 (Choromanski 2021, arXiv 2009.14794).",
          random=True),
    _kind("performer_trig", "Performer, sin/cos", "kernel",
          "random Fourier features of exp(q.k), in float64, two for each of m directions: weights and row sums can be "
          "negative (arXiv 2009.14794).",
          random=True),
    _kind("performer_hyp", "Performer, hyperbolic", "kernel",
          "positive features of both signs of each random direction, so 2 m of them, in float64 (arXiv 2009.14794, "
          "lemma 1).",
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
LESSONS = ("none", "heads", "cost", "bracket", "favor", "gradient", "training", "dilution", "state", "mask")


@dataclass(frozen=True)
class AttentionParams:
    """Settings of a comparison.  Layer, head and step count as people count: the first is 1."""

    source: Literal["text", "model", "synthetic", "file"] = setting(
        "text", "Input", "q, k, v of a model that reads your text, random ones, or those of your own file")
    model: str = setting(smollm.ID, "Model", "that reads the text", kind="dropdown", max_length=200)
    text: str = setting(TEXT, "Text", f"what the model reads: at most {MAX_TOKENS} tokens; the small model's are bytes",
                        kind="lines", max_length=MAX_TEXT)
    scope: Literal["layer", "all"] = setting("all", "Where", "softmax is replaced")
    layer: int = setting(1, "Layer", "of the model", (1, MOST), kind="number")
    head: int = setting(1, "Head", "which head is drawn", (1, MOST), kind="number")
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
    m: int = setting(64, "Random directions m",
                     "of the Performers; sin/cos and hyperbolic make 2 m features, positive m", (1, 512))
    orthogonal: bool = setting(True, "Orthogonal features", "directions orthogonal in blocks, else independent")
    window: int = setting(16, "Window", "keys to each side: local, Longformer", (0, 512))
    stride: int = setting(8, "Stride", "strided and fixed sparse attention", (1, 512))
    block: int = setting(16, "Block", "tokens per block: DiagAttention, BigBird", (1, 512))
    globals: int = setting(1, "Global", "tokens (Longformer), blocks (BigBird) or columns of each block (fixed) that "
                                        "all see", (0, 64))
    blocks: int = setting(1, "Random blocks", "per block of queries: BigBird", (0, 16))
    rank: int = setting(32, "Rank", "rows that Linformer keeps of k and v", (1, 512))
    radius: int = setting(8, "Radius", "of the metric locality", (0, 512))
    lesson: Literal["none", "heads", "cost", "bracket", "favor", "gradient", "training", "dilution", "state",
                    "mask"] = setting("none", "Lesson", "what is worked out beside the maps")
    order: Literal["layers", "first", "previous", "induction", "entropy", "reach"] = setting(
        "layers", "Order", "of all heads")
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
