"""The cards of the Attention tab as one plain dict: a map per kind, and the figures under it. numpy only.

A map travels as one byte a cell in the square-root domain, |a| = bound * (level / 255)^2, so that weights of a hundredth of the largest
still have 25 levels; signs, where there are any, as one more bit a cell. A map that is zero above its diagonal sends the part below
alone, row by row: (i, j) with j <= i is cell i (i + 1) / 2 + j, else i n + j. Rows that are not finite are listed as `void`.
Only the head on screen travels: eight kinds at n = 128 are at most 200 KB.
"""

import base64
import math
from collections.abc import Sequence
from typing import Any

import numpy as np


def scene(result: Any, maps: Sequence[Any], causal: bool) -> dict[str, Any]:
    """The cards of an ``AttentionResult``; ``maps`` holds one matrix (n, n) for each card: the drawn head as the reading wants it.

    ``causal``: what was asked for, so that a card that sees the future all the same can be told from one that may.
    """
    return {
        "kind": "cards",
        "n": len(result.labels),
        "labels": list(result.labels),
        "digest": result.digest,
        "radius": result.radius,
        "reading": result.reading,
        "causal": causal,
        "cards": [_card(card, values) for card, values in zip(result.cards, maps, strict=True)],
    }


def _card(card: Any, values: Any) -> dict[str, Any]:
    metrics = {name: finite(value) for name, value in card.metrics.items()}
    words = {"kind": card.kind, "label": card.label, "note": card.note, "causal": card.causal, "residual": finite(card.residual)}
    return words | {"metrics": metrics, "bad": list(card.bad_rows)} | packed(values)


def finite(value: float) -> float | None:
    """The value, or None where it is no number: JSON has no NaN."""
    return float(value) if math.isfinite(value) else None


def packed(values: Any) -> dict[str, Any]:
    """A matrix (n, n) as ``{bound, triangle, void, data, signs}``, see the module's text; ``signs`` is "" for a map without negatives."""
    data = np.array(values, np.float64)
    void = np.flatnonzero(~np.isfinite(data).all(1))
    data[void] = 0.0
    triangle = len(data) > 1 and not np.triu(data, 1).any()
    cells = data[np.tril_indices(len(data))] if triangle else data.ravel()
    bound = float(np.abs(cells).max()) or 1.0
    levels = np.rint(255 * np.sqrt(np.abs(cells) / bound)).astype(np.uint8)
    signs = text(np.packbits(cells < 0)) if (cells < 0).any() else ""
    return {"bound": bound, "triangle": triangle, "void": void.tolist(), "data": text(levels), "signs": signs}


def text(values: np.ndarray) -> str:
    """The bytes of an array as base64."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
