"""Several panels in one plotly figure, each with axes of its own."""

from collections.abc import Iterable
from math import floor, log10
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

Span = tuple[float, float]
LOOK = ("automargin", "gridcolor", "linecolor", "tickcolor", "ticks", "zerolinecolor")
"""What a further panel takes over from the first one: never its range, direction or kind."""


def panel(figure: "go.Figure", index: int, across: Span, up: Span, x: str = "", y: str = "") -> dict[str, str]:
    """Give panel ``index`` its place in the figure, the figure's look and titles; the axes' names for its traces."""
    number = "" if index == 0 else str(index + 1)
    for kind, place, title, other in zip("xy", (across, up), (x, y), "yx", strict=True):
        style = {name: value for name, value in figure.layout[f"{kind}axis"].to_plotly_json().items() if name in LOOK}
        figure.update_layout({f"{kind}axis{number}": style | {"domain": place, "anchor": f"{other}{number}", "title": {"text": title}}})
    return {"xaxis": f"x{number}", "yaxis": f"y{number}"}


def heading(figure: "go.Figure", across: Span, top: float, words: str) -> None:
    """Words above a panel, from its left edge."""
    place = {"x": across[0], "y": top, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom", "showarrow": False}
    figure.add_annotation(text=words, **place)


def decimals(values: Iterable[float | None]) -> dict[str, Any]:
    """Marks at 1, 2 and 5 times powers of ten for a logarithmic axis over a few decades, written out; none for no positive value."""
    known = [v for v in values if v]
    if not known:
        return {}
    powers = range(floor(log10(min(known))), floor(log10(max(known))) + 1)
    steps = (1, 2, 5) if len(powers) <= 4 else (1,)
    marks = [step * 10.0**power for power in powers for step in steps]
    return {"tickvals": marks, "ticktext": [f"{mark:g}" for mark in marks]}
