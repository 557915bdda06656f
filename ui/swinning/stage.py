"""The Swin tab's two canvases: the stage with its row of pictures, and the tables of the position bias. Constant templates.

The drawing is in assets/js/swin*.js. Messages to Python are custom events: ``pick`` {y, x}, ``choose`` {block, head}, ``stepped`` {step},
``sample`` {id} and ``picture`` {path} from the stage; ``choose`` {head} and ``edit`` {dy, dx, value} from the tables.
"""

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

TEMPLATE = (Path(__file__).parent / "stage.html").read_text("utf-8")
LOAD = "/* says {events} */ const draw = () => glassbox.{kind}(element, props, trigger, upload); watch('value', draw); draw();"


def _load(kind: str, *events: str) -> str:
    """Gradio finds the events that a canvas may send by their quoted names in this script."""
    return LOAD.format(kind=kind, events=", ".join(map(repr, events)))


class Stage(gr.HTML):
    """The stage; its value is a scene of ``ui.figures.swin`` with the picture's file under "image"."""

    def __init__(self, samples: list[dict[str, str]], **options: Any) -> None:
        """``samples``: buttons above the canvas, each {"id", "title", "thumb"} with ``thumb`` an image URL."""
        load = _load("swin", "pick", "choose", "stepped", "sample", "picture")
        super().__init__(value=None, html_template=TEMPLATE, js_on_load=load, apply_default_css=False, samples=samples, **options)

    def postprocess(self, value: dict[str, Any] | None) -> dict[str, Any] | None:
        """Turn the picture's path into a file message."""
        if value and isinstance(value.get("image"), str):
            value = {**value, "image": FileData(path=value["image"]).model_dump()}
        return value

    def api_info(self) -> dict[str, Any]:
        """The value is an object."""
        return {"type": "object"}


class Tables(gr.HTML):
    """The bias tables; its value is ``ui.figures.swin.tables`` of a result, or None."""

    def __init__(self, **options: Any) -> None:
        template = '<div class="gb-board-bias"></div>'
        load = _load("swinBias", "choose", "edit")
        super().__init__(value=None, html_template=template, js_on_load=load, apply_default_css=False, **options)
