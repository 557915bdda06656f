"""The import law, read off the syntax trees: who may import what."""

import ast
import sys

import pytest

from tests.architecture.tree import ROOT, modules, name_of

PURE = {"torch", "torchvision", "numpy", "PIL", "timm", "segment_anything", "safetensors", "scipy", "spaces"}
LAW = {
    "backends": PURE | {"backends"},
    "backends/rope/local.py": PURE | {"backends", "transformers"},
    "backends/checkpoints.py": PURE | {"backends", "transformers"},
    "ui/figures": PURE | {"plotly", "ui"} - {"torch"},
    "ui": {"gradio", "plotly", "numpy", "PIL", "torch", "ui", "backends"},
    "app.py": {"gradio", "ui", "backends"},
}
"""The first fitting prefix counts; the standard library is always allowed."""


def imported(tree):
    """(line, top name, full name) of every import in a module, also of those inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0], alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, (node.module or ".").split(".")[0] if not node.level else ".", node.module or "."


def allowed(path):
    """The packages that the module may use."""
    order = sorted(LAW, key=len, reverse=True)
    return next(LAW[prefix] for prefix in order if name_of(path) == prefix or name_of(path).startswith(prefix + "/"))


@pytest.mark.parametrize("path", modules("app.py", "ui", "backends"), ids=name_of)
def test_a_module_imports_only_what_its_place_allows(path):
    known = allowed(path) | sys.stdlib_module_names | {"."}
    wrong = [f"line {line}: {full}" for line, top, full in imported(ast.parse(path.read_text("utf-8"))) if top not in known]
    assert wrong == []


@pytest.mark.parametrize("path", modules("ui/figures"), ids=name_of)
def test_figures_know_nothing_of_the_page(path):
    used = {full for _, top, full in imported(ast.parse(path.read_text("utf-8"))) if top == "ui"}
    assert all(full == "ui.tab" or full.startswith("ui.figures") for full in used), used


@pytest.mark.parametrize("path", modules("app.py", "ui"), ids=name_of)
def test_the_page_does_not_import_torch_before_it_is_needed(path):
    top_level = ast.Module([n for n in ast.parse(path.read_text("utf-8")).body if isinstance(n, ast.Import | ast.ImportFrom)], [])
    assert {"torch", "torchvision", "plotly"}.isdisjoint({top for _, top, _ in imported(top_level)})


def test_the_law_names_only_what_exists():
    assert all((ROOT / prefix).exists() for prefix in LAW)
