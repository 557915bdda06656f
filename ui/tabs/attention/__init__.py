"""The Attention tab: one q, k, v through many kinds of attention, side by side, and lessons on what is seen there."""

from backends import models
from backends.attention import answer, forecast, own
from backends.attention.params import KINDS, LESSONS, MAX_TEXT, AttentionParams
from ui.core.tab import Source, Tab, views
from ui.tabs.attention import figures
from ui.tabs.attention.presets import PRESETS

TITLES = {
    "none": "Kinds side by side", "heads": "All heads", "cost": "What a kind costs",
    "bracket": "Bracket the product", "favor": "FAVOR+ error",
    "gradient": "Gradient microscope", "training": "Training race", "dilution": "Dilution",
    "state": "An RNN", "mask": "Mask designer",
}
CARDS = tuple(name for name in LESSONS if name not in ("heads", "cost"))
READING = (("source", "text"), ("source", "model"))
WHOLE = (("lesson", "heads"), ("lesson", "cost"))
LAYER = (*((("lesson", "!cost"), one) for one in READING), (("lesson", "cost"), ("scope", "layer")))
PERFORMERS = (("kinds", "performer"), ("kinds", "performer_trig"), ("kinds", "performer_hyp"))
KIND = ("m", "orthogonal", "window", "stride", "block", "globals", "blocks", "rank")
TAB = Tab(
    slug="attention",
    title="Attention",
    question="What does another kind of attention do with the same q, k and v?",
    params=AttentionParams,
    run=answer,
    views=views(TITLES, figures, dict.fromkeys((*CARDS, "heads"), forecast.long) | {"bracket": True, "cost": True},
                dict.fromkeys((*CARDS, "heads", "cost"), forecast.sentence)),
    presets=PRESETS,
    tour="A sentence",
    first=PRESETS[0].params,
    sources=(
        Source("shelf", "model", wanted=lambda params: params.source == "model",
               fetch=lambda params: models.fetch(params.model), offer=lambda params: models.offer(params.model)),
        Source("text", "text", "Text from a file", most=MAX_TEXT, place="typed"),
        Source("model", "tensors", "safetensors with q, k, v: (n, d) or (h, n, d)", accept=".safetensors",
               name="q, k and v", read=own.read, load=own.load,
               wanted=lambda params: params.source == "file" and params.lesson in CARDS),
    ),
    chooser="lesson",
    uses={
        **dict.fromkeys(("reading", "norm", "causal", "radius", "head", "tensors", "n", "dim"), CARDS),
        "scope": ("cost",), "order": ("heads",), "step": ("state",),
        **dict.fromkeys(("layer", "kinds", *KIND), (*CARDS, "cost")),
    },
    needs={
        "own-model": (("source", "model"),), "typed": (*READING, ("lesson", "dilution"), *WHOLE),
        "own-tensors": (("source", "file"),), "layer": LAYER,
        "n": (("source", "synthetic"),), "dim": (("source", "synthetic"),),
        "m": PERFORMERS, "orthogonal": (*PERFORMERS, ("lesson", "favor")),
        "window": (("kinds", "local"), ("kinds", "longformer")), "stride": (("kinds", "strided"), ("kinds", "fixed")),
        "block": (("kinds", "diag"), ("kinds", "bigbird")), "blocks": (("kinds", "bigbird"),),
        "globals": (("kinds", "fixed"), ("kinds", "longformer"), ("kinds", "bigbird")),
        "rank": (("kinds", "linformer"),),
        "delta": (("lesson", "state"),), "depth": (("lesson", "mask"),),
    },
    titles={
        "source": {"text": "My text, through a small trained model", "model": "My text, through a language model",
                   "synthetic": "Random q, k, v", "file": "My own q, k, v"},
        "model": {name: title for name, title in models.titles().items() if name != models.BYTES},
        "scope": {"all": "All layers", "layer": "One layer"},
        "reading": {"raw": "Raw, as applied", "absolute": "Absolute, rows to 1", "row": "Row-normalised, signed"},
        "kinds": {name: kind.label for name, kind in KINDS.items()},
    },
    held=("step", "order"),
    folded=(*KIND, "seed", "radius"),
)
