"""The last results of the process, so that a table, a download or the endpoint never computes twice.

``run`` is a pure function of its parameters (the seed is one of them), so results may be shared between visitors.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from ui.tab import Tab


class Memo:
    """A bounded map from (slug, parameters) to the final result; the least recently used entry goes first."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._kept: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._lock = threading.Lock()

    def results(self, tab: Tab, params: Any) -> Iterator[Any]:
        """Yield the kept final result, or run ``tab`` and yield what it yields; a run that ends is kept."""
        key = (tab.slug, repr(params))
        result = self._find(key)
        if result is not None:
            yield result
            return
        for result in tab.results(params):
            yield result
        self._keep(key, result)

    def last(self, tab: Tab, params: Any) -> Any:
        """The final result for ``params``."""
        result = None
        for result in self.results(tab, params):
            pass
        return result

    def _find(self, key: tuple[str, str]) -> Any:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: tuple[str, str], result: Any) -> None:
        with self._lock:
            self._kept[key] = result
            while len(self._kept) > self._entries:
                self._kept.popitem(last=False)
