"""Colours, the plotly look, and figures of several panels. Backgrounds are transparent; assets/css recolours text and
grid for dark pages. plotly is imported on the first figure, so that the page is up before.

Categories: Okabe and Ito's colour-blind-safe palette (2008), without yellow (it vanishes on white) and with the blue
made lighter (#0072B2 vanishes on black).
Maps: "Cividis" for magnitudes (readable with any colour vision), "RdBu" for signed values, centred at zero.
"""

from collections.abc import Iterable, Sequence
from math import floor, isfinite, log10
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

CATEGORIES = ("#2a7fbf", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#6B7280")
MAGNITUDE = "Cividis"
SIGNED = "RdBu"
INK = "#5b6472"
GRID = "rgba(127, 137, 153, 0.22)"
FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', sans-serif"
AXIS = {"gridcolor": GRID, "zerolinecolor": GRID, "linecolor": GRID, "ticks": "outside", "tickcolor": GRID,
        "automargin": True}
POWERS = {"type": "log", "dtick": 1, "exponentformat": "power"}


def figure(x: str = "", y: str = "", height: int = 360) -> "go.Figure":
    """An empty figure in the house style with axis titles ``x`` and ``y`` (with their units) and ``height`` in
    pixels."""
    return panels(x=(x,), y=(y,), height=height)


def panels(rows: int = 1, columns: int = 1, x: Sequence[str] = (), y: Sequence[str] = (), titles: Sequence[str] = (),
           height: int = 360, **more: Any) -> "go.Figure":
    """A figure of ``rows`` x ``columns`` panels in the house style, by plotly's ``make_subplots``, which takes
    ``more``; traces go to (row, col) from 1. ``x``, ``y`` and ``titles``: axis titles and headings of the panels, row
    by row."""
    from plotly.subplots import make_subplots

    made = make_subplots(rows, columns, subplot_titles=titles or None, **more)
    made.update_layout(
        template="none", height=height, autosize=True, colorway=list(CATEGORIES),
        font={"family": FONT, "size": 13, "color": INK},
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", legend={"orientation": "h", "y": 1.08, "x": 0},
        margin={"l": 56, "r": 16, "t": 40 if any(titles) else 16, "b": 48}, hovermode="closest")
    made.update_xaxes(**AXIS)
    made.update_yaxes(**AXIS)
    made.update_annotations(font={"size": 14, "color": INK})
    for names, update in ((x, made.update_xaxes), (y, made.update_yaxes)):
        for k, name in enumerate(names):
            update(title_text=name, row=k // columns + 1, col=k % columns + 1)
    return made


def stacked(x: str, ys: tuple[str, ...], ticks: Any = None, log_x: bool = True,
            log_y: tuple[bool, ...] = ()) -> "go.Figure":
    """Panels above each other with one common x axis, marked at ``ticks``; ``line`` draws on panel k."""
    n = len(ys)
    made = panels(n, 1, x=("",) * (n - 1) + (x,), y=ys, height=130 + 220 * n, shared_xaxes=True, vertical_spacing=0.07
                  if n > 1 else 0)
    marks = {"dtick": 1, "exponentformat": "power"} if log_x and ticks is None else {"tickvals": ticks,
                                                                                     "tickformat": "d"}
    made.update_xaxes(type="log" if log_x else "linear", **marks)
    for k in range(n):
        if k < len(log_y) and log_y[k]:
            made.update_yaxes(**POWERS, row=k + 1, col=1)
    return made.update_layout(margin={"t": 44}, legend={"y": 1.01, "yanchor": "bottom"})


def line(figure: "go.Figure", x: Any, y: Any, name: str, colour: int, panel: int = 0, dash: str = "solid",
         shown: bool = True) -> None:
    """One line on a panel, in the category colour of that number; values that are None or not finite leave a gap."""
    values = [None if v is None or not isfinite(v) else float(v) for v in y]
    style = {"color": CATEGORIES[colour % len(CATEGORIES)], "dash": dash, "width": 2 if dash == "solid" else 1.5}
    mode = "lines+markers" if dash == "solid" and len(values) < 20 else "lines"
    look = {"mode": mode, "line": style, "legendgroup": name, "showlegend": shown}
    figure.add_scatter(x=[float(v) for v in x], y=values, name=name, row=panel + 1, col=1, **look)


def band(figure: "go.Figure", x: Any, low: Any, high: Any, colour: int, panel: int = 0) -> None:
    """The area between ``low`` and ``high``, faint, without an entry in the legend."""
    across = [float(v) for v in x]
    edge = [*map(float, high), *(float(v) for v in reversed(list(low)))]
    r, g, b = (int(CATEGORIES[colour][at : at + 2], 16) for at in (1, 3, 5))
    fill = {"fill": "toself", "fillcolor": f"rgba({r}, {g}, {b}, 0.15)", "line": {"width": 0}, "mode": "lines"}
    figure.add_scatter(x=[*across, *reversed(across)], y=edge, row=panel + 1, col=1, showlegend=False,
                       hoverinfo="skip", **fill)


def upright(figure: "go.Figure", x: float | None, values: Any, name: str, colour: int, panel: int = 0) -> None:
    """A dotted upright line at ``x`` over the range of ``values``; nothing when x is None."""
    known = [v for v in values if v]
    if x is not None and known:
        line(figure, (x, x), (min(known), max(known)), name, colour, panel, "dot")


def decimals(values: Iterable[float | None]) -> dict[str, Any]:
    """Marks at 1, 2 and 5 times powers of ten for a logarithmic axis over a few decades, written out; none for no
    positive value."""
    known = [v for v in values if v]
    if not known:
        return {}
    powers = range(floor(log10(min(known))), floor(log10(max(known))) + 1)
    steps = (1, 2, 5) if len(powers) <= 4 else (1,)
    marks = [step * 10.0**power for power in powers for step in steps]
    return {"tickvals": marks, "ticktext": [f"{mark:g}" for mark in marks]}
