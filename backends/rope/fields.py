"""Numbers of a `config.json`, or one sentence that says why they are none."""
from __future__ import annotations

import sys
from typing import Any

LIMIT = 2**31


def number(found: dict[str, Any], key: str, low: float, high: float, default: float | None) -> float | None:
    """A finite number above `low` (from it, if that is 1 or more) and up to `high`; `default` when missing or null."""
    value = found.get(key)
    if value is None:
        return default
    if not finite(value):
        raise ValueError(f"{key} should be a number in this config.json, not {str(value)[:40]!r}.")
    if not (low <= value <= high and value > 0):
        raise ValueError(f"{key} is {value:g} in this config.json, which no model has.")
    return value


def needed(found: dict[str, Any], key: str) -> float:
    """A number that a block of its type must have."""
    value = number(found, key, 0, LIMIT, None)
    if value is None:
        raise ValueError(f"The rope_parameters of type {found.get('rope_type')} need {key}.")
    return value


def whole(found: dict[str, Any], key: str, low: float, high: float) -> int | None:
    """A whole number as `number` finds it, or None."""
    value = number(found, key, low, high, None)
    if value is not None and value != int(value):
        raise ValueError(f"{key} should be a whole number in this config.json, not {value:g}.")
    return None if value is None else int(value)


def finite(value: Any) -> bool:
    """Whether it is a number that a float can hold; JSON's whole numbers may be longer."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max
