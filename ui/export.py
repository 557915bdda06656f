"""The state of a tab as a few lines of Python on the public ``backends``.

The script imports the mechanism, builds the same parameters, runs it and prints its numbers as JSON, as the endpoint returns them.
"""

from dataclasses import fields, is_dataclass
from typing import Any

from ui.tab import Tab, declared

TEMPLATE = '''"""Glassbox, {heading}

Run it inside a checkout of Glassbox after `pip install -r requirements.txt`.
"""

import json

{imports}

{lines}
print(json.dumps(numbers(result), indent=1))
'''
PLAIN = "from backends.plain import numbers"


def script(tab: Tab, params: Any, image: bool = False) -> str:
    """The script that reproduces ``tab`` at ``params``; ``tab.snippet`` replaces the generated one. With ``image`` it reads a picture of
    the user's, whose path is to be filled in, and gives it to the run function as well."""
    if tab.snippet is not None:
        return tab.snippet(params)
    call = f"{tab.run.__name__}(params{', image' if image else ''})"
    given = ['image = images.load("my-picture.png")  # your picture'] if image else []
    run = f"for result in {call}:\n    pass" if tab.streams else f"result = {call}"
    imports = _imports(tab, params) + ["from backends import images"] * image
    return compose(f"{tab.title}: {tab.question}", imports, [f"params = {literal(params)}", *given, run])


def compose(heading: str, imports: list[str], lines: list[str]) -> str:
    """A script that has ``imports`` and runs ``lines``, the last of which make ``result``."""
    return TEMPLATE.format(heading=heading, imports="\n".join(sorted([*imports, PLAIN])), lines="\n".join(lines))


def literal(params: Any) -> str:
    """``params`` as Python source, one field a line."""
    lines = (f"    {p.name}={getattr(params, p.name)!r},\n" for p in declared(type(params)))
    return f"{type(params).__name__}(\n{''.join(lines)})"


def _imports(tab: Tab, params: Any) -> list[str]:
    """Import lines for the run function and every dataclass inside ``params``."""
    by_module: dict[str, set[str]] = {tab.run.__module__: {tab.run.__name__}}
    for kind in _kinds(params):
        by_module.setdefault(kind.__module__, set()).add(kind.__name__)
    return [f"from {module} import {', '.join(sorted(names))}" for module, names in by_module.items()]


def _kinds(value: Any) -> set[type]:
    if is_dataclass(value):
        return {type(value)}.union(*(_kinds(getattr(value, f.name)) for f in fields(value)))
    return set().union(*(_kinds(item) for item in value)) if isinstance(value, tuple) else set()
