"""What the RoPE tab makes of a result: tables, scenes, the block to paste, texts from files."""

import json
from pathlib import Path
from typing import Any

from backends.rope.params import MAX_TEXT, RopeParams
from ui.figures import rope
from ui.tab import Table


def table(result: Any) -> Table:
    """The rows behind the view's figure."""
    return rope.TABLES[result.view](result.body)


def scene(params: RopeParams, result: Any) -> dict[str, Any]:
    """What the stage draws; for the calculator the clocks of the chosen method beside the untouched ones."""
    if params.view == "distance":
        return rope.distance(result.body)
    return rope.clocks(result.body, ("none", params.method) if params.view == "calculator" else ())


def block(params: RopeParams, result: Any) -> str:
    """The rope_parameters of the chosen method as JSON, with the max_position_embeddings to go with them; a list stays on one line."""
    row = next(row for row in result.body.rows if row.name == params.method)
    lists = {key: value for key, value in row.block.items() if isinstance(value, list)}
    shown = {"max_position_embeddings": row.positions, "rope_parameters": row.block | {key: f"@{key}" for key in lists}}
    text = json.dumps(shown, indent=2)
    for key, value in lists.items():
        text = text.replace(f'"@{key}"', json.dumps(value))
    return text


def read_text(path: Path) -> tuple[str, str]:
    """(text, sentence) of an uploaded file: UTF-8, cut at the cap. ValueError when it holds no text."""
    with path.open("rb") as file:
        data = file.read(MAX_TEXT + 4)
    if b"\0" in data:
        raise ValueError("This file is not a text: it holds zero bytes.")
    text = data[:MAX_TEXT].decode("utf-8", "ignore")
    cut = f" Only the first {MAX_TEXT} bytes are read." if len(data) > MAX_TEXT else ""
    return text, f"{len(text.encode())} bytes.{cut}"
