"""The last result of each tab of a visitor, so that downloads, tables and pins show what is on screen and compute
nothing."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Shown:
    """What a tab shows: the parameters and the result that was drawn from them."""

    params: Any
    result: Any
    bytes: int


def size_of(value: Any) -> int:
    """Bytes that a result holds: arrays and tensors by their numbers, everything else by a flat estimate."""
    if hasattr(value, "nbytes"):
        return int(value.nbytes)
    if is_dataclass(value):
        return 64 + sum(size_of(getattr(value, f.name)) for f in fields(value))
    if isinstance(value, dict):
        return 64 + sum(size_of(item) for item in value.values())
    if isinstance(value, tuple | list):
        numbers = bool(value) and isinstance(value[0], int | float)
        return 56 + (32 * len(value) if numbers else sum(map(size_of, value)))
    return 64 + len(value) if isinstance(value, str | bytes) else 32


class Kept:
    """A map (visitor, tab) -> ``Shown``; of a visitor's results beyond ``most`` bytes the oldest go, of all beyond
    ``in_all``."""

    def __init__(self, most: int = 64 * MEGABYTE, in_all: int = 512 * MEGABYTE) -> None:
        self._limits = most, in_all
        self._shown: OrderedDict[tuple[str, str], Shown] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, session: str, slug: str, params: Any, result: Any) -> None:
        """Keep what was just drawn for this visitor."""
        with self._lock:
            self._shown[session, slug] = Shown(params, result, size_of(result))
            self._shown.move_to_end((session, slug))
            self._shrink([key for key in self._shown if key[0] == session], self._limits[0])
            self._shrink(list(self._shown), self._limits[1])

    def _shrink(self, keys: list[tuple[str, str]], most: int) -> None:
        """Drop the oldest of ``keys`` until they fit; what was drawn last stays even if it alone is larger."""
        held = sum(self._shown[key].bytes for key in keys)
        for key in keys[:-1]:
            if held <= most:
                return
            held -= self._shown.pop(key).bytes

    def get(self, session: str, slug: str) -> Shown | None:
        """What this visitor's tab shows, or None."""
        with self._lock:
            return self._shown.get((session, slug))

    def bytes(self, session: str) -> int:
        """What is kept for one visitor."""
        with self._lock:
            return sum(shown.bytes for key, shown in self._shown.items() if key[0] == session)

    def drop(self, session: str, slug: str = "") -> None:
        """Forget a visitor, or what one of their tabs shows."""
        with self._lock:
            for key in [key for key in self._shown if key[0] == session and slug in ("", key[1])]:
                del self._shown[key]
