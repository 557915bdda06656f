"""Figures and tables of the Attention tab's lessons: results of ``backends.attention.lessons`` to plotly figures and rows. numpy only."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ui.figures import theme
from ui.tab import Table

if TYPE_CHECKING:
    import plotly.graph_objects as go

NAMES = {
    **{"trigonometric": "sin/cos", "linear": "linear, f = id", "norm": "NormAttention"},
}


def stacked(x: str, ys: tuple[str, ...], ticks: Any = None, log_x: bool = True, log_y: tuple[bool, ...] = ()) -> "go.Figure":
    """A figure of panels above each other with one common x axis, marked at ``ticks``; panel k is on x axis 1 and y axis k + 1."""
    figure = theme.figure(x=x, height=130 + 220 * len(ys))
    style = figure.layout.yaxis.to_plotly_json()
    gap = 0.07
    height = (1 - gap * (len(ys) - 1)) / len(ys)
    for index, title in enumerate(ys):
        low = 1 - (index + 1) * height - index * gap
        kind = "log" if index < len(log_y) and log_y[index] else "linear"
        number = "" if index == 0 else str(index + 1)
        axis = style | {"title": {"text": title}, "domain": [max(0.0, low), low + height], "type": kind, "anchor": "x"}
        figure.update_layout({f"yaxis{number}": axis | ({"dtick": 1, "exponentformat": "power"} if kind == "log" else {})})
    marks = {"dtick": 1, "exponentformat": "power"} if log_x and ticks is None else {"tickvals": ticks, "tickformat": "d"}
    anchor = f"y{len(ys)}" if len(ys) > 1 else "y"
    figure.update_layout(xaxis={"type": "log" if log_x else "linear", "anchor": anchor, **marks}, margin={"t": 44})
    figure.update_layout(legend={"y": 1.01, "yanchor": "bottom"})
    return figure


def line(figure: "go.Figure", x: Any, y: Any, name: str, colour: int, panel: int = 0, dash: str = "solid", shown: bool = True) -> None:
    """One line on a panel, in the category colour of that number; values that are None or not finite leave a gap."""
    values = [None if v is None or not np.isfinite(v) else float(v) for v in y]
    style = {"color": theme.CATEGORIES[colour % len(theme.CATEGORIES)], "dash": dash, "width": 2 if dash == "solid" else 1.5}
    mode = "lines+markers" if dash == "solid" and len(values) < 20 else "lines"
    axis = "y" if panel == 0 else f"y{panel + 1}"
    figure.add_scatter(x=[float(v) for v in x], y=values, name=name, mode=mode, line=style, yaxis=axis, legendgroup=name, showlegend=shown)


def band(figure: "go.Figure", x: Any, low: Any, high: Any, colour: int, panel: int = 0) -> None:
    """The area between ``low`` and ``high``, faint, without an entry in the legend."""
    across = [float(v) for v in x]
    edge = [*map(float, high), *(float(v) for v in reversed(list(low)))]
    r, g, b = (int(theme.CATEGORIES[colour][at : at + 2], 16) for at in (1, 3, 5))
    fill = {"fill": "toself", "fillcolor": f"rgba({r}, {g}, {b}, 0.15)", "line": {"width": 0}, "mode": "lines"}
    axis = "y" if panel == 0 else f"y{panel + 1}"
    figure.add_scatter(x=[*across, *reversed(across)], y=edge, yaxis=axis, showlegend=False, hoverinfo="skip", **fill)


def upright(figure: "go.Figure", x: float | None, values: Any, name: str, colour: int, panel: int = 0) -> None:
    """A dotted upright line at ``x`` over the range of ``values``; nothing when x is None."""
    known = [v for v in values if v]
    if x is not None and known:
        line(figure, (x, x), (min(known), max(known)), name, colour, panel, "dot")


def bracket(lesson: Any) -> "go.Figure":
    """Measured seconds of both orders with their flops as an overlay, and peak bytes, against n."""
    figure = stacked("tokens n", ("seconds, median", "bytes at the peak"), lesson.n, log_y=(True, True))
    for colour, order, name in ((1, "quadratic", "(Q Kᵀ) V"), (0, "linear", "Q (Kᵀ V)")):
        seconds, flops = getattr(lesson, f"{order}_seconds"), getattr(lesson, f"{order}_flops")
        line(figure, lesson.n, seconds, name, colour)
        line(figure, lesson.n, _scaled(flops, seconds), f"{name}: flops, scaled", colour, 0, "dash")
        line(figure, lesson.n, getattr(lesson, f"{order}_bytes"), name, colour, 1, shown=False)
    measured = [v for v in (*lesson.quadratic_seconds, *lesson.linear_seconds) if v]
    upright(figure, lesson.predicted, measured, f"equal flops at n = d = {lesson.predicted}", 6)
    if lesson.crossover_seconds is not None:
        upright(figure, lesson.crossover_seconds, measured, f"measured times cross at n = {lesson.crossover_seconds:.0f}", 2)
    return figure


def _scaled(flops: Any, seconds: Any) -> list[float | None]:
    """Flops times one constant, chosen so that they meet the measurement at the largest n that was run."""
    run = [(f, s) for f, s in zip(flops, seconds, strict=True) if s]
    return [f * run[-1][1] / run[-1][0] for f in flops] if run else [None] * len(flops)


def bracket_table(lesson: Any) -> Table:
    """One row for each n."""
    orders = ("quadratic_seconds", "linear_seconds", "quadratic_bytes", "linear_bytes", "quadratic_flops", "linear_flops")
    names = ("(QKᵀ)V seconds", "Q(KᵀV) seconds", "(QKᵀ)V bytes", "Q(KᵀV) bytes", "(QKᵀ)V flops", "Q(KᵀV) flops")
    rows = zip(lesson.n, *(getattr(lesson, order) for order in orders), strict=True)
    return Table(("n", *names), tuple(tuple("not run" if v is None else v for v in row) for row in rows))


def favor(lesson: Any) -> "go.Figure":
    """Relative kernel error against m with its closed form, and the share of rows without a positive sum."""
    figure = stacked("random features m", ("relative error of exp(q·k)", "rows with sum ≤ 0"), lesson.m, log_y=(True, False))
    error, low, high, theory, share = (np.asarray(getattr(lesson, n)) for n in ("error", "low", "high", "theory", "non_positive"))
    for k, kind in enumerate(lesson.kinds):
        name = NAMES.get(kind, kind)
        band(figure, lesson.m, low[k], high[k], k)
        line(figure, lesson.m, error[k], name, k)
        line(figure, lesson.m, theory[k], f"{name}: closed form", k, 0, "dash")
        line(figure, lesson.m, share[k], name, k, 1, shown=False)
    figure.update_layout(yaxis2={"tickformat": ".0%", "rangemode": "tozero"})
    return figure


def favor_table(lesson: Any) -> Table:
    """One row for each kind and m."""
    arrays = [np.asarray(getattr(lesson, name)) for name in ("error", "low", "high", "theory", "non_positive")]
    rows = ((kind, m, *(float(a[k, at]) for a in arrays)) for k, kind in enumerate(lesson.kinds) for at, m in enumerate(lesson.m))
    return Table(("kind", "m", "relative error", "lowest draw", "highest draw", "closed form", "rows with sum <= 0"), tuple(rows))


def gradient(lesson: Any) -> "go.Figure":
    """The largest gradient of the weights, and of the output, against the size of the scores, with the bounds."""
    figure = stacked("size of the scores |s|", ("largest |dp/ds|", "largest |dy/ds|"), log_y=(True, True))
    for k, kind in enumerate(lesson.kinds):
        name = NAMES.get(kind, kind)
        for panel, part in enumerate(("weight", "output")):
            values, bound = np.asarray(getattr(lesson, part))[k], np.asarray(getattr(lesson, f"{part}_bound"))[k]
            if np.isfinite(values).any():
                line(figure, lesson.s, values, name, k, panel, shown=panel == 1)
            if np.isfinite(bound).any():
                line(figure, lesson.s, bound, f"{name}: bound", k, panel, "dash", shown=panel == 1)
    return figure


def gradient_table(lesson: Any) -> Table:
    """One row for each kind and size of the scores."""
    arrays = [np.asarray(getattr(lesson, name)) for name in ("weight", "weight_bound", "output", "output_bound")]
    sizes = np.asarray(lesson.s)
    rows = ((kind, float(s), *(float(a[k, at]) for a in arrays)) for k, kind in enumerate(lesson.kinds) for at, s in enumerate(sizes))
    return Table(("kind", "|s|", "largest |dp/ds|", "its bound", "largest |dy/ds|", "its bound "), tuple(rows))


def training(lesson: Any) -> "go.Figure":
    """Held-out loss on bytes, and accuracy of recall with its range over seeds, against training steps."""
    figure = stacked("training steps", ("held-out nats per byte", "recall accuracy, 8 pairs"), log_x=False)
    recall = np.asarray(lesson.recall)
    for index, model in enumerate(lesson.models):
        line(figure, lesson.steps, np.asarray(lesson.loss)[index], model, index)
        band(figure, lesson.recall_steps, recall[index].min(0), recall[index].max(0), index, 1)
        line(figure, lesson.recall_steps, recall[index].mean(0), model, index, 1, shown=False)
    figure.update_layout(xaxis={"rangemode": "tozero"}, yaxis2={"range": [0, 1.03], "tickformat": ".0%"})
    return figure


def training_table(lesson: Any) -> Table:
    """One row for each model and step; accuracy is the mean over seeds, with its range."""
    recall, loss = np.asarray(lesson.recall), dict(zip(lesson.steps, np.asarray(lesson.loss).T, strict=True))
    rows = (
        (model, step, float(loss[step][m]) if step in loss else "not run", *(float(f(recall[m, :, t])) for f in (np.mean, np.min, np.max)))
        for m, model in enumerate(lesson.models)
        for t, step in enumerate(lesson.recall_steps)
    )
    return Table(("model", "step", "nats per byte", "recall accuracy", "lowest seed", "highest seed"), tuple(rows))


def dilution(lesson: Any) -> "go.Figure":
    """Share of a row's weight within r n tokens of its query, one panel for each layer, one line for each trained model."""
    mass = np.asarray(lesson.mass)
    layers = mass.shape[1]
    figure = stacked("r, share of the length n", tuple(f"layer {layer + 1}" for layer in range(layers)), log_x=False)
    for layer in range(layers):
        for index, model in enumerate(lesson.models):
            line(figure, lesson.r, mass[index, layer], model, index, layer, shown=layer == 0)
        equal = layers and layer == 0
        line(figure, lesson.r, np.asarray(lesson.uniform), "equal weights", 6, layer, "dot", shown=equal)
    figure.update_layout({f"yaxis{'' if k == 0 else k + 1}": {"range": [0, 1.03], "tickformat": ".0%"} for k in range(layers)})
    return figure


def dilution_table(lesson: Any) -> Table:
    """One row for each model, layer and r."""
    mass, r = np.asarray(lesson.mass), np.asarray(lesson.r)
    rows = (
        (model, layer + 1, kind, float(r[at]), float(mass[m, layer, at]))
        for m, model in enumerate(lesson.models)
        for layer, kind in enumerate(lesson.kinds[m])
        for at in range(len(r))
    )
    return Table(("model", "layer", "kind", "r", "mass within r n"), tuple(rows))


def state_table(lesson: Any) -> Table:
    """One row for each token: the state after it, how well its value reads back at once, and how well after ``step`` tokens."""
    norms = np.sqrt((np.asarray(lesson.states, np.float64) ** 2).sum((1, 2)))
    rows = zip(range(1, len(norms) + 1), *(map(float, a) for a in (norms, lesson.fresh, lesson.recall)), strict=True)
    return Table(("token", "norm of S after it", "error of its value, at once", f"after {lesson.step} tokens"), tuple(rows))


def mask_table(lesson: Any) -> Table:
    """What each number of layers reaches, and what one layer costs."""
    rows = tuple((f"share of pairs reached by {k + 1} layer{'s' * (k > 0)}", float(share)) for k, share in enumerate(lesson.reach))
    cost = (("pairs of one layer", lesson.pairs), ("pairs of full attention", lesson.full_pairs))
    return Table(("what", "value"), (*rows, *cost, ("flops of one layer", lesson.flops), ("flops of full attention", lesson.full_flops)))


FIGURES = {"bracket": bracket, "favor": favor, "gradient": gradient, "training": training, "dilution": dilution}
TABLES = {
    **{"bracket": bracket_table, "favor": favor_table, "gradient": gradient_table, "training": training_table},
    **{"dilution": dilution_table, "state": state_table, "mask": mask_table},
}
