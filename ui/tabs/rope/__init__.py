"""The RoPE tab: what a model that was trained on short texts makes of long ones, under every way to bend its positions.

Clock faces, distances and the calculator answer each move of a setting; the other views run on the trained models.
"""

from pathlib import Path
from typing import Any

from backends import models
from backends.rope import answer, forecast
from backends.rope.params import CALCULATED, MAX_OWN, MAX_TEXT, METHODS, ON_ROPE, OWN, RopeParams
from ui.core.tab import Source, Tab, views
from ui.tabs.rope import figures
from ui.tabs.rope.presets import PRESETS

TITLES = {
    "curve": "Loss against length", "passkey": "Passkey", "live": "Long text, live",
    "tax": "Tax inside the trained length", "sinks": "Sink lab", "clocks": "Clock faces",
    "distance": "Effective distance", "calculator": "Calculator",
}
INSTANT = ("clocks", "distance", "calculator")
RUN = tuple(view for view in TITLES if view not in INSTANT)
READING = ("curve", "live", "tax")
SHAPED = (*READING, "passkey", "clocks", "distance")
MODEL = ("head_dim", "base", "trained", "target")
RULES = ("scale", "leak", "group", "tau", "beta_fast", "beta_slow", "mix", "factor")
MODELLED = ("curve", "live", "passkey")
GRID = {name: METHODS[name].label for name in ON_ROPE}
SHORT = (("model", models.BYTES), *(("view", view) for view in ("tax", "sinks")))
OTHER = "yarn_hf"       # whose block is shown when the model's own cannot be


def model_of(path: Path) -> tuple[dict[str, Any], str]:
    """The numbers of a model and its own rule from its config.json, and a sentence. ValueError when it is none."""
    from backends.rope.config import compact, read_config

    found = read_config(path)
    own = compact(found)
    values = {name: getattr(found, name) for name in (*MODEL, "partial")}
    values |= {"own": own, "method": OWN if own else OTHER}
    said = (f"The config.json: {found.head_dim} rotated channels, trained on {found.trained} tokens.", found.notice,
            f"What it says of its own rule is longer than {MAX_OWN} characters and is left out."
            if found.known and not own else "")
    return values, " ".join(filter(None, said))


TAB = Tab(
    slug="rope",
    title="RoPE",
    question="What does a model trained on short texts make of long ones?",
    params=RopeParams,
    run=answer,
    views=views(TITLES, figures, RUN, dict.fromkeys(MODELLED, forecast.sentence)),
    presets=PRESETS,
    tour="Clocks that never went round",
    sources=(Source("shelf", "model", wanted=lambda params: params.view in MODELLED,
                    fetch=lambda params: models.fetch(params.model), offer=lambda params: models.offer(params.model)),
             Source("text", "text", "Text from a file", most=MAX_TEXT),
             Source("numbers", "config", "Load a model's config.json", ".json", read=model_of)),
    uses={
        "methods": (*READING, "clocks", "distance"), "text": READING, "repeat": READING,
        "longest": (*READING, "passkey"),
        "samples": ("curve", "passkey", "tax", "sinks"), "seed": RUN, "left": ("passkey",), "right": ("passkey",),
        "window": (*SHAPED, "sinks"), "sinks": (*READING, "passkey", "sinks", "distance"),
        **dict.fromkeys(RULES, (*SHAPED, "calculator")), **dict.fromkeys(("leak", "group"), SHAPED),
        **dict.fromkeys(("model", "reads"), MODELLED), "tokens": ("live",),
        "lengths": ("curve", "passkey"),
        **dict.fromkeys((*MODEL, "config", "own"), INSTANT), **dict.fromkeys(("partial", "method"), ("calculator",)),
    },
    needs={**dict.fromkeys(("reads", "tokens"), (("model", f"!{models.BYTES}"),)),
           **dict.fromkeys(("repeat", "longest"), SHORT), "seed": (*SHORT, ("view", "passkey"))},
    titles={
        "methods": {name: method.label + ("" if method.runs else " (drawn only)") for name, method in METHODS.items()},
        "left": GRID, "right": GRID,
        "method": {name: METHODS[name].label for name in CALCULATED} | {OWN: "as configured"},
        "model": models.titles(),
    },
    folded=RULES,
)
