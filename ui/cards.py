"""The two canvases of the Attention tab: cards of maps, and the stage of a lesson. Constant templates: no value is ever read as HTML.

The drawing is in assets/js/cards.js and assets/js/stage.js; hovering, locking and stepping are answered by the browser alone.
"""

from pathlib import Path
from typing import Any

import gradio as gr

TEMPLATE = (Path(__file__).parent / "attending" / "cards.html").read_text("utf-8")
LOAD = "const draw = () => glassbox.{kind}(element, props.value); watch('value', draw); draw();"


class Cards(gr.HTML):
    """The cards side by side; its value is the dict of ``ui.figures.cards.scene``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(value=None, html_template=TEMPLATE, js_on_load=LOAD.format(kind="cards"), apply_default_css=False, **options)


class Stage(gr.HTML):
    """A lesson that is stepped or hovered; its value is a dict of ``ui.figures.stages``, or None for an empty stage."""

    def __init__(self, **options: Any) -> None:
        template = '<div class="gb-stage"></div>'
        super().__init__(value=None, html_template=template, js_on_load=LOAD.format(kind="stage"), apply_default_css=False, **options)
