"""Runs that end when they are asked to, so that what they say last is what stays on the page.

Gradio's own ``cancels`` answers the Stop button while a message of the stopped run may still be under way, and whichever comes last wins.
"""

from collections.abc import Iterator
from typing import TypeVar

import gradio as gr

from ui.build import TRIVIAL

Item = TypeVar("Item")


class Stops:
    """Which sessions have asked their one run of a sort to stop."""

    def __init__(self) -> None:
        self._asked: set[str] = set()

    def heed(self, button: gr.Button) -> None:
        """Each press of ``button`` asks for the end of the visitor's own run."""

        def ask(request: gr.Request) -> None:
            self.ask(request.session_hash)

        button.click(ask, None, None, **TRIVIAL)

    def ask(self, session: str) -> None:
        """The run of ``session`` shall end before its next item."""
        self._asked.add(session)

    def until(self, session: str, items: Iterator[Item]) -> Iterator[Item]:
        """Yield ``items`` until the session asks for a stop, then close them. An earlier request does not count."""
        self._asked.discard(session)
        try:
            for item in items:
                if session in self._asked:
                    return
                yield item
        finally:
            self._asked.discard(session)
            getattr(items, "close", lambda: None)()
