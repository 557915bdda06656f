"""Declared axes, checked at run time.

    @dataclass(frozen=True)
    class Result:
        weights: Annotated[Tensor, "h n n"]
        values: Annotated[Tensor, "h n d"]

`check(result)` binds every letter to one length across all fields; a number is that length.
"""
from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


class ShapeError(ValueError):
    """A tensor field does not have the axes it declares; the message names field, expected and found."""


def check(obj: T) -> T:
    """Returns the dataclass `obj` if the axes declared by its fields agree, else raises ShapeError.  Fields that are
    None are skipped."""
    hints = _hints(type(obj))
    bound: dict[str, tuple[int, str]] = {}
    for field in fields(obj):  # type: ignore[arg-type]
        axes, value = declared_axes(hints[field.name]), getattr(obj, field.name)
        if axes is None or value is None:
            continue
        if not hasattr(value, "shape"):
            raise ShapeError(f"{field.name} should be a tensor with axes ({' '.join(axes)}) but is a "
                             f"{type(value).__name__}.")
        _bind(field.name, axes, tuple(value.shape), bound)
    return obj


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def declared_axes(hint: Any) -> list[str] | None:
    """The letters of `Annotated[Tensor, "h n n"]`, also inside Optional; None for a hint without axes."""
    if get_origin(hint) is Annotated:
        text = next((note for note in get_args(hint)[1:] if isinstance(note, str)), None)
        return None if text is None else text.split()
    found = [axes for part in get_args(hint) if (axes := declared_axes(part)) is not None]
    return found[0] if found else None


def _bind(name: str, axes: list[str], shape: tuple[int, ...], bound: dict[str, tuple[int, str]]) -> None:
    if len(axes) != len(shape):
        raise ShapeError(f"{name} should have axes ({' '.join(axes)}) but has shape {shape}.")
    for axis, length in zip(axes, shape):
        expected, first = (int(axis), name) if axis.isdigit() else bound.setdefault(axis, (length, name))
        if length != expected:
            why = "" if first == name else f" as in {first}"
            raise ShapeError(f"{name} should have axes ({' '.join(axes)}) with {axis} = {expected}{why} but has "
                             f"shape {shape}.")
