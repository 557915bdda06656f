"""Figures and tables of the Attention tab's lessons: results to plotly figures and rows. numpy only."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ui.core.tab import Table
from ui.parts.plots import CATEGORIES, band, grounded, line, stacked, upright
from ui.parts.plots import figure as plot
from ui.tabs.attention import scenes

if TYPE_CHECKING:
    import plotly.graph_objects as go

KINDS = {"softmax": "Softmax", "elu1": "elu + 1", "performer": "Performer, positive", "norm": "NormAttention",
         "diag": "DiagAttention"}
"""What the tab's menu calls kinds that trained mixers have, too."""
NAMES = KINDS | {"trigonometric": "sin/cos", "linear": "linear, f = id", "transnormer": "TransNormer",
                 "reversed": "TransNormer, reversed"}


def named(kind: str) -> str:
    """What a kind or a trained mixer is called, on every view."""
    return NAMES.get(kind, kind)


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
        crossing = f"measured times cross at n = {lesson.crossover_seconds:.0f}"
        upright(figure, lesson.crossover_seconds, measured, crossing, 2)
    return figure


def _scaled(flops: Any, seconds: Any) -> list[float | None]:
    """Flops times one constant, chosen so that they meet the measurement at the largest n that was run."""
    run = [(f, s) for f, s in zip(flops, seconds, strict=True) if s]
    return [f * run[-1][1] / run[-1][0] for f in flops] if run else [None] * len(flops)


def bracket_table(lesson: Any) -> Table:
    """One row for each n."""
    orders = [f"{order}_{what}" for what in ("seconds", "bytes", "flops") for order in ("quadratic", "linear")]
    names = ("(QKᵀ)V seconds", "Q(KᵀV) seconds", "(QKᵀ)V bytes", "Q(KᵀV) bytes", "(QKᵀ)V flops", "Q(KᵀV) flops")
    rows = zip(lesson.n, *(getattr(lesson, order) for order in orders), strict=True)
    return Table(("n", *names), tuple(tuple("not run" if v is None else v for v in row) for row in rows))


def favor(lesson: Any) -> "go.Figure":
    """Relative kernel error against the number of features with its closed form, and the share of rows without a
    positive sum."""
    ys = ("relative error of exp(q·k)", "rows with sum ≤ 0")
    every = sorted({each * m for each in lesson.features for m in lesson.m})
    figure = stacked("random features", ys, every, log_y=(True, False))
    names = ("error", "low", "high", "theory", "non_positive")
    error, low, high, theory, share = (np.asarray(getattr(lesson, name)) for name in names)
    for k, kind in enumerate(lesson.kinds):
        name, counts = named(kind), [lesson.features[k] * m for m in lesson.m]
        band(figure, counts, low[k], high[k], k)
        line(figure, counts, error[k], name, k)
        line(figure, counts, theory[k], f"{name}: closed form", k, 0, "dash")
        line(figure, counts, share[k], name, k, 1, shown=False)
    return figure.update_yaxes(tickformat=".0%", rangemode="tozero", row=2, col=1)


def favor_table(lesson: Any) -> Table:
    """One row for each kind and m."""
    arrays = [np.asarray(getattr(lesson, name)) for name in ("error", "low", "high", "theory", "non_positive")]
    rows = ((named(kind), m, lesson.features[k] * m, *(float(a[k, at]) for a in arrays))
            for k, kind in enumerate(lesson.kinds) for at, m in enumerate(lesson.m))
    columns = ("kind", "directions m", "features", "relative error", "lowest draw", "highest draw", "closed form",
               "rows with sum <= 0")
    return Table(columns, tuple(rows))


def favor_words(params: Any, body: Any) -> str:
    """The errors at equal cost, and what an epsilon inside the features does."""
    lesson = body.lesson
    if lesson is None:
        return ""
    error, most = np.asarray(lesson.error), lesson.m[-1]
    at = [lesson.m.index(most // each) for each in lesson.features]
    said = "; ".join(f"{named(kind)} {error[k, at[k]]:.2g} (m = {lesson.m[at[k]]})"
                     for k, kind in enumerate(lesson.kinds))
    return (f"Error at {most} features each: {said}. performer-pytorch adds 1e-4 to every feature: here, with m = "
            f"{params.m}, that moves the output by {100 * lesson.moved:.2g} %.")


def gradient(lesson: Any) -> "go.Figure":
    """The largest gradient of the weights, and of the output, against the size of the scores, with the bounds."""
    figure = stacked("size of the scores |s|", ("largest |dp/ds|", "largest |dy/ds|"), log_y=(True, True))
    for k, kind in enumerate(lesson.kinds):
        name = named(kind)
        for panel, part in enumerate(("weight", "output")):
            values, bound = np.asarray(getattr(lesson, part))[k], np.asarray(getattr(lesson, f"{part}_bound"))[k]
            if np.isfinite(values).any():
                line(figure, lesson.s, values, name, k, panel, shown=panel == 1)
            if np.isfinite(bound).any():
                line(figure, lesson.s, bound, f"{name}: bound", k, panel, "dash", shown=panel == 1)
    grounded(figure)
    return figure


def gradient_table(lesson: Any) -> Table:
    """One row for each kind and size of the scores."""
    arrays = [np.asarray(getattr(lesson, name)) for name in ("weight", "weight_bound", "output", "output_bound")]
    sizes = np.asarray(lesson.s)
    rows = ((named(kind), float(s), *(float(a[k, at]) for a in arrays))
            for k, kind in enumerate(lesson.kinds) for at, s in enumerate(sizes))
    return Table(("kind", "|s|", "largest |dp/ds|", "its bound", "largest |dy/ds|", "its bound "), tuple(rows))


def training(lesson: Any) -> "go.Figure":
    """Held-out loss on bytes, and accuracy of recall with its range over seeds, against training steps."""
    figure = stacked("training steps", ("held-out nats per byte", "recall accuracy, 8 pairs"), log_x=False)
    recall = np.asarray(lesson.recall)
    for index, model in enumerate(lesson.models):
        line(figure, lesson.steps, np.asarray(lesson.loss)[index], named(model), index)
        band(figure, lesson.recall_steps, recall[index].min(0), recall[index].max(0), index, 1)
        line(figure, lesson.recall_steps, recall[index].mean(0), named(model), index, 1, shown=False)
    figure.update_xaxes(rangemode="tozero")
    return figure.update_yaxes(range=[0, 1.03], tickformat=".0%", row=2, col=1)


def training_table(lesson: Any) -> Table:
    """One row for each model and step; accuracy is the mean over seeds, with its range."""
    recall, loss = np.asarray(lesson.recall), dict(zip(lesson.steps, np.asarray(lesson.loss).T, strict=True))
    rows = (
        (named(model), step, float(loss[step][m]) if step in loss else "not run",
         *(float(f(recall[m, :, t])) for f in (np.mean, np.min, np.max)))
        for m, model in enumerate(lesson.models)
        for t, step in enumerate(lesson.recall_steps)
    )
    return Table(("model", "step", "nats per byte", "recall accuracy", "lowest seed", "highest seed"), tuple(rows))


def dilution(lesson: Any) -> "go.Figure":
    """Share of a row's weight within r n tokens of its query: a panel for each layer, a line for each trained model."""
    mass = np.asarray(lesson.mass)
    layers = mass.shape[1]
    figure = stacked("r, share of the length n", tuple(f"layer {layer + 1}" for layer in range(layers)), log_x=False)
    for layer in range(layers):
        for index, model in enumerate(lesson.models):
            line(figure, lesson.r, mass[index, layer], named(model), index, layer, shown=layer == 0)
        equal = layers and layer == 0
        line(figure, lesson.r, np.asarray(lesson.uniform), "equal weights", 6, layer, "dot", shown=equal)
    return figure.update_xaxes(tickformat=".1f").update_yaxes(range=[0, 1.03], tickformat=".0%")


def dilution_table(lesson: Any) -> Table:
    """One row for each model, layer and r."""
    mass, r = np.asarray(lesson.mass), np.asarray(lesson.r)
    rows = (
        (named(model), layer + 1, named(kind), float(r[at]), float(mass[m, layer, at]))
        for m, model in enumerate(lesson.models)
        for layer, kind in enumerate(lesson.kinds[m])
        for at in range(len(r))
    )
    return Table(("model", "layer", "kind", "r", "mass within r n"), tuple(rows))


def state_table(lesson: Any) -> Table:
    """One row for each token: the state after it, how well its value reads back at once, after ``step`` tokens."""
    norms = np.sqrt((np.asarray(lesson.states, np.float64) ** 2).sum((1, 2)))
    rows = zip(range(1, len(norms) + 1), *(map(float, a) for a in (norms, lesson.fresh, lesson.recall)), strict=True)
    columns = ("token", "norm of S after it", "error of its value, at once", f"after {lesson.step} tokens")
    return Table(columns, tuple(rows))


def mask_table(lesson: Any) -> Table:
    """What each number of layers reaches, and what one layer costs."""
    rows = ((f"share of pairs reached by {k + 1} layer{'s' * (k > 0)}", float(share))
            for k, share in enumerate(lesson.reach))
    cost = (("pairs of one layer", lesson.pairs), ("pairs of full attention", lesson.full_pairs))
    flops = (("flops of one layer", lesson.flops), ("flops of full attention", lesson.full_flops))
    return Table(("what", "value"), (*rows, *cost, *flops))


def cost(body: Any) -> "go.Figure":
    """The loss with each kind as a bar, the model's own first; a dotted line where all tokens are equally likely."""
    rows = (body.own, *body.prices)
    made = plot(f"loss, nats per {body.unit}", height=130 + 30 * len(rows))
    made.add_bar(x=[row.loss for row in rows], y=[row.label for row in rows], orientation="h",
                 text=[f"{row.loss:.2f}" for row in rows], textposition="outside", cliponaxis=False, showlegend=False,
                 marker={"color": [CATEGORIES[6], *[CATEGORIES[0]] * len(body.prices)]})
    made.add_vline(body.alike, line={"dash": "dot", "color": CATEGORIES[1]})
    made.add_vline(body.own.loss, line={"dash": "dot", "color": CATEGORIES[6], "width": 1})
    made.update_xaxes(range=[0, 1.12 * max(body.alike, *(row.loss for row in rows))])
    return made.update_yaxes(autorange="reversed", ticks="").update_layout(margin={"t": 10})


def cost_words(params: Any, body: Any) -> str:
    """What the dotted line is."""
    return (f"The mean loss over {body.n} {body.unit}s. Dotted: {body.alike:.2f} nats, the loss where all {body.unit}s "
            "are equally likely.")


def cost_table(body: Any) -> Table:
    """One row for each kind, the model's own first."""
    rows = ((row.label, row.loss, row.loss - body.own.loss, row.right) for row in (body.own, *body.prices))
    return Table(("kind", "loss", "more than the model", "right guesses"), tuple(rows))


def _once(draw: Callable[[Any], Any], body: Any) -> Any:
    """What a lesson draws, as soon as it is there: the cards come first."""
    return None if body.lesson is None else draw(body.lesson)


def _rows(rows: Callable[[Any], Table], body: Any) -> Table:
    """The rows of a lesson; until it is there, those of the cards."""
    return scenes.figures_table(body) if body.lesson is None else rows(body.lesson)


def _above(params: Any, body: Any) -> dict[str, Any] | None:
    """The cards of a lesson that is a chart; they stay while it grows."""
    return scenes.cards(params, body) if body.lesson is None else None


def _beside(scene: Callable[[Any, Any], dict[str, Any]], params: Any, body: Any) -> list[dict[str, Any]]:
    """The cards, and the scene of a lesson; until it is there, its place alone, in which the last one stays."""
    return [scenes.cards(params, body), {"kind": scene.__name__} if body.lesson is None else scene(params, body)]


CHARTS = {draw.__name__: draw for draw in (bracket, favor, gradient, training, dilution)}
LESSONS = {"bracket": bracket_table, "favor": favor_table, "gradient": gradient_table, "training": training_table,
           "dilution": dilution_table, "state": state_table, "mask": mask_table}
FIGURES = {name: partial(_once, draw) for name, draw in CHARTS.items()} | {"cost": cost}
TABLES = {"none": scenes.figures_table} | {name: partial(_rows, rows) for name, rows in LESSONS.items()}
PARTS = dict.fromkeys(TABLES, scenes.part)
TABLES |= {"heads": scenes.heads_table, "cost": cost_table}
WORDS = {"cost": cost_words, "favor": favor_words}
STAGES = {"none": scenes.cards, "heads": scenes.heads, "state": partial(_beside, scenes.state),
          "mask": partial(_beside, scenes.mask)}
STAGES |= dict.fromkeys(CHARTS, _above)
