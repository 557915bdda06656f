"""Colours, the plotly look, and figures of several panels. Backgrounds are transparent; assets/css recolours text and
grid for dark pages. plotly is imported on the first figure, so that the page is up before.

Categories: Okabe and Ito's colour-blind-safe palette (2008), without yellow (it vanishes on white) and with the blue
made lighter (#0072B2 vanishes on black).
Maps: "Cividis" for magnitudes (readable with any colour vision), blue below zero and red above for signed values, as
the canvases have it (assets/js/maps.js); zero lets the panel through, so that it is quiet on light and dark pages.
"""

from collections.abc import Iterable, Sequence
from math import floor, isfinite, log10
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

CATEGORIES = ("#2a7fbf", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#6B7280")
MAGNITUDE = "Cividis"
SIGNED = [[0, "rgba(43, 123, 205, 1)"], [0.5, "rgba(43, 123, 205, 0)"], [0.5, "rgba(214, 69, 58, 0)"],
          [1, "rgba(214, 69, 58, 1)"]]
INK = "#5b6472"
GRID = "rgba(127, 137, 153, 0.22)"
FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', sans-serif"
PHONE, LETTER = 210, 8
"""Pixels of a panel's width on a phone, and of a digit with the room that it needs."""
AXIS = {"gridcolor": GRID, "zerolinecolor": GRID, "linecolor": GRID, "ticks": "outside", "tickcolor": GRID,
        "automargin": True}
ZERO = "zero, off the axis"
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
    marks = {"dtick": 1, "exponentformat": "power"} if log_x else {"tickformat": "d"}
    made.update_xaxes(type="log" if log_x else "linear", **(marks if ticks is None else spaced(ticks, log_x)))
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


def grounded(figure: "go.Figure", least: float = 0.0) -> None:
    """What a logarithmic axis cannot show: values of ``least`` and less leave their line and stand as marks at the
    lower edge of their panel, with an entry in the legend. Called last, when ranges and lines are as they stay."""
    said = f"zero, or at most {least:g}" if least else ZERO
    for trace in [one for one in figure.data if "lines" in (one.mode or "") and one.hoverinfo != "skip"]:
        axis = figure.layout["yaxis" + (trace.yaxis or "y")[1:]]
        low = [x for x, v in zip(trace.x, trace.y, strict=True) if v is not None and v <= least]
        if axis.type != "log" or not low:
            continue
        trace.y = [None if v is None or v <= least else v for v in trace.y]
        known = [v for one in figure.data if one.yaxis == trace.yaxis for v in one.y if v is not None and v > least]
        edge = axis.range[0] if axis.range else floor(log10(min(known, default=least or 1e-12)))
        if not known:
            axis.range = [edge, edge + 3]
        look = {"symbol": "triangle-down", "size": 8, "color": trace.line.color}
        new = said not in [one.name for one in figure.data]
        figure.add_scatter(x=low, y=[10.0**edge] * len(low), mode="markers", marker=look, name=said, showlegend=new,
                           legendgroup=said, cliponaxis=False, hoverinfo="x+name", xaxis=trace.xaxis, yaxis=trace.yaxis)


def upright(figure: "go.Figure", x: float | None, values: Any, name: str, colour: int, panel: int = 0) -> None:
    """A dotted upright line at ``x`` over the range of ``values``; nothing when x is None."""
    known = [v for v in values if v]
    if x is not None and known:
        line(figure, (x, x), (min(known), max(known)), name, colour, panel, "dot")


def spaced(values: Sequence[float], log: bool = True) -> dict[str, Any]:
    """Marks at ``values``, which rise; those whose number would touch the one before on a phone have none."""
    at = [log10(v) if log else float(v) for v in values]
    share, names, end = PHONE / ((at[-1] - at[0]) or 1.0) if at else 0.0, [], -1e9
    for value, place in zip(values, at, strict=True):
        name = f"{value:.12g}"
        left, half = share * (place - at[0]), LETTER * len(name) / 2
        names.append(name if left - half > end else "")
        end = left + half + LETTER if names[-1] else end
    return {"tickvals": list(values), "ticktext": names, "tickangle": 0}


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
