"""Budgets of size, and what every public function owes its reader."""

import ast
import re
import statistics
import subprocess
import sys

import pytest

from tests.architecture.tree import ROOT, functions, modules, name_of

CODE = ("app.py", "ui", "backends")
MEDIAN, P90, LONGEST, FILE = 12, 40, 60, 350
OVERRIDES = {"forward", "preprocess", "postprocess", "api_info", "example_payload", "example_value"}
"""Methods whose contract is documented by the class that they override."""


def texts():
    """Every text file of the project that people read or run."""
    folders = ("ui", "backends", "tests", "assets/css", "assets/js", "benchmarks", ".ci")
    inside = (p for f in folders for p in (ROOT / f).rglob("*") if p.suffix in (".py", ".js", ".css", "") and p.is_file())
    return sorted({ROOT / "app.py", ROOT / "README.md", *(p for p in inside if "__pycache__" not in p.parts)})


def test_functions_are_short():
    sizes = [(n.end_lineno - n.lineno + 1, f"{name_of(p)}:{name}") for p in modules(*CODE) for name, n, _ in functions(p)]
    lengths = sorted(size for size, _ in sizes)
    p90 = lengths[int(0.9 * len(lengths))]
    print(f"{len(lengths)} functions, median {statistics.median(lengths)}, p90 {p90}, longest {max(sizes)}")
    assert statistics.median(lengths) <= MEDIAN and p90 <= P90
    assert [where for size, where in sizes if size > LONGEST] == []


@pytest.mark.parametrize("path", [p for p in texts() if p.suffix], ids=name_of)
def test_a_file_has_at_most_350_lines(path):
    assert len(path.read_text("utf-8").splitlines()) <= FILE


@pytest.mark.parametrize("path", modules(*CODE), ids=name_of)
def test_public_functions_are_annotated_and_documented(path):
    missing = []
    for name, node, public in functions(path):
        arguments = [a for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs) if a.arg not in ("self", "cls")]
        if not public or node.name in OVERRIDES:
            continue
        if node.returns is None or any(a.annotation is None for a in arguments):
            missing.append(f"{name} is not fully annotated")
        if not ast.get_docstring(node):
            missing.append(f"{name} has no docstring")
    assert missing == []


@pytest.mark.parametrize("path", modules(*CODE, "tests"), ids=name_of)
def test_a_module_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


@pytest.mark.parametrize("path", texts(), ids=name_of)
def test_nothing_is_left_for_later_and_nothing_is_private(path):
    text = path.read_text("utf-8")
    marks = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"))
    assert not re.search(rf"\b({marks})\b", text)
    assert not re.search(r"/(home|Users|work|root)/[a-z]", text)


def test_ruff_is_content():
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "."], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
