"""What the Swin tab draws: settings on the left, the stage on the right. The wiring is in ``ui/swin.py``."""

from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import gradio as gr

from backends.swin.params import ARCHITECTURES
from ui import panels
from ui.segmenting import pictures
from ui.swinning.stage import Stage, Tables
from ui.swinning.state import HELD, PARAMS, VIEWS, style
from ui.tab import Tab

ORDERS = [("timm: roll, then pad", "timm"), ("torchvision: pad, then roll", "torchvision")]
SIMILARITIES = [("Dot product (Swin)", "dot"), ("Cosine × 10 (Swin V2)", "cosine")]
BIASES = [("Trained", "trained"), ("None", "none"), ("Near (made up)", "near"), ("Rows (made up)", "rows")]
MODELS = [("The shipped small Swin", "shipped"), ("My own weights", "own")]


@dataclass(frozen=True)
class Parts:
    """The tab's components. ``widgets``: one for each parameter, by name; those without a widget are states."""

    widgets: dict[str, Any]
    upload: gr.UploadButton
    hub: gr.Button
    offer: gr.HTML
    loaded: gr.HTML
    notice: gr.HTML
    stage: Stage
    tables: Tables
    plot: gr.Plot
    checks: gr.HTML
    table: gr.HTML
    csv: gr.Button
    carrier: gr.Textbox
    run: gr.Button


def draw(tab: Tab) -> Parts:
    """Draw the tab in the current context."""
    widgets, made = panels.views(tab, VIEWS, style(tab.slug), partial(_settings, tab), partial(_shown, tab))
    widgets |= {name: gr.State(getattr(tab.opening, name)) for name in HELD}
    made["widgets"] = {name: widgets[name] for name in PARAMS}
    return Parts(**{f.name: made[f.name] for f in fields(Parts)})


def _radio(tab: Tab, name: str, options: list[tuple[str, str]]) -> gr.Radio:
    control = PARAMS[name].control
    return gr.Radio(options, value=getattr(tab.opening, name), label=control.label, info=control.help or None, elem_id=f"{tab.slug}-{name}")


def _settings(tab: Tab, widgets: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    panels.put(tab, widgets, "rows", "columns", "window", "shift", "masked")
    widgets["order"] = _radio(tab, "order", ORDERS)
    panels.put(tab, widgets, "depth", "moving")
    widgets["bias"] = _radio(tab, "bias", BIASES)
    widgets["similarity"] = _radio(tab, "similarity", SIMILARITIES)
    panels.put(tab, widgets, "block", "head", "channels", "pixels")
    with gr.Column(elem_id=f"{tab.slug}-models"):
        widgets["model"] = _radio(tab, "model", MODELS)
        with gr.Column(elem_id=f"{tab.slug}-own"):
            architecture = {"allow_custom_value": True, "elem_id": f"{tab.slug}-architecture", "info": PARAMS["architecture"].control.help}
            names = list(ARCHITECTURES)
            widgets["architecture"] = gr.Dropdown(names, value=tab.opening.architecture, label="Architecture", **architecture)
            small = {"size": "sm", "elem_classes": "gb-quiet", "elem_id": f"{tab.slug}-upload"}
            made["upload"] = gr.UploadButton("Load my weights (.safetensors)", file_types=[".safetensors"], **small)
            made["hub"] = gr.Button("Download from the hub", size="sm", elem_classes="gb-quiet", elem_id=f"{tab.slug}-hub")
            made["offer"] = gr.HTML(elem_id=f"{tab.slug}-offer")
            made["loaded"] = gr.HTML(elem_id=f"{tab.slug}-loaded")
    return made


def _shown(tab: Tab) -> dict[str, Any]:
    made: dict[str, Any] = {"notice": gr.HTML(elem_id=f"{tab.slug}-notice")}
    made["stage"] = Stage(pictures.thumbnails(), elem_id=f"{tab.slug}-stage")
    made["tables"] = Tables(elem_id=f"{tab.slug}-tables")
    made["plot"] = panels.plot(tab)
    made["checks"] = gr.HTML(elem_id=f"{tab.slug}-checks")
    return made | panels.twin(tab)
