"""What the RoPE tab makes of a result: tables, scenes, the block to paste."""

import json
from typing import Any

from backends.rope.params import RopeParams
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
