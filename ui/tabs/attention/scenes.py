"""Scenes of the Attention tab, drawn by cards.js and stage.js, and the rows of single cards.

The state of linear attention does not travel once per step: each step adds one outer product,
S_i = S_{i-1} + a_i b_i^T, so a_i and b_i do, as float32, and the browser adds them up. That is n (d + e) numbers
instead of n d e, and it is the mechanism itself.
Letters: n tokens, d features, e value channels.
"""

import math
from typing import Any

import numpy as np

from ui.core.tab import Table
from ui.parts import packed

METRICS = ("entropy", "support", "top1", "sink", "locality", "rank", "error", "error_low", "error_high", "negative")


def maps(body: Any) -> list[np.ndarray]:
    """The matrix (n, n) of the drawn head on each card, as the reading wants it; NaN in rows that cannot be divided."""
    from backends.attention import compare

    found = []
    for card in body.cards:
        values = compare.shown(card, body.reading)[body.head].numpy().copy()
        values[~np.isfinite(card.weights[body.head].numpy()).all(1)] = np.nan
        found.append(values)
    return found


def cards(params: Any, body: Any) -> dict[str, Any]:
    """A map for each kind and the figures under it. Only the drawn head travels: eight kinds at n = 128 are at most
    200 KB.

    ``causal``: what was asked for, so that a card that sees the future all the same can be told from one that may.
    """
    drawn = [_card(card, values) for card, values in zip(body.cards, maps(body), strict=True)]
    return {"kind": "cards", "n": len(body.labels), "labels": list(body.labels), "pieces": list(body.pieces),
            "digest": body.digest,
            "radius": body.radius, "causal": params.causal, "taught": params.lesson != "none", "cards": drawn}


def _card(card: Any, values: Any) -> dict[str, Any]:
    metrics = {name: finite(value) for name, value in card.metrics.items()}
    words = {"kind": card.kind, "label": card.label, "note": card.note, "causal": card.causal}
    figures = {"residual": finite(card.residual), "metrics": metrics, "bad": list(card.bad_rows)}
    return words | figures | packed.matrix(values)


SCORES = {"first": "on the first token", "previous": "on the previous one", "induction": "induction",
          "baseline": "without a repeat", "entropy": "entropy", "reach": "reach"}


def heads(params: Any, body: Any) -> dict[str, Any]:
    """The sheet of all heads: of each map the bytes below the diagonal, of each score 16 bits, so that those of any
    model are at most 200 KB."""
    maps = np.asarray(body.maps)
    layers, count, side, _ = maps.shape
    rows, columns = np.tril_indices(side)
    found = {"kind": "heads", "layers": layers, "heads": count, "side": side, "layer": params.layer,
             "head": params.head, "order": params.order,
             "source": params.source if params.source == "model" else "text"}
    return found | {"maps": packed.packed(maps[:, :, rows, columns]),
                    "scores": {name: _levels(np.asarray(values)) for name, values in scores(body).items()}}


def scores(body: Any) -> dict[str, Any]:
    """What is measured so far, (layers, heads) each."""
    return {name: getattr(body, name) for name in SCORES if getattr(body, name) is not None}


def _levels(values: np.ndarray) -> dict[str, Any]:
    bound = float(values.max()) or 1.0
    return {"bound": bound, "data": packed.packed(np.rint(65535 * values.clip(0) / bound).astype("<u2"))}


def heads_table(body: Any) -> Table:
    """One row for each head."""
    found = {name: np.asarray(values) for name, values in scores(body).items()}
    layers, count = np.asarray(body.first).shape
    rows = ((layer + 1, head + 1, *(float(values[layer, head]) for values in found.values()))
            for layer in range(layers) for head in range(count))
    return Table(("layer", "head", *(SCORES[name] for name in found)), tuple(rows))


def finite(value: float) -> float | None:
    """The value, or None where it is no number: JSON has no NaN."""
    return float(value) if math.isfinite(value) else None


def figures_table(body: Any) -> Table:
    """The figures under the cards: one row for each kind."""
    columns = ("kind", "causal", *METRICS, "bad rows", "residual")
    rows = ((c.label, str(c.causal), *(c.metrics.get(name, "") for name in METRICS), len(c.bad_rows), c.residual)
            for c in body.cards)
    return Table(columns, tuple(rows))


def part(body: Any, name: str) -> Table:
    """The exact matrix of one card, by its kind; of "figures", those under all cards. ValueError when there is none."""
    if name == "figures":
        return figures_table(body)
    at = next((k for k, card in enumerate(body.cards) if card.kind == name), None)
    if at is None:
        raise ValueError("There is no card of this kind at the moment.")
    labels = [f"{j} {label}" for j, label in enumerate(body.labels)]
    rows = ((label, *row) for label, row in zip(labels, maps(body)[at].tolist(), strict=True))
    return Table(("query \\ key", *labels), tuple(rows))


def state(params: Any, body: Any) -> dict[str, Any]:
    """The lesson ``State``: keys a, writes b, and under the delta rule the values v: there a write is not its value."""
    lesson = body.lesson
    states = np.asarray(lesson.states, np.float64)
    keys, write = writes(states, np.asarray(lesson.sums, np.float64))
    values = packed.packed(np.einsum("nd,nde->ne", keys, states).astype(np.float32)) if lesson.delta else ""
    n, rows, columns = states.shape
    return {
        "kind": "state", "n": n, "rows": rows, "columns": columns, "labels": list(body.labels),
        "step": int(lesson.step), "delta": bool(lesson.delta), "bound": float(np.abs(states).max()) or 1.0,
        "keys": packed.packed(keys.astype(np.float32)), "writes": packed.packed(write.astype(np.float32)),
        "values": values,
    }


def writes(states: np.ndarray, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a (n, d) and b (n, e) with S_i - S_{i-1} = a_i b_i^T, of states S (n, d, e) and z (n, d).

    The keys a are the steps of z; the delta rule keeps no z, there they are the positive unit vectors that the rank-one
    steps of S span.
    """
    steps = np.diff(states, axis=0, prepend=0.0)
    keys = np.diff(sums, axis=0, prepend=0.0) if sums.any() else np.einsum("nde,ne->nd", steps, steps.sum(1))
    length = np.maximum(np.sqrt((keys**2).sum(1, keepdims=True)), np.finfo(np.float64).tiny)
    keys = keys if sums.any() else keys / length
    square = np.maximum((keys**2).sum(1, keepdims=True), np.finfo(np.float64).tiny)
    return keys, np.einsum("nd,nde->ne", keys, steps) / square


def mask(params: Any, body: Any) -> dict[str, Any]:
    """The lesson ``Mask``: after how many layers a token first depends on another, 0 = not within ``depth``."""
    lesson = body.lesson
    first = np.asarray(lesson.first).astype(np.uint8)
    return {"kind": "mask", "n": len(first), "labels": list(body.labels), "depth": int(lesson.depth),
            "first": packed.packed(first), "reach": [float(share) for share in lesson.reach]}
