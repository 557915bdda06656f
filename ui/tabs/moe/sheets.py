"""Sheets of the MoE tab: tables that are read on the page itself, as scenes of sheet.js. numpy only.

A sheet is {"kind": "sheet", "tables": [...]}; a table has a title, notes, a head and rows of texts, and
optionally for each row the colour of its first cell (``hues``) and shades in [-1, 1] of the cells after that
(``heat``).
"""

from typing import Any

import numpy as np

from ui.parts.plots import CATEGORIES

EXPERTS = (*CATEGORIES, "#5c45a1")
"""A colour for each of eight experts."""
UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
LETTERS = {"width": "D", "hidden": "F", "experts": "E", "k": "k", "heads": "H", "groups": "G",
           "head": "d", "vocab": "V"}


def classes(params: Any, body: Any) -> dict[str, Any]:
    """Which share of each token class every expert gets, and the bytes that go there beyond their share, layer by
    layer."""
    tables = [_experts(table, body.classes) for table in body.tables]
    tables[-1]["notes"] = [
        "Each column: how a class is divided among the experts. Blue: more than the expert's share of all bytes "
        "(“all”); orange: "
        "less. Its bytes: those with the largest n log(n / expected).",
    ]
    return {"kind": "sheet", "tables": tables}


def _experts(table: Any, names: tuple[str, ...]) -> dict[str, Any]:
    counts = np.asarray(table.counts, np.float64)
    share = counts / np.maximum(counts.sum(0, keepdims=True), 1)
    load = counts.sum(1, keepdims=True) / counts.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        lift = np.where(counts.sum(0) > 0, np.clip(np.nan_to_num(np.log2(share / load), neginf=-2.0), -2, 2) / 2, 0.0)
    cells = [["–" if not n else f"{v:.0%}" for v, n in zip(row, counts.sum(0), strict=True)] for row in share]
    rows = [[str(e), *row, f"{load[e, 0]:.1%}", " ".join(table.top[e])] for e, row in enumerate(cells)]
    return {
        "title": f"Layer {table.layer}",
        "notes": [],
        "head": ["expert", *names, "all", "its bytes"],
        "rows": rows,
        "hues": EXPERTS[: len(rows)],
        "heat": np.round(lift, 2).tolist(),
    }


def bill(params: Any, body: Any) -> dict[str, Any]:
    """Parameters by part with the formula of each, and what they cost."""
    sizes = ", ".join([f"{body.layers} layers",
                       *(f"{LETTERS[name]} = {value}" for name, value in body.sizes if name in LETTERS)])
    known = f"Sizes from the model's config.json: {sizes}."
    said = f"Published: {body.published[0]:g} and {body.published[1]:g} billion ({body.source})."
    parts = [[part.name, short(part.total), short(part.active), part.formula] for part in body.parts]
    parts.append(["All", short(body.total), short(body.active), "sum"])
    costs = [[f"Weights in {name}", f"{size / 1e9:.4g} GB", f"bytes of a parameter: {size / body.total:g}"]
             for name, size in body.bytes]
    return {"kind": "sheet", "tables": [
        {"title": "Parameters", "notes": [known, said], "head": ["part", "in all", "used by a token", "formula"],
         "rows": parts, "hues": [*EXPERTS[: len(body.parts)], "transparent"]},
        {"title": "What they cost", "notes": [], "head": ["what", "value", "formula"], "rows": costs + _costs(body)},
    ]}


def _costs(body: Any) -> list[list[str]]:
    numbers = "c + r" if body.latent else "2 G d"
    cache = f"{body.batch} × {body.context} tokens × {short(body.cache_token)} bytes: layers × ({numbers}), bfloat16"
    return [
        ["Key-value cache", f"{body.cache / 1e9:.4g} GB", cache],
        ["Operations of a token", short(body.flops),
         "2 × active parameters without the embedding; attention to the context not counted"],
        ["Experts visited in a layer", f"{body.visited:.1f} / {body.experts}",
         f"E (1 − (1 − k/E)^{body.batch}), were all equally likely"],
        ["Weights read in a step", f"{body.read / 1e9:.4g} GB", "bfloat16: visited experts and all the rest"],
        ["Least time of a step", f"{body.least:.3g} ms", "weights read / bandwidth"],
    ]


def short(value: float) -> str:
    """A count with a letter: 46702792704 as 46.7 B."""
    for size, letter in UNITS:
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:g}"
