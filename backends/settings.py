"""Fields of the dataclasses that pages are drawn from: what a widget is called and may hold.  No torch: it is loaded
after the page."""
from __future__ import annotations

from dataclasses import field
from typing import Any

UNPRINTED = {"numbers": False}
"""Metadata of arrays that do not belong in printed numbers."""


def setting(default: Any, label: str, text: str = "", bounds: tuple[float, float] | None = None, step: float = 1,
            **more: Any) -> Any:
    """A field of a frozen dataclass with the description of its widget: `label`, help `text`, a range with its step,
    and `more`, such as `choices` or `kind` (see `ui.tab.Control`)."""
    sized = {"range": bounds, "step": step} if bounds else {}
    return field(default=default, metadata={"label": label, "help": text, **sized, **more})


def check(params: Any) -> None:
    """ValueError, one sentence, unless every setting lies in its range and is one of its choices."""
    for name, entry in params.__dataclass_fields__.items():
        value, (low, high), known = getattr(params, name), entry.metadata.get(
            "range", (None, None)), entry.metadata.get("choices")
        if low is not None and not low <= value <= high:
            raise ValueError(f"{entry.metadata['label']} must lie between {low:g} and {high:g}.")
        if known and value not in known:
            raise ValueError(f"{str(value)[:40]!r} is not known here; choose one of {', '.join(known)}.")
