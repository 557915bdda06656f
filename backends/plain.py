"""Results as plain JSON: what an endpoint returns and what an exported script prints."""

from typing import Any

from backends.device import array

MOST_ENTRIES = 4096
"""Entries up to which an array is written out."""


def numbers(value: Any) -> Any:
    """A result as plain JSON: fields by name, small arrays as lists, large ones as shape and summary; no timings, and
    no field that its metadata keeps out with ``{"numbers": False}``."""
    if hasattr(value, "__dataclass_fields__"):
        kept = (name for name, entry in value.__dataclass_fields__.items() if entry.metadata.get("numbers", True))
        return {name: numbers(getattr(value, name)) for name in kept if not name.endswith("seconds")}
    if isinstance(value, dict):
        return {str(key): numbers(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [numbers(item) for item in value]
    if hasattr(value, "detach"):
        value = array(value.double() if value.is_floating_point() else value)
    if hasattr(value, "tolist") and getattr(value, "size", 1) > MOST_ENTRIES:
        summary = {"mean": value.mean(), "min": value.min(), "max": value.max()}
        return {"shape": list(value.shape), **{name: numbers(float(item)) for name, item in summary.items()}}
    if hasattr(value, "tolist"):
        return numbers(value.tolist())
    if isinstance(value, float) and not abs(value) < float("inf"):
        return str(value)
    return value if isinstance(value, bool | int | float | str | None) else str(value)
