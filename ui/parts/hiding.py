"""Settings that change nothing now are hidden by style alone: the browser applies it as choices are made, so no answer
can come late."""

from collections.abc import Mapping, Sequence

from ui.core.tab import Tab


def style(tab: Tab, owners: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """Style rules for the page of ``tab``. By element (a parameter, a part, or a class with its dot): the choices
    (parameter, value) of which one must be made; without any of them the element is not shown."""
    places: dict[str, list[str]] = {}
    for name, choices in owners.items():
        place = name if name.startswith(".") else f"#{tab.slug}-{name}"
        places.setdefault(_made(tab, choices), []).append(place)
    return "\n".join(f".gb-tab-{tab.slug}:not(:has({made})) :is({', '.join(found)}) {{ display: none; }}"
                     for made, found in places.items())


def _made(tab: Tab, choices: Sequence[tuple[str, str]]) -> str:
    """A selector of the inputs that are checked when one of these choices is made."""
    values: dict[str, list[str]] = {}
    for field, value in choices:
        values.setdefault(field, []).append(f"[{_told(tab, field)}='{value}']")
    return ", ".join(f"#{tab.slug}-{field} input:is({', '.join(sorted(found))}):checked"
                     for field, found in sorted(values.items()))


def _told(tab: Tab, field: str) -> str:
    """Radios are told by their inputs' values, boxes by their inputs' names."""
    return "name" if field in tab.titles and tab.declared[field].control.kind == "json" else "value"
