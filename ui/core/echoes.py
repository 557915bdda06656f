"""What the server wrote into text boxes, and may be told back.

Gradio sets an answer's values one after the other, and a text's ``change`` fires at once: the event that tells what the
server wrote carries half of a new state.
"""

import time
from collections import deque
from collections.abc import Mapping
from typing import Any

MOST = 8
"""How many values of one widget are remembered that its browser may still tell back."""
LATE = 30.0
"""Seconds after which a value that was written is not told back any more: then a hand has typed it."""


class Echoes:
    """By visitor and widget, what was written and not yet told back."""

    def __init__(self) -> None:
        self._wrote: dict[str, dict[str, deque[tuple[float, Any]]]] = {}

    def wrote(self, session: str, values: Mapping[str, Any]) -> None:
        """Remember what is written, by the widgets' names."""
        for name, value in values.items():
            self._wrote.setdefault(session, {}).setdefault(name, deque(maxlen=MOST)).append((time.monotonic(), value))

    def tells(self, session: str, name: str, value: Any) -> bool:
        """Whether a widget's event only tells what was written into it; each value counts once."""
        wrote = self._wrote.get(session, {}).get(name, deque())
        while wrote:
            when, what = wrote.popleft()
            if what == value and time.monotonic() - when < LATE:
                return True
        return False

    def drop(self, session: str) -> None:
        """Forget a visitor."""
        self._wrote.pop(session, None)
