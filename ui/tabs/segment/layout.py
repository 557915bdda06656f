"""The components of the Segment tab and where they stand. Ids are ``segment-<part>``."""

from dataclasses import dataclass, fields, replace
from typing import Any

import gradio as gr

from ui.core import layout
from ui.core.frame import Frame
from ui.core.tab import Tab
from ui.parts import markup, pictures
from ui.parts.canvas import BASE, Wire, piece
from ui.parts.widgets import widget
from ui.tabs.segment import box
from ui.tabs.segment.canvas import Feed, SegCanvas
from ui.tabs.segment.state import SETTINGS, new_state

PICK = (f"(model) => "
        f"{{ import(new URL('js/wire.js', {BASE})).then((wire) => wire.say('segment', {{ kind: 'model', model }})); }}")
"""The picker speaks through the wire, too, so that its messages and the canvas's come one after the other."""
FIND = f"""<div class="gb-run"><button type="button" id="segment-find" class="gb-primary"
{markup.says({"kind": "find"})}>Find everything</button>
<button type="button" id="segment-stop" class="gb-quiet" data-long="stop">Stop</button></div>"""

OPEN = """<button type="button" id="segment-box" class="gb-quiet" aria-expanded="false" aria-controls="tab-box"
>Open the box</button><span
class="gb-note">What lies between this click and its mask: every step, from real tensors.</span>"""


@dataclass(frozen=True)
class Parts:
    """What the events of the tab are wired between; ``settings`` are those of clean masks and of everything mode."""

    state: gr.State
    settings: dict[str, Any]
    canvas: SegCanvas
    replies: Feed
    hovers: Feed
    records: Feed
    settled: Feed
    notes: Feed
    notice: gr.HTML
    finding: gr.HTML
    model: gr.Radio
    facts: gr.HTML
    offer: gr.HTML
    progress: gr.HTML
    wire: Wire

    @property
    def filled(self) -> dict[str, Any]:
        """What an answer of the wire may fill, by name."""
        others = ("state", "settings", "replies", "hovers", "settled")
        rest = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in others}
        return {"state": self.state, **self.settings, **rest}


def draw(tab: Tab, frame: Frame) -> Parts:
    """Draw the tab in the current context."""
    piece(markup.head(replace(tab, presets=())), elem_id="segment-head")
    with gr.Column(elem_classes=["gb-tab", "gb-tab-segment"]):
        made: dict[str, Any] = {"state": gr.State(new_state(tab.opening))}
        with gr.Row(elem_classes="gx-room"):
            with gr.Column(scale=0, min_width=212, elem_classes="gx-models"):
                made |= _model(tab)
                smallest = widget(tab, tab.declared["smallest"])
                made |= _everything(tab, smallest) | _facts(tab)
            with gr.Column(scale=1, min_width=300, elem_classes="gx-work"):
                made["canvas"] = SegCanvas(samples=pictures.thumbnails(), presets=markup.presets(tab),
                                           elem_id="segment-canvas")
                made |= {name: Feed() for name in ("replies", "hovers", "records", "settled", "notes")}
                made["notice"] = piece(elem_id="segment-notice")
        piece(OPEN)
        box.draw(frame)
        layout.explanation(tab.slug)
    return Parts(**made, wire=Wire(tab.slug))


def _model(tab: Tab) -> dict[str, Any]:
    """The picker, and a download that it offers."""
    name = tab.opening.model
    piece('<h3 class="gb-caption">Model</h3>')
    common = {"show_label": False, "container": False, "elem_id": "segment-model"}
    model = gr.Radio([("Tiny (shipped)", name)], value=name, **common)
    model.input(None, model, None, js=PICK)
    return {"model": model, **{part: piece(elem_id=f"segment-{part}") for part in ("offer", "progress")}}


def _everything(tab: Tab, smallest: Any) -> dict[str, Any]:
    caption = '<h3 class="gb-caption">Everything mode <small>a grid of clicks, filtered</small></h3>'
    piece(caption + FIND)
    finding = piece(elem_id="segment-finding")
    with gr.Accordion("Settings", open=False, elem_id="segment-settings"):
        made = {name: widget(tab, tab.declared[name]) for name in SETTINGS if name != "smallest"}
    return {"finding": finding, "settings": {"smallest": smallest, **made}}


def _facts(tab: Tab) -> dict[str, Any]:
    """What the model is, and the way to a checkpoint of one's own."""
    facts = piece(elem_id="segment-facts")
    piece(markup.upload(tab.slug, tab.sources[0], 0), elem_id="segment-checkpoint")
    return {"facts": facts}
