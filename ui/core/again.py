"""What a run has given stays given.

Gradio (6.31) sends each answer of a run as its difference from the one before, and its client writes that difference
into the very objects that components were given. A browser that is behind then finds a figure's object turned into
what came after it: where a later answer left the figure alone, it was never drawn. So a run gives again, with each
later answer, what that would leave alone. It costs nothing on the way, since there is no difference.
"""

from typing import Any


def again(before: list[Any] | None, now: list[Any]) -> list[Any]:
    """The values ``now``, those that are skipped as they were ``before`` in the same run."""
    return [old if _skips(new) else new for old, new in zip(before or now, now, strict=True)]


def _skips(value: Any) -> bool:
    return isinstance(value, dict) and value.get("__type__") == "update"
