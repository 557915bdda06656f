"""The project's own files, for tests that read them. Nothing of the project is imported: files are read once and parsed
once."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOVED = (ROOT / "ui" / "tabs").is_dir() and not (ROOT / "ui" / "figures").is_dir()
"""Whether every tab lives in a room of its own: checks that only the finished house can pass bind from then on."""


def modules(*places: str) -> list[Path]:
    """Python files at or under ``places``, sorted."""
    found = (p for place in places
             for p in ((ROOT / place).rglob("*.py") if (ROOT / place).is_dir() else [ROOT / place]))
    return sorted(found)


def name_of(path: Path) -> str:
    """A file's path inside the project, with forward slashes."""
    return path.relative_to(ROOT).as_posix()


@cache
def text(path: Path) -> str:
    """What a file holds."""
    return path.read_text("utf-8")


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(text(path))


def imported(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """(line, top name, full name) of every import in a tree, also of those inside functions; ``from a import b`` names
    ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0], alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." if node.level else node.module
            yield from ((node.lineno, base.split(".")[0] or ".", f"{base}.{alias.name}") for alias in node.names)


def at_start(tree: ast.Module) -> ast.Module:
    """The imports that run when the module itself is imported, at the top level of the file."""
    return ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef, bool]]:
    """(qualified name, node, public) of every function of a module; functions inside functions are not public."""
    return ((name, node, public) for name, node, public in definitions(path) if not isinstance(node, ast.ClassDef))


def definitions(path: Path) -> Iterator[tuple[str, ast.AST, bool]]:
    """(qualified name, node, public) of every function and class of a module."""

    def walk(body: list[ast.stmt], prefix: str, public: bool) -> Iterator[tuple[str, ast.AST, bool]]:
        for node in body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                shown = public and not node.name.startswith("_")
                yield f"{prefix}{node.name}", node, shown
                yield from walk(node.body, f"{prefix}{node.name}.", shown and isinstance(node, ast.ClassDef))

    return walk(parsed(path).body, "", True)
