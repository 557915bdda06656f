"""What the MoE tab takes: the routers, the rules that they share, and the parameters of the page.  torch is not
imported here.

Letters: t tokens, e experts, k experts per token, CF capacity factor, p = softmax of the router's logits.
"""
from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Literal

from backends.settings import setting

MAX_TEXT = 3600                       # bytes
EXPERTS, LENGTH = 8, 128              # of the shipped models
MOST = 512                            # tokens of a text that a model of one's own reads
KINDS = ("mixtral", "olmoe", "qwen2_moe", "qwen3_moe", "deepseek_v3", "gpt_oss")
"""Model types with experts, those of `backends.lm.pretrained.ROUTED`."""
SHIPPED = {"moe": "Shipped byte model, balanced", "moe-free": "Shipped byte model, without auxiliary losses"}
PUBLIC = ("Mixtral-8x7B", "Mixtral-8x22B", "Qwen1.5-MoE-A2.7B", "OLMoE-1B-7B", "Qwen3-30B-A3B", "Qwen3-235B-A22B",
          "DeepSeek-V3")
ALPHAS = ("0", "0.001", "0.01", "0.1")
RACERS = {**{alpha: alpha for alpha in ALPHAS}, "bias": "no loss, a bias", "top1": "top-1, 0.01"}
"""Who can take part in the race: weights of the balance loss, DeepSeek-V3's bias, Switch's rule with its weight."""
OPENING = '''def mean(values):
    """Arithmetic mean; 0.0 if there is none."""
    total = 0.0
    for value in values:
        total += value  # no overflow check
    return total / len(values) if values else 0.0


class Counter:
    def __init__(self, limit=100):
        self.limit, self.seen = limit, {}

    def add(self, name, step=1):
        self.seen[name] = self.seen.get(name, 0) + step
        return self.seen[name] <= self.limit
'''
"""What the page opens with: Python with every class of token, in none of the training files."""


@dataclass(frozen=True)
class Router:
    """One rule by which tokens get experts.

    `k`: the number of experts per token that the rule fixes, 0 = free; `places`: an expert takes CF places t / e
    tokens, 0 = all; `causal`: whether no token's routing depends on later ones, served in text order; `note`: one
    sentence with its source."""

    name: str
    label: str
    note: str
    k: int = 0
    places: int = 0
    causal: bool = True


ROUTERS: dict[str, Router] = {router.name: router for router in (
    Router("mixtral", "Mixtral top-k",
           "softmax over all, the k largest are renormalised; no token is dropped (arXiv 2401.04088)."),
    Router("switch", "Switch top-1",
           "the largest p alone, not renormalised, with capacity CF t / e (arXiv 2101.03961).", 1, 1),
    Router("gshard", "GShard top-2",
           "the second expert is asked with probability min(1, 2 g2), after all first choices, those of later "
           "tokens too, with capacity 2 CF t / e, counted as DeepSpeed does (arXiv 2006.16668, algorithm 1).", 2, 2,
           False),
    Router("stmoe", "ST-MoE top-2",
           "the second expert is asked with probability min(1, g2 / 0.2), after all first choices, with capacity "
           "CF t / e although k is 2; trained with a z-loss (arXiv 2202.08906; 0.2 and the places as in Mesh "
           "TensorFlow).", 2, 1, False),
    Router("shazeer", "Noisy top-k",
           "normal noise on the logits, then softmax over the k largest (arXiv 1701.06538, equations 3-5); the "
           "models here have no W_noise, so one deviation serves all experts."),
    Router("choice", "Expert choice",
           "each expert takes its k t / e best tokens: perfect balance, but a token's experts depend on later "
           "tokens (arXiv 2202.09368).", causal=False),
    Router("free", "Bias, no auxiliary loss",
           "chosen by sigmoid(logit) + bias, weighted by the sigmoids alone, renormalised "
           "(arXiv 2408.15664; DeepSeek-V3, arXiv 2412.19437, with one group and without its scaling factor)."),
)}
LIMITED = tuple(name for name, router in ROUTERS.items() if router.places)


@dataclass(frozen=True)
class Rules:
    """Numbers that the routers share.

    `factor`: CF; `order`: who is served first, "text" = earlier tokens, "priority" = larger p (batch-priority routing,
    arXiv 2106.05974); `group`: tokens that share the experts' places, 0 = all; `noise`: standard deviation, one or a
    tensor (t, e); `updates` of the bias by `speed` each.  Raises ValueError, one sentence, for what no router can
    use."""

    k: int = 2
    factor: float = 1.25
    order: str = "text"
    group: int = 0
    noise: Any = 1.0
    updates: int = 200
    speed: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError("Each token needs at least one expert, so k must be at least 1.")
        if not (math.isfinite(self.factor) and self.factor > 0):
            raise ValueError("The capacity factor must be above 0: with capacity 0 no expert could take a token.")


@dataclass(frozen=True)
class MoeParams:
    """Settings of the MoE tab.  `prototypes`: places (x, y) of the plane's experts, each in [-1, 1]."""

    view: Literal["text", "own", "classes", "capacity", "plane", "race", "training", "precision",
                  "calculator"] = setting("text", "View", "what is worked out")
    mixture: str = setting("moe", "Mixture of experts", "from this server's shelf", kind="dropdown", max_length=200)
    text: str = setting(OPENING, "Text", f"type or paste your own, at most {MAX_TEXT} bytes; empty: held-out Python",
                        kind="lines", max_length=MAX_TEXT)
    counted: Literal["modules", "text"] = setting("modules", "Counted on", "12 kB of held-out modules, or your text")
    model: Literal["moe", "moe-free"] = setting("moe", "Model", "trained with auxiliary losses, or without")
    router: str = setting("mixtral", "Router", "how logits are used; it was trained with Mixtral's top 2",
                          choices=tuple(ROUTERS))
    k: int = setting(2, "Experts per token k", "where the rule leaves it free", (1, EXPERTS))
    factor: float = setting(1.25, "Capacity factor CF", "an expert takes CF t / e tokens, in GShard 2 CF t / e, "
                                                        "rounded down, at least 1", (0.25, 4.0), 0.05)
    order: Literal["text", "priority"] = setting("text", "Served first", "earlier tokens, or those with the larger p")
    scope: Literal["text", "window"] = setting("text", "Places are shared by",
                                               f"the whole text, or each window of {LENGTH} bytes")
    touch: Literal["leave", "disable", "force"] = setting("leave", "One expert",
                                                          "leave all, disable one, or send all through it")
    expert: int = setting(0, "Which expert", "numbered from 0", (0, EXPERTS - 1))
    layer: Literal["both", "2", "4"] = setting("both", "In layer", "which of the two routed layers")
    site: int = setting(0, "Layer", "numbered from 1, dense layers counted; 0: the first with experts", (0, 1000),
                        kind="number")
    change: Literal["none", "disabled", "forced"] = setting("none", "One expert of this layer",
                                                            "is left as it is, disabled, or forced on every token")
    one: int = setting(0, "Its number", "numbered from 0", (0, 4095), kind="number")
    noise: float = setting(1.0, "Noise", "standard deviation on the logits: noisy top-k", (0.0, 4.0), 0.05)
    updates: int = setting(200, "Bias updates", "rounds in which the bias follows the loads of these tokens",
                           (0, 1000), 10)
    speed: float = setting(0.01, "Bias speed", "u of one update", (0.001, 0.1), 0.001)
    count: int = setting(160, "Tokens", "points of the plane", (16, 256))
    sharp: float = setting(6.0, "Sharpness", "what the plane's logits are multiplied by", (0.5, 40.0), 0.5)
    prototypes: tuple[tuple[float, float], ...] = setting(
        ((-0.55, 0.5), (0.5, 0.55), (0.55, -0.45), (-0.45, -0.55)), "Experts' places", "x, y of each", kind="json")
    steps: int = setting(150, "Steps", "of each live training", (25, 400), 25)
    alphas: tuple[str, ...] = setting(ALPHAS, "Balance weights",
                                      "one small model is trained with each; bias: DeepSeek-V3's "
                                      "instead of a loss; top-1: Switch's rule", kind="json")
    zeta: Literal["0", "0.001", "0.01"] = setting("0", "z-loss weight", "of all models of the race")
    public: str = setting("Mixtral-8x7B", "Public model", "whose memory and cost are worked out", choices=PUBLIC)
    batch: int = setting(1, "Sequences", "read side by side while generating", (1, 256))
    context: int = setting(4096, "Context", "tokens of each kept in the cache", kind="number")
    bandwidth: float = setting(1.0, "Memory bandwidth", "TB/s, for the least time that reading the weights takes",
                               (0.05, 20.0), 0.05)
    seed: int = setting(0, "Seed", "of all that is drawn at random", (0, 9999))

    def __post_init__(self) -> None:
        for entry in fields(self):
            low, high = entry.metadata.get("range", (None, None))
            if entry.name not in ("k", "factor") and low is not None and not low <= getattr(self, entry.name) <= high:
                raise ValueError(f"{entry.metadata['label']} must lie between {low:g} and {high:g}.")
        if self.public not in PUBLIC:
            raise ValueError(f"The sizes of {self.public[:40]!r} are not known here.")
        if self.router not in ROUTERS:
            raise ValueError(f"There is no router called {self.router[:40]!r}.")
        if len(self.text.encode("utf-8", "replace")) > MAX_TEXT:
            raise ValueError(f"The text is longer than {MAX_TEXT} bytes.")
        if not self.alphas or len(set(self.alphas)) < len(self.alphas) or set(self.alphas) - set(RACERS):
            raise ValueError(f"Please choose at least one balance weight of {', '.join(RACERS)}, each once.")
        if not 1 <= self.context <= 10_000_000:
            raise ValueError("The context must lie between 1 and 10000000 tokens.")
        _places(self.prototypes)
        self._experts()
        self.rules  # noqa: B018

    def _experts(self) -> None:
        most = len(self.prototypes) if self.view == "plane" else EXPERTS
        if self.k > most:
            raise ValueError(f"k is {self.k}, but there are only {most} experts.")
        if self.factor > 4:
            raise ValueError("The capacity factor must be at most 4.")

    @property
    def rules(self) -> Rules:
        """What the routers need."""
        group = LENGTH if self.scope == "window" and self.view != "plane" else 0
        return Rules(self.k, self.factor, self.order, group, self.noise, self.updates, self.speed, self.seed)


def _places(prototypes: tuple[tuple[float, float], ...]) -> None:
    if not 2 <= len(prototypes) <= EXPERTS:
        raise ValueError(f"The plane needs between 2 and {EXPERTS} experts.")
    if any(len(place) != 2 or not all(math.isfinite(v) and abs(v) <= 1 for v in place) for place in prototypes):
        raise ValueError("Each expert's place is a pair x, y, both between -1 and 1.")
