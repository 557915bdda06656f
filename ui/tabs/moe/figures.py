"""Figures, scenes and tables of the MoE tab: results of ``backends.moe`` to plotly figures, stages and rows. numpy
only."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ui.core.tab import Table
from ui.parts import plots
from ui.parts.packed import packed
from ui.parts.plots import grounded, line, spaced, stacked
from ui.tabs.moe import mixture, sheets
from ui.tabs.moe.sheets import EXPERTS

if TYPE_CHECKING:
    import plotly.graph_objects as go

KEY = ("Coloured by the expert with the largest weight; struck through: no expert had a place; dotted: not all that "
       "were asked. Hover, or use arrow keys, for the router’s probabilities.")
LOST = "rgba(216, 52, 42, 0.75)"
LOSSES = {"balance": "balance loss, all choices (1 = even)",
          "first": "first choices alone: Switch, GShard, ST-MoE (1 = even)",
          "mixtral": "Mixtral's form (k = even)", "z": "z-loss", "importance": "Shazeer's importance (0 = even)",
          "load": "Shazeer's load (0 = even)"}


def text(body: Any) -> "go.Figure":
    """Loads of the experts in each layer, what they had no place for, and their capacity; then the loss beside that of
    guessing."""
    count = len(body.layers)
    titles = tuple(f"<b>layer {layer.layer}</b>" for layer in body.layers)
    figure = plots.panels(2, count, ("expert",) * count + ("nats per byte",), ("assignments",), titles, height=470,
                          horizontal_spacing=0.04, vertical_spacing=0.27, row_heights=[0.7, 0.3],
                          shared_yaxes="rows",
                          specs=[[{}] * count, [{"colspan": count}, *[None] * (count - 1)]])
    for k, layer in enumerate(body.layers):
        _loads(figure, layer, k)
    figure.update_xaxes(type="category", row=1)
    _guessed(figure, body)
    return figure.update_layout(barmode="stack", bargap=0.25, margin={"t": 56}, legend={"y": 1.1, "yanchor": "bottom"})


def _guessed(figure: "go.Figure", body: Any) -> None:
    """The loss by these rules and as trained, as lying bars, and a line at that of guessing."""
    names, place = ["as trained", "here"], {"row": 2, "col": 1}
    figure.add_bar(y=[0, 1], x=[body.trained, body.loss], marker_color=[plots.CATEGORIES[6], plots.CATEGORIES[0]],
                   orientation="h", showlegend=False, customdata=names,
                   hovertemplate="%{customdata}: %{x:.4f}<extra></extra>", **place)
    figure.add_scatter(y=[-0.6, 1.6], x=[body.guess] * 2, mode="lines", name="guessing: ln 256",
                       line={"color": LOST, "dash": "dash", "width": 3},
                       hovertemplate="guessing: %{x:.4f}<extra></extra>", **place)
    figure.update_yaxes(tickvals=[0, 1], ticktext=names, range=[-0.6, 1.6], showgrid=False, **place)
    figure.update_xaxes(range=[0, 1.1 * max(body.guess, body.loss, body.trained)], **place)


def _loads(figure: "go.Figure", layer: Any, k: int) -> None:
    """One layer's bars on panel ``k``, with lines at an even share and at the capacity."""
    place, names = {"row": 1, "col": k + 1}, [str(e) for e in range(len(layer.asked))]
    dropped = [a - b for a, b in zip(layer.asked, layer.kept, strict=True)]
    figure.add_bar(x=names, y=layer.kept, name="kept", marker_color=list(EXPERTS), showlegend=False,
                   hovertemplate="expert %{x}: %{y} kept<extra></extra>", **place)
    if any(dropped):
        figure.add_bar(x=names, y=dropped, name="dropped", marker={"color": LOST, "pattern": {"shape": "/"}},
                       showlegend=k == 0, legendgroup="dropped",
                       hovertemplate="expert %{x}: %{y} dropped<extra></extra>", **place)
    lines = {"even share": (sum(layer.asked) / layer.on, "dash")}
    lines |= {"capacity": (layer.capacity, "solid")} if layer.capacity is not None else {}
    for name, (height, dash) in lines.items():
        look = {"mode": "lines", "name": name, "legendgroup": name, "showlegend": k == 0}
        figure.add_scatter(x=[names[0], names[-1]], y=[height] * 2,
                           line={"color": plots.INK, "dash": dash, "width": 1.5},
                           hovertemplate=name + ": %{y:.4g}<extra></extra>", **look, **place)


def text_scene(params: Any, body: Any) -> dict[str, Any]:
    """The text for the stage: one code point a byte, and of each layer who took it and the router's probabilities."""
    layers = [{"layer": layer.layer, "main": packed(layer.main), "state": packed(layer.state),
               "gates": levels(layer.gates), "p": packed(np.rint(layer.p * 255).astype(np.uint8))}
              for layer in body.layers]
    return {"kind": "routed", "text": "".join(body.labels), "colours": EXPERTS[: body.layers[0].p.shape[1]],
            "layers": layers,
            "score": "sigmoid" if body.router == "free" else "p", "unit": "byte", "note": KEY}


def levels(gates: np.ndarray) -> str:
    """Weights in [0, 1] as 0 to 255, packed; one above 0 is at least 1, so that an expert that took a token is never
    lost to rounding."""
    return packed(np.maximum(np.rint(gates * 255), gates > 0).astype(np.uint8))


def text_table(body: Any) -> Table:
    """One row for each layer and expert, then the losses of each layer."""
    rows = [(one.layer, e, one.asked[e], one.kept[e], _places(one, e), one.bias[e],
             one.partly, one.lost, one.skew, *(getattr(one, name) for name in LOSSES)) for one in body.layers
            for e in range(len(one.asked))]
    return Table(("layer", "expert", "asked", "kept", "capacity", "bias", "tokens in part", "tokens lost",
                  "largest / mean load",
                  *LOSSES.values()), tuple(rows))


def _places(layer: Any, expert: int) -> Any:
    """How many assignments an expert could take."""
    if expert == layer.off:
        return "disabled"
    return "no limit" if layer.capacity is None else layer.capacity


def classes_table(body: Any) -> Table:
    """One row for each layer and expert: assignments by class, and the bytes that go there beyond their share."""
    rows = ((t.layer, e, *counts, " ".join(t.top[e])) for t in body.tables for e, counts in enumerate(t.counts))
    return Table(("layer", "expert", *body.classes, "its bytes"), tuple(rows))


def capacity(body: Any) -> "go.Figure":
    """Dropped share, work and loss against the capacity factor, and below, where in the text the dropped tokens are."""
    ys = ("dropped", "operations a token", "nats per byte", f"at CF {body.at:g}")
    figure = plots.panels(4, 1, ("", "", "capacity factor", "byte of the text"), ys, height=820, vertical_spacing=0.08)
    for colour, trade in enumerate(body.trades):
        name = {"text": "earlier tokens first", "priority": "larger p first"}[trade.order]
        line(figure, body.factors, trade.dropped, name, colour)
        line(figure, body.factors, trade.loss, name, colour, 2, shown=False)
        if trade.where:
            figure.add_bar(x=body.bins, y=trade.where, name=name, marker_color=plots.CATEGORIES[colour],
                           showlegend=False, row=4, col=1)
    _work(figure, body)
    line(figure, (body.plan[0], body.plan[-1]), (body.unlimited,) * 2, "the same rule, no limit", 6, 2, "dash")
    for row in (1, 2, 3):
        figure.update_xaxes(matches="x", showticklabels=row == 3, row=row, col=1, **spaced(body.plan, log=False))
    most = max((v for trade in body.trades for v in trade.where), default=0.0)
    figure.update_xaxes(range=[0, body.tokens], row=4, col=1)
    figure.update_yaxes(tickformat=".0%", range=[0, max(1.1 * most, 0.01)], row=4, col=1)
    figure.update_yaxes(tickformat=".0%", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(rangemode="tozero", tickformat="~s", row=2, col=1)
    return figure.update_layout(bargap=0.15, margin={"t": 44}, legend={"y": 1.01, "yanchor": "bottom"})


def _work(figure: "go.Figure", body: Any) -> None:
    """Operations of the experts' places, and of those that were filled, served in text order."""
    trade = body.trades[0]
    used = [flops * (1 - padding) for flops, padding in zip(trade.flops, trade.padding, strict=True)]
    line(figure, body.factors, trade.flops, "all places", 2, 1)
    line(figure, body.factors, used, "filled places", 3, 1)


def capacity_table(body: Any) -> Table:
    """One row for each order and factor."""
    names = ("dropped", "lost", "padding", "places", "flops", "loss")
    rows = ((t.order, f, *(getattr(t, name)[k] for name in names)) for t in body.trades
            for k, f in enumerate(body.factors))
    head = ("first", "CF", "assignments dropped", "tokens lost", "places empty", "places a token", "operations a token",
            "nats per byte")
    return Table(head, tuple(rows))


def plane_scene(params: Any, body: Any) -> dict[str, Any]:
    """Tokens, experts and up to three routers for the stage."""
    panels = [{"router": p.router, "label": p.label, "causal": p.causal, "gates": levels(p.layer.gates),
               "state": packed(p.layer.state), "asked": p.layer.asked, "kept": p.layer.kept,
               "capacity": p.layer.capacity, "bias": p.layer.bias, "lost": p.layer.lost,
               "partly": p.layer.partly} for p in body.panels]
    return {"kind": "plane", "points": packed(np.asarray(body.points, "<f4")), "prototypes": body.prototypes,
            "sharp": body.sharp,
            "colours": EXPERTS, "panels": panels}


def plane_table(body: Any) -> Table:
    """One row for each router and expert."""
    rows = ((p.label, e, *body.prototypes[e], p.layer.asked[e], p.layer.kept[e], p.layer.bias[e], p.layer.balance)
            for p in body.panels for e in range(len(body.prototypes)))
    return Table(("router", "expert", "x", "y", "asked", "kept", "bias", "balance loss (1 = even)"), tuple(rows))


def courses(body: Any) -> "go.Figure":
    """Loss, largest load and variation of the loads against training steps, one line for each training and layer; live,
    logsumexp² too."""
    ys = ("nats per byte", "largest / mean load", "variation of the loads",
          *(("mean logsumexp²",) if body.live else ()))
    figure = stacked("training steps", ys, log_x=False)
    for colour, course in enumerate(body.courses):
        line(figure, course.steps, course.loss, course.label, colour)
        for layer in range(len(course.loads[0]) if course.loads else 0):
            for panel, measure in ((1, course.spread), (2, course.variation)):
                values = [measure(step)[layer] for step in range(len(course.steps))]
                line(figure, course.steps, values, course.label, colour, panel,
                     ("solid", "dot")[layer % 2], shown=False)
        if body.live:
            line(figure, course.steps, course.z, course.label, colour, 3, shown=False)
    if body.dense:
        line(figure, body.courses[0].steps, _fitted(body), "dense, same cost", 6, 0, "dash")
    figure.update_traces(mode="lines")
    for k in range(1, len(ys)):
        figure.update_yaxes(rangemode="tozero", row=k + 1, col=1)
    figure.update_xaxes(range=[0, body.plan])
    figure.update_layout(height=200 + 180 * len(ys))
    return figure


def _fitted(body: Any) -> list[float]:
    """The dense twin's loss at as many points as the first course has."""
    return list(body.dense[: len(body.courses[0].steps)])


def courses_table(body: Any) -> Table:
    """One row for each training, step and layer."""
    rows = ((c.label, step, layer + 1, c.loss[k], c.spread(k)[layer], c.variation(k)[layer], c.dead(k)[layer],
             *c.z[k : k + 1])
            for c in body.courses for k, step in enumerate(c.steps) for layer in range(len(c.loads[k])))
    head = ("training", "step", "router", "nats per byte", "largest / mean load", "variation", "experts below 1 %")
    return Table((*head, "logsumexp²") if body.live else head, tuple(rows))


def precision(body: Any) -> "go.Figure":
    """How far bfloat16 is off, and how large the logits are, against the scale of the router's weights."""
    figure = stacked("router weights times", ("change of a probability", "mean logsumexp²"), body.scales,
                     log_y=(True, True))
    for colour, one in enumerate(body.models):
        line(figure, body.scales, one.error, f"{one.label}: largest", colour)
        line(figure, body.scales, one.mean, f"{one.label}: mean", colour, 0, "dot")
        line(figure, body.scales, one.z, one.label, colour, 1, shown=False)
    grounded(figure)
    return figure


def precision_table(body: Any) -> Table:
    """One row for each model and scale."""
    rows = ((m.label, s, *(getattr(m, name)[k] for name in ("error", "mean", "first", "pair", "z")))
            for m in body.models for k, s in enumerate(body.scales))
    head = ("model", "weights times", "largest change of p", "mean change", "other first expert",
            f"other set of {body.k}", "logsumexp²")
    return Table(head, tuple(rows))


def bill(body: Any) -> "go.Figure":
    """Parameters by part, in all and those that a token uses."""
    figure = plots.figure(x="billion parameters", height=220)
    rows = ("in all", "used by a token")
    for k, part in enumerate(body.parts):
        figure.add_bar(y=rows, x=[part.total / 1e9, part.active / 1e9], name=part.name, orientation="h",
                       marker_color=EXPERTS[k], hovertemplate=part.name + ": %{x:.4g} billion<extra></extra>")
    figure.update_layout(barmode="stack", yaxis={"autorange": "reversed", "type": "category"}, bargap=0.35)
    figure.update_layout(showlegend=False)
    return figure


def bill_table(body: Any) -> Table:
    """Parameters by part with their formula, then what they cost."""
    rows = [(part.name, part.total, part.active, part.formula) for part in body.parts]
    rows += [("All parameters", body.total, body.active, "sum"),
             ("As published, billions", *body.published, body.source)]
    rows += [(f"Gigabytes, {name}", size / 1e9, size / 1e9 * body.active / body.total, "parameters × bytes")
             for name, size in body.bytes]
    rows += [
        ("Cache, gigabytes", body.cache / 1e9, body.cache_token / 1e9,
         f"{body.batch} × {body.context} tokens; a token"),
        ("Operations of a token, 10⁹", "", body.flops / 1e9, "2 × active parameters that multiply"),
        ("Experts visited in a layer", body.experts, body.visited, f"E (1 − (1 − k/E)^{body.batch})"),
        ("Weights read in a step, gigabytes", body.bytes[1][1] / 1e9, body.read / 1e9, "bfloat16"),
        ("Least milliseconds of a step", "", body.least, "read / bandwidth"),
        ("If attention were copied too", body.naive, "", "all + (E − 1) × everything but the experts"),
    ]
    return Table(("what", "in all", "a token, or a step", "how"), tuple(rows))


FIGURES = {"text": text, "own": mixture.figure, "capacity": capacity, "race": courses, "training": courses,
           "precision": precision, "calculator": bill}
STAGES = {"text": text_scene, "own": mixture.scene, "plane": plane_scene, "classes": sheets.classes,
          "calculator": sheets.bill}
TABLES = {"text": text_table, "own": mixture.table, "classes": classes_table, "capacity": capacity_table,
          "plane": plane_table, "race": courses_table, "training": courses_table,
          "precision": precision_table, "calculator": bill_table}


def _said_text(params: Any, body: Any) -> str:
    touched = {"leave": "", "disable": f" without expert {params.expert}",
               "force": f" with expert {params.expert} alone"}[params.touch]
    short = f", of which {body.loss - body.unlimited:+.4f} for want of places" if body.loss != body.unlimited else ""
    kept, asked = (sum(sum(getattr(layer, name)) for layer in body.layers) for name in ("kept", "asked"))
    return (f"Loss {body.loss:.4f} nats per byte{touched}, {body.loss - body.trained:+.4f} against the model as it was "
            "trained, with "
            f"Mixtral's top 2{short}. {kept} kept + {asked - kept} dropped = {asked} assignments in both layers. "
            f"{_homely(body)}")


def _homely(body: Any) -> str:
    """How far the text is from what the model knows: its loss beside guessing, and the skew of the loads."""
    skews = " and ".join(f"{layer.skew:.2f}" for layer in body.layers)
    said = (f"As trained it has {body.trained:.4f} nats, guessing has ln 256 = {body.guess:.4f}. The fullest expert "
            f"has {skews} times the mean load.")
    return said + (" This text is far from what the model was trained on, Python source." if body.far else "")


def _said_classes(params: Any, body: Any) -> str:
    return " ".join(f"In layer {t.layer} the expert tells {t.bits:.3f} of {t.entropy:.2f} bits of a byte's class "
                    f"({t.control:.4f} with shuffled classes, at most {t.highest:.4f}; {t.shifted:.4f} with shifted "
                    f"ones). There the byte alone tells {t.byte:.2f} bits of its experts, and its class adds "
                    f"{t.beyond - t.within:.2f} beyond chance." for t in body.tables)


def _said_capacity(params: Any, body: Any) -> str:
    if body.at not in body.factors:
        return ""
    k = body.factors.index(body.at)
    parts = (f"{words}: {t.dropped[k]:.1%} dropped, {t.loss[k]:.3f} nats." for t, words in
             zip(body.trades, (f"At CF {body.at:g}, earlier tokens first", "Larger p first"), strict=True))
    empty = f"{body.trades[0].padding[k]:.0%} of the places stay empty."
    ends = (f"Without a limit this rule has {body.unlimited:.3f}, the model as it was trained, with Mixtral's top 2, "
            f"{body.trained:.3f}.")
    return f"{' '.join(parts)} {empty} {ends}"


def _said_courses(params: Any, body: Any) -> str:
    parts = []
    for c in body.courses:
        if c.loads:
            worst = max(range(len(c.loads[-1])), key=lambda layer: c.variation()[layer])
            parts.append(f"{c.label}: largest load {c.spread()[worst]:.2f} times the mean, variation "
                         f"{c.variation()[worst]:.2f}, {sum(c.dead())} dead, loss {c.loss[-1]:.3f}.")
    where = "" if body.live else " in the more uneven layer"
    late = (*(late_loss(c.loss) for c in body.courses), late_loss(body.dense)) if body.dense else ()
    mean = "Mean loss of the last 500 steps: {:.4f}, {:.4f}, dense {:.4f}.".format(*late) if late else ""
    return " ".join((f"After step {body.courses[0].steps[-1]}{where}.", *parts, mean)).strip()


def late_loss(losses: Any) -> float:
    """The mean of the last twenty losses, which are 25 steps apart."""
    return sum(losses[-20:]) / 20


def _said_precision(params: Any, body: Any) -> str:
    one = body.scales.index(1.0)
    parts = (f"{m.label}: {m.first[one]:.2%} of bytes get another first expert, {m.pair[one]:.2%} another set of "
             f"{body.k}, a probability is off by {m.error[one]:.4f} at most, and logsumexp² is {m.z[one]:.2f}."
             for m in body.models)
    return f"A router in bfloat16 against float32, its weights as they are. {' '.join(parts)}"


def _said_bill(params: Any, body: Any) -> str:
    sizes = (f"{body.total / 1e9:.1f} billion parameters must lie in memory, {body.active / 1e9:.1f} billion "
             "work on a token")
    copied = f"With a copy of everything else for each expert it would be {body.naive / 1e9:.0f} billion"
    step = "one token" if body.batch == 1 else f"{body.batch} tokens"
    visits = f"A step of {step} is expected to visit {body.visited:.1f} experts in each layer."
    return f"{sizes} ({body.experts} experts, {body.k} a token). {copied}. {visits}"


WORDS = {"text": _said_text, "own": mixture.words, "classes": _said_classes, "capacity": _said_capacity,
         "race": _said_courses, "training": _said_courses, "precision": _said_precision, "calculator": _said_bill}
