"""What a run has given stays given, and what a hand has set stays set.

Gradio (6.31) sends each answer of a run as its difference from the one before, and its client writes that difference
into the very objects that components were given. A browser that is behind then finds a figure's object turned into
what came after it: where a later answer left the figure alone, it was never drawn. So a run gives again, with each
later answer, what that would leave alone. It costs nothing on the way, since there is no difference.

When an event ends, the client fills the outputs with the last answer once more, and would set a widget back that a hand
moved meanwhile. So an event's last answer has no values of widgets.
"""

from collections.abc import Collection, Iterator
from typing import Any

import gradio as gr


def again(before: list[Any] | None, now: list[Any]) -> list[Any]:
    """The values ``now``, those that are skipped as they were ``before`` in the same run."""
    return [old if _skips(new) else new for old, new in zip(before or now, now, strict=True)]


def without(last: list[Any], widgets: Collection[int]) -> Iterator[list[Any]]:
    """What follows an event's last answer where it has values for these outputs: the same, which leaves them alone."""
    if any(last[at] != gr.skip() for at in widgets):
        yield [gr.skip() if at in widgets else value for at, value in enumerate(last)]


def _skips(value: Any) -> bool:
    return isinstance(value, dict) and value.get("__type__") == "update"
