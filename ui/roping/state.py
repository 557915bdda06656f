"""The tab's parameters as widget values, and which widgets matter in which view. Pure functions."""

from typing import Any

from backends.rope.params import RopeParams
from ui import hiding, panels, permalink
from ui.tab import Param, declared

PARAMS: dict[str, Param] = {p.name: p for p in declared(RopeParams)}
VIEWS = {
    **{"curve": "Loss against length", "passkey": "Passkey", "live": "Long text, live", "tax": "Tax inside the trained length"},
    **{"sinks": "Sink lab", "clocks": "Clock faces", "distance": "Effective distance", "calculator": "Calculator"},
}
INSTANT = ("clocks", "distance", "calculator")
"""The views that answer every move of a setting; the others are run."""
RUN = tuple(view for view in VIEWS if view not in INSTANT)
READING = ("curve", "live", "tax")
MODEL = ("head_dim", "base", "trained", "target")
USES = {
    **{"methods": (*READING, "clocks", "distance"), "source": READING, "longest": ("curve", "passkey", "live", "tax"), "repeat": READING},
    **{"samples": ("curve", "passkey", "tax", "sinks"), "seed": RUN, "left": ("passkey",), "right": ("passkey",)},
    **{"window": (*READING, "passkey", "sinks", "clocks", "distance"), "sinks": (*READING, "passkey", "sinks", "distance")},
    **dict.fromkeys(("leak", "group"), (*READING, "passkey", "clocks", "distance")),
    **dict.fromkeys(("scale", "tau", "beta_fast", "beta_slow", "mix", "factor"), (*READING, "passkey", *INSTANT)),
    **dict.fromkeys((*MODEL, "config", "loaded"), INSTANT),
    **dict.fromkeys(("partial", "method", "code", "remark"), ("calculator",)),
    **{"going": RUN, "plot": RUN, "stage": INSTANT, "beside": ("curve",), "streaming": ("sinks",)},
}
"""By element: the views that it belongs to."""


def read(*values: Any) -> RopeParams:
    """The parameters from the values of all widgets, in the order of the fields. ParamError when one cannot be used."""
    return permalink.make(RopeParams, dict(zip(PARAMS, values, strict=True)))


def write(params: RopeParams) -> list[Any]:
    """New values for all widgets: the inverse of ``read``."""
    return [list(params.methods) if p.name == "methods" else panels.to_widget(p, getattr(params, p.name)) for p in PARAMS.values()]


def style(slug: str) -> str:
    """Style rules that hide what does not belong to the view."""
    return hiding.style(slug, {name: [("view", view) for view in views] for name, views in USES.items()})
