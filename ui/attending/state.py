"""The tab's parameters as widget values, and which widgets matter at the moment. Pure functions."""

from typing import Any

from backends.attention.params import AttentionParams
from ui import hiding, panels, permalink
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


def owners() -> dict[str, list[tuple[str, str]]]:
    """By widget: the choices, (source | kinds | lesson, value), of which one must be made for the widget to change anything."""
    found: dict[str, list[tuple[str, str]]] = {"file": [("source", "file")]}
    for field, table in (("kinds", USES), ("lesson", TAUGHT)):
        for name, users in table.items():
            found.setdefault(name, []).extend((field, user) for user in users)
    for source, names in SOURCES.items():
        for name in names:
            found.setdefault(name, []).append(("source", source))
    return found | {"count": found["text"]}


def style(slug: str) -> str:
    """Style rules that hide what changes nothing now."""
    return hiding.style(slug, owners(), named=("kinds",))
