"""The click canvas: a ``gr.HTML`` with a constant template, its own drawing code and two-way messages.

The template (``canvas.html``) never holds a value: everything that a user or a server says is drawn or written with
``textContent`` by the scripts in ``js/``, which are joined into one function body. Frame of all coordinates: pixels of
the upright picture, (x, y), x right, y down; a click reports the integer pixel under the pointer.

Messages (``contracts`` in short):

* Python -> canvas, ``SegCanvas.value``: a *scene* ``{"image", "image_id", "width", "height", "objects", "active", "epoch"}``;
  a new ``epoch`` makes the canvas adopt it.
* Python -> canvas, through a ``Feed``: ``{"kind": "reply" | "records" | "file" | "notice", ...}``, see ``js/wire.js``.
* canvas -> Python: ``said`` {turn, epoch, objects, active} after every change,
  ``prompt`` {seq, epoch, image_id, objects, active, want} for masks, ``picture`` {path}, ``sample`` {id},
  ``export`` {kind}.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

HERE = Path(__file__).parent
SCRIPTS = ("core", "view", "mask", "paint", "edit", "panel", "pointer", "keys", "wire")


def script() -> str:
    """All scripts of the canvas as one function body."""
    return "\n".join((HERE / "js" / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)


def as_file(path: str | Path) -> dict[str, Any]:
    """The message form of a local file; gradio copies it to its cache and fills in ``url``."""
    return FileData(path=str(path)).model_dump()


class SegCanvas(gr.HTML):
    """Click-to-segment canvas. Events: ``said``, ``prompt``, ``picture``, ``sample``, ``export`` (custom ``gr.HTML`` events)."""

    def __init__(self, value: dict[str, Any] | None = None, *, samples: list[dict[str, str]] | None = None, **kwargs: Any) -> None:
        """``samples``: buttons above the canvas, each ``{"id", "title", "thumb"}`` with ``thumb`` an image URL."""
        super().__init__(
            value,
            html_template=(HERE / "canvas.html").read_text(encoding="utf-8"),
            css_template=(HERE / "canvas.css").read_text(encoding="utf-8"),
            js_on_load=script(),
            apply_default_css=False,
            samples=samples or [],
            **kwargs,
        )

    def postprocess(self, value: dict[str, Any] | None) -> dict[str, Any] | None:
        """Turn the scene's picture path into a file message."""
        if value and isinstance(value.get("image"), (str, Path)):
            value = {**value, "image": as_file(value["image"])}
        return value

    def api_info(self) -> dict[str, Any]:
        """The value is an object."""
        return {"type": "object"}


class Feed(gr.HTML):
    """One channel of messages to the canvas with the id ``target``; shows nothing itself."""

    def __init__(self, target: str, **kwargs: Any) -> None:
        super().__init__(
            None,
            html_template="<span></span>",
            css_template="",
            js_on_load=(HERE / "js" / "feed.js").read_text(encoding="utf-8"),
            apply_default_css=False,
            target=target,
            elem_classes="gb-away",
            **kwargs,
        )

    def postprocess(self, value: dict[str, Any] | None) -> dict[str, Any] | str | None:
        """Messages with a ``file`` stay objects (gradio must see the file), all others become one JSON string."""
        if value is None:
            return None
        if "file" in value:
            return {**value, "file": as_file(value["file"])}
        return json.dumps(value, separators=(",", ":"))

    def api_info(self) -> dict[str, Any]:
        """The value is an object."""
        return {"type": "object"}
