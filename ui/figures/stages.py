"""The lessons that are stepped or hovered in the browser, as plain dicts for assets/js/stage.js. numpy only.

The state of linear attention does not travel once per step: each step adds one outer product, S_i = S_{i-1} + a_i b_i^T, so a_i and b_i do,
as float32, and the browser adds them up. That is n (d + e) numbers instead of n d e, and it is the mechanism itself.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ui.figures.cards import packed, text


def state(lesson: Any, labels: Sequence[str]) -> dict[str, Any]:
    """The scene of a ``State`` lesson: the writes, the sums z, and how well every earlier value reads back."""
    states, sums = np.asarray(lesson.states, np.float64), np.asarray(lesson.sums, np.float64)
    left, right = writes(states, np.diff(sums, axis=0, prepend=0.0))
    recall = np.clip(np.nan_to_num(np.asarray(lesson.recall, np.float64)), 0.0, 1.0)
    n, rows, columns = states.shape
    return {
        "kind": "state",
        "n": n,
        "rows": rows,
        "columns": columns,
        "labels": list(labels),
        "step": int(lesson.step),
        "delta": bool(lesson.delta),
        "left": text(left.astype(np.float32)),
        "right": text(right.astype(np.float32)),
        "sums": text(sums.astype(np.float32)),
        "bound": float(np.abs(states).max()) or 1.0,
        "recall": packed(recall),
    }


def writes(states: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a (n, d) and b (n, e) with S_i - S_{i-1} = a_i b_i^T, given S (n, d, e) and a (n, d), the features of the keys."""
    steps = np.diff(states, axis=0, prepend=0.0)
    length = np.maximum((keys**2).sum(1), np.finfo(np.float64).tiny)
    return keys, np.einsum("nd,nde->ne", keys, steps) / length[:, None]


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
