"""What the tabs of one server share: lanes, kept results, who listens, and what to forget when a visitor leaves."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import gradio as gr

from ui.core.kept import Kept
from ui.core.lanes import Lanes, default_long_runs
from ui.parts.pictures import OWN_PICTURES
from ui.parts.uploads import MODELS


@dataclass
class Frame:
    """One server's shared parts. ``events``: how many a visitor may have under way."""

    long_runs: int | None = None
    events: int = 8
    kept: Kept = field(default_factory=Kept)
    listeners: Counter = field(default_factory=Counter)
    forgets: list[Callable[[str], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lanes = Lanes(int(self.long_runs or default_long_runs()),
                           heard=lambda session: self.listeners[session] > 0)
        self.forgets += [self.kept.drop, OWN_PICTURES.drop, MODELS.drop, self.lanes.stop]

    def forget(self, request: gr.Request) -> None:
        """A visitor has left: their runs end, their results, pictures and files are not found any more."""
        for forget in self.forgets:
            forget(request.session_hash)
