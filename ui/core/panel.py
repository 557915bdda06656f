"""Declared views inside of another tab's page: the chooser of views, and what a result fills, with all that a tab's
page does with them. Their settings come from the page around them, by ``set`` messages."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from ui.core import layout
from ui.core.frame import Frame
from ui.core.page import Page, wired
from ui.core.tab import Tab
from ui.parts.canvas import piece
from ui.parts.widgets import widget


def panel(tab: Tab, frame: Frame, room: str, inputs: Callable[[Tab, str, Any], dict[str, Any]]) -> Page:
    """Draw the views of ``tab`` in the current context; the folder ``room`` draws their scenes. All parameters but the
    chooser are held; ``inputs`` gives what the mechanism gets besides them."""
    with gr.Column(elem_id=f"tab-{tab.slug}", elem_classes=["gb-tab", f"gb-tab-{tab.slug}"]):
        piece(f"<style>{layout.style(tab)}</style>")
        widgets = {tab.chooser: layout.chooser(tab)}
        widgets |= {name: widget(tab, param) for name, param in tab.declared.items() if name in tab.held}
        made = {"widgets": widgets, **layout.shown(tab, room)}
    return wired(tab, frame, made, inputs=inputs)
