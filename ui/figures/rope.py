"""Figures and tables of the RoPE tab: results of ``backends.rope`` to plotly figures, canvas scenes and rows. numpy only."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ui.figures import theme
from ui.figures.cards import text
from ui.figures.lessons import band, line, stacked
from ui.tab import Table

if TYPE_CHECKING:
    import plotly.graph_objects as go

FACES = 16
"""Clock faces that are drawn for each method."""
CELLS = 180_000
"""Bytes that the maps of all methods may take together."""
STYLES = ("solid", "dash", "dot", "dashdot")


def _style(index: int) -> tuple[int, str]:
    """Colour and dash of the line with that number: no two of the first 28 are alike."""
    count = len(theme.CATEGORIES)
    return index % count, STYLES[index // count % len(STYLES)]


def _trained(figure: "go.Figure", length: int, panels: list[list[float]]) -> None:
    """The trained length as an upright line in every panel."""
    for panel, values in enumerate(panels):
        if values:
            line(figure, (length, length), (min(values), max(values)), f"trained length, {length}", 6, panel, "dot", shown=panel == 0)


def _height(figure: "go.Figure", lines: Any) -> int:
    """Room for the legend too, which has a row for each line on a phone."""
    return figure.layout.height + 13 * len(lines)


def curve(body: Any) -> "go.Figure":
    """Loss and accuracy of the same last bytes against the context, with the range over texts."""
    ys = (f"nats per byte, last {body.tail}", "right next bytes")
    figure = stacked("bytes of context", ys, body.plan)
    for index, one in enumerate(body.lines):
        colour, dash = _style(index)
        for panel, name in enumerate(("loss", "accuracy")):
            if len(one.lengths) > 1:
                band(figure, one.lengths, getattr(one, f"{name}_low"), getattr(one, f"{name}_high"), colour, panel)
            line(figure, one.lengths, getattr(one, name), one.label, colour, panel, dash, shown=panel == 0)
    _trained(figure, body.trained, [[v for one in body.lines for v in getattr(one, name)] for name in ("loss", "accuracy")])
    ends = [math.log10(body.plan[0] * 0.93), math.log10(body.plan[-1] * 1.07)]
    figure.update_layout(xaxis={"range": ends}, yaxis2={"tickformat": ".0%"}, height=_height(figure, body.lines))
    return figure


def curve_table(body: Any) -> Table:
    """One row for each method and context length."""
    names = ("loss", "loss_low", "loss_high", "accuracy", "accuracy_low", "accuracy_high")
    rows = ((one.label, n, *(getattr(one, name)[k] for name in names)) for one in body.lines for k, n in enumerate(one.lengths))
    head = ("method", "bytes of context", "nats per byte", "lowest text", "highest text", "accuracy", "lowest text ", "highest text ")
    return Table(head, tuple(rows))


def live(body: Any) -> "go.Figure":
    """Loss and accuracy along one text."""
    figure = stacked("position in the text, bytes", (f"nats per byte, means of {body.smooth}", "right next bytes"), log_x=False)
    for index, track in enumerate(body.tracks):
        colour, dash = _style(index)
        line(figure, track.at, track.loss, track.label, colour, 0, dash)
        line(figure, track.at, track.accuracy, track.label, colour, 1, dash, shown=False)
    if body.length > body.trained:
        _trained(figure, body.trained, [[v for track in body.tracks for v in getattr(track, name)] for name in ("loss", "accuracy")])
    across = {"range": [0, body.length], "tickvals": None}
    figure.update_layout(xaxis=across, yaxis2={"tickformat": ".0%"}, height=_height(figure, body.tracks))
    return figure


def live_table(body: Any) -> Table:
    """One row for each method and point."""
    rows = ((t.label, *values) for t in body.tracks for values in zip(t.at, t.loss, t.accuracy, strict=True))
    return Table(("method", "position, bytes", "nats per byte", "accuracy"), tuple(rows))


def tax(body: Any) -> "go.Figure":
    """What each method costs where nothing needs to be extrapolated."""
    figure = theme.figure(x="nats above untouched", height=110 + 34 * max(4, len(body.prices)))
    names = [price.label for price in body.prices]
    spread = {"array": [p.high - p.tax for p in body.prices], "arrayminus": [p.tax - p.low for p in body.prices], "thickness": 1.2}
    bars = {"marker_color": theme.CATEGORIES[0], "hovertemplate": "%{y}: %{x:.4f} nats<extra></extra>"}
    figure.add_bar(y=names, x=[p.tax for p in body.prices], orientation="h", error_x={"type": "data", "symmetric": False, **spread}, **bars)
    figure.update_layout(yaxis={"autorange": "reversed"}, showlegend=False, bargap=0.4)
    return figure


def tax_table(body: Any) -> Table:
    """One row for each method."""
    rows = tuple((p.label, p.loss, p.tax, p.low, p.high) for p in body.prices)
    return Table(("method", f"nats per byte at {body.length}", "more than untouched", "lowest text", "highest text"), rows)


def _broken(words: str, width: int = 12) -> str:
    """A label on several short lines."""
    lines = [""]
    for word in words.split():
        lines[-1:] = [f"{lines[-1]} {word}".strip()] if len(lines[-1]) + len(word) < width or not lines[-1] else [lines[-1], word]
    return "<br>".join(lines)


ABOVE = {"xanchor": "center", "y": 1.02, "xref": "paper", "yref": "paper", "yanchor": "bottom", "showarrow": False}


def passkey(body: Any) -> "go.Figure":
    """Two grids of answered texts, depth by length."""
    figure = theme.figure(height=400)
    axis, style = figure.layout.xaxis.to_plotly_json(), figure.layout.yaxis.to_plotly_json()
    for k, grid in enumerate(body.grids):
        number, domain = ("", "2")[k], ([0.0, 0.48], [0.52, 1.0])[k]
        shares = [[None if count is None else count / body.samples for count in row] for row in grid.right]
        names = [str(n) for n in body.lengths], [f"{d:g}" for d in body.depths]
        place = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
        look = {"zmin": 0, "zmax": 1, "colorscale": theme.MAGNITUDE, "showscale": False, "xgap": 2, "ygap": 2, "hoverinfo": "skip"}
        figure.add_heatmap(z=shares, x=names[0], y=names[1], name=grid.label, **place, **look)
        cells = [(n, d, row[b], shares[a][b]) for a, (d, row) in enumerate(zip(names[1], grid.right, strict=True))
                 for b, n in enumerate(names[0]) if row[b] is not None]
        words = {"mode": "text", "text": [str(count) for *_, count, _ in cells], "showlegend": False, **place}
        ink = ["#ffffff" if share < 0.6 else "#1b1f27" for *_, share in cells]
        hover = f"depth %{{y}}, %{{x}} tokens: %{{text}} of {body.samples} right<extra></extra>"
        figure.add_scatter(x=[c[0] for c in cells], y=[c[1] for c in cells], textfont={"color": ink}, hovertemplate=hover, **words)
        across = axis | {"domain": domain, "anchor": f"y{number}", "type": "category"}
        across["title"] = {"text": "tokens"}
        down = style | {"anchor": f"x{number}", "type": "category", "autorange": "reversed", "showticklabels": k == 0}
        down |= {"title": {"text": "depth of the key" if k == 0 else "", "standoff": 14}, "ticks": "outside" if k == 0 else ""}
        figure.update_layout({f"xaxis{number}": across, f"yaxis{number}": down})
        figure.add_annotation(x=sum(domain) / 2, text=f"<b>{_broken(grid.label)}</b>", **ABOVE)
    figure.add_annotation(x=0.5, text=f"texts answered with all digits, of {body.samples}", yshift=56, **ABOVE)
    figure.update_layout(margin={"t": 104})
    return figure


def passkey_table(body: Any) -> Table:
    """One row for each depth and length, the counts of both methods."""
    first, second = body.grids
    rows = ((depth, n, *("not run" if grid.right[a][b] is None else grid.right[a][b] for grid in body.grids), body.samples)
            for b, n in enumerate(body.lengths) for a, depth in enumerate(body.depths))
    return Table(("depth of the key", "tokens", f"{first.label}: right", f"{second.label}: right", "of texts"), tuple(rows))


def sinks(body: Any) -> "go.Figure":
    """The toy's attention, and what each cache costs."""
    figure = theme.figure(height=720)
    axis, style = figure.layout.xaxis.to_plotly_json(), figure.layout.yaxis.to_plotly_json()
    names = [f"{k}{' trigger' * on}" for k, on in enumerate(body.triggers)]
    hover = "query %{y}, key %{x}: √weight %{z:.3f}<extra></extra>"
    bar = {"orientation": "h", "len": 0.5, "x": 0, "xanchor": "left", "y": 1.0, "yanchor": "bottom", "thickness": 8}
    bar["title"] = {"text": "√weight", "side": "top"}
    roots = np.sqrt(np.asarray(body.weights)).round(3)
    roots[np.triu_indices(len(roots), 1)] = np.nan
    figure.add_heatmap(z=roots, x=names, y=names, colorscale=theme.MAGNITUDE, colorbar=bar, hovertemplate=hover)
    costs = [regime.loss - body.regimes[0].loss for regime in body.regimes]
    bars = {"orientation": "h", "xaxis": "x2", "yaxis": "y2", "marker_color": theme.CATEGORIES[1]}
    labels = [_broken(regime.label, 14) for regime in body.regimes]
    figure.add_bar(y=labels, x=costs, hovertemplate="%{y}: %{x:.4f} nats<extra></extra>", **bars)
    ticks = {"tickvals": [], "ticks": ""}
    figure.update_layout(
        xaxis=axis | ticks | {"title": {"text": f"key, first {len(names)} tokens"}, "anchor": "y"},
        yaxis=style | ticks | {"autorange": "reversed", "title": {"text": "query"}, "domain": [0.48, 1]},
        xaxis2=axis | {"anchor": "y2", "title": {"text": "nats lost by it"}},
        yaxis2=style | {"anchor": "x2", "autorange": "reversed", "domain": [0, 0.36]},
        showlegend=False,
    )
    return figure


def sinks_table(body: Any) -> Table:
    """The masses, then one row for each cache."""
    masses = (("weight on the first token, idle queries", body.idle), ("the same, after triggers", body.busy))
    masses += (("equal weights would give", body.uniform), ("length of its value over the words'", body.drained))
    rows = tuple((f"loss, {r.label}", r.loss, r.low, r.high) for r in body.regimes)
    return Table(("what", "mean", "lowest text", "highest text"), (*((name, value, "", "") for name, value in masses), *rows))


def _chosen(count: int) -> list[int]:
    """At most FACES pairs, evenly, the first and the last among them."""
    return sorted({round(k) for k in np.linspace(0, count - 1, min(count, FACES))})


def clocks(body: Any, methods: tuple[str, ...] = ()) -> dict[str, Any]:
    """The scene of a ``Calculation``: for each method (of those named, where any are) the trained and the tested arc of pairs, radians,
    and the wavelength of every pair in tokens; methods that leave the frequencies alone share one line."""
    shown, arc, turns = _chosen(len(body.wavelength)), np.asarray(body.arc), np.asarray(body.turns)
    rows = [
        {"label": row.label, "faces": [{"arc": round(float(row.arc[k]), 4), "state": row.states[k]} for k in shown]}
        for row in body.rows
        if not methods or row.name in methods
    ]
    pairs = [{"pair": k, "arc": round(float(arc[k]), 4), "turns": float(turns[k]), "wave": float(body.wavelength[k])} for k in shown]
    waves = _waves([row for row in body.rows if not methods or row.name in methods])
    return {"kind": "clocks", "trained": body.trained, "target": body.target, "all": len(arc), "pairs": pairs, "rows": rows, "waves": waves}


def _waves(rows: list[Any]) -> list[dict[str, Any]]:
    """One line of wavelengths, tokens a turn, for each set of frequencies that some methods share."""
    lines: dict[tuple[float, ...], list[str]] = {}
    for row in rows:
        waves = (math.tau / np.asarray(row.theta, np.float64)).tolist()
        lines.setdefault(tuple(float(f"{wave:.4g}") for wave in waves), []).append(row.label)
    colours = (theme.CATEGORIES[_style(k)[0]] for k in range(len(lines)))
    return [{"labels": labels, "wave": list(wave), "colour": colour} for (wave, labels), colour in zip(lines.items(), colours, strict=True)]


def calculator_table(body: Any) -> Table:
    """One row for each pair: wavelength, turns, and each method's frequency and state."""
    head = [name for row in body.rows for name in (f"{row.label}: theta", f"{row.label}: state")]
    columns = ("pair", "wavelength, tokens", "turns within the trained length", *head)
    rows = (
        (k, float(body.wavelength[k]), float(body.turns[k]), *(v for row in body.rows for v in (float(row.theta[k]), row.states[k])))
        for k in range(len(body.wavelength))
    )
    return Table(columns, tuple(rows))


def distance(body: Any) -> dict[str, Any]:
    """The scene of painted distances: for each method the triangle of query by key as 16-bit levels, and two bits a cell beside."""
    size = min(len(body[0].at), int(math.sqrt(CELLS / 2 / len(body))))
    keep = np.unique(np.linspace(0, len(body[0].at) - 1, size).round().astype(int))
    return {"kind": "distance", "n": body[0].n, "at": np.asarray(body[0].at)[keep].tolist(), "maps": [_map(one, keep) for one in body]}


def _map(one: Any, keep: np.ndarray) -> dict[str, Any]:
    value, hidden, outside = (np.asarray(x)[np.ix_(keep, keep)] for x in (one.value, one.hidden, one.outside))
    cells = np.tril_indices(len(keep))
    values = np.nan_to_num(value[cells].astype(np.float64))
    low, high = float(values.min()), float(values.max())
    levels = np.rint((values - low) / ((high - low) or 1.0) * 65535).astype("<u2")
    marks = hidden[cells].astype(np.uint8) + 2 * outside[cells].astype(np.uint8)
    return {"label": one.label, "unit": one.unit, "low": low, "high": high, "data": text(levels), "marks": text(marks)}


def distance_table(body: Any) -> Table:
    """The last query's distances, one row for each key and a column for each method."""
    last = [np.asarray(one.value)[-1] for one in body]
    gone = [np.asarray(one.hidden)[-1] for one in body]
    keys = np.asarray(body[0].at)
    pairs = list(zip(last, gone, strict=True))
    rows = ((int(keys[k]), *("not seen" if out[k] else float(row[k]) for row, out in pairs)) for k in range(len(keys)))
    return Table((f"key, seen from query {body[0].n - 1}", *(f"{one.label}, {one.unit}" for one in body)), tuple(rows))


FIGURES = {"curve": curve, "live": live, "tax": tax, "passkey": passkey, "sinks": sinks}
TABLES = {
    **{"curve": curve_table, "live": live_table, "tax": tax_table, "passkey": passkey_table, "sinks": sinks_table},
    **{"clocks": calculator_table, "calculator": calculator_table, "distance": distance_table},
}
