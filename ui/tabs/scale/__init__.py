"""The Scale tab: why attention divides by sqrt(d), and what initialisation does to signals, gradients and training."""

from backends.scale import answer
from backends.scale.params import ACTIVATIONS, DRAWS, INITS, NORMS, OPTIMIZERS, ROUTES, SOURCES, ScaleParams
from ui.core.tab import Tab, views
from ui.tabs.scale import figures
from ui.tabs.scale.presets import PRESETS

TITLES = {
    "dial": "Saturation dial", "training": "Same function, different training", "depth": "Through many layers",
    "entropy": "Entropy and length", "width": "Coordinate check", "truncated": "Cut normal",
}
TAB = Tab(
    slug="scale",
    title="Scale",
    question="Why does attention divide by √d, and what does initialisation decide?",
    params=ScaleParams,
    run=answer,
    views=views(TITLES, figures, streamed=("training", "entropy", "width")),
    presets=PRESETS,
    tour="No scale",
    uses={
        "d": ("dial", "entropy"), **dict.fromkeys(("n", "exponent", "spread"), ("dial",)),
        "rate": ("training", "width"),
        **dict.fromkeys(("routes", "optimizer", "steps"), ("training",)),
        **dict.fromkeys(("layers", "init", "activation", "norm", "tuned", "ntk", "draw"), ("depth",)),
        **dict.fromkeys(("source", "layer", "head"), ("entropy",)),
    },
    needs={"d": (("view", "dial"), ("source", "random")), **dict.fromkeys(("layer", "head"), (("source", "bytes"),))},
    titles={
        "routes": ROUTES, "optimizer": OPTIMIZERS, "init": INITS, "activation": ACTIVATIONS, "norm": NORMS,
        "draw": DRAWS,
        "source": SOURCES,
    },
)
