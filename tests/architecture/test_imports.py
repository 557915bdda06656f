"""The import law, read off the syntax trees: who may import what, which tab knows which, and what nobody needs."""

import ast
import importlib
import sys
from fnmatch import fnmatchcase
from functools import cache

import pytest

from tests.architecture.tree import MOVED, ROOT, at_start, imported, modules, name_of, parsed, text

PURE = {"torch", "torchvision", "numpy", "PIL", "timm", "segment_anything", "safetensors", "scipy", "spaces",
        "pycocotools", "tqdm"}
DRAWN = PURE | {"plotly", "ui"} - {"torch"}
LATE = {"transformers", "gguf", "pillow_heif"}
LAW = {
    "backends/*": PURE | LATE | {"backends"},
    "ui/tabs/*/figures.py": DRAWN,
    "ui/parts/plots.py": DRAWN,
    "ui/core/tab.py": set(),
    "ui/core/*": {"gradio", "starlette", "latex2mathml", "markdown_it", "numpy", "PIL", "torch", "ui",
                  "backends"},
    "ui/*": {"gradio", "numpy", "PIL", "torch", "ui", "backends"},
    "app.py": {"gradio", "ui", "backends"},
}
"""The first fitting pattern counts; the standard library is always allowed. Starlette comes with gradio."""
DRAWING = ("ui.tab", "ui.figures", "ui.core.tab", "ui.parts")
"""What a module that draws may know of the page; and what lies in its own room."""
HEAVY = {"torch", "torchvision", "plotly"}
"""What the page loads when it is needed, not before."""


def law(path):
    """The packages that a module may use."""
    return next(LAW[pattern] for pattern in LAW if fnmatchcase(name_of(path), pattern))


@cache
def rooms():
    """The names of the folders of tabs."""
    return {p.parent.name for p in (ROOT / "ui" / "tabs").glob("*/*.py")}


def room(full):
    """The tab in whose room a module lies, by its dotted name, else an empty word."""
    parts = full.split(".")
    return parts[2] if parts[:2] == ["ui", "tabs"] and len(parts) > 2 and parts[2] in rooms() else ""


def dotted(path):
    """The name by which a module is imported."""
    return name_of(path).removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def test_a_module_imports_only_what_its_place_allows():
    wrong = []
    for path in modules("app.py", "ui", "backends"):
        known = law(path) | sys.stdlib_module_names
        wrong += [f"{name_of(path)}:{line} imports {full}" for line, top, full in imported(parsed(path))
                  if top not in known]
    assert not wrong, "\n".join(wrong)


def test_the_law_names_only_what_exists():
    """A pattern that fits nothing is a leftover; the house of rooms is still being built."""
    names = [name_of(p) for p in modules("app.py", "ui", "backends")]
    unused = {pattern for pattern in LAW if not any(fnmatchcase(name, pattern) for name in names)}
    assert unused <= (set() if MOVED else {"ui/tabs/*/figures.py", "ui/parts/plots.py", "ui/core/tab.py", "ui/core/*"})


def test_what_draws_knows_nothing_of_the_page():
    wrong = []
    for path in [p for p in modules("ui") if law(p) is DRAWN]:
        known = tuple(f"{name}." for name in (*DRAWING, f"ui.tabs.{room(dotted(path))}"))
        used = {full for _, top, full in imported(parsed(path)) if top == "ui"}
        wrong += [f"{name_of(path)} imports {full}" for full in sorted(used) if not f"{full}.".startswith(known)]
    assert not wrong, "\n".join(wrong)


def test_heavy_packages_are_imported_where_they_are_needed():
    """The page neither torch nor plotly before a tab needs them; nobody transformers or gguf before a model of one's
    own."""
    wrong = []
    for path in modules("app.py", "ui", "backends"):
        late = LATE if name_of(path).startswith("backends/") else HEAVY
        wrong += [f"{name_of(path)}:{line} imports {full}" for line, top, full in imported(at_start(parsed(path)))
                  if top in late]
    assert not wrong, "\n".join(wrong)


def test_no_room_knows_another_and_the_frame_knows_none():
    """Only ``ui/__init__.py`` lists the tabs."""
    wrong = []
    for path in modules("ui"):
        if name_of(path) == "ui/__init__.py":
            continue
        met = {room(full) for _, top, full in imported(parsed(path)) if top == "ui"} - {"", room(dotted(path))}
        wrong += [f"{name_of(path)} imports the room {other}" for other in sorted(met)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.xfail(not MOVED, reason="the tabs still move into their rooms", strict=False)
def test_exactly_one_tab_draws_its_own_page():
    own = []
    for path in modules("ui/tabs"):
        calls = [n for n in ast.walk(parsed(path)) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "Tab"]
        own += [room(dotted(path)) for call in calls if {"page", "build"} & {k.arg for k in call.keywords}]
    assert rooms() and own == ["segment"]


@pytest.mark.parametrize("name", [p.stem for p in modules("benchmarks")])
def test_a_benchmark_imports_what_is_there(name):
    importlib.import_module(f"benchmarks.{name}")


@pytest.mark.xfail(not MOVED, reason="the tabs still move into their rooms", strict=False)
def test_no_module_is_dead():
    """Every module of the page and the backends is imported by another one (a Mechanism names its own), by app.py or a
    benchmark, or can be run; tests do not count."""
    ours = {dotted(p): p for p in modules("ui", "backends")}
    used = set()
    for name, path in {**ours, "app": ROOT / "app.py", **{str(p): p for p in modules("benchmarks")}}.items():
        for _, _, full in imported(parsed(path)):
            parts = full.split(".")
            used |= {".".join(parts[:n]) for n in range(1, len(parts) + 1)} - {name}
        calls = (n for n in ast.walk(parsed(path)) if isinstance(n, ast.Call)
                 and getattr(n.func, "id", "") == "Mechanism")
        used |= {f"{name}.{call.args[1].value}" for call in calls}
    assert [name for name, path in ours.items() if name not in used
            and '__name__ == "__main__"' not in text(path)] == []
