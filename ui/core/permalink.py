"""The state of a tab as a query string and back: pure functions, typed by the tab's parameter dataclass.

``tab=rope&v=1&base=500`` names the tab, the version of its parameters and every one that differs from its default.
A parameter dataclass whose defaults have changed since its links went out says in ``FORMER``, a tuple of one dict for
each version from "1" on, which defaults were others then, so that an old link shows what it showed; its own version is
the next number.
Texts travel as they are (percent-encoded), everything else as JSON, so zeros, false, empty texts and unicode survive.
A link without a version, as people write it by hand, is read as one of today.
Reading never fails: an unknown key is ignored, a bad value costs one sentence and falls back to the default.
"""

import json
import math
import types
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl, urlencode

from ui.core.tab import Param, ParamError, Tab, declared


def version(kind: type) -> str:
    """The version of the links that are made now."""
    return str(1 + len(getattr(kind, "FORMER", ())))


def short(tab: Tab, params: Any) -> str:
    """The query string of what the shown view reads of ``params``."""
    return encode(tab.slug, params, tab.reads(params))


def encode(slug: str, params: Any, names: Collection[str] | None = None) -> str:
    """The query string of ``params`` (no leading "?"), or of those with ``names`` alone. Parameters equal to their
    default are left out."""
    pairs = [("tab", slug), ("v", version(type(params)))]
    for param in declared(type(params)):
        if names is not None and param.name not in names:
            continue
        text = to_text(param.type, getattr(params, param.name))
        if text != to_text(param.type, param.default):
            pairs.append((param.name, text))
    return urlencode(pairs, errors="replace")


def decode(kind: type, query: str | Mapping[str, str]) -> tuple[Any, tuple[str, ...]]:
    """Parameters of dataclass ``kind`` from a query, and one sentence for each value that could not be used."""
    given = dict(parse_qsl(query.lstrip("?"), keep_blank_values=True) if isinstance(query, str) else query)
    versions = [str(1 + i) for i in range(int(version(kind)))]
    if given.get("v", versions[-1]) not in versions:
        return kind(), ("This link was made by another version of Glassbox, so the defaults are shown.",)
    former = [*getattr(kind, "FORMER", ()), {}][versions.index(given.get("v", versions[-1]))]
    values, sentences = dict(former), []
    for param in declared(kind):
        if param.name in given:
            try:
                values[param.name] = accept(param, from_text(param.type, given[param.name]))
            except ParamError as error:
                sentences.append(f"{error} The link's value was ignored.")
    try:
        return kind(**values), tuple(sentences)
    except ValueError as error:
        return kind(), (*sentences, f"{error} The defaults are shown.")


def make(kind: type, values: Mapping[str, Any]) -> Any:
    """Parameters of dataclass ``kind`` from values of widgets or of the endpoint; ``ParamError`` says what is wrong."""
    known = {p.name: accept(p, values[p.name]) for p in declared(kind) if p.name in values}
    try:
        return kind(**known)
    except ValueError as error:
        raise ParamError(str(error)) from error


def changed(params: Any, values: Mapping[str, Any]) -> Any:
    """``params`` with some values from the browser, checked as those of a link are. ``ParamError`` when one cannot be
    used."""
    now = {p.name: plain(getattr(params, p.name)) for p in declared(type(params))}
    return make(type(params), now | dict(values))


def accept(param: Param, value: Any) -> Any:
    """``value`` as the parameter's type, inside its range, choices and length; else ``ParamError``."""
    control = param.control
    try:
        value = coerce(param.type, value)
    except ParamError as error:
        raise ParamError(f"{control.label} must be {error}.") from error
    if control.choices and value not in control.choices:
        raise ParamError(f"{control.label} must be one of {', '.join(map(str, control.choices))}.")
    if control.range and not control.range[0] <= value <= control.range[1]:
        raise ParamError(f"{control.label} must lie between {control.range[0]} and {control.range[1]}.")
    if isinstance(value, str) and len(value) > control.max_length:
        raise ParamError(f"{control.label} may have at most {control.max_length} characters.")
    return value


def to_text(hint: Any, value: Any) -> str:
    """One value as text: texts as they are, everything else as compact JSON."""
    return value if _is_text(hint) else json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False)


def from_text(hint: Any, text: str) -> Any:
    """The inverse of ``to_text``, still untyped (lists, dicts); ``coerce`` gives it its type."""
    if _is_text(hint):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _Unreadable()


def plain(value: Any) -> Any:
    """Dataclasses as dicts (fields equal to their default left out) and tuples as lists, so that JSON can hold them."""
    if is_dataclass(value):
        pairs = ((f, getattr(value, f.name)) for f in fields(value))
        return {f.name: plain(item) for f, item in pairs if repr(item) != repr(f.default)}
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value


def coerce(hint: Any, value: Any) -> Any:
    """``value`` as type ``hint``: bool, int, float, str, Literal, None, unions, tuples and dataclasses of these.

    A whole float passes as an int (sliders send them). ``ParamError`` holds the expectation, such as "a whole number".
    """
    if hint in _SCALARS:
        return _scalar(hint, value)
    origin = get_origin(hint)
    if origin is Literal:
        return _literal(get_args(hint), value)
    if origin in (Union, types.UnionType):
        return _union(get_args(hint), value)
    if origin is tuple:
        return _tuple(get_args(hint), value)
    if is_dataclass(hint):
        return _nested(hint, value)
    raise TypeError(f"the parameter type {hint} is not supported")


class _Unreadable:
    """Stands for a text that is no JSON: it matches no type."""


MOST = 2**63 - 1
"""Whole numbers beyond it have no place in an array, nor in an answer's JSON."""
_SCALARS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", type(None): "empty"}


def _is_text(hint: Any) -> bool:
    return hint is str or (get_origin(hint) is Literal and all(isinstance(a, str) for a in get_args(hint)))


def _scalar(hint: type, value: Any) -> Any:
    if hint in (int, float) and isinstance(value, int | float) and not isinstance(value, bool):
        return _number(hint, value)
    if hint is str and isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")   # half a character is none
    if hint not in (int, float) and isinstance(value, hint):
        return value
    raise ParamError(_SCALARS[hint])


def _number(hint: type, value: int | float) -> int | float:
    if (isinstance(value, float) and not math.isfinite(value)) or (hint is int and value != int(value)):
        raise ParamError(_SCALARS[hint])
    if int in (hint, type(value)) and abs(value) > MOST:
        raise ParamError("a smaller number")
    return hint(value)


def _literal(allowed: tuple[Any, ...], value: Any) -> Any:
    for item in allowed:
        if item == value and type(item) is type(value):
            return item
    raise ParamError(f"one of {', '.join(map(str, allowed))}")


def _union(options: tuple[Any, ...], value: Any) -> Any:
    expected = []
    for option in options:
        try:
            return coerce(option, value)
        except ParamError as error:
            expected.append(str(error))
    raise ParamError(" or ".join(expected))


def _tuple(hints: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple | list):
        raise ParamError("a list")
    if len(hints) == 2 and hints[1] is Ellipsis:
        return tuple(coerce(hints[0], item) for item in value)
    if len(hints) != len(value):
        raise ParamError(f"a list of {len(hints)}")
    return tuple(coerce(hint, item) for hint, item in zip(hints, value, strict=True))


def _nested(kind: type, value: Any) -> Any:
    if isinstance(value, kind):
        return value
    if not isinstance(value, dict):
        raise ParamError("a group of named values")
    hints = get_type_hints(kind)
    try:
        return kind(**{f.name: coerce(hints[f.name], value[f.name]) for f in fields(kind) if f.name in value})
    except ParamError:
        raise
    except (TypeError, ValueError) as error:
        raise ParamError(f"complete ({error})") from error
