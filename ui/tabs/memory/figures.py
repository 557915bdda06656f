"""Figures, scenes and tables of the Memory tab: results of ``backends.memory`` to plotly figures, stages and rows.
numpy only."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ui.core.tab import Table
from ui.parts import plots
from ui.parts.plots import decimals, line, stacked
from ui.tabs.memory.strips import selective

if TYPE_CHECKING:
    import plotly.graph_objects as go

LARGER = 5
"""Times: steps so much larger on data than on noise are counted."""
PEN = 200
"""Numbers of a signal that is drawn by hand."""
ORDER = {"legs": 0, "legt": 1, "fourier": 4, "s4": 3, "rnn": 5}
"""Colour of each memory, whichever are shown."""


def _rounded(values: Any) -> list[float | None]:
    """Five significant digits, so that the page stays small; what is not finite becomes a gap."""
    return [float(f"{v:.5g}") if np.isfinite(v) else None for v in values]


def scope(body: Any) -> "go.Figure":
    """The signal and what each memory makes of it, and the error by age; the play head is at the right end of what has
    been seen."""
    figure = stacked("samples before the play head", ("signal and recollection", "error / signal"), log_x=False,
                     log_y=(False, True))
    ages = body.head - np.asarray(body.at)
    look = {"mode": "lines", "line": {"color": plots.INK, "width": 4}, "opacity": 0.35}
    figure.add_scatter(x=ages, y=_rounded(body.truth), name="signal", row=1, col=1, **look)
    for one in body.recalls:
        colour = ORDER[one.name]
        known = _rounded(np.clip(one.values, -3, 3))
        line(figure, ages, [np.nan if v is None else v for v in known], one.label, colour)
        line(figure, one.ages, _rounded(np.clip(one.error, 1e-6, 10)), one.label, colour, 1, shown=False)
    if body.window < body.head and any(one.name in ("legt", "fourier", "s4") for one in body.recalls):
        line(figure, (body.window, body.window), (-1, 1), f"window w, {body.window}", 6, 0, "dot")
    figure.update_traces(mode="lines")
    figure.update_xaxes(range=[body.head, body.head - body.length])
    least = min((error for one in body.recalls for error in one.error), default=1.0)
    figure.update_yaxes(range=[-1.6, 1.6], row=1, col=1)
    figure.update_yaxes(range=[float(np.floor(np.log10(np.clip(least, 1e-6, 0.1)))), 1], row=2, col=1)
    return figure.update_layout(height=620, legend={"y": 1.02})


def scope_words(params: Any, body: Any) -> str:
    """How much is lost by each memory, of the same samples."""
    if not body.recalls:
        return f"None can be read back ({body.size} numbers, {body.rule})."
    said = "; ".join(f"{one.label.split(':')[0]} {100 * min(one.newest, 99.99):.3g} %" for one in body.recalls)
    lost = f"Off by, over the newest {body.shared} samples, which all of them keep: {said} of the signal"
    rest = [f"{one.label.split(':')[0]} {100 * min(one.total, 99.99):.3g} %" for one in body.recalls
            if one.covered > body.shared]
    older = f" Over all {body.head} samples: {'; '.join(rest)}." if rest else ""
    return f"{lost} ({body.size} numbers, {body.rule}).{older}"


def scope_scene(params: Any, body: Any) -> dict[str, Any]:
    """The signal for the stage, where a new one can be drawn."""
    own = bool(params.text.strip())
    return {"kind": "pen", "own": own, "values": [round(v, 3) for v in body.truth[:: max(1, len(body.truth) // PEN)]],
            "count": PEN}


def scope_table(body: Any) -> Table:
    """One row for each memory and age."""
    rows = ((one.label, age, error, one.newest, one.total, one.covered) for one in body.recalls
            for age, error in zip(one.ages, one.error, strict=True))
    return Table(("memory", "age, samples", "error / signal", f"error over the newest {body.shared}",
                  "error over all it keeps", "samples it keeps"),
                 tuple(rows))


def layer(body: Any) -> "go.Figure":
    """Time and largest difference to float64 against the length, for the three ways."""
    figure = stacked("samples L", ("milliseconds", "difference to float64"), body.plan, log_y=(True, True))
    for colour, one in enumerate(body.courses):
        line(figure, one.lengths, [1000 * s for s in one.seconds], one.label, colour)
        line(figure, one.lengths, one.gaps, one.label, colour, 1, shown=False)
    figure.update_xaxes(range=[np.log10(body.plan[0] * 0.9), np.log10(body.plan[-1] * 1.1)])
    figure.update_yaxes(decimals(1000 * s for one in body.courses for s in one.seconds), row=1, col=1)
    figure.update_yaxes(decimals(gap for one in body.courses for gap in one.gaps), row=2, col=1)
    plots.grounded(figure)
    return figure


def layer_words(params: Any, body: Any) -> str:
    """Times at the largest length so far."""
    said = (f"{one.label} {1000 * one.seconds[-1]:.3g} ms" for one in body.courses)
    return (f"At {body.courses[0].lengths[-1]} samples: {'; '.join(said)}, the last two with the kernel that they "
            "need. The recurrence is "
            "a loop in Python, so its time counts calls; what counts is how each line rises.")


def layer_table(body: Any) -> Table:
    """One row for each way and length."""
    rows = ((c.label, *row) for c in body.courses
            for row in zip(c.lengths, [1000 * s for s in c.seconds], c.gaps, strict=True))
    return Table(("way", "samples", "milliseconds", "largest difference to float64"), tuple(rows))


def nplr(body: Any) -> "go.Figure":
    """Condition numbers of both diagonalisations, and the error of the kernels that they give, against the state
    size."""
    figure = stacked("state size N", ("condition number", "relative error of the kernel"), (2, 4, 8, 16, 32, 64),
                     log_y=(True, True))
    for colour, (name, label) in enumerate((("direct", "A itself"), ("nplr", "normal plus rank one (S4)"))):
        line(figure, body.sizes, getattr(body, name), label, colour)
        line(figure, body.sizes, getattr(body, f"{name}_error"), label, colour, 1, shown=False)
    line(figure, (body.sizes[0], body.sizes[-1]), (2**53,) * 2, "all digits of float64", 6, 0, "dot")
    plots.grounded(figure)
    return figure.update_yaxes(dtick=6)


def nplr_words(params: Any, body: Any) -> str:
    """Both condition numbers and errors at a middle and at the largest size."""
    at = body.sizes.index(16)
    return (f"At N = 16 the eigenvectors of A itself have a condition number of {body.direct[at]:.2g}, those "
            "of S4's split "
            f"{body.nplr[at]:.2f}. At N = {body.sizes[-1]} the kernel is off by {body.direct_error[-1]:.0e} of its "
            "size, or by "
            f"{body.nplr_error[-1]:.0e}.")


def nplr_table(body: Any) -> Table:
    """One row for each state size."""
    rows = zip(body.sizes, body.direct, body.nplr, body.direct_error, body.nplr_error, strict=True)
    return Table(("N", "condition, direct", "condition, NPLR", "kernel error, direct", "kernel error, NPLR"),
                 tuple(rows))


def poles(body: Any) -> "go.Figure":
    """The kernel that the eigenvalues make, its slowest envelope, and its gain by frequency."""
    xs, ys = ("samples after a single 1", "frequency, cycles per sample"), ("kernel h", "gain |H|")
    figure = plots.panels(2, 1, xs, ys, height=470, vertical_spacing=0.2)
    steps = np.arange(len(body.kernel))
    top = max(map(abs, body.kernel))
    lines = (
        (1, steps, body.kernel, "kernel", {"color": plots.CATEGORIES[0]}),
        (1, steps, top * body.slowest**steps, "slowest |lambda|^l", {"color": plots.INK, "dash": "dot", "width": 1.2}),
        (2, body.frequencies, body.gain, "gain", {"color": plots.CATEGORIES[1]}),
    )
    for row, x, y, name, look in lines:
        figure.add_scatter(x=_rounded(x), y=_rounded(y), name=name, mode="lines", line=look, row=row, col=1)
    return figure.update_layout(legend={"y": 1.04, "yanchor": "bottom"}, margin={"t": 44})


def poles_scene(params: Any, body: Any) -> dict[str, Any]:
    """The unit disc for the stage, where eigenvalues can be dragged, added and taken away."""
    shown = [[round(x, 5), round(y, 5)] for x, y in zip(body.real, body.imaginary, strict=True)]
    return {"kind": "poles", "own": body.start == "own", "most": body.most, "poles": shown, "slowest": body.slowest,
            "half": body.half_life}


def poles_table(body: Any) -> Table:
    """One row for each eigenvalue."""
    sizes = np.hypot(body.real, body.imaginary)
    turns = np.arctan2(body.imaginary, body.real) / (2 * np.pi)
    rows = ((x, y, float(s), float(t), float(np.log(0.5) / np.log(s)) if s > 0 else 0.0)
            for x, y, s, t in zip(body.real, body.imaginary, sizes, turns, strict=True))
    return Table(("real", "imaginary", "|lambda|", "cycles per sample", "half-life, samples"), tuple(rows))


def selective_words(params: Any, body: Any) -> str:
    """What both models made of the string."""
    first, twin = body.readers
    data = len(body.wanted)
    times = ", ".join(f"{ratio:.3g}" for ratio in first.ratios)
    seen = f"{times} times as large on data as on noise, by head" if np.isfinite(first.ratios[0]) else "all on data"
    right = f"{first.label.capitalize()}: {first.right} of {data} right, {twin.label}: {twin.right}."
    return (f"Wanted: {body.wanted}. {right} In layer {body.layer} the selective model's steps are {seen}, and the "
            f"read-outs of head {body.head} take {first.share:.0%} of what they get from data (twin: {twin.share:.0%}; "
            f"data are {data / (len(body.string) - data):.0%} of the places).")


def selective_table(body: Any) -> Table:
    """One row for each model and token: step sizes by head."""
    rows = ((one.label, at, letter, *(float(v) for v in one.dt[:, at])) for one in body.readers
            for at, letter in enumerate(body.string))
    return Table(("model", "place", "letter", *(f"dt, head {h}" for h in range(len(body.readers[0].dt)))), tuple(rows))


def lengths(body: Any) -> "go.Figure":
    """Accuracy against the length of the string, and what every trained seed reached."""
    figure = plots.figure("places of the string", "right read-outs", 420)
    places = [body.slots * t for t in body.times]
    for colour, one in enumerate(body.reaches):
        look = {"color": plots.CATEGORIES[colour], "width": 2}
        done = len(one.accuracy)
        same = {"legendgroup": one.name}
        figure.add_scatter(x=places[:done], y=one.accuracy, name=one.label, mode="lines", line=look, **same)
        dots = {"color": look["color"], "size": 7, "symbol": colour}
        for row in one.recorded:
            figure.add_scatter(x=places, y=row, mode="markers", marker=dots, showlegend=False,
                               name=f"{one.label}, a seed", **same)
    figure.add_scatter(x=[places[0], places[-1]], y=[1 / 8] * 2, name="guessing", mode="lines",
                       line={"color": plots.INK, "dash": "dot"})
    return figure.update_layout(xaxis={"type": "log", "tickvals": places},
                                yaxis={"range": [0, 1.05], "tickformat": ".0%"},
                                legend={"y": 1.02, "yanchor": "bottom"}, margin={"t": 90})


def lengths_words(params: Any, body: Any) -> str:
    """In how many heads the selective models take larger steps on data."""
    heads = [[ratio >= LARGER for layer in seed for ratio in layer] for seed in body.reaches[0].ratios]
    return (f"The selective models, one for each seed, take steps at least {LARGER} times as large on data as "
            "on noise in "
            f"{', '.join(str(sum(one)) for one in heads)} of their {len(heads[0])} heads; a twin's steps are "
            "all the same.")


def lengths_table(body: Any) -> Table:
    """One row for each model and length, now and as recorded."""
    seeds = len(body.reaches[0].recorded)
    rows = ((one.label, body.slots * t, one.accuracy[k] if k < len(one.accuracy) else "not yet",
             *(row[k] for row in one.recorded))
            for one in body.reaches for k, t in enumerate(body.times))
    return Table(("model", "places", "now", *(f"seed {s}, after training" for s in range(seeds))), tuple(rows))


def family(body: Any) -> "go.Figure":
    """The chosen recurrence's mask and matrix, and the norms of all members' states."""
    bound = float(np.abs(body.matrix).max(initial=0.0)) or 1.0
    cells = (("what is left", body.mask,
              {"colorscale": plots.MAGNITUDE, "zmin": 0, "zmax": max(1.0, float(body.mask.max(initial=0.0)))}),
             (f"M, residual {body.residual:.0e}", body.matrix,
              {"colorscale": plots.SIGNED, "zmin": -bound, "zmax": bound}))
    xs, ys = ("written at", "written at", "token"), ("read at", "", "norm of the state")
    figure = plots.panels(2, 2, xs, ys, [title for title, _, _ in cells], 640, specs=[[{}, {}], [{"colspan": 2}, None]],
                          row_heights=[0.61, 0.39], vertical_spacing=0.16, horizontal_spacing=0.06)
    below = np.tril(np.ones(body.matrix.shape, bool))
    for k, (_, values, look) in enumerate(cells):
        place, hover = {"row": 1, "col": 1 + k}, "token %{y} reads %{x}: %{z:.4g}<extra></extra>"
        figure.add_heatmap(z=np.where(below, np.round(values, 4), np.nan), showscale=False, hovertemplate=hover,
                           **look, **place)
        figure.update_yaxes(autorange="reversed", showticklabels=k == 0, **place)
    for colour, one in enumerate(body.members):
        mine = one.name == body.kind
        style = {"color": plots.CATEGORIES[colour % 7], "width": 3.5 if mine else 1.3,
                 "dash": "solid" if colour < 7 else "dash"}
        figure.add_scatter(x=list(range(len(one.norms))), y=_rounded(one.norms), name=one.label, mode="lines",
                           line=style, row=2, col=1)
    figure.update_yaxes(type="log", dtick=1, row=2, col=1)
    return figure.update_layout(legend={"y": 1.06, "yanchor": "bottom"}, margin={"t": 90})


def family_table(body: Any) -> Table:
    """One row for each token: every member's state."""
    rows = ((t, *(one.norms[t] for one in body.members)) for t in range(body.tokens))
    return Table(("token", *(f"norm, {one.label}" for one in body.members)), tuple(rows))


FIGURES = {"scope": scope, "layer": layer, "nplr": nplr, "poles": poles, "selective": selective, "lengths": lengths,
           "family": family}
TABLES = {
    **{"scope": scope_table, "layer": layer_table, "nplr": nplr_table, "poles": poles_table,
       "selective": selective_table},
    **{"lengths": lengths_table, "family": family_table},
}
STAGES = {"scope": scope_scene, "poles": poles_scene}
WORDS = {"scope": scope_words, "layer": layer_words, "nplr": nplr_words, "selective": selective_words,
         "lengths": lengths_words}
