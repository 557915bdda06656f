"""Masks that no click made: imported ones, as COCO's run lengths, held under a name that says what they hold.

The browser keeps them too and sends them along, so that one that was dropped here comes back with the next message. No
gradio here, and nothing heavy is imported.
"""

import hashlib
import threading
from collections import OrderedDict
from typing import Any

MOST = 64 << 20
"""Bytes in all; those used longest ago go."""
LONGEST = 1 << 20
_held: OrderedDict[str, dict[str, Any]] = OrderedDict()
_lock = threading.Lock()


def hold(mask: Any) -> str:
    """The name of a mask ``{"size": [H, W], "counts": text}``. ValueError when it is none."""
    (height, width), counts = mask["size"], mask["counts"]
    if not (type(height) is type(width) is int and isinstance(counts, str) and len(counts) <= LONGEST):
        raise ValueError("The browser sent a mask that cannot be read.")
    name = hashlib.sha256(f"{height} {width} {counts}".encode()).hexdigest()[:24]
    with _lock:
        _held[name] = {"size": [height, width], "counts": counts}
        _held.move_to_end(name)
        total = sum(len(one["counts"]) for one in _held.values())
        while total > MOST:
            total -= len(_held.popitem(last=False)[1]["counts"])
    return name


def get(name: str) -> dict[str, Any] | None:
    """The mask of that name, or None when it is not here any more."""
    with _lock:
        found = _held.get(name)
        if found is not None:
            _held.move_to_end(name)
    return found
