"""Results for the page: computed by ``backends.attention``, which is imported (and torch with it) by the first call."""

import inspect
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from backends.attention.params import AttentionParams, AttentionResult
from ui import export
from ui.figures import cards
from ui.tab import Table

METRICS = ("entropy", "support", "top1", "sink", "locality", "rank", "error", "error_low", "error_high", "negative")
SCRIPT = '''"""Glassbox, Attention: the same q, k, v through several kinds of attention.

Run it inside a checkout of Glassbox after `pip install -r requirements.txt`.
"""

import json
from typing import Any

{imports}

{params}
{tensors}
result = run(params{given})


{numbers}

print(json.dumps(numbers(result), indent=1))
'''


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
    own = params.source == "file"
    imports = ["from backends.attention.compare import run", "from backends.attention.params import AttentionParams"]
    if own:
        imports.insert(1, "from backends.attention.inputs import read_tensors")
    return SCRIPT.format(
        imports="\n".join(imports),
        params="params = " + export.literal(params),
        tensors='tensors = read_tensors("my-qkv.safetensors")  # your file with q, k and v' if own else "",
        given=", tensors" if own else "",
        numbers=inspect.getsource(export.numbers).rstrip(),
    )
