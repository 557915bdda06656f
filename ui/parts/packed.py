"""Arrays on their way to a stage: bytes as base64, and matrices of one byte a cell. numpy only."""

import base64
from typing import Any

import numpy as np


def packed(values: np.ndarray) -> str:
    """The bytes of an array as base64."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def matrix(values: Any) -> dict[str, Any]:
    """A matrix (n, n) as ``{bound, triangle, void, data, signs}``.

    One byte a cell in the square-root domain, |a| = bound * (level / 255)^2, so that weights of a hundredth of the
    largest still have 25 levels; signs, where there are any, as one more bit a cell ("" for none). A matrix that is
    zero above its diagonal sends the part below alone, row by row: (i, j) with j <= i is cell i (i + 1) / 2 + j, else i
    n + j. Rows that are not finite are listed as ``void``.
    """
    data = np.array(values, np.float64)
    void = np.flatnonzero(~np.isfinite(data).all(1))
    data[void] = 0.0
    triangle = len(data) > 1 and not np.triu(data, 1).any()
    cells = data[np.tril_indices(len(data))] if triangle else data.ravel()
    bound = float(np.abs(cells).max()) or 1.0
    levels = np.rint(255 * np.sqrt(np.abs(cells) / bound)).astype(np.uint8)
    signs = packed(np.packbits(cells < 0)) if (cells < 0).any() else ""
    return {"bound": bound, "triangle": triangle, "void": void.tolist(), "data": packed(levels), "signs": signs}
