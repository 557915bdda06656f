"""The tab's parameters as values of widgets and states, and which widgets matter in which view. Pure functions."""

from collections.abc import Mapping
from typing import Any

from backends.swin.params import ON_TOKENS, SETTINGS_OF, SwinParams
from ui import hiding, panels, permalink
from ui.tab import Param, declared

PARAMS: dict[str, Param] = {p.name: p for p in declared(SwinParams)}
VIEWS = {
    **{"roll": "Roll and mask", "reach": "Reach", "leak": "Leak", "orders": "Two libraries", "bias": "Position bias"},
    **{"cosine": "Swin V2", "merge": "Patch merging", "cost": "Cost", "model": "A trained Swin"},
}
HELD = ("picture", "y", "x", "step", "edits", "map_block", "map_head")
"""Parameters without a widget: the canvas changes them."""
PLOTTED = ("reach", "leak", "orders", "cosine", "cost")
GRID = (*ON_TOKENS, "merge")
USES = {
    **dict.fromkeys(("rows", "columns", "order", "shift"), GRID),
    **{"window": (*GRID, "cost"), "block": ON_TOKENS, "head": ON_TOKENS, "depth": ("reach",)},
    **{name: SETTINGS_OF[name] for name in ("masked", "similarity", "bias", "moving")},
    **{"channels": ("cost",), "pixels": ("cost",), "models": ("model",)},
    **{"plot": PLOTTED, "tables": ("bias",), "stage": (*GRID, "model")},
}
"""By element: the views that it belongs to."""


def read(*values: Any) -> SwinParams:
    """The parameters from the values of all widgets and states, in the order of the fields. ParamError when one cannot be used."""
    return permalink.make(SwinParams, dict(zip(PARAMS, values, strict=True)))


def write(params: SwinParams) -> list[Any]:
    """New values for all of them: the inverse of ``read``."""
    values = ((p, getattr(params, p.name)) for p in PARAMS.values())
    return [permalink.plain(value) if p.name in HELD else panels.to_widget(p, value) for p, value in values]


def changed(params: SwinParams, **values: Any) -> SwinParams:
    """``params`` with some values from the browser, checked as those of a link are. ParamError when one cannot be used."""
    now = {name: permalink.plain(getattr(params, name)) for name in PARAMS}
    return permalink.make(SwinParams, now | values)


def edited(params: SwinParams, message: Mapping[str, Any]) -> SwinParams:
    """``params`` with one cell of the bias set, or cleared when the value is None; "all" clears every cell. ParamError for no cell."""
    if message.get("all"):
        return changed(params, edits=[])
    cell = [message.get("dy"), message.get("dx")]
    kept = [list(edit) for edit in params.edits if list(edit[:2]) != cell]
    value = message.get("value")
    return changed(params, edits=kept if value is None else [*kept, [*cell, value]])


def style(slug: str) -> str:
    """Style rules that hide what does not belong to the view."""
    owners = {name: [("view", view) for view in views] for name, views in USES.items()}
    return hiding.style(slug, {**owners, "own": [("model", "own")]})


def caveat(params: SwinParams) -> str:
    """What a copied link cannot carry, in one sentence; empty when it carries everything."""
    own = ["picture"] * params.picture.startswith("own-") + ["weights"] * (params.view == "model" and params.model == "own")
    return f"Your own {' and '.join(own)} cannot travel in a link; the settings do." if own else ""
