"""Figures and tables of the Scale tab: results of ``backends.scale`` to plotly figures and rows. numpy only."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ui.core.tab import Table
from ui.parts import plots
from ui.parts.plots import band, decimals, grounded, line, stacked

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLOURS = {"sqrt": 0, "none": 1, "t5": 2, "mup": 3, "logn": 2, "keynorm": 3, "cosine": 5, "standard": 1}
BARS = 64
"""Most bars of a row."""
FLOOR = 1e-30
"""What is at most this is marked at the edge of a logarithmic axis."""


def _above(values: Any) -> list[float | None]:
    """Five digits; a gap where a value is not finite."""
    return [float(f"{v:.5g}") if np.isfinite(v) else None for v in values]


def dial(body: Any) -> "go.Figure":
    """Logits with their band, one row, the Jacobian's quantiles and the share of saturated rows against d."""
    names = (("logit", "keys, sorted", "", "", "head dimension d"),
             ("", "", "norm of the Jacobian", "", "saturated rows"))
    wide = [{"colspan": 2}, None]
    figure = plots.panels(3, 2, *names, ("logits", "one row"), 760, specs=[[{}, {}], wide, wide],
                          row_heights=[0.3, 0.42, 0.28], vertical_spacing=0.12, horizontal_spacing=0.16)
    mid = np.diff(np.asarray(body.edges)) / 2 + np.asarray(body.edges)[:-1]
    look = {"showlegend": False, "row": 1}
    figure.add_bar(x=mid.tolist(), y=body.counts, marker={"color": plots.CATEGORIES[0]}, name="logits", col=1, **look)
    shown = body.row[:BARS]
    figure.add_bar(x=list(range(1, len(shown) + 1)), y=shown, marker={"color": plots.CATEGORIES[2]},
                   name="one row", col=2, **look)
    for sign in (-3, 3):
        line(figure, [sign * body.sigma] * 2, [0, max(body.counts)], "3 sigma either side", 6, 0, "dot", shown=sign > 0)
    figure.update_xaxes(nticks=4, tickangle=0, row=1)
    figure.update_yaxes(range=[0, 1], row=1, col=2)
    _sweeps(figure, body)
    return figure.update_layout(legend={"y": 1.06, "yanchor": "bottom"}, margin={"t": 90}, bargap=0.05)


NAMED = {0.0: "no scale", 0.5: "1/sqrt(d)", 1.0: "1/d"}


def _sweeps(figure: "go.Figure", body: Any) -> None:
    """Both lower panels: quantile band of the Jacobian, share of saturated rows; a ring at the d that is set."""
    ticks = [rows.d for rows in body.sweep]
    reach = [np.log10(min(body.d, ticks[0])) - 0.05, np.log10(ticks[-1]) + 0.05]
    names = ["" if d == 128 else str(d) for d in ticks]
    for row in (2, 3):
        figure.update_xaxes(type="log", tickvals=ticks, ticktext=names, tickangle=0, range=reach, row=row, col=1)
    figure.update_yaxes(tickformat=".0%", range=[-0.06, 1.06], row=3, col=1)
    same = body.exponent == 0.5
    title = NAMED.get(body.exponent, f"1/d^{body.exponent:g}")
    for name, rows, colour in ((title, body.sweep, 1), (NAMED[0.5], body.rooted, 0))[same:]:
        quantiles = np.array([r.jacobian for r in rows]).T
        band(figure, ticks, quantiles[0], quantiles[-1], colour, 1)
        line(figure, ticks, quantiles[2], name, colour, 1)
        line(figure, ticks, [r.saturated for r in rows], name, colour, 2, shown=False)
    look = {"symbol": "circle-open", "size": 13, "color": plots.INK, "line": {"width": 2}}
    ring = {"mode": "markers", "cliponaxis": False, "marker": look, "name": f"here, d = {body.d}"}
    figure.add_scatter(x=[body.d], y=[body.here.jacobian[2]], row=2, col=1, **ring)
    figure.add_scatter(x=[body.d], y=[body.here.saturated], showlegend=False, row=3, col=1, **ring)


def dial_table(body: Any) -> Table:
    """One row for each d of the sweep and each exponent, and the present setting first."""
    columns = ("rows", "d", "mean largest weight", "entropy, nats", "share above 0.99",
               *(f"Jacobian, {q} %" for q in (10, 25, 50, 75, 90)))
    groups = ((f"here, p = {body.exponent:g}", (body.here,)), (f"p = {body.exponent:g}", body.sweep),
              ("p = 0.5", body.rooted))
    rows = ((name, r.d, r.top, r.entropy, r.saturated, *r.jacobian) for name, group in groups for r in group)
    return Table(columns, tuple(rows))


def training(body: Any) -> "go.Figure":
    """Loss of each route by step."""
    figure = stacked("step", ("loss, nats (logarithmic)",), log_x=False, log_y=(True,))
    for one in body.courses:
        steps = np.arange(1, len(one.losses) + 1)
        line(figure, steps, _above(one.losses), one.label, COLOURS[one.name])
    line(figure, (1, body.plan), (body.chance, body.chance), f"guessing, {body.chance:.2f}", 6, 0, "dot")
    figure.update_traces(mode="lines")
    seen = np.log10([v for one in body.courses for v in _above(one.losses) if v and v > FLOOR] or [1.0])
    reach = [min(-3.2, float(seen.min()) - 0.1), max(0.8, float(seen.max()) + 0.1)]
    figure.update_layout(height=430, xaxis={"range": [0, body.plan + 1]}, yaxis={"range": reach})
    grounded(figure, FLOOR)
    return figure


def training_table(body: Any) -> Table:
    """One row for each route."""
    columns = ("route", "steps so far", "logits' standard deviation at the start", "largest weight at the start",
               "loss, last tenth", "first step below 1 nat (0: none)")
    return Table(columns, tuple((c.label, len(c.losses), c.start, c.top, c.last, c.below) for c in body.courses))


def depth(body: Any) -> "go.Figure":
    """Second moments of activations and gradients by layer, and the gradients of both matrices."""
    figure = stacked("layer", ("E[x²]", "E[gradient²]", "gradient of weights, rms"), log_x=False,
                     log_y=(True, True, True))
    layers = range(body.layers + 1)
    line(figure, layers, _above(body.forward), "activations", 0, 0)
    line(figure, layers, _above(body.backward), "gradient at activations", 1, 1)
    line(figure, layers[1:], _above(body.first), "first matrix", 2, 2)
    if body.first != body.second:
        line(figure, layers[1:], _above(body.second), "last matrix", 3, 2)
    for row, lists in enumerate(((body.forward,), (body.backward,), (body.first, body.second)), 1):
        known = [v for values in lists for v in _above(values) if v and v > FLOOR]
        low, high = (np.log10(min(known)), np.log10(max(known))) if known else (0.0, 0.0)
        low, high = np.floor(min(low, -0.5)), np.ceil(max(high, 0.5))
        figure.update_yaxes(range=[float(low), float(high)], dtick=max(1, int((high - low) // 5)), row=row, col=1)
    grounded(figure, FLOOR)
    return figure


def depth_table(body: Any) -> Table:
    """One row for each layer."""
    blank = ("",)
    rows = zip(range(body.layers + 1), body.forward, body.backward, (*blank, *body.first),
               (*blank, *body.second), strict=True)
    return Table(("layer", "E[x²]", "E[gradient²]", "first matrix, gradient rms", "last matrix, gradient rms"),
                 tuple(rows))


def entropy(body: Any) -> "go.Figure":
    """Entropy of rows against the number of keys, with log n."""
    marks = [n for n in body.lengths if np.log2(n) % 4 == 0] if body.source == "random" else body.lengths
    figure = stacked("keys n", ("entropy, nats", "share of log n"), marks, log_y=(False, False))
    for one in body.curves:
        # with random keys it lies on 1/sqrt(d): their lengths are nearly sqrt(d)
        dash = "dash" if one.name == "keynorm" else "solid"
        line(figure, body.lengths, one.entropy, one.label, COLOURS[one.name], 0, dash)
        share = np.asarray(one.entropy) / np.log(body.lengths)
        line(figure, body.lengths, share, one.label, COLOURS[one.name], 1, dash, shown=False)
    line(figure, body.lengths, np.log(body.lengths), "log n: every key alike", 6, 0, "dot")
    return figure.update_yaxes(range=[0, 1.03], tickformat=".0%", row=2, col=1)


def entropy_table(body: Any) -> Table:
    """One row for each scale and number of keys."""
    rows = ((c.label, n, h, h / float(np.log(n))) for c in body.curves
            for n, h in zip(body.lengths, c.entropy, strict=True))
    return Table(("scale", "keys n", "entropy, nats", "share of log n"), tuple(rows))


CHANGES = (("hidden", "hidden states"), ("attention", "attention logits"), ("output", "output logits"))


def width(body: Any) -> "go.Figure":
    """Change of coordinates against the width, for both parametrisations."""
    figure = stacked("width D", tuple(f"{label}, change" for _, label in CHANGES), body.plan, log_y=(True, True, True))
    for at, (part, _) in enumerate(CHANGES):
        for one in body.growths:
            line(figure, body.widths, _above(getattr(one, part)), one.label, COLOURS[one.name], at, shown=at == 0)
        figure.update_yaxes(decimals(v for one in body.growths for v in getattr(one, part)), row=at + 1, col=1)
    grounded(figure, FLOOR)
    return figure.update_xaxes(range=[np.log10(body.plan[0] * 0.9), np.log10(body.plan[-1] * 1.1)])


def width_table(body: Any) -> Table:
    """One row for each parametrisation and width."""
    rows = ((g.label, *row) for g in body.growths
            for row in zip(body.widths, g.hidden, g.attention, g.output, strict=True))
    return Table(("parametrisation", "width D", *(f"{label}, rms change" for _, label in CHANGES)), tuple(rows))


DRAWS = ("normal", "cut at 2 sigma", "cut, corrected", "trunc_normal_(std=0.02) / 0.02")


def truncated(body: Any) -> "go.Figure":
    """Histograms of the draws."""
    figure = plots.figure(x="value / sigma", y="draws of 100 000", height=430)
    mid = np.diff(np.asarray(body.edges)) / 2 + np.asarray(body.edges)[:-1]
    for colour, (name, counts) in enumerate(zip(DRAWS, body.counts, strict=True)):
        look = {"color": plots.CATEGORIES[colour], "shape": "hvh", "dash": "dot" if colour == 3 else "solid"}
        figure.add_scatter(x=mid, y=counts, mode="lines", line=look, name=name)
    return figure.update_layout(legend={"y": 1.02, "yanchor": "bottom"})


def truncated_table(body: Any) -> Table:
    """One row for each way to draw."""
    exact = (1.0, body.factor, 1.0, "")
    return Table(("draw", "variance / sigma²", "by formula"), tuple(zip(DRAWS, body.found, exact, strict=True)))


def training_words(params: Any, body: Any) -> str:
    """Which route found the task when, and how far the run is."""
    done = len(body.courses[0].losses)
    going = f"Step {done} of {body.plan}. " if done < body.plan else ""
    said = (f"{c.label} at step {c.below}" if c.below else f"{c.label} not yet" for c in body.courses)
    return f"{going}Loss below 1 nat: {'; '.join(said)}."


def depth_words(params: Any, body: Any) -> str:
    """What arrives at both ends, and how far a step of Adam goes."""
    other = "standard" if params.ntk else "NTK"
    step = (f"A step of Adam of 0.001 moves the first matrix by {100 * body.jump:.2g} % of its size, in {other} "
            "parametrisation by "
            f"{100 * body.other:.2g} %.") if body.first[
                0] else "The first matrix has no gradient: a first step of Adam leaves it as it is."
    return (f"From layer 0 to {body.layers} the second moment goes from {body.forward[0]:.3g} to "
            f"{body.forward[-1]:.3g}, that of the "
            f"gradient back from {body.backward[-1]:.3g} to {body.backward[0]:.3g}. {step} "
            f"E[f(x)²] of the activation at N(0, 1) is {body.moment:.5f}.")


def entropy_words(params: Any, body: Any) -> str:
    """Where the curves have come to."""
    said = (f"{curve.label} {curve.entropy[-1]:.2f}" for curve in body.curves)
    return (f"Entropy at {body.lengths[-1]} keys, of at most log n = {np.log(body.lengths[-1]):.2f} nats: "
            f"{'; '.join(said)}.")


def width_words(params: Any, body: Any) -> str:
    """The powers of the width, and of how many widths they are; of one there is none."""
    done, plan = len(body.widths), len(body.plan)
    if done == 1:
        return f"1 of {plan} widths so far: a power needs two."
    going = f"So far, {done} of {plan} widths. " if done < plan else ""
    said = (f"{g.label}: " + ", ".join(f"{label} D^{v:.2f}" for (_, label), v in zip(CHANGES, slopes, strict=True))
            for g, slopes in zip(body.growths, body.slopes, strict=True))
    return f"{going}Changes after {body.steps} steps of Adam grow as follows. {'; '.join(said)}."


def truncated_words(params: Any, body: Any) -> str:
    """What the cut leaves."""
    return (f"Cut at 2 sigma, a normal distribution keeps {body.factor:.5f} of its variance: multiply its standard "
            "deviation by "
            f"{body.correction:.5f}. torch's trunc_normal_ cuts at the values -2 and 2 themselves: with std=0.02 that "
            "cuts nothing.")


FIGURES: dict[str, Callable[[Any], Any]] = {
    "dial": dial, "training": training, "depth": depth, "entropy": entropy, "width": width, "truncated": truncated}
TABLES: dict[str, Callable[[Any], Table]] = {
    "dial": dial_table, "training": training_table, "depth": depth_table, "entropy": entropy_table,
    "width": width_table,
    "truncated": truncated_table}
WORDS: dict[str, Callable[[Any, Any], str]] = {
    "training": training_words, "depth": depth_words, "entropy": entropy_words, "width": width_words,
    "truncated": truncated_words}
