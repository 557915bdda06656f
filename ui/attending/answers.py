"""Results for the page: computed by ``backends.attention``, which is imported (and torch with it) by the first call."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from backends.attention.params import AttentionParams, AttentionResult
from ui import export
from ui.figures import cards
from ui.tab import Table

METRICS = ("entropy", "support", "top1", "sink", "locality", "rank", "error", "error_low", "error_high", "negative")
HEADING = "Attention: the same q, k, v through several kinds of attention."


def run(params: AttentionParams, tensors: Any = None) -> AttentionResult:
    """Cards and lesson for ``params``; ``tensors`` are q, k, v of an own file. ValueError with one sentence for the user."""
    from backends.attention import compare

    return compare.run(params, tensors)


def quick(params: AttentionParams, tensors: Any) -> AttentionResult:
    """The cards alone, without the lesson's work."""
    return run(replace(params, lesson="none"), tensors)


def taught(params: AttentionParams, tensors: Any, result: AttentionResult) -> Iterator[AttentionResult]:
    """``result`` with the lesson of ``params``; `bracket` grows, and closing the generator stops it."""
    from backends.attention import inputs, lessons

    for lesson in lessons.steps(params, inputs.load(params, tensors)):
        yield replace(result, lesson=lesson, checks=result.checks + lessons.checks(lesson))


def maps(result: AttentionResult) -> list[np.ndarray]:
    """The matrix (n, n) of the drawn head on each card, as the reading wants it; NaN in rows that cannot be divided."""
    from backends.attention import compare

    found = []
    for card in result.cards:
        values = compare.shown(card, result.reading)[result.head].numpy().copy()
        values[~np.isfinite(card.weights[result.head].numpy()).all(1)] = np.nan
        found.append(values)
    return found


def scene(params: AttentionParams, result: AttentionResult) -> dict[str, Any]:
    """What the cards' canvas draws."""
    return cards.scene(result, maps(result), params.causal)


def table(result: AttentionResult) -> Table:
    """The figures under the cards: one row for each kind."""
    columns = ("kind", "causal", *METRICS, "bad rows", "residual")
    rows = ((c.label, str(c.causal), *(c.metrics.get(name, "") for name in METRICS), len(c.bad_rows), c.residual) for c in result.cards)
    return Table(columns, tuple(rows))


def matrix(result: AttentionResult, kind: str) -> Table:
    """The exact matrix of one card. ValueError when there is no such card."""
    at = next((k for k, card in enumerate(result.cards) if card.kind == kind), None)
    if at is None:
        raise ValueError("There is no card of this kind at the moment.")
    labels = [f"{j} {label}" for j, label in enumerate(result.labels)]
    rows = ((label, *row) for label, row in zip(labels, maps(result)[at].tolist(), strict=True))
    return Table(("query \\ key", *labels), tuple(rows))


def script(params: AttentionParams) -> str:
    """Python on the public backends that prints the numbers of ``run(params)``; an own file is named by a path to be filled in."""
    imports = ["from backends.attention.compare import run", "from backends.attention.params import AttentionParams"]
    lines, given = [f"params = {export.literal(params)}"], ""
    if params.source == "file":
        imports.append("from backends.attention.inputs import read_tensors")
        lines.append('tensors = read_tensors("my-qkv.safetensors")  # your file with q, k and v')
        given = ", tensors"
    return export.compose(HEADING, imports, [*lines, f"result = run(params{given})"])
