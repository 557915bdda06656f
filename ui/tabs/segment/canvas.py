"""The click canvas: a ``gr.HTML`` with a constant template, and scripts (ES modules in this folder) that draw and
speak.

The template (``canvas.html``) never holds a value: everything that a user or a server says is drawn or written with
``textContent``. Frame of all coordinates: pixels of the upright picture, (x, y), x right, y down; a click reports the
integer pixel under the pointer.

What is said goes through the tab's ``Wire``, one numbered message at a time: ``set`` {epoch, objects, active} after
every change, ``sample`` {id}, ``picture`` {path}, ``export`` {what}. Masks may take long, so they have a line of their
own:

* canvas -> Python: the event ``prompt`` {seq, epoch, image_id, objects, active, want}; and ``hover`` {seq, epoch,
  image_id, point, steps}, which asks for the mask that one more click would give.
* Python -> canvas, ``SegCanvas.value``: a *scene* ``{"image", "image_id", "width", "height", "objects", "active",
"epoch"}``;
  a new ``epoch`` makes the canvas adopt it; ``objects`` None leaves what the user said.
* Python -> canvas, through a ``Feed``: ``{"kind": "reply" | "hover" | "records" | "file" | "notice" | "next", ...}``,
  see ``wire.js``. A reply carries the ``seq`` and the ``epoch`` of its question; one that was overtaken is dropped.
"""

import json
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from ui.parts.canvas import BASE

HERE = Path(__file__).parent
MODULE = "import(new URL('tabs/segment/wire.js', {base})).then((m) => m."
CANVAS = "/* 'prompt' 'hover' */ " + MODULE + "mount(element, props, trigger, upload, watch));"
FEED = MODULE + "feed(props, watch));"


def as_file(path: str | Path) -> dict[str, Any]:
    """The message form of a local file; gradio copies it to its cache and fills in ``url``."""
    return FileData(path=str(path)).model_dump()


class SegCanvas(gr.HTML):
    """Click-to-segment canvas. Events: ``prompt`` and ``hover`` (custom ``gr.HTML`` events)."""

    def __init__(self, value: dict[str, Any] | None = None, *, samples: list[dict[str, str]], presets: str = "",
                 **options: Any) -> None:
        """``samples``: buttons above the canvas, each ``{"id", "title", "thumb"}`` with ``thumb`` an image URL;
        ``presets``: HTML of ours beside them."""
        template = (HERE / "canvas.html").read_text("utf-8").replace("<!-- presets -->", presets)
        script = CANVAS.format(base=BASE)
        super().__init__(value, html_template=template, js_on_load=script, apply_default_css=False,
                         samples=samples, **options)

    def postprocess(self, value: dict[str, Any] | None) -> dict[str, Any] | None:
        """Turn the scene's picture path into a file message."""
        if value and isinstance(value.get("image"), (str, Path)):
            value = {**value, "image": as_file(value["image"])}
        return value

    def api_info(self) -> dict[str, Any]:
        """The value is an object."""
        return {"type": "object"}


class Feed(gr.HTML):
    """One channel of messages to the canvas, so that two answers in one flush cannot replace each other; shows nothing
    itself."""

    def __init__(self, **options: Any) -> None:
        common = {"js_on_load": FEED.format(base=BASE), "apply_default_css": False, "elem_classes": "gb-away"}
        super().__init__(None, html_template="<span></span>", **common, **options)

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
