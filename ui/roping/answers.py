"""Results for the page: worked out by ``backends.rope``, which is imported (and torch with it) by the first call."""

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from backends.rope.params import MAX_TEXT, METHODS, RopeParams
from backends.rope.published import PUBLISHED, SU_SOURCE
from ui import markup
from ui.figures import rope
from ui.tab import Table


def run(params: RopeParams) -> Any:
    """The finished result of one view. ValueError with one sentence for the user."""
    from backends.rope.run import whole

    return whole(params)


def stream(params: RopeParams) -> Iterator[Any]:
    """Growing results of one view; closing the iterator ends the work."""
    from backends.rope import run as module

    return module.run(params)


def table(result: Any) -> Table:
    """The rows behind the view's figure."""
    return rope.TABLES[result.view](result.body)


def scene(params: RopeParams, result: Any) -> dict[str, Any]:
    """What the stage draws; for the calculator the clocks of the chosen method beside the untouched ones."""
    if params.view == "distance":
        return rope.distance(result.body)
    return rope.clocks(result.body, ("none", params.method) if params.view == "calculator" else ())


def block(params: RopeParams, result: Any) -> str:
    """The rope_parameters of the chosen method as JSON, with the max_position_embeddings to go with them."""
    row = next(row for row in result.body.rows if row.name == params.method)
    return json.dumps({"max_position_embeddings": row.positions, "rope_parameters": row.block}, indent=2)


def remark(params: RopeParams, result: Any) -> str:
    """What else to know of that block."""
    row = next(row for row in result.body.rows if row.name == params.method)
    never = len(result.body.unfinished)
    pairs = f"{never} of {params.head_dim // 2} pairs never completed a turn within {params.trained} tokens."
    return f"{pairs} {row.remark}".strip()


def beside(curve: Any) -> str:
    """Measured rows at the trained and the longest length, and apart from them what Su Jianlin published for 512 and 4096 tokens."""
    far = curve.plan[-1]
    ours = {line.method: dict(zip(line.lengths, line.accuracy, strict=True)) for line in curve.lines}
    rows = [(METHODS[m].label, found.get(curve.trained), found.get(far)) for m, found in ours.items()]
    theirs = [(row.label, row.short, row.repeated, row.fresh) for row in PUBLISHED]
    return (
        '<div class="gb-two"><section>'
        f"{_small(('measured here', f'{curve.trained} bytes', f'{far} bytes'), [_percent(row) for row in rows])}"
        '<p class="gb-note">Accuracy of the last bytes in %, this machine, this run.</p></section><section class="gb-theirs">'
        f"{_small(('published elsewhere', '512', '4096, repeated', '4096, fresh'), theirs)}"
        f'<p class="gb-note">{escape(SU_SOURCE)}. Another model, another text: read the order, not the values.</p></section></div>'
    )


def _percent(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row[0], *("" if v is None else f"{100 * v:.1f}" for v in row[1:])


def _small(head: tuple[str, ...], rows: Any) -> str:
    """A small table of texts and numbers."""
    top = "".join(f'<th scope="col">{escape(h)}</th>' for h in head)
    cells = ("".join(f"<td>{escape(markup.number(v))}</td>" for v in row) for row in rows)
    return f'<table class="gb-small"><thead><tr>{top}</tr></thead><tbody>{"".join(f"<tr>{c}</tr>" for c in cells)}</tbody></table>'


def read_text(path: Path) -> tuple[str, str]:
    """(text, sentence) of an uploaded file: UTF-8, cut at the cap. ValueError when it holds no text."""
    with path.open("rb") as file:
        data = file.read(MAX_TEXT + 4)
    if b"\0" in data:
        raise ValueError("This file is not a text: it holds zero bytes.")
    text = data[:MAX_TEXT].decode("utf-8", "ignore")
    cut = f" Only the first {MAX_TEXT} bytes are read." if len(data) > MAX_TEXT else ""
    return text, f"{len(text.encode())} bytes.{cut}"
