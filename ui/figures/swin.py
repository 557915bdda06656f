"""Scenes for the Swin tab's own canvases (assets/js/swin*.js), its plotly figures, and the rows behind all of them. numpy only.

Weights travel as one byte each, |w| = bound * (level / 255)^2, so that a hundredth of the largest is a tenth of the scale.
"""

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from ui.figures import theme
from ui.tab import Table

if TYPE_CHECKING:
    import plotly.graph_objects as go


def packed(values: Any) -> dict[str, Any]:
    """Weights >= 0 of any shape as {"data", "bound"}."""
    found = np.asarray(values, np.float64)
    bound = float(found.max()) if found.size and found.max() > 0 else 1.0
    levels = np.rint(255 * np.sqrt(np.clip(found / bound, 0.0, 1.0))).astype(np.uint8)
    return {"data": base64.b64encode(levels.tobytes()).decode(), "bound": bound}


def board(shown: Any, params: Any, body: Any) -> dict[str, Any]:
    """The stage: where every token stands, its region, the attention of all windows, and what the view lays over the picture; for two
    libraries, the other one's as well, and of both the attention of the chosen window alone."""
    two = params.view == "orders"
    other = {"other": _windows(body.other, params.used, True)} if two else {}
    return {**_windows(shown, params.used, two), "kind": "board", "step": params.step, "overlay": overlay(params.view, body), **other}


def _windows(shown: Any, params: Any, alone: bool) -> dict[str, Any]:
    one = shown.layout
    held = {"weights": packed(shown.weights[shown.window]), "held": shown.window} if alone else {"weights": packed(shown.weights)}
    return {
        **{"view": params.view, "rows": one.size[0], "columns": one.size[1], "window": list(one.window), "shift": list(one.shift)},
        **{"padded": list(one.padded), "order": one.order, "masked": params.masked, "steps": list(shown.steps)},
        **{"source": one.source.ravel().tolist(), "region": one.region.ravel().tolist(), "crossed": one.crossed.ravel().tolist()},
        **{"token": list(shown.token), "blocked": shown.blocked, "strangers": shown.strangers, "through": shown.through},
        **{"leak": shown.leak, **held},
    }


def overlay(view: str, body: Any) -> dict[str, Any] | None:
    """What lies over the picture in its own coordinates: layers of reach, shares that leak, differences of the libraries."""
    if view == "reach":
        return {"kind": "layers", "first": body.first.ravel().tolist(), "depth": body.depth}
    if view == "leak":
        return {"kind": "share", **packed(body.share)}
    if view == "orders":
        return {"kind": "difference", **packed(body.difference), "largest": body.largest, "scale": body.scale}
    return None


def tables(body: Any) -> dict[str, Any]:
    """The bias table of the drawn head as float32, those of all heads as one byte a cell (128 is zero, each scaled to its own largest), and
    the edited cells."""
    heads, rows, columns = body.tables.shape
    bounds = np.abs(body.tables).max((1, 2), keepdims=True)
    levels = np.rint(128 + 127 * body.tables / np.where(bounds > 0, bounds, 1)).astype(np.uint8)
    data, small = (base64.b64encode(part.tobytes()).decode() for part in (body.tables[body.head].astype(np.float32), levels))
    size = {"heads": heads, "rows": rows, "columns": columns}
    return {"kind": "bias", **size, "data": data, "small": small, "head": body.head, "edited": [list(cell) for cell in body.edited]}


def merge(body: Any, token: tuple[int, int]) -> dict[str, Any]:
    """The pyramid: sizes and windows of its stages, and the two orders of four neighbours."""
    stages = [
        {
            **{"rows": s.size[0], "columns": s.size[1], "pixels": s.pixels, "channels": s.channels, "padded": list(s.padded)},
            **{"window": list(s.window), "shift": list(s.shift), "windows": s.windows},
        }
        for s in body.stages
    ]
    return {"kind": "merge", "stages": stages, "token": list(token), "order": body.order, "unshuffle": body.unshuffle}


def model(body: Any, params: Any) -> dict[str, Any]:
    """Real attention of the clicked patch: every block's mean, and all heads of the chosen block."""
    blocks = []
    for at, row in enumerate(body.blocks):
        mean = row.weights.mean(0, keepdims=True)
        every = np.concatenate([mean, row.weights]) if at == body.chosen else mean
        figures = [[h.itself, h.support, h.padding] for h in (row.heads if at == body.chosen else row.heads[:1])]
        blocks.append({
            **{"stage": row.stage, "block": row.block, "map": list(row.map), "window": list(row.window), "shift": list(row.shift)},
            **{"token": list(row.token), "corner": list(row.corner), "inside": list(row.inside), "figures": figures, **packed(every)},
        })
    alike = None if body.alike is None else {"rows": body.alike.shape[0], "columns": body.alike.shape[1], **packed(body.alike)}
    return {"kind": "model", "name": body.name, "seen": list(body.seen), "place": [params.y, params.x], "blocks": blocks,
            "chosen": body.chosen, "head": body.head, "alike": alike}


def _small(x: str, y: str) -> "go.Figure":
    """An empty figure below the stage; its legend lies above the axes, also on a phone."""
    figure = theme.figure(x, y, height=290)
    figure.update_layout(margin={"t": 56}, legend={"y": 1.02, "yanchor": "bottom"})
    return figure


def reach(body: Any) -> "go.Figure":
    """Tokens reached after each block, with and without shift."""
    figure = _small("blocks, one after another", "tokens depended on")
    blocks = list(range(1, body.depth + 1))
    for name, counts in (("every second block shifted", body.reached), ("no shift", body.reached_still)):
        figure.add_scatter(x=blocks, y=list(counts), name=name, mode="lines+markers")
    figure.update_yaxes(rangemode="tozero")
    figure.update_xaxes(dtick=1)
    return figure


def leak(body: Any) -> "go.Figure":
    """The share of attention that crosses the wrap-around without the mask, head by head."""
    figure = _small("head", "on strangers, mask off")
    heads = [str(h + 1) for h in range(len(body.heads))]
    figure.add_bar(x=heads, y=list(body.heads), name="attention")
    figure.add_scatter(x=heads, y=[body.uniform] * len(heads), name="equal weights", mode="lines")
    figure.update_yaxes(range=[0, 1], tickformat=".0%")
    return figure


def orders(body: Any) -> "go.Figure":
    """What the two libraries do with strangers and with padding, mask on."""
    figure = _small("", "mean weight, mask on")
    for name, pair in (("on strangers", body.leak), ("on padding", body.padding)):
        figure.add_bar(x=list(body.names), y=list(pair), name=name)
    figure.update_yaxes(rangemode="tozero", tickformat=".0%")
    return figure


def cosine(body: Any) -> "go.Figure":
    """Above: the largest score of each head. Below: the coordinates that Swin V2's bias network reads, against the trained window's."""
    figure = theme.figure(height=520)
    figure.set_subplots(rows=2, cols=1, vertical_spacing=0.2)
    heads = [str(h + 1) for h in range(len(body.largest_dot))]
    for name, values in (("dot product", body.largest_dot), ("cosine x 10", body.largest_cosine)):
        figure.add_bar(x=heads, y=list(values), name=name, row=1, col=1)
    for name, values, stretch in (("offset", body.linear, body.stretch_linear), ("log-spaced", body.log, body.stretch_log)):
        edge = max(values) / (1 + stretch) if max(values) else 1.0
        said = f"{name}: {stretch:.0%} beyond" if stretch > 0 else name
        figure.add_scatter(x=list(body.offsets), y=[v / edge for v in values], name=said, row=2, col=1)
    figure.add_hrect(-1, 1, fillcolor=theme.GRID, line_width=0, row=2, col=1)
    grid = {"gridcolor": theme.GRID, "zerolinecolor": theme.GRID, "automargin": True}
    figure.update_xaxes(title_text="head", row=1, col=1, **grid)
    figure.update_yaxes(title_text="largest |score|", row=1, col=1, **grid)
    figure.update_xaxes(title_text="offset along one axis, tokens", row=2, col=1, **grid)
    figure.update_yaxes(title_text=f"coordinate; band: window of {body.trained}", row=2, col=1, **grid)
    return figure


def price_words(body: Any) -> tuple[str, str]:
    """What the asked picture costs, in English and Chinese."""
    p, tokens = body.asked, body.asked.size[0] * body.asked.size[1]
    whole, cut = (f"{v / 1e6:,.1f} M" for v in (p.global_attention, p.window_attention))
    mega = f"{p.global_bytes / 1e6:,.1f} MB", f"{p.window_bytes / 1e6:,.1f} MB"
    ratio = f"{p.global_attention / p.window_attention:.1f}"
    work, map_of = f"{p.projections / 1e6:,.1f} M", f"{p.size[0]} x {p.size[1]} = {tokens}"
    return (
        f"{map_of} tokens, {body.channels} channels, {body.heads} heads. Attention over the whole map: {whole} multiply-adds, {mega[0]} "
        f"of weights. In windows of {body.window} x {body.window}: {cut} and {mega[1]}, {ratio} times less. Projections: {work} in both.",
        f"{map_of} 个 token，{body.channels} 通道，{body.heads} 个头。对整张图做注意力：{whole} 次乘加，权重 {mega[0]}。"
        f"在 {body.window} x {body.window} 的窗口内：{cut} 次，{mega[1]}，少 {ratio} 倍。投影都是 {work}。",
    )


def cost(body: Any) -> "go.Figure":
    """Multiply-adds of attention by formula (lines, right axis) and measured seconds (markers), against the number of tokens."""
    figure = theme.figure("tokens of the map", "seconds, measured (points)", height=420)
    tokens = [p.size[0] * p.size[1] for p in body.prices]
    for index, (name, key) in enumerate((("whole map", "global"), ("windows", "window"))):
        colour = theme.CATEGORIES[1 - index]
        seconds = [getattr(p, f"{key}_seconds") for p in body.prices]
        work = [getattr(p, f"{key}_attention") for p in body.prices]
        figure.add_scatter(x=tokens, y=seconds, name=name, mode="markers+lines", line={"color": colour})
        dotted = {"mode": "lines", "line": {"color": colour, "dash": "dot"}, "showlegend": False}
        figure.add_scatter(x=tokens, y=work, name=f"{name}, multiply-adds", yaxis="y2", **dotted)
    asked = body.asked.size[0] * body.asked.size[1]
    rings = {"mode": "markers", "marker": {"symbol": "circle-open", "size": 13, "color": theme.INK, "line": {"width": 2}}}
    both = [body.asked.global_attention, body.asked.window_attention]
    figure.add_scatter(x=[asked] * 2, y=both, name="your picture, formula", yaxis="y2", **rings)
    figure.update_xaxes(type="log", tickvals=tokens, ticktext=[f"{p.size[0]}²" for p in body.prices])
    figure.update_yaxes(type="log", exponentformat="power", dtick=1)
    figure.update_layout(yaxis2={"overlaying": "y", "side": "right", "type": "log", "title": {"text": "multiply-adds, formula (dotted)"},
                                 "exponentformat": "power", "dtick": 1, "showgrid": False, "automargin": True})
    return figure


FIGURES = {"reach": reach, "leak": leak, "orders": orders, "cosine": cosine, "cost": cost}


def rows(result: Any) -> Table:
    """The rows behind the view."""
    return ROWS[result.view](result)


def _roll_rows(result: Any) -> Table:
    one = result.board.layout
    weights, partners = result.board.row.ravel(), set(result.board.partners)
    found = []
    for token, (window, place) in enumerate(one.places.tolist()):
        row, column = divmod(token, one.size[1])
        at = (window // one.grid[1] * one.window[0] + place // one.window[1], window % one.grid[1] * one.window[1] + place % one.window[1])
        found.append((row, column, *at, window, int(one.region[at]), str(token in partners), float(weights[token])))
    return Table(("row", "column", "row after roll", "column after roll", "window", "region", "partner", "weight"), tuple(found))


def _map_rows(name: str) -> Any:
    def make(result: Any) -> Table:
        values = getattr(result.body, name)
        head = ("row \\ column", *map(str, range(values.shape[1])))
        return Table(head, tuple((str(i), *line) for i, line in enumerate(values.tolist())))

    return make


def _bias_rows(result: Any) -> Table:
    table = result.body.tables[result.body.head]
    (mh, mw) = (table.shape[0] + 1) // 2, (table.shape[1] + 1) // 2
    head = ("dy \\ dx", *map(str, range(1 - mw, mw)))
    return Table(head, tuple((str(i + 1 - mh), *line) for i, line in enumerate(table.tolist())))


def _cosine_rows(result: Any) -> Table:
    b = result.body
    lines = zip(b.largest_dot, b.largest_cosine, b.support_dot, b.support_cosine, strict=True)
    head = ("head", "largest |dot|", "largest |cosine x 10|", "effective keys, dot", "effective keys, cosine")
    return Table(head, tuple((h + 1, *line) for h, line in enumerate(lines)))


def _merge_rows(result: Any) -> Table:
    head = ("stage", "rows", "columns", "px per token", "channels", "zeros added before (rows, columns)", "window", "shift", "windows")
    lines = (
        (k + 1, *s.size, s.pixels, s.channels, f"{s.padded[0]}, {s.padded[1]}", _pair(s.window), _pair(s.shift), s.windows)
        for k, s in enumerate(result.body.stages)
    )
    return Table(head, tuple(lines))


def _pair(pair: tuple[int, int]) -> str:
    return f"{pair[0]} x {pair[1]}"


def _cost_rows(result: Any) -> Table:
    head = ("map", "projections", "whole map", "windows", "whole / windows", "MB whole", "MB windows", "s whole", "s windows")
    lines = []
    for p in (result.body.asked, *result.body.prices):
        ratio = p.global_attention / p.window_attention
        seconds = ["" if s is None else s for s in (p.global_seconds, p.window_seconds)]
        mega = p.global_bytes / 1e6, p.window_bytes / 1e6
        lines.append((_pair(p.size), p.projections, p.global_attention, p.window_attention, ratio, *mega, *seconds))
    return Table(head, tuple(lines))


def _model_rows(result: Any) -> Table:
    head = ("stage", "block", "map", "window", "shift", "head", "weight on itself", "effective patches", "weight on padding")
    lines = []
    for row in result.body.blocks:
        for h, figures in enumerate(row.heads):
            name = str(h) if h else "mean"
            where = row.stage + 1, row.block + 1, _pair(row.map), _pair(row.window), _pair(row.shift)
            lines.append((*where, name, figures.itself, figures.support, figures.padding))
    return Table(head, tuple(lines))


ROWS = {
    **{"roll": _roll_rows, "reach": _map_rows("first"), "leak": _map_rows("share"), "orders": _map_rows("difference")},
    **{"bias": _bias_rows, "cosine": _cosine_rows, "merge": _merge_rows, "cost": _cost_rows, "model": _model_rows},
}
