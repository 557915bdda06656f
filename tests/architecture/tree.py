"""The project's own files, for tests that read them."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def modules(*places: str) -> list[Path]:
    """Python files at or under ``places``, sorted."""
    found = (p for place in places for p in ((ROOT / place).rglob("*.py") if (ROOT / place).is_dir() else [ROOT / place]))
    return sorted(found)


def name_of(path: Path) -> str:
    """A file's path inside the project, with forward slashes."""
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef, bool]]:
    """(qualified name, node, public) of every function of a module; functions inside functions are not public."""

    def walk(body: list[ast.stmt], prefix: str, public: bool) -> Iterator[tuple[str, ast.FunctionDef, bool]]:
        for node in body:
            shown = public and not getattr(node, "name", "").startswith("_")
            if isinstance(node, ast.ClassDef):
                yield from walk(node.body, f"{prefix}{node.name}.", shown)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{prefix}{node.name}", node, shown
                yield from walk(node.body, f"{prefix}{node.name}.", False)

    return walk(ast.parse(path.read_text("utf-8")).body, "", True)
