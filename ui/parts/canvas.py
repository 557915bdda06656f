"""The elements that speak with the browser: constant templates, so that no value is ever read as HTML.

``Wire`` carries messages, one a tab, ``Aside`` what is said without being asked; ``Stage`` shows scenes. The scripts
are ES modules in ``assets/js`` and in the tabs' rooms, loaded when a tab is opened, under addresses relative to the
page.
"""

from typing import Any

import gradio as gr
from gradio.data_classes import FileData

BASE = "new URL('glass/', location.origin + location.pathname.replace(/\\/?$/, '/'))"
WIRE = ("/* 'said' 'begin' 'stop' */ import(new URL('js/wire.js', {base})).then((m) => m.connect(element, props, "
        "trigger, upload, watch));")
ASIDE = "import(new URL('js/wire.js', {base})).then((m) => m.listen(element, props, watch));"
STAGE = "import(new URL('js/stage.js', {base})).then((m) => m.mount(element, props, watch));"


def piece(value: str = "", **options: Any) -> gr.HTML:
    """A piece of HTML that listens to nothing."""
    return gr.HTML(value, js_on_load=None, padding=False, **options)


class Wire(gr.HTML):
    """The one way between a tab in the browser and Python.

    Browser to Python: the events ``said`` {turn, kind, ...}, answered at once, ``begin`` {turn} of a long run, and
    ``stop``. Python to browser: its value {turn, ...}, see ``assets/js/wire.js``; ``turn`` is the number of the message
    it answers.
    """

    def __init__(self, slug: str, **options: Any) -> None:
        template = f'<div class="gb-wire" data-slug="{slug}"></div>'
        super().__init__(value=None, html_template=template, js_on_load=WIRE.format(base=BASE), apply_default_css=False,
                         elem_id=f"{slug}-wire", elem_classes="gb-away", **options)

    def api_info(self) -> dict[str, Any]:
        """The value is an object."""
        return {"type": "object"}


class Aside(gr.HTML):
    """Answers without a number: ``name`` says of which event. One component holds one value, and of two that come at
    once the browser sees the last; so each event whose answers can meet others' has an element of its own."""

    def __init__(self, slug: str, name: str, **options: Any) -> None:
        template = f'<div class="gb-aside" data-slug="{slug}"></div>'
        super().__init__(value=None, html_template=template, js_on_load=ASIDE.format(base=BASE),
                         apply_default_css=False, elem_id=f"{slug}-{name}", elem_classes="gb-away", **options)

    def api_info(self) -> dict[str, Any]:
        """The value is an object."""
        return {"type": "object"}


class Stage(gr.HTML):
    """Where scenes are drawn; its value is {"turn", "scenes": [{"kind", ...}, ...]}, perhaps with "image", the path of
    a file."""

    def __init__(self, slug: str, room: str = "", **options: Any) -> None:
        """``room``: the folder that draws the scenes, where it is not the tab's own."""
        template = f'<div class="gb-stages" data-slug="{slug}" data-room="{room or slug}"></div>'
        super().__init__(value=None, html_template=template, js_on_load=STAGE.format(base=BASE),
                         apply_default_css=False, elem_id=f"{slug}-stage", **options)

    def postprocess(self, value: dict[str, Any] | None) -> dict[str, Any] | None:
        """Turn the picture's path into a file message."""
        if value and isinstance(value.get("image"), str):
            value = {**value, "image": FileData(path=value["image"]).model_dump()}
        return value

    def api_info(self) -> dict[str, Any]:
        """The value is an object."""
        return {"type": "object"}
