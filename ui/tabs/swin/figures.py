"""Figures, scenes and tables of the Swin tab: results of ``backends.swin`` to plotly figures, stages and rows. numpy
only.

Weights travel as one byte each, |w| = bound * (level / 255)^2, so that a hundredth of the largest is a tenth of the
scale.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from ui.core.tab import Table
from ui.parts import plots
from ui.parts.packed import packed

if TYPE_CHECKING:
    import plotly.graph_objects as go


def weights(values: Any) -> dict[str, Any]:
    """Weights >= 0 of any shape as {"data", "bound"}."""
    found = np.asarray(values, np.float64)
    bound = float(found.max()) if found.size and found.max() > 0 else 1.0
    return {"data": packed(np.rint(255 * np.sqrt(np.clip(found / bound, 0.0, 1.0))).astype(np.uint8)), "bound": bound}


def board(params: Any, body: Any) -> dict[str, Any]:
    """The stage: where every token stands, its region, the attention of all windows, and what the view lays over the
    picture; for two libraries, the other one's as well, and of both the attention of the chosen window alone."""
    two, used = params.view == "orders", params.used
    scene = _windows(body.board, used, two)
    if two:
        scene["other"] = _windows(body.lesson.other, used, True)
    return scene | {"kind": "board", "step": params.step, "overlay": overlay(params.view, body.lesson)}


def _windows(shown: Any, params: Any, alone: bool) -> dict[str, Any]:
    one = shown.layout
    return {
        "view": params.view,
        "rows": one.size[0],
        "columns": one.size[1],
        "window": list(one.window),
        "shift": list(one.shift),
        "padded": list(one.padded),
        "order": one.order,
        "masked": params.masked,
        "steps": list(shown.steps),
        "source": one.source.ravel().tolist(),
        "region": one.region.ravel().tolist(),
        "crossed": one.crossed.ravel().tolist(),
        "token": list(shown.token),
        "blocked": shown.blocked,
        "strangers": shown.strangers,
        "through": shown.through,
        "leak": shown.leak,
        "weights": weights(shown.weights[shown.window] if alone else shown.weights),
        "held": shown.window if alone else None,
    }


def overlay(view: str, body: Any) -> dict[str, Any] | None:
    """What lies over the picture in its own coordinates: layers of reach, shares that leak, differences of the
    libraries."""
    if view == "reach":
        return {"kind": "layers", "first": body.first.ravel().tolist(), "depth": body.depth}
    if view == "leak":
        return {"kind": "share", **weights(body.share)}
    if view == "orders":
        return {"kind": "difference", **weights(body.difference), "largest": body.largest, "scale": body.scale}
    return None


def biased(params: Any, body: Any) -> list[dict[str, Any]]:
    """The stage, and below it the table of the drawn head as float32, those of all heads as one byte a cell (128 is
    zero, each scaled to its own largest), and the edits."""
    lesson = body.lesson
    heads, rows, columns = lesson.tables.shape
    bounds = np.abs(lesson.tables).max((1, 2), keepdims=True)
    levels = np.rint(128 + 127 * lesson.tables / np.where(bounds > 0, bounds, 1)).astype(np.uint8)
    table = {
        "kind": "bias",
        "heads": heads,
        "rows": rows,
        "columns": columns,
        "data": packed(lesson.tables[lesson.head].astype(np.float32)),
        "small": packed(levels),
        "head": lesson.head,
        "edits": [list(edit) for edit in params.edits],
    }
    return [board(params, body), table]


def merge(params: Any, body: Any) -> dict[str, Any]:
    """The pyramid: sizes and windows of its stages, and the two orders of four neighbours."""
    stages = [{"rows": s.size[0], "columns": s.size[1], "pixels": s.pixels, "channels": s.channels,
               "padded": list(s.padded), "window": list(s.window), "shift": list(s.shift), "windows": s.windows}
              for s in body.lesson.stages]
    lesson = body.lesson
    return {"kind": "merge", "stages": stages, "token": list(params.token), "order": lesson.order,
            "unshuffle": lesson.unshuffle}


def model(params: Any, body: Any) -> dict[str, Any]:
    """Real attention of the clicked patch: every block's mean, and all heads of the chosen block."""
    one = body.lesson
    alike = None if one.alike is None else {"rows": one.alike.shape[0], "columns": one.alike.shape[1],
                                            **weights(one.alike)}
    return {"kind": "model", "name": one.name, "seen": list(one.seen), "place": [params.y, params.x],
            "chosen": one.chosen,
            "head": one.head, "alike": alike,
            "blocks": [_block(row, at == one.chosen) for at, row in enumerate(one.blocks)]}


def _block(row: Any, chosen: bool) -> dict[str, Any]:
    mean = row.weights.mean(0, keepdims=True)
    return {
        "stage": row.stage,
        "block": row.block,
        "map": list(row.map),
        "window": list(row.window),
        "shift": list(row.shift),
        "token": list(row.token),
        "corner": list(row.corner),
        "inside": list(row.inside),
        "figures": [[h.itself, h.support, h.padding] for h in (row.heads if chosen else row.heads[:1])],
        **weights(np.concatenate([mean, row.weights]) if chosen else mean),
    }


def _small(x: str, y: str) -> "go.Figure":
    """An empty figure below the stage; its legend lies above the axes, also on a phone."""
    figure = plots.figure(x, y, height=290)
    figure.update_layout(margin={"t": 56}, legend={"y": 1.02, "yanchor": "bottom"})
    return figure


def reach(body: Any) -> "go.Figure":
    """Tokens reached after each block, with and without shift."""
    one = body.lesson
    figure = _small("blocks, one after another", "tokens depended on")
    blocks = list(range(1, one.depth + 1))
    for name, counts in (("every second block shifted", one.reached), ("no shift", one.reached_still)):
        figure.add_scatter(x=blocks, y=list(counts), name=name, mode="lines+markers")
    figure.update_yaxes(rangemode="tozero")
    figure.update_xaxes(dtick=1)
    return figure


def leak(body: Any) -> "go.Figure":
    """The share of attention that crosses the wrap-around without the mask, head by head."""
    one = body.lesson
    figure = _small("head", "on strangers, mask off")
    heads = [str(h + 1) for h in range(len(one.heads))]
    figure.add_bar(x=heads, y=list(one.heads), name="attention")
    figure.add_scatter(x=heads, y=[one.uniform] * len(heads), name="equal weights", mode="lines")
    figure.update_yaxes(range=[0, 1], tickformat=".0%")
    return figure


def orders(body: Any) -> "go.Figure":
    """What the two libraries do with strangers and with padding, mask on."""
    one = body.lesson
    figure = _small("", "mean weight, mask on")
    for name, pair in (("on strangers", one.leak), ("on padding", one.padding)):
        figure.add_bar(x=list(one.names), y=list(pair), name=name)
    figure.update_yaxes(rangemode="tozero", tickformat=".0%")
    return figure


def cosine(body: Any) -> "go.Figure":
    """Above: the largest score of each head. Below: the coordinates that Swin V2's bias network reads, against the
    trained window's."""
    one = body.lesson
    x, y = ("head", "offset along one axis, tokens"), ("largest |score|", f"coordinate; band: window of {one.trained}")
    figure = plots.panels(2, 1, x=x, y=y, height=520, vertical_spacing=0.2)
    heads = [str(h + 1) for h in range(len(one.largest_dot))]
    for name, values in (("dot product", one.largest_dot), ("cosine x 10", one.largest_cosine)):
        figure.add_bar(x=heads, y=list(values), name=name, row=1, col=1)
    for name, values, stretch in (("offset", one.linear, one.stretch_linear), ("log-spaced", one.log, one.stretch_log)):
        edge = max(values) / (1 + stretch) if max(values) else 1.0
        said = f"{name}: {stretch:.0%} beyond" if stretch > 0 else name
        figure.add_scatter(x=list(one.offsets), y=[v / edge for v in values], name=said, row=2, col=1)
    figure.add_hrect(-1, 1, fillcolor=plots.GRID, line_width=0, row=2, col=1)
    return figure.update_layout(margin={"t": 44}, legend={"y": 1.02, "yanchor": "bottom"})


def price_words(params: Any, body: Any) -> str:
    """What the asked picture costs."""
    one, p = body.lesson, body.lesson.asked
    whole, cut, work = (f"{v / 1e6:,.1f} M" for v in (p.global_attention, p.window_attention, p.projections))
    memory = [f"{v / 1e6:,.1f} MB" for v in (p.global_bytes, p.window_bytes)]
    return (f"{p.size[0]} x {p.size[1]} = {p.size[0] * p.size[1]} tokens, {one.channels} channels, {one.heads} heads. "
            f"Attention over the whole map: {whole} multiply-adds, {memory[0]} of weights. In windows of "
            f"{one.window} x "
            f"{one.window}: {cut} and {memory[1]}, {p.global_attention / p.window_attention:.1f} times less. "
            f"Projections: {work} in both.")


def cost(body: Any) -> "go.Figure":
    """Multiply-adds of attention by formula (lines, right axis) and measured seconds (markers), against the number of
    tokens."""
    one = body.lesson
    figure = plots.figure("tokens of the map", "seconds, measured (points)", height=420)
    tokens = [p.size[0] * p.size[1] for p in one.prices]
    for index, (name, key) in enumerate((("whole map", "global"), ("windows", "window"))):
        colour = plots.CATEGORIES[1 - index]
        seconds = [getattr(p, f"{key}_seconds") for p in one.prices]
        work = [getattr(p, f"{key}_attention") for p in one.prices]
        figure.add_scatter(x=tokens, y=seconds, name=name, mode="markers+lines", line={"color": colour})
        dotted = {"mode": "lines", "line": {"color": colour, "dash": "dot"}, "showlegend": False}
        figure.add_scatter(x=tokens, y=work, name=f"{name}, multiply-adds", yaxis="y2", **dotted)
    asked = one.asked.size[0] * one.asked.size[1]
    rings = {"mode": "markers",
             "marker": {"symbol": "circle-open", "size": 13, "color": plots.INK, "line": {"width": 2}}}
    both = [one.asked.global_attention, one.asked.window_attention]
    figure.add_scatter(x=[asked] * 2, y=both, name="your picture, formula", yaxis="y2", **rings)
    figure.update_xaxes(type="log", tickvals=tokens, ticktext=[f"{p.size[0]}²" for p in one.prices])
    figure.update_yaxes(type="log", exponentformat="power", dtick=1)
    figure.update_layout(yaxis2={"overlaying": "y", "side": "right", "type": "log",
                                 "title": {"text": "multiply-adds, formula (dotted)"}, "exponentformat": "power",
                                 "dtick": 1, "showgrid": False, "automargin": True})
    return figure


def _roll_rows(body: Any) -> Table:
    one = body.board.layout
    given, partners = body.board.row.ravel(), set(body.board.partners)
    found = []
    for token, (window, place) in enumerate(one.places.tolist()):
        row, column = divmod(token, one.size[1])
        at = (window // one.grid[1] * one.window[0] + place // one.window[1],
              window % one.grid[1] * one.window[1] + place % one.window[1])
        found.append((row, column, *at, window, int(one.region[at]), str(token in partners), float(given[token])))
    return Table(("row", "column", "row after roll", "column after roll", "window", "region", "partner", "weight"),
                 tuple(found))


def _map_rows(name: str) -> Any:
    def make(body: Any) -> Table:
        values = getattr(body.lesson, name)
        head = ("row \\ column", *map(str, range(values.shape[1])))
        return Table(head, tuple((str(i), *line) for i, line in enumerate(values.tolist())))

    return make


def _bias_rows(body: Any) -> Table:
    table = body.lesson.tables[body.lesson.head]
    (mh, mw) = (table.shape[0] + 1) // 2, (table.shape[1] + 1) // 2
    head = ("dy \\ dx", *map(str, range(1 - mw, mw)))
    return Table(head, tuple((str(i + 1 - mh), *line) for i, line in enumerate(table.tolist())))


def _cosine_rows(body: Any) -> Table:
    b = body.lesson
    lines = zip(b.largest_dot, b.largest_cosine, b.support_dot, b.support_cosine, strict=True)
    head = ("head", "largest |dot|", "largest |cosine x 10|", "effective keys, dot", "effective keys, cosine")
    return Table(head, tuple((h + 1, *line) for h, line in enumerate(lines)))


def _merge_rows(body: Any) -> Table:
    head = ("stage", "rows", "columns", "px per token", "channels", "zeros added before (rows, columns)", "window",
            "shift", "windows")
    lines = (
        (k + 1, *s.size, s.pixels, s.channels, f"{s.padded[0]}, {s.padded[1]}", _pair(s.window),
         _pair(s.shift), s.windows)
        for k, s in enumerate(body.lesson.stages)
    )
    return Table(head, tuple(lines))


def _pair(pair: tuple[int, int]) -> str:
    return f"{pair[0]} x {pair[1]}"


def _cost_rows(body: Any) -> Table:
    head = ("map", "projections", "whole map", "windows", "whole / windows", "MB whole", "MB windows",
            "s whole", "s windows")
    lines = []
    for p in (body.lesson.asked, *body.lesson.prices):
        ratio = p.global_attention / p.window_attention
        seconds = ["" if s is None else s for s in (p.global_seconds, p.window_seconds)]
        mega = p.global_bytes / 1e6, p.window_bytes / 1e6
        lines.append((_pair(p.size), p.projections, p.global_attention, p.window_attention, ratio, *mega, *seconds))
    return Table(head, tuple(lines))


def _model_rows(body: Any) -> Table:
    head = ("stage", "block", "map", "window", "shift", "head", "weight on itself", "effective patches",
            "weight on padding")
    lines = []
    for row in body.lesson.blocks:
        for h, figures in enumerate(row.heads):
            name = str(h) if h else "mean"
            where = row.stage + 1, row.block + 1, _pair(row.map), _pair(row.window), _pair(row.shift)
            lines.append((*where, name, figures.itself, figures.support, figures.padding))
    return Table(head, tuple(lines))


FIGURES = {"reach": reach, "leak": leak, "orders": orders, "cosine": cosine, "cost": cost}
TABLES = {
    "roll": _roll_rows, "reach": _map_rows("first"), "leak": _map_rows("share"), "orders": _map_rows("difference"),
    "bias": _bias_rows, "cosine": _cosine_rows, "merge": _merge_rows, "cost": _cost_rows, "model": _model_rows,
}
STAGES = {**dict.fromkeys(("roll", "reach", "leak", "orders", "cosine"), board), "bias": biased, "merge": merge,
          "model": model}
WORDS = {"cost": price_words}
