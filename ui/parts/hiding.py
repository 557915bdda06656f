"""Settings that change nothing now are hidden by style alone: the browser applies it as choices are made, so no answer
can come late."""

import re
from collections.abc import Mapping, Sequence

from ui.core.tab import Choice, Tab
from ui.parts.widgets import boxes, menu


def style(tab: Tab, owners: Mapping[str, Sequence[Choice]]) -> str:
    """Style rules for the page of ``tab``. By element (a parameter, a part, or a class with its dot): the choices of
    which one must be made (``Tab.needs``); without any of them the element is not shown."""
    places: dict[str, list[str]] = {}
    for name, choices in owners.items():
        place = name if name.startswith(".") else f"#{tab.slug}-{name}"
        places.setdefault(_missed(tab, choices), []).append(place)
    return "\n".join(f".gb-tab-{tab.slug}{missed} :is({', '.join(found)}) {{display:none}}"
                     for missed, found in places.items())


def told(tab: Tab, name: str) -> str:
    """A script that writes what a menu's value is on its element, where style finds it: its input says a title."""
    return f"(value) => {{ document.getElementById('{tab.slug}-{name}').dataset.chosen = value; return []; }}"


def _missed(tab: Tab, choices: Sequence[Choice]) -> str:
    """The end of a selector of the page on which none of these choices is made."""
    alone: dict[str, list[str]] = {}
    for name, value in (choice for choice in choices if isinstance(choice[0], str)):
        alone.setdefault(name, []).append(value)
    groups = [choice for choice in choices if not isinstance(choice[0], str)]
    found = [f":has({','.join(_made(tab, name, *sorted(values)) for name, values in sorted(alone.items()))})"
             ] if alone else []
    found += ["".join(f":has({_made(tab, *pair)})" for pair in group) for group in groups]
    return "".join(f":not({made})" for made in found)


def _made(tab: Tab, name: str, *values: str) -> str:
    """A selector of what is on the page when one of these choices is made."""
    place, param = f"#{tab.slug}-{name}", tab.declared[name]
    if menu(tab, param):
        return f"{place}:is({','.join(_chosen(str(getattr(tab.opening, name)), value) for value in values)})"
    of = "name" if boxes(tab, param) else "value"                          # boxes are told by their inputs' names
    marks = [f":not([{of}={_said(value[1:])}])" if value.startswith("!") else f"[{of}={_said(value)}]"
             for value in values]
    return f"{place} input:is({','.join(marks)}):checked"


def _chosen(opens: str, value: str) -> str:
    """The same of a menu, whose element says nothing before it is used: then it is as the tab ``opens``."""
    value, other = value.removeprefix("!"), value.startswith("!")
    said = f":not([data-chosen={_said(value)}])[data-chosen]" if other else f"[data-chosen={_said(value)}]"
    return f"{said}{',:not([data-chosen])' if (opens == value) != other else ''}"


def _said(value: str) -> str:
    """A value in a selector: quoted only where it must be, since a quote takes six bytes of the page."""
    return value if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", value) else f"'{value}'"
