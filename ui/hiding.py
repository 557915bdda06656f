"""Settings that change nothing now are hidden by style alone: the browser applies it as choices are made, so no answer can come late."""

from collections.abc import Mapping, Sequence

Owners = Mapping[str, Sequence[tuple[str, str]]]
"""By element: the choices, (field, value), of which one must be made for the element to matter."""


def style(slug: str, owners: Owners, named: Sequence[str] = ()) -> str:
    """Style rules for a page of the class ``gb-tab-<slug>``: an element without any of its choices ticked is not shown.

    Radios are told by their inputs' values, the fields in ``named`` (boxes) by their inputs' names.
    """
    rules = []
    for name, choices in owners.items():
        made = ", ".join(f"#{slug}-{field} input[{'name' if field in named else 'value'}='{value}']:checked" for field, value in choices)
        rules.append(f".gb-tab-{slug}:not(:has({made})) #{slug}-{name} {{ display: none; }}")
    return "\n".join(rules)
