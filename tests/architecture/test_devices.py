"""Nothing in the backends ties itself to one device: what lies on the host says so by name."""

import ast

import pytest

from tests.architecture.tree import modules, name_of, parsed

EXEMPT = "backends/train/"
"""Recipes train on what their --device names, from data that they make on the host."""
OWN = "it moves a checkpoint of the user's own, whose command has a --device"
NAMED = {
    "backends/device.py": "the one place: HOST, and how a tensor comes back",
    "backends/moe/local.py": OWN,
}
"""Modules that say "cpu", and why."""


def said(tree):
    """Lines that say "cpu", call ``.cpu()`` or ``.numpy()``, or make a generator of their own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value == "cpu":
            yield node.lineno
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            bare = node.func.attr == "Generator" and not node.args
            if node.func.attr in ("cpu", "numpy") or bare:
                yield node.lineno


def test_only_the_named_modules_say_cpu():
    found = {name_of(p): list(said(parsed(p))) for p in modules("backends") if not name_of(p).startswith(EXEMPT)}
    assert {name for name, lines in found.items() if lines} == set(NAMED), found


@pytest.mark.parametrize(("code", "lines"), [
    ('x.to("cpu")', [1]), ("x.detach().cpu().numpy()", [1, 1]), ("torch.Generator().manual_seed(0)", [1]),
    ("torch.Generator(HOST)", []), ("x.to(HOST)", [])])
def test_the_search_finds_what_it_is_for(code, lines):
    assert sorted(said(ast.parse(code))) == lines
