"""A user's long text: read from a file, and what of it a link carries. Pure functions."""

from dataclasses import replace
from pathlib import Path
from typing import Any

LINKED = 1500
"""Characters of a text that still travel in a link."""


def read_text(path: Path, most: int) -> tuple[str, str]:
    """(text, sentence) of an uploaded file: UTF-8, cut at ``most`` bytes. ValueError when it holds no text."""
    with path.open("rb") as file:
        data = file.read(most + 4)
    if b"\0" in data:
        raise ValueError("This file is not a text: it holds zero bytes.")
    text = data[:most].decode("utf-8", "ignore")
    cut = f" Only the first {most} bytes are read." if len(data) > most else ""
    return text, f"{len(text.encode())} bytes.{cut}"


def portable(params: Any, name: str = "text") -> Any:
    """What a link carries of ``params``: everything but a long text in the field ``name``."""
    return params if len(getattr(params, name)) <= LINKED else replace(params, **{name: ""})


def caveat(params: Any, name: str = "text") -> str:
    """What a copied link cannot carry, in one sentence; empty when it carries everything."""
    lost = portable(params, name) != params
    return f"A text of more than {LINKED} characters cannot travel in a link; the settings do." if lost else ""
