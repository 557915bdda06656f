"""The state of a tab as a self-contained Python script on the public ``backends``.

The script imports the mechanism, builds the same parameters, runs it and prints its numbers as JSON. ``numbers`` below is
the one definition of "the numbers": the endpoint returns it, and its source is pasted into the script.
"""

import inspect
from dataclasses import fields, is_dataclass
from typing import Any

from ui.tab import Tab, declared

TEMPLATE = '''"""Glassbox, {title}: {question}

Run it inside a checkout of Glassbox after `pip install -r requirements.txt`.
"""

import json
from typing import Any

{imports}

{params}

{run}


{numbers}

print(json.dumps(numbers(result), indent=1))
'''


def numbers(value: Any) -> Any:
    """A result as plain JSON: fields by name, small arrays as lists, large ones as shape and summary; no timings, and no field
    that its metadata keeps out with ``{"numbers": False}``."""
    if hasattr(value, "__dataclass_fields__"):
        kept = (name for name, entry in value.__dataclass_fields__.items() if entry.metadata.get("numbers", True))
        return {name: numbers(getattr(value, name)) for name in kept if not name.endswith("seconds")}
    if isinstance(value, dict):
        return {str(key): numbers(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [numbers(item) for item in value]
    if hasattr(value, "detach"):
        value = value.detach().cpu().double() if value.is_floating_point() else value.detach().cpu()
        value = value.numpy()
    if hasattr(value, "tolist") and getattr(value, "size", 1) > 4096:
        summary = {"mean": value.mean(), "min": value.min(), "max": value.max()}
        return {"shape": list(value.shape), **{name: numbers(float(item)) for name, item in summary.items()}}
    if hasattr(value, "tolist"):
        return numbers(value.tolist())
    if isinstance(value, float) and not abs(value) < float("inf"):
        return str(value)
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def script(tab: Tab, params: Any, image: bool = False) -> str:
    """The script that reproduces ``tab`` at ``params``; ``tab.snippet`` replaces the generated one. With ``image`` it reads a picture of
    the user's, whose path is to be filled in, and gives it to the run function as well."""
    if tab.snippet is not None:
        return tab.snippet(params)
    run = "for result in run(params):\n    pass" if tab.streams else "result = run(params)"
    imports = _imports(tab, params)
    if image:
        imports.insert(0, "from backends import images")
        run = 'image = images.load("my-picture.png")  # your picture\n' + run.replace("(params)", "(params, image)")
    return TEMPLATE.format(
        title=tab.title,
        question=tab.question,
        imports="\n".join(imports),
        params="params = " + literal(params),
        run=run.replace("run(", f"{tab.run.__name__}("),
        numbers=inspect.getsource(numbers).rstrip(),
    )


def literal(params: Any) -> str:
    """``params`` as Python source, one field a line."""
    lines = (f"    {p.name}={getattr(params, p.name)!r},\n" for p in declared(type(params)))
    return f"{type(params).__name__}(\n{''.join(lines)})"


def _imports(tab: Tab, params: Any) -> list[str]:
    """Import lines for the run function and every dataclass inside ``params``, sorted."""
    by_module: dict[str, set[str]] = {tab.run.__module__: {tab.run.__name__}}
    for kind in _kinds(params):
        by_module.setdefault(kind.__module__, set()).add(kind.__name__)
    return [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(by_module.items())]


def _kinds(value: Any) -> set[type]:
    if is_dataclass(value):
        return {type(value)}.union(*(_kinds(getattr(value, f.name)) for f in fields(value)))
    return set().union(*(_kinds(item) for item in value)) if isinstance(value, tuple) else set()
