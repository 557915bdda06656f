"""The state of a tab as a few lines of Python on the public ``backends``, and what a pin says of it.

The script imports the mechanism, builds the same parameters, runs it and prints its numbers as JSON, as the endpoint
returns them.
"""

import hashlib
from dataclasses import fields, is_dataclass
from typing import Any

from ui.core import permalink
from ui.core.kept import Shown
from ui.core.tab import Tab, declared
from ui.parts import markup

TEMPLATE = '''# Needs Glassbox's backends: run `pip install -e .` once, in the folder of Glassbox.
"""Glassbox, {heading}"""

import json

try:
{imports}
except ModuleNotFoundError as missing:
    raise SystemExit(f"{{missing}}: run `pip install -e .` in the folder of Glassbox first.") from None

{lines}
print(json.dumps(numbers(result), indent=1))
'''
PLAIN = "from backends.plain import numbers"


def script(tab: Tab, params: Any) -> str:
    """The script that reproduces ``tab`` at ``params``; own files are named by paths to be filled in."""
    if tab.snippet is not None:
        return tab.snippet(params)
    given, imports, arguments = [], _imports(tab, params), ["params"]
    for source in tab.sources:
        if source.kind == "picture" and getattr(params, source.field).startswith("own-"):
            imports.append("from backends import images")
            given.append('image = images.load("my-picture.png")  # your picture')
            arguments.append("image=image")
        if source.kind == "model" and source.wanted(params):
            imports += ["from pathlib import Path", f"from {source.load.__module__} import {source.load.__name__}"]
            given.append(f'{source.field} = {source.load.__name__}(Path("my-file{source.accept}"), params)  '
                         '# your file')
            arguments.append(f"{source.field}={source.field}")
    call = f"result = {tab.run.__name__}({', '.join(arguments)})"
    return compose(f"{tab.title}: {tab.question}", imports, [f"params = {literal(params)}", *given, call])


def pin(tab: Tab, params: Any, shown: Shown) -> dict[str, Any]:
    """What the browser needs to name what is pinned: the links of ``params``, whole to compare and short to hand on,
    the SHA-256 of the rows as *CSV* saves them, and the label, default and values' titles of each setting."""
    rows = markup.csv_of(tab.view(shown.params).table(shown.result.body))
    return pinned(tab, params, rows, "SHA-256 of the rows as CSV", bool(tab.view(shown.params).figure))


def pinned(tab: Tab, params: Any, said: str, what: str, charted: bool) -> dict[str, Any]:
    """``pin`` of whatever has the text ``said`` as its numbers, which are called ``what``."""
    known = tab.declared.values()
    titled = {tab.chooser: {name: view.title for name, view in tab.views.items()}, **tab.titles}
    return {"link": permalink.encode(tab.slug, params), "short": permalink.short(tab, params), "charted": charted,
            "digest": hashlib.sha256(said.encode()).hexdigest(), "what": what,
            "labels": {p.name: p.control.label for p in known},
            "defaults": {p.name: permalink.to_text(p.type, p.default) for p in known},
            "titles": {name: {str(value): title for value, title in found.items()} for name, found in titled.items()}}


def compose(heading: str, imports: list[str], lines: list[str]) -> str:
    """A script that has ``imports`` and runs ``lines``, the last of which make ``result``."""
    wanted = "\n".join(f"    {line}" for line in sorted([*imports, PLAIN]))
    return TEMPLATE.format(heading=heading, imports=wanted, lines="\n".join(lines))


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
