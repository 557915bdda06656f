"""A least-recently-used cache that is bounded in bytes and safe to share between threads.

One instance holds the picture embeddings of the whole process, one the logits of earlier clicks, one the loaded
models.  Nothing about a picture lives anywhere else, so memory stays flat however many pictures are seen.
"""
from __future__ import annotations

import ctypes
import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any

from backends import stop


def give_back() -> None:
    """Gives freed memory back to the system: glibc keeps blocks of up to 32 MB for itself, and so most of a model."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


class ByteLRU:
    """Maps keys to values until their declared sizes exceed `limit` bytes; then the values used longest ago go first.

    A value larger than the whole limit is never kept.  Sizes are what the caller declares, usually `Tensor.nbytes`.
    A cache that `trims` gives the memory of what it dropped back to the system: for few and large values.
    """

    def __init__(self, limit: int, trims: bool = False) -> None:
        self.limit, self.trims = limit, trims
        self._items: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._building: dict[Hashable, Lock] = {}
        self._bytes = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def bytes(self) -> int:
        """Sum of the declared sizes of the values held now, never more than `limit`."""
        return self._bytes

    def get(self, key: Hashable) -> Any | None:
        """The value of `key`, which becomes the most recently used one; None if it is not held."""
        with self._lock:
            if key not in self._items:
                return None
            self._items.move_to_end(key)
            return self._items[key][0]

    def put(self, key: Hashable, value: Any, size: int) -> None:
        """Holds `value` of `size` bytes under `key`, in place of an older value, and drops what no longer fits."""
        with self._lock:
            self._bytes -= self._items.pop(key, (None, 0))[1]
            if size > self.limit:
                return
            self._items[key] = (value, size)
            self._bytes += size
            while self._bytes > self.limit:
                self._bytes -= self._items.popitem(last=False)[1][1]
        if self.trims:
            give_back()

    def get_or_compute(self, key: Hashable, compute: Callable[[], tuple[Any, int]]) -> tuple[Any, bool]:
        """(value, was it held already).  `compute` returns (value, size in bytes).

        Threads that ask for the same missing key wait for one computation; other keys are not held up.  What
        `compute` raises reaches its own caller only, and the next caller computes again.
        """
        found = self.get(key)
        if found is not None:
            return found, True
        with self._lock:
            turn = self._building.setdefault(key, Lock())
        with stop.held(turn):
            found = self.get(key)
            if found is not None:
                return found, True
            try:
                value, size = compute()
                self.put(key, value, size)
            finally:
                with self._lock:
                    self._building.pop(key, None)
        return value, False

    def drop(self, unwanted: Callable[[Hashable], bool]) -> None:
        """Drops the values whose keys are `unwanted`."""
        with self._lock:
            for key in [key for key in self._items if unwanted(key)]:
                self._bytes -= self._items.pop(key)[1]
        if self.trims:
            give_back()

    def clear(self) -> None:
        """Drops every value."""
        with self._lock:
            self._items.clear()
            self._bytes = 0
