"""The lessons that are stepped or hovered in the browser, as plain dicts for assets/js/stage.js. numpy only.

The state of linear attention does not travel once per step: each step adds one outer product, S_i = S_{i-1} + a_i b_i^T, so a_i and b_i do,
as float32, and the browser adds them up. That is n (d + e) numbers instead of n d e, and it is the mechanism itself.
Letters: n tokens, d features, e value channels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ui.figures.cards import text


def state(lesson: Any, labels: Sequence[str]) -> dict[str, Any]:
    """The scene of a ``State`` lesson: keys a, writes b, and under the delta rule the values v, as a write is no longer its value."""
    states = np.asarray(lesson.states, np.float64)
    keys, write = writes(states, np.asarray(lesson.sums, np.float64))
    values = np.einsum("nd,nde->ne", keys, states) if lesson.delta else write
    n, rows, columns = states.shape
    return {
        "kind": "state",
        "n": n,
        "rows": rows,
        "columns": columns,
        "labels": list(labels),
        "step": int(lesson.step),
        "delta": bool(lesson.delta),
        "keys": text(keys.astype(np.float32)),
        "writes": text(write.astype(np.float32)),
        "values": text(values.astype(np.float32)) if lesson.delta else "",
        "bound": float(np.abs(states).max()) or 1.0,
    }


def writes(states: np.ndarray, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a (n, d) and b (n, e) with S_i - S_{i-1} = a_i b_i^T, of states S (n, d, e) and z (n, d).

    The keys a are the steps of z; the delta rule keeps no z, there they are the positive unit vectors that the rank-one steps of S span.
    """
    steps = np.diff(states, axis=0, prepend=0.0)
    keys = np.diff(sums, axis=0, prepend=0.0) if sums.any() else np.einsum("nde,ne->nd", steps, steps.sum(1))
    length = np.maximum(np.sqrt((keys**2).sum(1, keepdims=True)), np.finfo(np.float64).tiny)
    keys = keys if sums.any() else keys / length
    square = np.maximum((keys**2).sum(1, keepdims=True), np.finfo(np.float64).tiny)
    return keys, np.einsum("nd,nde->ne", keys, steps) / square


def mask(lesson: Any, labels: Sequence[str]) -> dict[str, Any]:
    """The scene of a ``Mask`` lesson: after how many layers a token first depends on another, 0 = not within ``depth``."""
    first = np.asarray(lesson.first).astype(np.uint8)
    return {
        "kind": "mask",
        "n": len(first),
        "labels": list(labels),
        "depth": int(lesson.depth),
        "name": lesson.kind,
        "first": text(first),
        "reach": [float(share) for share in lesson.reach],
    }
