"""Scenes: what the page's own canvas draws, as plain dicts. A matrix travels as one byte a cell with its scale.

Made for maps that are hovered or scrubbed: a 256 x 256 matrix is 87 KB, and the colours are applied in the browser.
Cividis is readable with any colour vision (Nunez, Anderton, Renslow 2018); signed values use ColorBrewer's RdBu.
"""

import base64
from typing import Any

import numpy as np

CIVIDIS = ("#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838")
RDBU = ("#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7", "#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f")


def matrix(
    values: Any, x: str = "column", y: str = "row", low: float | None = None, high: float | None = None, signed: bool = False
) -> dict[str, Any]:
    """A scene of ``values`` (rows, columns), drawn row 0 on top.

    ``x`` and ``y`` name what a column and a row are. ``low`` and ``high`` bound the colours (default: the smallest and the
    largest value); with ``signed`` the scale is symmetric around zero, blue below and red above.
    """
    data = np.asarray(values, np.float64)
    if data.ndim != 2 or data.size == 0:
        raise ValueError(f"A matrix scene needs rows and columns, not the shape {data.shape}.")
    low, high = _bounds(data, low, high, signed)
    levels = np.clip((np.nan_to_num(data, nan=low) - low) / (high - low), 0.0, 1.0)
    return {
        "kind": "matrix",
        "rows": data.shape[0],
        "columns": data.shape[1],
        "low": low,
        "high": high,
        "data": base64.b64encode(np.rint(levels * 255).astype(np.uint8).tobytes()).decode(),
        "colours": list(RDBU if signed else CIVIDIS),
        "x": x,
        "y": y,
    }


def _bounds(data: np.ndarray, low: float | None, high: float | None, signed: bool) -> tuple[float, float]:
    finite = data[np.isfinite(data)] if np.isfinite(data).any() else np.zeros(1)
    low = float(finite.min()) if low is None else float(low)
    high = float(finite.max()) if high is None else float(high)
    if signed:
        low, high = -max(abs(low), abs(high)), max(abs(low), abs(high))
    return (low, high) if high > low else (low, low + 1.0)
