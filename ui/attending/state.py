"""The tab's parameters as widget values, and which widgets matter at the moment. Pure functions."""

from typing import Any

from backends.attention.params import AttentionParams
from ui import panels, permalink
from ui.tab import Param, declared

PARAMS: dict[str, Param] = {p.name: p for p in declared(AttentionParams)}
SOURCES = {"text": ("text", "layer"), "synthetic": ("n", "dim"), "file": ()}
PERFORMERS = ("performer", "performer_trig", "performer_hyp")
USES = {
    **{"m": PERFORMERS, "orthogonal": PERFORMERS, "window": ("local", "longformer"), "stride": ("strided", "fixed")},
    **{"block": ("diag", "bigbird"), "globals": ("fixed", "longformer", "bigbird"), "blocks": ("bigbird",), "rank": ("linformer",)},
}
"""The kinds that look at a parameter."""
TAUGHT = {"step": ("state",), "delta": ("state",), "depth": ("mask",), "orthogonal": ("favor",), "text": ("dilution",)}
"""The lessons that look at a parameter."""


def read(*values: Any) -> AttentionParams:
    """The parameters from the values of all widgets, in the order of the fields. ParamError when one cannot be used."""
    return permalink.make(AttentionParams, dict(zip(PARAMS, values, strict=True)))


def write(params: AttentionParams) -> list[Any]:
    """New values for all widgets: the inverse of ``read``."""
    return [list(params.kinds) if p.name == "kinds" else panels.to_widget(p, getattr(params, p.name)) for p in PARAMS.values()]


def relevant(source: str, kinds: Any, lesson: str) -> set[str]:
    """The parameters that change something at the moment; the widgets of all others are hidden."""
    asked = {name for name, users in USES.items() if not set(users).isdisjoint(kinds or ())}
    taught = {name for name, lessons in TAUGHT.items() if lesson in lessons}
    inputs = {name for names in SOURCES.values() for name in names}
    idle = (set(USES) | set(TAUGHT) | inputs) - asked - taught - set(SOURCES.get(source, ()))
    return set(PARAMS) - idle
