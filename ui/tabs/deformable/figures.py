"""Figures, scenes and tables of the Deformable tab: results of ``backends.deform`` to plotly figures, stages and rows.
numpy only."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ui.core.tab import Table
from ui.parts.packed import packed
from ui.parts.plots import band, grounded, line, stacked

if TYPE_CHECKING:
    import plotly.graph_objects as go

NAMES = {"deformable": "deformable layers", "plain": "plain layers"}
BENDS = {"mild": "deformed as in training", "strong": "deformed more"}
CLASSES = ("ground", "blue marks", "orange marks", "green marks", "purple marks")
SHARED = ("dat", "dat2")
SCORES = (("deformable", "strong"), ("plain", "strong"), ("deformable", "mild"), ("plain", "mild"))


def colours(values: Any) -> str:
    """Numbers in 0..1 as one byte each, row by row."""
    return packed(np.rint(np.clip(np.asarray(values), 0, 1) * 255).astype(np.uint8))


def _floats(values: Any) -> str:
    return packed(np.asarray(values, "<f4"))


def _rounded(values: Any, digits: int = 4) -> list[float]:
    return [round(float(v), digits) for v in values]


def taps_scene(params: Any, body: Any) -> dict[str, Any]:
    """The map with its points, ten numbers each; the browser draws, drags and adds up."""
    signed = body.operator in ("dcn1", "dcn2") and params.kernel == "sobel"
    shift, size = (0.5, 0.5) if signed else (0.0, 1.0)
    return {
        "kind": "taps",
        "operator": body.operator,
        "rows": body.map.shape[0],
        "columns": body.map.shape[1],
        "signed": signed,
        "start": list(body.start),
        "map": colours(body.map),
        "whole": colours(shift + size * body.whole),
        "regular": colours(shift + size * body.regular),
        "packed": _floats([(*p.at, *p.ghost, p.weight, p.share, *p.value, p.group) for p in body.points]),
        "names": [] if body.operator in SHARED else [p.name for p in body.points],
        "sizes": [list(s) for s in body.sizes],
        "plain": _rounded(body.plain),
        "output": _rounded(body.output),
        "raw": list(params.raw) or [0.0] * 9,
        "scale": params.scale,
        "dilation": params.dilation,
        "own": bool(params.offsets),
        "tap": params.tap,
    }


def taps_table(body: Any) -> Table:
    """One row for each point."""
    columns = ("point", "reads at y", "x", "without offset y", "x ", "share", "weight", "red", "green", "blue")
    return Table(columns, tuple((p.name, *p.at, *p.ghost, p.share, p.weight, *p.value) for p in body.points))


def taps_words(params: Any, body: Any) -> str:
    """The weights' sum, where the operators differ most."""
    what = {"dcn1": "DCNv1 gives every tap the modulation 1", "dcn2": "DCNv2's modulations are nine sigmoids",
            "dcn3": "DCNv3's are one softmax over the taps",
            "dcn4": "DCNv4's are raw numbers, at the usual start all zero",
            "own": "each weighs its mask, 1 where there is none",
            "msda": "weights come from the query alone, no key is asked",
            **dict.fromkeys(SHARED, "weights are a softmax over keys that all queries share")}[body.operator]
    far = np.mean([np.hypot(*np.subtract(p.at, p.ghost)) for p in body.points])
    return (f"{len(body.points)} points, moved by {far:.2f} cells on average; {what}; here they sum to "
            f"{body.total:.3g}.")


def _halved(values: np.ndarray) -> np.ndarray:
    """(H, W), both even -> (H/2, W/2): the largest of four."""
    height, width = values.shape
    return values.reshape(height // 2, 2, width // 2, 2).max((1, 3))


def stack_scene(params: Any, body: Any) -> dict[str, Any]:
    """The picture twice, with places and gradient of each network, and the classes that they give; ``photo`` are the
    colours of a picture of bent things."""
    height, width = body.image.shape[:2]
    return {
        "kind": "stack",
        "height": height,
        "width": width,
        "photo": colours(body.image / 255) if body.truth.size else None,
        "reach": body.reach,
        "truth": packed(body.truth.astype(np.uint8)) if body.truth.size else None,
        "fields": [_field(f) for f in body.fields],
        "cell": list(body.cell),
        "own": None if body.own is None else CLASSES[body.own],
    }


def _field(f: Any) -> dict[str, Any]:
    return {
        "name": f.name,
        "places": _floats(f.places),
        "weights": _floats(f.weights / f.weights.max()),
        "gradient": colours(_halved(f.gradient)),
        "named": packed(f.named.astype(np.uint8)),
        "here": CLASSES[f.here],
        "spread": round(f.spread, 1),
        "outside": round(f.outside, 4),
        "inside": f.inside,
        "accuracy": f.accuracy,
    }


def stack_table(body: Any) -> Table:
    """One row for each network."""
    columns = ("network", "parameters", "places", "spread, px", "gradient beyond the plain square",
               "cell is named", "truth", "places on the cell's thing", "cells of things named right")
    truth = "unknown" if body.own is None else CLASSES[body.own]
    rows = ((NAMES[f.name], f.parameters, len(f.places), f.spread, f.outside, CLASSES[f.here], truth,
             *("" if v is None else v for v in (f.inside, f.accuracy))) for f in body.fields)
    return Table(columns, tuple(rows))


def photo_scene(params: Any, body: Any) -> dict[str, Any]:
    """The picture with the places before and after, and both masks; the browser has the picture."""
    height, width = body.image.shape[:2]
    rows, columns = body.mask.shape
    return {"kind": "photo", "height": height, "width": width, "rows": rows, "columns": columns,
            "cell": list(body.cell), "before": _look(body.before), "after": _look(body.after),
            "mask": colours(body.mask), "twin": colours(body.twin)}


def _look(look: Any) -> dict[str, Any]:
    inside = None if look.inside is None else round(look.inside, 4)
    return {"at": _floats(look.at), "weight": _floats(look.weight), "level": packed(look.level),
            "spread": round(look.spread, 1), "inside": inside}


def photo_table(body: Any) -> Table:
    """One row for each place after learning, with where it was before."""
    columns = ("place", "stride of its map", "before y, px", "before x, px", "after y, px", "after x, px",
               "weight before", "weight after")
    rows = zip(body.after.level, body.before.at, body.after.at, body.before.weight, body.after.weight, strict=True)
    return Table(columns, tuple((k, 8 * 2**int(level), *map(float, was), *map(float, now), float(w), float(v))
                                for k, (level, was, now, w, v) in enumerate(rows)))


def photo_words(params: Any, body: Any) -> str:
    """How the places moved, and what is known of them."""
    far = f"{body.before.spread:.0f} px from the click before they learned, {body.after.spread:.0f} px after"
    if body.after.inside is None:
        return f"The places lie {far} (rms)."
    return (f"The places lie {far} (rms); {body.before.inside:.0%} of their weight was on the clicked thing, "
            f"now {body.after.inside:.0%}.")


def _running(values: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of the first values and two standard errors either way; nothing before the second one."""
    v = np.asarray(values, float)
    n = np.arange(1, len(v) + 1)
    mean = np.cumsum(v) / n
    spread = np.sqrt(np.maximum(np.cumsum(v**2) / n - mean**2, 0) / np.maximum(n - 1, 1))
    return mean[1:], (mean - 2 * spread)[1:], (mean + 2 * spread)[1:]


PLACES = (("learned places", "weighted", 2), ("regular grid", "grid", 5), ("regular grid, as wide", "wide", 6))
"""Of which places the comparison draws the share on the own thing: name, field, colour."""


def twins(body: Any) -> "go.Figure":
    """Accuracy of both networks by pictures seen, and shares of places on the own thing; solid where things are
    deformed more."""
    figure = stacked("held-out pictures", ("cells named right", "places on the own thing"), log_x=False)
    scores = {(s.name, s.bend): s.accuracy for s in body.scores}
    for name, bend in SCORES:
        _mean(figure, scores[name, bend], NAMES[name], ("deformable", "plain").index(name), 0, bend == "strong")
    for one in body.inside:
        for name, field, colour in PLACES:
            _mean(figure, getattr(one, field), name, colour, 1, one.bend == "strong")
    figure.update_traces(mode="lines")
    figure.update_yaxes(tickformat=".0%")
    return figure.update_xaxes(range=[0, body.plan], tickvals=None)


def _mean(figure: "go.Figure", values: Any, name: str, colour: int, panel: int, strong: bool) -> None:
    mean, low, high = _running(values)
    at = np.arange(2, len(mean) + 2)
    if strong:
        band(figure, at, low, high, colour, panel)
    line(figure, at, mean, name, colour, panel, "solid" if strong else "dot", shown=strong)


def twins_words(params: Any, body: Any) -> str:
    """The means so far."""
    def mean(values: Any) -> str:
        return f"{np.mean(values):.0%}"

    scores = {(s.name, s.bend): mean(s.accuracy) for s in body.scores}
    inside = {one.bend: one for one in body.inside}
    seen = len(body.scores[0].accuracy)
    said = [
        f"{BENDS[bend]} ({line}): {scores['deformable', bend]} of the things' cells named right by the "
        "deformable layers, "
        f"{scores['plain', bend]} by the plain ones; {mean(inside[bend].weighted)} of the learned places lie on "
        "the own thing, "
        f"{mean(inside[bend].grid)} of the regular grid, {mean(inside[bend].wide)} of one as wide"
        for bend, line in (("strong", "solid lines"), ("mild", "dotted"))
    ]
    return f"{seen} pictures of each kind. {'. '.join(one[0].upper() + one[1:] for one in said)}."


def twins_table(body: Any) -> Table:
    """Means with standard errors."""
    def row(name: str, bend: str, values: Any) -> tuple:
        v = np.asarray(values, float)
        return name, BENDS[bend], len(v), float(v.mean()), float(v.std(ddof=1) / len(v) ** 0.5) if len(v) > 1 else 0.0

    rows = [row(f"cells named right, {NAMES[s.name]}", s.bend, s.accuracy) for s in body.scores]
    for one in body.inside:
        grids = (("regular grid", one.grid), ("regular grid, as wide", one.wide))
        shares = (*grids, ("learned, each place alike", one.points), ("learned, by modulation", one.weighted))
        rows += [row(f"places on the own thing, {name}", one.bend, values) for name, values in shares]
    return Table(("what", "deformation", "pictures", "mean", "standard error"), tuple(rows))


def fit_scene(params: Any, body: Any) -> dict[str, Any]:
    """The map with the taps on their way."""
    rows, columns = body.map.shape
    lists = {name: [_rounded(p, 3) for p in getattr(body, name)] for name in ("points", "ghost", "goal")}
    said = {"step": len(body.losses), "plan": body.plan, "error": round(body.error[-1], 3),
            "gradient": float(f"{body.gradients[-1]:.3g}")}
    shown = {"map": colours(np.repeat(body.map[..., None], 3, -1)), "start": list(body.start)}
    return {"kind": "fit", "rows": rows, "columns": columns, **shown, **lists, **said}


def fit(body: Any) -> "go.Figure":
    """Loss, gradient of the offsets and distance to the true ones, by step."""
    figure = stacked("step", ("loss", "gradient's norm", "distance, cells"), log_x=False, log_y=(True, True, False))
    steps = np.arange(len(body.losses))
    lines = (("loss", body.losses), ("gradient of the offsets", body.gradients), ("to the true places", body.error))
    for panel, (name, values) in enumerate(lines):
        line(figure, steps, values, name, panel, panel)
    figure.update_traces(mode="lines")
    figure.update_yaxes(rangemode="tozero", row=3, col=1)
    grounded(figure, 1e-12)
    return figure.update_xaxes(range=[0, body.plan], tickvals=None)


def fit_table(body: Any) -> Table:
    """One row for each step."""
    rows = zip(range(len(body.losses)), body.losses, body.gradients, body.error, strict=True)
    return Table(("step", "loss", "norm of the gradient", "distance to the true places, cells"), tuple(rows))


def conventions_table(body: Any) -> Table:
    """The table of conventions."""
    columns = ("operator", "order of coordinates", "unit of an offset", "order of taps", "align_corners", "weights",
               "found by probing")
    return Table(columns,
                 tuple((r.operator, r.order, r.unit, r.taps, r.corners, r.weights, r.measured) for r in body.rows))


def sheet(params: Any, body: Any) -> dict[str, Any]:
    """The same table, on the stage."""
    table = conventions_table(body)
    return {"kind": "conventions", "columns": list(table.columns), "rows": [list(row) for row in table.rows]}


FIGURES = {"twins": twins, "fit": fit}
TABLES = {"taps": taps_table, "own": taps_table, "photo": photo_table, "stack": stack_table,
          "twins": twins_table, "fit": fit_table, "conventions": conventions_table}
STAGES = {"taps": taps_scene, "own": taps_scene, "photo": photo_scene, "stack": stack_scene,
          "fit": fit_scene, "conventions": sheet}
WORDS = {"taps": taps_words, "own": taps_words, "photo": photo_words, "twins": twins_words}
