"""Clean masks: small holes are filled and small islands dropped (sizes in pixels of the picture)."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

EIGHT_NEIGHBOURS = np.ones((3, 3), int)
AT_ONCE = 4_000_000            # pixels that are counted at a time: numpy copies them to int64


def cleaned(mask: np.ndarray, smallest: int, clicks: Sequence[tuple[float, float, int]] = ()) -> np.ndarray:
    """The mask (H, W) bool without holes, then without islands, of fewer than `smallest` pixels.

    The largest island always stays, and so does what the user asked for: an island under a click (x, y, 1), a hole
    under a click (x, y, 0).  Neighbours count across corners, and a patch of ground at the picture's edge is a hole,
    too, as in segment_anything/utils/amg.py.
    """
    if smallest <= 1 or not mask.any():
        return mask
    at = [tuple((int(y), int(x)) for x, y, label in clicks if label == sign) for sign in (0, 1)]
    filled, _ = remove_small_regions(mask, smallest, "holes", at[0])
    return remove_small_regions(filled, smallest, "islands", at[1])[0]


def remove_small_regions(mask: np.ndarray, area: float, mode: str,
                         spared: Sequence[tuple[int, int]] = ()) -> tuple[np.ndarray, bool]:
    """Fills the holes of `mask` (H, W), or removes its islands, of fewer than `area` pixels; and whether any was found.

    Regions are 8-connected in either mode; those at `spared` pixels (y, x) stay, and if no island would be left the
    largest does (the first in reading order among equals).  Without `spared` the same as remove_small_regions in
    segment_anything/utils/amg.py, which needs OpenCV.
    """
    holes = mode == "holes"
    regions, count = ndimage.label(mask ^ holes, EIGHT_NEIGHBOURS)
    parts = np.array_split(regions.ravel(), max(1, regions.size // AT_ONCE))
    sizes = sum(np.bincount(part, minlength=count + 1) for part in parts)
    sizes[0] = 0
    small = (sizes < area) & (sizes > 0)
    small[[regions[place] for place in spared]] = False
    if not small.any():
        return mask, False
    if holes:
        return mask | small[regions], True
    keep = ~small & (sizes > 0)
    keep[sizes.argmax()] |= not keep.any()
    return keep[regions], True
