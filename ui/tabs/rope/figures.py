"""Figures, scenes and tables of the RoPE tab: results of ``backends.rope`` to plotly, stages and rows. numpy only."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ui.core.tab import Table
from ui.parts import plots
from ui.parts.packed import packed
from ui.parts.plots import band, line, stacked
from ui.tabs.rope import beside

if TYPE_CHECKING:
    import plotly.graph_objects as go

FACES = 16
"""Clock faces that are drawn for each method."""
CELLS = 180_000
"""Bytes that the maps of all methods may take together."""
STYLES = ("solid", "dash", "dot", "dashdot")


def _style(index: int) -> tuple[int, str]:
    """Colour and dash of the line with that number: no two of the first 28 are alike."""
    count = len(plots.CATEGORIES)
    return index % count, STYLES[index // count % len(STYLES)]


def _trained(figure: "go.Figure", length: int, lines: Any) -> None:
    """The trained length as an upright line in the panels of loss and accuracy."""
    for panel, name in enumerate(("loss", "accuracy")):
        values = [value for one in lines for value in getattr(one, name)]
        if values:
            ends = min(values), max(values)
            line(figure, (length, length), ends, f"trained length, {length}", 6, panel, "dot", shown=panel == 0)


def _height(figure: "go.Figure", lines: Any) -> int:
    """Room for the legend too, which has a row for each line on a phone."""
    return figure.layout.height + 13 * len(lines)


def curve(body: Any) -> "go.Figure":
    """Loss and accuracy of the same last bytes or tokens against the context, with the range over texts."""
    ys = (f"nats per {body.unit[:-1]}, last {body.tail}", f"right next {body.unit}")
    figure = stacked(f"{body.unit} of context", ys, body.plan)
    for index, one in enumerate(body.lines):
        colour, dash = _style(index)
        for panel, name in enumerate(("loss", "accuracy")):
            if len(one.lengths) > 1:
                band(figure, one.lengths, getattr(one, f"{name}_low"), getattr(one, f"{name}_high"), colour, panel)
            line(figure, one.lengths, getattr(one, name), one.label, colour, panel, dash, shown=panel == 0)
    _trained(figure, body.trained, body.lines)
    ends = [math.log10(body.plan[0] * 0.93), math.log10(body.plan[-1] * 1.07)]
    figure.update_xaxes(range=ends)
    figure.update_yaxes(tickformat=".0%", row=2, col=1)
    return figure.update_layout(height=_height(figure, body.lines))


def curve_table(body: Any) -> Table:
    """One row for each method and context length."""
    names = ("loss", "loss_low", "loss_high", "accuracy", "accuracy_low", "accuracy_high")
    rows = ((one.label, n, *(getattr(one, name)[k] for name in names))
            for one in body.lines for k, n in enumerate(one.lengths))
    head = ("method", f"{body.unit} of context", f"nats per {body.unit[:-1]}", "lowest text", "highest text")
    return Table((*head, "accuracy", "lowest text ", "highest text "), tuple(rows))


def live(body: Any) -> "go.Figure":
    """Loss and accuracy along one text."""
    ys = (f"nats per {body.unit[:-1]}, means of {body.smooth}", f"right next {body.unit}")
    figure = stacked(f"position in the text, {body.unit}", ys, log_x=False)
    for index, track in enumerate(body.tracks):
        colour, dash = _style(index)
        line(figure, track.at, track.loss, track.label, colour, 0, dash)
        line(figure, track.at, track.accuracy, track.label, colour, 1, dash, shown=False)
    if body.length > body.trained:
        _trained(figure, body.trained, body.tracks)
    figure.update_xaxes(range=[0, body.length])
    figure.update_yaxes(tickformat=".0%", row=2, col=1)
    return figure.update_layout(height=_height(figure, body.tracks))


def live_table(body: Any) -> Table:
    """One row for each method and point."""
    rows = ((t.label, *values) for t in body.tracks for values in zip(t.at, t.loss, t.accuracy, strict=True))
    head = ("method", f"position, {body.unit}", f"nats per {body.unit[:-1]}", "accuracy")
    return Table(head, tuple(rows))


def last_tokens(params: Any, body: Any) -> str:
    """What a real model loses on the same last tokens, method by method, in a sentence."""
    done = [f"{track.label} {track.tail:.3f}" for track in body.tracks if track.tail is not None]
    return f"Nats per token over the last {body.tail} of {body.length} tokens: {'; '.join(done)}." if done else ""


def tax(body: Any) -> "go.Figure":
    """What each method costs where nothing needs to be extrapolated."""
    figure = plots.figure(x="nats above untouched", height=110 + 34 * max(4, len(body.prices)))
    spread = {"type": "data", "symmetric": False, "thickness": 1.2, "array": [p.high - p.tax for p in body.prices],
              "arrayminus": [p.tax - p.low for p in body.prices]}
    figure.add_bar(y=[p.label for p in body.prices], x=[p.tax for p in body.prices], orientation="h", error_x=spread,
                   marker_color=plots.CATEGORIES[0], hovertemplate="%{y}: %{x:.4f} nats<extra></extra>")
    return figure.update_layout(yaxis={"autorange": "reversed"}, showlegend=False, bargap=0.4)


def tax_table(body: Any) -> Table:
    """One row for each method."""
    rows = tuple((p.label, p.loss, p.tax, p.low, p.high) for p in body.prices)
    head = ("method", f"nats per byte at {body.length}", "more than untouched", "lowest text", "highest text")
    return Table(head, rows)


def passkey(body: Any) -> "go.Figure":
    """Two grids of answered texts, depth by length, one below the other: equally large, each under its name."""
    titles = tuple(f"<b>{grid.label}</b>" for grid in body.grids)
    figure = plots.panels(2, 1, ("", "tokens"), ("depth of the key",) * 2, titles, height=620, shared_xaxes=True,
                          vertical_spacing=0.1)
    figure.update_annotations(x=0, xanchor="left", font_size=12)
    for k, grid in enumerate(body.grids):
        _answered(figure, body, grid, k + 1)
    figure.update_xaxes(type="category")
    figure.update_yaxes(type="category", autorange="reversed", title_standoff=14)
    said = ("right digits, log-probability of the number" if _real(body)
            else f"texts answered with all digits, of {body.samples}")
    figure.add_annotation(x=0.5, y=1, xref="paper", yref="paper", yanchor="bottom", yshift=24, showarrow=False,
                          text=said)
    return figure.update_layout(margin={"t": 64})


def _answered(figure: "go.Figure", body: Any, grid: Any, row: int) -> None:
    """One grid with the counts written into its cells; what was not run yet is left open."""
    across, down = [str(n) for n in body.lengths], [f"{d:g}" for d in body.depths]
    most = 1 if _real(body) else body.samples
    shares = [[None if count is None else count / most for count in row] for row in grid.right]
    figure.add_heatmap(z=shares, x=across, y=down, name=grid.label, zmin=0, zmax=1, colorscale=plots.MAGNITUDE,
                       showscale=False, xgap=2, ygap=2, hoverinfo="skip", row=row, col=1)
    done = [(n, d, shares[a][b], _cell(body, grid, a, b)) for a, d in enumerate(down) for b, n in enumerate(across)
            if shares[a][b] is not None]
    x, y, share, texts = zip(*done, strict=True) if done else ((), (), (), ())
    ink = ["#ffffff" if one < 0.6 else "#1b1f27" for one in share]
    hover = f"depth %{{y}}, %{{x}} tokens: %{{text}}{'' if _real(body) else f' of {body.samples} right'}<extra></extra>"
    figure.add_scatter(x=x, y=y, mode="text", text=texts, textfont_color=ink,
                       showlegend=False, hovertemplate=hover, row=row, col=1)


def _real(body: Any) -> bool:
    """Whether a real model was asked."""
    return bool(body.grids[0].log)


def _cell(body: Any, grid: Any, a: int, b: int) -> str:
    """What is written into a cell."""
    return f"{grid.right[a][b]:.0%}<br>{grid.log[a][b]:.1f}" if _real(body) else str(grid.right[a][b])


def passkey_table(body: Any) -> Table:
    """One row for each depth and length, the counts of both methods."""
    parts = ("right", "log", "seconds") if _real(body) else ("right",)
    rows = ((depth, n, *("not run" if getattr(grid, part)[a][b] is None else getattr(grid, part)[a][b]
                         for part in parts for grid in body.grids), body.samples)
            for b, n in enumerate(body.lengths) for a, depth in enumerate(body.depths))
    names = {"right": "right", "log": "log-probability", "seconds": "seconds"}
    head = (f"{grid.label}: {names[part]}" for part in parts for grid in body.grids)
    return Table(("depth of the key", "tokens", *head, "of texts"), tuple(rows))


def sinks(body: Any) -> "go.Figure":
    """The toy's attention, and what each cache costs."""
    names = [f"{k}{' trigger' * on}" for k, on in enumerate(body.triggers)]
    xs = (f"key, first {len(names)} tokens", "nats lost by it")
    figure = plots.panels(2, 1, xs, ("query", ""), height=720, row_heights=[0.59, 0.41], vertical_spacing=0.12)
    roots = np.sqrt(np.asarray(body.weights)).round(3)
    roots[np.triu_indices(len(roots), 1)] = np.nan
    bar = {"orientation": "h", "len": 0.5, "x": 0, "xanchor": "left", "y": 1.0, "yanchor": "bottom", "thickness": 8,
           "title": {"text": "√weight", "side": "top"}}
    figure.add_heatmap(z=roots, x=names, y=names, colorscale=plots.MAGNITUDE, colorbar=bar, row=1, col=1,
                       hovertemplate="query %{y}, key %{x}: √weight %{z:.3f}<extra></extra>")
    costs = [regime.loss - body.regimes[0].loss for regime in body.regimes]
    figure.add_bar(y=[regime.label for regime in body.regimes], x=costs, orientation="h", row=2, col=1,
                   marker_color=plots.CATEGORIES[1], hovertemplate="%{y}: %{x:.4f} nats<extra></extra>")
    figure.update_xaxes(tickvals=[], ticks="", row=1, col=1)
    figure.update_yaxes(tickvals=[], ticks="", row=1, col=1)
    figure.update_yaxes(autorange="reversed")
    return figure.update_layout(showlegend=False)


def sinks_table(body: Any) -> Table:
    """The masses, then one row for each cache."""
    masses = (("weight on the first token, idle queries", body.idle), ("the same, after triggers", body.busy))
    masses += (("equal weights would give", body.uniform), ("length of its value over the words'", body.drained))
    rows = [(name, value, "", "") for name, value in masses]
    rows += [(f"loss, {r.label}", r.loss, r.low, r.high) for r in body.regimes]
    return Table(("what", "mean", "lowest text", "highest text"), tuple(rows))


def _chosen(count: int) -> list[int]:
    """At most FACES pairs, evenly, the first and the last among them."""
    return sorted({round(k) for k in np.linspace(0, count - 1, min(count, FACES))})


def clocks(params: Any, body: Any) -> dict[str, Any]:
    """The scene of a ``Calculation``: for each method (the calculator's own beside the untouched) and for the model's
    own rule the trained and the tested arc of pairs, radians, and the wavelength of every pair in tokens; methods that
    leave the frequencies alone share one line, and rules of other layers have nothing but a line."""
    shown, arc, turns = _chosen(len(body.wavelength)), np.asarray(body.arc), np.asarray(body.turns)
    drawn = [row for row in body.rows
             if params.view == "clocks" or row.name in ("none", params.method) or row.name.startswith(beside.OWN)]
    rows = [{"label": row.label,
             "faces": [{"arc": round(float(row.arc[k]), 4), "state": row.states[k]} for k in shown]}
            for row in drawn if not row.name.startswith(f"{beside.OWN} ")]
    pairs = [{"pair": k, "arc": round(float(arc[k]), 4), "turns": float(turns[k]), "wave": float(body.wavelength[k])}
             for k in shown]
    return {"kind": "clocks", "trained": body.trained, "target": body.target, "all": len(arc), "pairs": pairs,
            "rows": rows, "waves": _waves(drawn)}


def _waves(rows: list[Any]) -> list[dict[str, Any]]:
    """One line of wavelengths, tokens a turn, for each set of frequencies that some methods share."""
    lines: dict[tuple[float, ...], list[str]] = {}
    for row in rows:
        waves = (math.tau / np.asarray(row.theta, np.float64)).tolist()
        lines.setdefault(tuple(float(f"{wave:.4g}") for wave in waves), []).append(row.label)
    return [{"labels": labels, "wave": list(wave), "colour": plots.CATEGORIES[_style(k)[0]]}
            for k, (wave, labels) in enumerate(lines.items())]


def calculator_table(body: Any) -> Table:
    """One row for each pair: wavelength, turns, and each method's frequency and state."""
    head = [name for row in body.rows for name in (f"{row.label}: theta", f"{row.label}: state")]
    columns = ("pair", "wavelength, tokens", "turns within the trained length", *head)
    rows = ((k, float(body.wavelength[k]), float(body.turns[k]),
             *(v for row in body.rows for v in (float(row.theta[k]), row.states[k])))
            for k in range(len(body.wavelength)))
    return Table(columns, tuple(rows))


def distance(params: Any, body: Any) -> dict[str, Any]:
    """The scene of painted distances: for each method the triangle of query by key as 16-bit levels, and two bits a
    cell beside."""
    size = min(len(body[0].at), int(math.sqrt(CELLS / 2 / len(body))))
    keep = np.unique(np.linspace(0, len(body[0].at) - 1, size).round().astype(int))
    at = np.asarray(body[0].at)[keep].tolist()
    return {"kind": "distance", "n": body[0].n, "at": at, "maps": [_map(one, keep) for one in body]}


def _map(one: Any, keep: np.ndarray) -> dict[str, Any]:
    value, hidden, outside = (np.asarray(x)[np.ix_(keep, keep)] for x in (one.value, one.hidden, one.outside))
    cells = np.tril_indices(len(keep))
    values = np.nan_to_num(value[cells].astype(np.float64))
    low, high = float(values.min()), float(values.max())
    levels = np.rint((values - low) / ((high - low) or 1.0) * 65535).astype("<u2")
    marks = hidden[cells].astype(np.uint8) + 2 * outside[cells].astype(np.uint8)
    return {"label": one.label, "unit": one.unit, "low": low, "high": high, "data": packed(levels),
            "marks": packed(marks)}


def distance_table(body: Any) -> Table:
    """The last query's distances, one row for each key and a column for each method."""
    last = [np.asarray(one.value)[-1] for one in body]
    gone = [np.asarray(one.hidden)[-1] for one in body]
    keys = np.asarray(body[0].at)
    pairs = list(zip(last, gone, strict=True))
    rows = ((int(keys[k]), *("not seen" if out[k] else float(row[k]) for row, out in pairs)) for k in range(len(keys)))
    head = f"key, seen from query {body[0].n - 1}"
    return Table((head, *(f"{one.label}, {one.unit}" for one in body)), tuple(rows))


def verdict(params: Any, body: Any) -> str:
    """What the sink toy's figures say."""
    return body.verdict


FIGURES = {"curve": curve, "live": live, "tax": tax, "passkey": passkey, "sinks": sinks}
STAGES = {"clocks": clocks, "calculator": clocks, "distance": distance}
WORDS = {"sinks": verdict, "live": last_tokens}
BELOW = {"curve": beside.compare, "sinks": beside.streaming, "calculator": beside.calculator,
         **dict.fromkeys(("passkey", "live", "tax", "clocks", "distance"), beside.rules)}
TABLES = {"curve": curve_table, "live": live_table, "tax": tax_table, "passkey": passkey_table, "sinks": sinks_table,
          "clocks": calculator_table, "calculator": calculator_table, "distance": distance_table}
