"""The canvas that draws scenes (``ui/figures/scenes.py``): a constant template, so that no value is ever read as HTML.

The drawing is in assets/js/scene.js; hovering is answered by the browser alone.
"""

from typing import Any

import gradio as gr

TEMPLATE = '<div class="gb-scene"><canvas tabindex="0" role="img"></canvas><p class="gb-note" aria-live="polite"></p></div>'
LOAD = "const draw = () => glassbox.scene(element, props.value); watch('value', draw); draw();"


class Scene(gr.HTML):
    """A figure of kind "scene"; its value is the scene's dict."""

    def __init__(self, **options: Any) -> None:
        super().__init__(value=None, html_template=TEMPLATE, js_on_load=LOAD, apply_default_css=False, **options)
