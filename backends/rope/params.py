"""What the RoPE tab takes: the methods, the rules that they share, and the parameters of the page.

Nothing here computes, and torch is not imported, so that a page can be drawn before torch is loaded.
Letters: L trained length, n tokens, s = n / L, theta_i = base^(-2i/d) the frequency of pair i, w window.
"""
from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from backends.settings import setting

if TYPE_CHECKING:
    from backends.rope.config import Model

Family = Literal["none", "frequencies", "distances", "logits", "bias", "cache", "training"]
MAX_TEXT = 65_536                   # bytes
MAX_OWN = 16_384                    # characters
BASE, TRAINED = 10_000.0, 256       # of the shipped models
MODEL = ("base", "trained")         # numbers of the rules that are a model's own


@dataclass(frozen=True)
class Method:
    """One way to read more tokens than a model was trained on.

    `runs`: whether it is run on a trained model, called `model`; else only its distances or biases are drawn.  `note`:
    one sentence with its source; `model`: whose weights it needs."""

    name: str
    label: str
    family: Family
    runs: bool
    note: str
    model: str = "rope-lm"


def _method(name: str, label: str, family: Family, note: str, runs: bool = True, model: str = "rope-lm") -> Method:
    return Method(name, label, family, runs, note, model)


METHODS: dict[str, Method] = {method.name: method for method in (
    _method("none", "RoPE, untouched", "none",
            "pair i turns by theta_i per token, at any length (arXiv 2104.09864, equation 34)."),
    _method("pi", "Position interpolation", "frequencies",
            "theta_i / s: all positions are squeezed into L (Chen 2023, arXiv 2306.15595)."),
    _method("ntk", "NTK-aware (s)", "frequencies",
            "base s^(d/(d-2)): the fastest pair is untouched, the slowest exactly divided by s (bloc97 2023; "
            "kexue.fm/archives/9675)."),
    _method("ntk2", "NTK-aware (2s)", "frequencies",
            "the same with 2s in place of s where s > 1, since about half of s is what it really gains "
            "(kexue.fm/archives/9948)."),
    _method("ntk_mixed", "NTK-mixed", "frequencies",
            "pair m is divided by exp(a m^c), a (d/2)^c = ln s: c = 0 is interpolation, c = 1 is NTK-fixed "
            "(kexue.fm/archives/9706)."),
    _method("parts", "NTK-by-parts", "frequencies",
            "pairs of over tau trained turns are untouched, of under one divided by s, linear in turns between (arXiv "
            "2309.00071)."),
    _method("yarn", "YaRN (article)", "frequencies",
            "NTK-by-parts and all logits times (0.1 ln s + 1)^2 (Peng 2023, arXiv 2309.00071, as read in "
            "kexue.fm/archives/9948)."),
    _method("yarn_hf", "YaRN (transformers)", "frequencies",
            "its ramp is linear in the pair's index, with rounded ends: not the article's frequencies (transformers "
            "5.18, yarn)."),
    _method("dynamic", "Dynamic NTK", "frequencies",
            "base (f n/L - (f - 1))^(d/(d-2)) from the present length n: untouched up to L (transformers "
            "5.18, dynamic)."),
    _method("logn", "log n", "logits",
            "queries at position n times max(1, ln n / ln L), at test time only (kexue.fm/archives/8823)."),
    _method("rerope", "ReRoPE", "distances", "no distance is larger than w: min(i - j, w) (kexue.fm/archives/9708)."),
    _method("rerope_logn", "ReRoPE + log n", "distances",
            "min(i - j, w), and log n at test time (kexue.fm/archives/9708)."),
    _method("leaky", "Leaky ReRoPE", "distances",
            "beyond w distances grow k times slower: w + (i - j - w) / k (kexue.fm/archives/9708)."),
    _method("selfextend", "Self-Extend", "distances",
            "beyond w whole groups of G tokens share a position: floor(i/G) + w - floor(w/G) - floor(j/G) (Jin 2024, "
            "arXiv 2401.01325)."),
    _method("window", "Window", "cache",
            "only the last w keys are kept: what lies further back is gone (the baseline of arXiv 2309.17453)."),
    _method("sinks", "StreamingLLM", "cache",
            "the first keys and the last w are kept, and positions are counted in this cache (Xiao 2023, arXiv "
            "2309.17453)."),
    _method("sinks_text", "Sinks at text positions", "cache",
            "the same keys, but the first stay at their place in the text: a known mistake, their distance outgrows L "
            "(not what arXiv 2309.17453 does)."),
    _method("lminfinite", "LM-Infinite", "cache",
            "the first keys and the last L are kept, the first at distance L at most (Han 2023, arXiv 2308.16137, and "
            "its code)."),
    _method("logn_trained", "log n, trained so", "training",
            "queries at position n times log_L n, from the first step of training on "
            "(kexue.fm/archives/8823).", model="logn-lm"),
    _method("logn_rerope", "log n, trained so, + ReRoPE", "training",
            "min(i - j, w) on the model that was trained with log n "
            "(kexue.fm/archives/9708).", model="logn-lm"),
    _method("keynorm", "KeyNorm, trained so", "training",
            "keys of length 1 and no 1/sqrt(d), in training too (kexue.fm/archives/9859).",
            model="keynorm-lm"),
    _method("alibi", "ALiBi", "bias",
            "no rotation; logits minus 2^(-8h/H) (i - j) in head h of H; trained so (Press, arXiv 2108.12409).",
            runs=False),
    _method("kerple", "KERPLE", "bias", "no rotation; logits minus r1 ln(1 + r2 (i - j)), both learned, drawn with 1 "
            "(Chi 2022, arXiv 2205.09921).", runs=False),
    _method("sandwich", "Sandwich", "bias",
            "no rotation; logits plus p_i . p_j of sinusoidal p (Chi 2022, arXiv 2212.10356).", runs=False),
    _method("xpos", "xPos", "training",
            "RoPE, each pair also fades with distance by its own power (Sun, arXiv 2212.10554).", runs=False),
    _method("hwfa", "HWFA", "training",
            "all layers but the last see a window, the last sees all without positions; trained so "
            "(kexue.fm/archives/9603); drawn: a window layer.", runs=False),
)}
RUNNING = tuple(name for name, method in METHODS.items() if method.runs)
ON_ROPE = tuple(name for name in RUNNING if METHODS[name].model == "rope-lm")
CALCULATED = tuple(name for name, method in METHODS.items() if method.family in ("none", "frequencies"))
OWN = "own"     # the rule of a config.json, beside the methods


@dataclass(frozen=True)
class Rules:
    """Numbers that the methods share; each method uses some.  Lengths are in tokens, frequencies in radians per token.

    `scale`: s, 0 = from the length, n / `trained` but at least 1; `leak`, `group`: k and G, 0 = 2s; `tau`: turns from
    which NTK-by-parts leaves a pair alone; `beta_fast`, `beta_slow`: the same two turns in transformers' YaRN; `mix`:
    c; `factor`: f of Dynamic NTK.  Raises ValueError, one sentence, for what no method can use."""

    window: int = 64
    leak: float = 0.0
    group: int = 0
    tau: float = 8.0
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    mix: float = 0.625
    factor: float = 2.0
    sinks: int = 4
    scale: float = 0.0
    base: float = BASE
    trained: int = TRAINED

    def __post_init__(self) -> None:
        if not all(math.isfinite(getattr(self, entry.name)) for entry in fields(self)):
            raise ValueError("Every number of the rules must be finite.")
        for wrong, sentence in _wrong(self):
            if wrong:
                raise ValueError(sentence)


def _wrong(rules: Rules) -> tuple[tuple[bool, str], ...]:
    return (
        (rules.window < 1, "The window w must be at least 1 token: without one every distance would be the same."),
        (rules.leak != 0 and rules.leak < 1, "The leak k must be at least 1, or 0 for twice the scale."),
        (rules.group < 0, "The group size G must be at least 1, or 0 for twice the scale."),
        (rules.tau <= 1, "The turns tau must be larger than 1, the turns from which a pair counts as slow."),
        (not 0 < rules.beta_slow < rules.beta_fast, "The turns beta_slow must lie above 0 and below beta_fast."),
        (rules.mix < 0, "The exponent c of NTK-mixed cannot be negative."),
        (rules.factor < 1, "The factor of Dynamic NTK must be at least 1."),
        (rules.sinks < 0, "The number of sinks cannot be negative."),
        (rules.scale != 0 and rules.scale < 1, "The scale s must be at least 1, or 0 to take it from the length."),
        (rules.base <= 1, "The base of the frequencies must be larger than 1."),
        (rules.trained < 2, "The trained length must be at least 2 tokens."),
    )


@dataclass(frozen=True)
class RopeParams:
    """Settings of the RoPE tab.  `base`, `trained`, `target` and `head_dim` describe the model of the clocks and of the
    calculator; what is run on the shipped models uses their own."""

    view: Literal["curve", "clocks", "distance", "passkey", "sinks", "tax", "live", "calculator"] = setting(
        "curve", "View", "what is worked out")
    methods: tuple[str, ...] = setting(("none", "pi", "ntk2", "yarn", "rerope_logn", "window"), "Methods",
                                       "those compared", kind="json")
    text: str = setting("", "Text", f"your own, at most {MAX_TEXT} bytes; empty: a text that is here", kind="lines",
                        max_length=MAX_TEXT)
    repeat: int = setting(0, "Repeat", "0: plain; else each held-out text is its first so many bytes over and over",
                          (0, 240))
    scale: float = setting(0.0, "Scale s", "0: from the length, tested over trained; else at least 1", (0.0, 64.0), 0.5)
    window: int = setting(0, "Window w", "tokens: ReRoPE, Leaky, Self-Extend, window, sinks; 0: a quarter of the "
                          "trained length", (0, 4096))
    leak: float = setting(0.0, "Leak k", "Leaky ReRoPE beyond w; 0: 2s", (0.0, 64.0), 0.5)
    group: int = setting(0, "Group G", "Self-Extend beyond w; 0: 2s", (0, 64))
    tau: float = setting(0.0, "Turns tau", "pairs of more trained turns are left alone: NTK-by-parts, YaRN; 0: 32, or "
                         "8 where fewer than 1024 tokens were trained", (0.0, 64.0), 0.05)
    beta_fast: float = setting(32.0, "beta fast", "the same in transformers' YaRN", (1.05, 64.0), 0.05)
    beta_slow: float = setting(1.0, "beta slow", "turns below which a pair is interpolated: transformers' YaRN",
                               (0.05, 8.0), 0.05)
    mix: float = setting(0.625, "Exponent c", "NTK-mixed: 0 is interpolation, 1 is NTK-fixed", (0.0, 2.0), 0.005)
    factor: float = setting(2.0, "Factor f", "Dynamic NTK", (1.0, 64.0), 0.5)
    sinks: int = setting(4, "Sinks", "first tokens that are kept", (0, 16))
    samples: int = setting(4, "Samples", "texts per point", (1, 16))
    longest: int = setting(8, "Longest", "in trained lengths", (1, 16))
    left: str = setting("none", "Left", "method of the left grid", choices=ON_ROPE)
    right: str = setting("rerope", "Right", "method of the right grid", choices=ON_ROPE)
    head_dim: int = setting(32, "Head dimension d", "of the model in the calculator and the clocks", (2, 1024))
    base: float = setting(BASE, "Base", "rope_theta of that model", kind="number")
    trained: int = setting(TRAINED, "Trained length", "tokens that model was trained on", kind="number")
    target: int = setting(8 * TRAINED, "Target length", "tokens it shall read", kind="number")
    partial: float = setting(1.0, "Rotated share", "of the head's channels, as partial_rotary_factor says",
                             (0.05, 1.0), 0.05)
    method: str = setting("yarn_hf", "Block for", "the method whose rope_parameters are written out",
                          choices=(*CALCULATED, OWN))
    own: str = setting("", "As configured", "what a config.json says of its own rule, as JSON", kind="hidden",
                       max_length=MAX_OWN)
    seed: int = setting(0, "Seed", "of all that is drawn at random", (0, 9999))
    model: str = setting("bytes", "Model", "that reads the text", kind="dropdown", max_length=200)
    lengths: tuple[int, ...] = setting((), "Lengths", "of the context, in tokens, such as 2048, 8192; empty: by the "
                                       "trained length", kind="json")
    tokens: int = setting(12_288, "Tokens", "of the text that a real model reads, at most", kind="number")
    reads: int = setting(0, "Model's trained length", "tokens; 0: what its config.json says", kind="number")
    FORMER: ClassVar[tuple[dict[str, Any], ...]] = ({"window": 64, "tau": 8.0},)

    def __post_init__(self) -> None:
        for entry in fields(self):
            low, high = entry.metadata.get("range", (None, None))
            if low is not None and not low <= getattr(self, entry.name) <= high:
                raise ValueError(f"{entry.metadata['label']} must lie between {low} and {high}.")
        if len(self.lengths) > 8 or not all(64 <= n <= 1 << 20 for n in self.lengths):
            raise ValueError("Please name at most 8 lengths, each of 64 to 1048576 tokens.")
        if not 64 <= self.tokens <= 1 << 20 or not 0 <= self.reads <= 1 << 20:
            raise ValueError("A real model reads 64 to 1048576 tokens.")
        unknown = [str(name)[:40] for name in (*self.methods, self.left, self.right) if name not in METHODS]
        if unknown:
            raise ValueError(f"There is no method called {unknown[0]!r}.")
        if len(set(self.methods)) < len(self.methods) or not self.methods:
            raise ValueError("Please choose at least one method, and each of them once.")
        if self.method not in (*CALCULATED, OWN):
            raise ValueError("This method has no rope_parameters: it does more than change frequencies.")
        if self.left not in ON_ROPE or self.right not in ON_ROPE:
            raise ValueError("A grid needs a method that can be run on the passkey model.")
        if len(self.text.encode("utf-8", "replace")) > MAX_TEXT:
            raise ValueError(f"The text is longer than {MAX_TEXT} bytes.")
        check_model(self.head_dim, self.base, self.trained, self.target)
        self.rules, self.real, self.configured  # noqa: B018

    @property
    def rules(self) -> Rules:
        """The rules for the shipped models."""
        return self._rules(base=BASE, trained=TRAINED)

    @property
    def real(self) -> Rules:
        """The rules for the model of the calculator."""
        return self._rules(base=self.base, trained=self.trained)

    @property
    def configured(self) -> Model | None:
        """The model whose own rule is shown, None without one.  Raises ValueError, one sentence."""
        if not self.own:
            return None
        if len(self.own) > MAX_OWN:
            raise ValueError(f"What a model's own rule says may have at most {MAX_OWN} characters.")
        from backends.rope.config import configured

        return configured(self.own)

    @property
    def shared(self) -> dict[str, Any]:
        """The settings of the rules without the model's own numbers."""
        return {entry.name: getattr(self, entry.name) for entry in fields(Rules) if entry.name not in MODEL}

    def _rules(self, base: float, trained: int) -> Rules:
        return rules_for(base, trained, **self.shared)


def rules_for(base: float, trained: int, **given: Any) -> Rules:
    """The rules for a model.  A w and a tau that are 0, or not given, are the usual ones of its length."""
    usual = {"window": max(1, trained // 4), "tau": usual_tau(trained)}
    return Rules(**given | {name: given.get(name) or value for name, value in usual.items()}, base=base,
                 trained=trained)


def usual_tau(trained: int) -> float:
    """The turns tau that suit a model of this trained length: 32 in YaRN's article; in a model as short as those here
    only its fastest pairs make that many."""
    return 32.0 if trained >= 1024 else 8.0


def check_model(head_dim: int, base: float, trained: int, target: int) -> None:
    """Raises ValueError, one sentence, unless the four numbers can belong to a model with RoPE."""
    if head_dim % 2 or not 2 <= head_dim <= 1024:
        raise ValueError(f"The head dimension must be an even number from 2 to 1024, not {head_dim}: RoPE turns pairs "
                         "of channels.")
    if not 1 < base <= 1e12:
        raise ValueError(f"The base must be larger than 1 and at most 1e12, not {base:g}.")
    if not 2 <= trained <= 2**31:
        raise ValueError(f"The trained length must lie between 2 and 2^31 tokens, not {trained}.")
    if not trained <= target <= 2**31:
        raise ValueError(f"The target length must be at least the trained length, {trained} tokens, not {target}.")
