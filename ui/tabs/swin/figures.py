"""Figures of the Swin tab, results of ``backends.swin`` to plotly, beside its scenes and tables. numpy only."""

from typing import TYPE_CHECKING, Any

from ui.parts import markup, plots
from ui.tabs.swin import outlines
from ui.tabs.swin.rows import TABLES
from ui.tabs.swin.scenes import STAGES

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["BELOW", "FIGURES", "STAGES", "TABLES", "WORDS"]


def _small(x: str, y: str) -> "go.Figure":
    """An empty figure below the stage; its legend lies above the axes, also on a phone."""
    figure = plots.figure(x, y, height=290)
    figure.update_layout(margin={"t": 56}, legend={"y": 1.02, "yanchor": "bottom"})
    return figure


def reach(body: Any) -> "go.Figure":
    """Tokens reached after each block, with and without shift; one line where nothing is shifted."""
    one = body.lesson
    figure = _small("blocks, one after another", "tokens depended on")
    blocks = list(range(1, one.depth + 1))
    lines = ("every second block shifted", one.reached), ("no shift", one.reached_still)
    for name, counts in lines[one.reached == one.reached_still :]:
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
    """What the three conventions do with strangers and with padding, mask on."""
    one = body.lesson
    figure = _small("", "mean weight, mask on")
    for name, pair in (("on strangers", one.leak), ("on padding", one.padding)):
        figure.add_bar(x=list(one.names), y=list(pair), name=name)
    figure.update_yaxes(range=[0, max(0.05, 1.1 * max(*one.leak, *one.padding))], tickformat=".0%")
    return figure


def conventions(params: Any, body: Any) -> str:
    """How far the outputs of any two conventions lie apart, and what each gives to strangers and to padding."""
    one = body.lesson
    between = {frozenset(pair[:2]): pair[2] for pair in one.pairs}
    head = ("", *(f"differs from {name} by" for name in one.names), "on strangers", "on padding")
    lines = [(name, *(between.get(frozenset((name, other)), "–") for other in one.names), leak, padding)
             for name, leak, padding in zip(one.names, one.leak, one.padding, strict=True)]
    return markup.ruled([markup.cells(head, "th")], [markup.cells(line) for line in lines])


def cosine(body: Any) -> "go.Figure":
    """What Swin V2 changes: the largest score of each head; the coordinates that its bias network reads, against the
    trained window's; the bias along one row; the size of the map through blocks with norms before and after."""
    one = body.lesson
    x = ("head", "offset along one axis, tokens", "offset along one axis, tokens", "blocks, one after another")
    y = ("largest |score|", f"coordinate; band: window of {one.trained}", "bias of the head", "size of the map (RMS)")
    figure = plots.panels(4, 1, x=x, y=y, height=1040, vertical_spacing=0.11)
    heads = [str(h + 1) for h in range(len(one.largest_dot))]
    for name, values in (("dot product", one.largest_dot), (f"cosine x {one.scale:.4g}", one.largest_cosine)):
        figure.add_bar(x=heads, y=list(values), name=name, row=1, col=1)
    _coordinates(figure, one)
    axis = [k - len(one.made) // 2 for k in range(len(one.made))]
    for name, values in (("Swin: table", one.table), ("Swin V2: 16 sigmoid, drawn at random", one.made)):
        figure.add_scatter(x=axis, y=list(values), name=name, mode="lines", row=3, col=1)
    figure.add_hrect(0, 16, fillcolor=plots.GRID, line_width=0, row=3, col=1)
    _sizes(figure, one)
    figure.update_yaxes(rangemode="tozero", row=4, col=1)
    figure.update_yaxes(title_font={"size": 12})
    return figure.update_layout(margin={"t": 84}, legend={"y": 1.01, "yanchor": "bottom"})


def _coordinates(figure: "go.Figure", one: Any) -> None:
    for name, values, stretch in (("offset", one.linear, one.stretch_linear), ("log-spaced", one.log, one.stretch_log)):
        edge = max(values) / (1 + stretch) if max(values) else 1.0
        said = f"{name}: {stretch:.0%} beyond" if stretch > 0 else name
        figure.add_scatter(x=list(one.offsets), y=[v / edge for v in values], name=said, row=2, col=1)
    figure.add_hrect(-1, 1, fillcolor=plots.GRID, line_width=0, row=2, col=1)


def _sizes(figure: "go.Figure", one: Any) -> None:
    blocks, enlarged = list(range(len(one.before))), one.plain[0] != one.before
    names = ("norm before each branch (Swin)", "norm after (Swin V2)")
    for k, name in enumerate(names):
        line = {"color": plots.CATEGORIES[k]}
        figure.add_scatter(x=blocks, y=list((one.before, one.after)[k]), name=name, mode="lines+markers", line=line,
                           row=4, col=1)
        if enlarged:
            figure.add_scatter(x=blocks, y=list(one.plain[k]), name="output weights x 1", mode="lines",
                               line=line | {"dash": "dot"}, showlegend=not k, row=4, col=1)


def rollout(body: Any) -> "go.Figure":
    """Over how many patches the rollout from each block is spread, beside that of equal weights and all that can be
    reached."""
    flows = body.lesson.flows
    figure = _small("block", "patches of the picture")
    blocks = [f"{f.stage + 1}·{f.block + 1}" for f in flows]
    for name, key in (("reached", "reached"), ("in effect, equal weights", "equal"), ("in effect", "support")):
        figure.add_scatter(x=blocks, y=[getattr(f, key) for f in flows], name=name, mode="lines+markers")
    figure.update_xaxes(type="category")
    return figure.update_yaxes(rangemode="tozero")


def price_words(params: Any, body: Any) -> str:
    """What the asked picture costs."""
    one, p = body.lesson, body.lesson.asked
    whole, cut, *work = (f"{v / 1e6:,.1f} M" for v in (p.global_attention, p.window_attention, p.global_projections,
                                                       p.window_projections))
    padded = "" if p.padded == p.size else f", of the map padded to {p.padded[0]} x {p.padded[1]}"
    memory = [f"{v / 1e6:,.1f} MB" for v in (p.global_bytes, p.window_bytes)]
    return (f"{p.size[0]} x {p.size[1]} = {p.size[0] * p.size[1]} tokens, {one.channels} channels, {one.heads} heads. "
            f"Attention over the whole map: {whole} multiply-adds, {memory[0]} of weights. In windows of "
            f"{one.window} x "
            f"{one.window}: {cut} and {memory[1]}, {p.global_attention / p.window_attention:.1f} times less. "
            f"Projections: {work[0]} over the whole map, {work[1]} in windows{padded}.")


def region_words(params: Any, body: Any) -> str:
    """How large the drawn region is, how much of it is right where that is known, and what attention has to do with
    it."""
    one = body.lesson
    if one.alike is None or not params.region:
        return ""
    weight, share = outlines.given(one)
    right = outlines.known(params.picture, one.alike, params.y, params.x)
    known = "" if right is None else f" Of these places {100 * right:.0f} % lie in an outline drawn by hand."
    return (f"The model calls {100 * (one.alike > 0.5).mean():.0f} % of the picture the clicked one's region.{known} "
            f"In this block {100 * weight:.1f} % of what the patch gives to others goes to its region, which is "
            f"{100 * share:.0f} % of the others that it may look at (mean of the heads).")


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


FIGURES = {"reach": reach, "leak": leak, "orders": orders, "cosine": cosine, "cost": cost, "rollout": rollout}
WORDS = {"cost": price_words, "model": region_words}
BELOW = {"orders": conventions}
