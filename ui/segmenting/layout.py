"""The components of the Segment tab and where they stand. Ids are ``segment-<part>``."""

from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from ui import panels
from ui.canvas import Feed, SegCanvas
from ui.segmenting import pictures
from ui.segmenting.state import EVERYTHING, Params
from ui.tab import Tab, declared

CANVAS = "segment-canvas"


@dataclass(frozen=True)
class Parts:
    """What the events of the tab are wired between."""

    scene: gr.State
    said: gr.State
    canvas: SegCanvas
    replies: Feed
    records: Feed
    notes: Feed
    files: Feed
    run: gr.Button
    model: gr.Radio
    facts: gr.HTML
    download: gr.Button
    stop_download: gr.Button
    progress: gr.HTML
    checkpoint: gr.UploadButton
    find: gr.Button
    stop: gr.Button
    settings: list[Any]


def draw(tab: Tab, scene: dict[str, Any]) -> Parts:
    """Draw the tab in the current context; ``scene`` is what it opens with."""
    made: dict[str, Any] = {"scene": gr.State(scene), "said": gr.State({})}
    made["canvas"] = SegCanvas(None, samples=pictures.thumbnails(), elem_id=CANVAS)
    for name in ("replies", "records", "notes", "files"):
        made[name] = Feed(CANVAS)
    made["run"] = gr.Button("Run", elem_id="segment-run", elem_classes="gb-away")
    with gr.Row(elem_classes="gb-body"):
        with gr.Column(scale=4, min_width=280, elem_classes="gb-side"):
            made |= _model(tab)
        with gr.Column(scale=4, min_width=280, elem_classes="gb-side"):
            made |= _everything(tab)
        with gr.Column(scale=5, min_width=300):
            panels.explanation(tab)
    return Parts(**{f.name: made[f.name] for f in fields(Parts)})


def _model(tab: Tab) -> dict[str, Any]:
    model = tab.opening.model
    gr.HTML('<h3 class="gb-caption">Model</h3>')
    load = {"file_types": [".safetensors"], "size": "sm", "elem_id": "segment-checkpoint", "elem_classes": "gb-quiet"}
    return {
        "model": gr.Radio([("Tiny (shipped)", model)], value=model, show_label=False, container=False, elem_id="segment-model"),
        "facts": gr.HTML(elem_id="segment-facts"),
        "download": gr.Button("Download", size="sm", visible=False, elem_id="segment-download"),
        "stop_download": gr.Button("Stop the download", size="sm", visible=False, elem_id="segment-stop-download"),
        "progress": gr.HTML(elem_id="segment-progress"),
        "checkpoint": gr.UploadButton("Load my checkpoint (.safetensors)", **load),
    }


def _everything(tab: Tab) -> dict[str, Any]:
    gr.HTML('<h3 class="gb-caption">Everything mode <small>a grid of clicks, filtered</small></h3>')
    with gr.Row():
        find = gr.Button("Find everything", variant="primary", size="sm", min_width=120, elem_id="segment-find")
        stop = gr.Button("Stop", size="sm", min_width=60, scale=0, interactive=False, elem_id="segment-stop-find")
    with gr.Accordion("Settings", open=False, elem_id="segment-settings"):
        settings = [panels.widget(tab, p, getattr(tab.opening, p.name)) for p in declared(Params) if p.name in EVERYTHING]
    return {"find": find, "stop": stop, "settings": settings}
