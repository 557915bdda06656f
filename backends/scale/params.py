"""What the Scale tab takes: initialisations, activations, places of a norm, training routes, and the page's parameters.
No torch here.

Letters: d head dimension, n keys, p exponent of d in softmax(q k^T / d^p), m fan-in, L layers.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from backends.settings import check, setting

INITS = {"lecun": "LeCun: variance 1/fan-in", "he": "He: 2/fan-in", "xavier": "Xavier: 2/(fan-in + fan-out)",
         "t5": "T5: 1/d_model in, 1/d_ff out (here LeCun's)", "small": "N(0, 0.02)", "orthogonal": "orthogonal"}
INIT_HELP = ("of every weight matrix; T5's equals LeCun's in these stacks, and so does Xavier's without a shortcut "
             "(square matrices)")
ACTIVATIONS = {"linear": "none", "relu": "ReLU", "gelu": "GELU", "silu": "SiLU", "tanh": "tanh", "sigmoid": "sigmoid",
               "selu": "SELU"}
NORMS = {"plain": "no shortcut, no norm", "sum": "shortcut, no norm", "post": "post-norm", "pre": "pre-norm",
         "deepnorm": "DeepNorm", "rezero": "ReZero", "fixup": "Fixup"}
DRAWS = {"normal": "normal", "truncated": "cut at 2 sigma", "corrected": "cut at 2 sigma, corrected"}
ROUTES = {"sqrt": "1/sqrt(d)", "none": "no scale", "t5": "no scale, T5's initialisation", "mup": "1/d (muP)"}
OPTIMIZERS = {"adam": "Adam", "relative": "Adam, steps relative to each weight's size", "sgd": "SGD with momentum"}
SOURCES = {"random": "random q and k", "bytes": "a trained byte model's own q and k"}
SCALES = {"sqrt": "1/sqrt(d)", "logn": "log n / (log 512 sqrt(d))", "keynorm": "KeyNorm", "cosine": "cosine, 4 log n"}


@dataclass(frozen=True)
class ScaleParams:
    """Settings of the Scale tab."""

    view: Literal["dial", "training", "depth", "entropy", "width", "truncated"] = setting(
        "dial", "View", "what is worked out")
    d: int = setting(64, "Head dimension d", "numbers in each q and k", (1, 1024))
    n: int = setting(64, "Keys n", "in each row of attention", (2, 512))
    exponent: float = setting(0.0, "Exponent p", "logits are q·k / d^p: 0 none, 0.5 sqrt(d), 1 muP's d",
                              (0.0, 1.0), 0.05)
    spread: float = setting(1.0, "Spread of q and k", "standard deviation of their entries", (0.0, 4.0), 0.05)
    routes: tuple[str, ...] = setting(tuple(ROUTES), "Routes", "trained at once on the same batches", kind="json")
    optimizer: str = setting("adam", "Optimiser", "how far a weight moves in a step", choices=tuple(OPTIMIZERS))
    rate: float = setting(0.003, "Learning rate",
                          "coordinate check: of Adam; training: after 10 steps of warm-up, SGD wants 0.1",
                          (0.0001, 0.3), 0.0001, kind="number")
    steps: int = setting(150, "Steps", "of training, for each model", (10, 200), 10)
    layers: int = setting(64, "Layers", "of the stack", (1, 64))
    init: str = setting("he", "Initialisation", INIT_HELP, choices=tuple(INITS))
    activation: str = setting("relu", "Activation", "after the first matrix of a layer", choices=tuple(ACTIVATIONS))
    norm: str = setting("plain", "Shortcut and norm", "how a layer is wired", choices=tuple(NORMS))
    tuned: bool = setting(False, "Tuned activation", "divide by the root of its second moment at N(0, 1)")
    ntk: bool = setting(False, "NTK parametrisation",
                        "weights N(0, 1), the standard deviation multiplies in the forward pass")
    draw: str = setting("normal", "Drawn from", "the distribution of the weights", choices=tuple(DRAWS))
    source: str = setting("random", "Source of q and k", "whose entropy is measured", choices=tuple(SOURCES))
    layer: int = setting(2, "Layer", "of the trained model", (1, 4))
    head: int = setting(1, "Head", "of the trained model", (1, 4))
    seed: int = setting(0, "Seed", "of all that is drawn at random", (0, 9999))

    def __post_init__(self) -> None:
        check(self)
        if not self.routes or len(set(self.routes)) < len(self.routes) or set(self.routes) - set(ROUTES):
            raise ValueError(f"Please choose at least one route of {', '.join(ROUTES)}, each once.")
        if self.init == "orthogonal" and self.draw != "normal" and self.view == "depth":
            raise ValueError("Orthogonal matrices come from normal draws: choose 'normal' or another initialisation.")
