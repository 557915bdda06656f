"""What the RoPE tab draws: settings on the left, one view on the right. The wiring is in ``ui/rope.py``."""

from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import gradio as gr

from backends.rope.params import CALCULATED, MAX_TEXT, METHODS, ON_ROPE
from ui import panels
from ui.cards import Stage
from ui.roping import beside
from ui.roping.state import PARAMS, VIEWS, style
from ui.tab import Tab

RULES = ("scale", "leak", "group", "tau", "beta_fast", "beta_slow", "mix", "factor")


@dataclass(frozen=True)
class Parts:
    """The tab's components. ``widgets``: one for each parameter, by name."""

    widgets: dict[str, Any]
    upload: gr.UploadButton
    held: gr.HTML
    config: gr.UploadButton
    loaded: gr.HTML
    go: gr.Button
    stop: gr.Button
    stale: gr.HTML
    notice: gr.HTML
    plot: gr.Plot
    stage: Stage
    remark: gr.HTML
    code: gr.Code
    checks: gr.HTML
    beside: gr.HTML
    table: gr.HTML
    csv: gr.Button
    carrier: gr.Textbox
    run: gr.Button
    begin: gr.Button


def draw(tab: Tab) -> Parts:
    """Draw the tab in the current context."""
    widgets, made = panels.views(tab, VIEWS, style(tab.slug), partial(_settings, tab), partial(_shown, tab))
    made["widgets"] = {name: widgets[name] for name in PARAMS}
    return Parts(**{f.name: made[f.name] for f in fields(Parts)})


def _methods(tab: Tab, name: str, offered: tuple[str, ...]) -> gr.Dropdown:
    """One method, by its label."""
    control, options = PARAMS[name].control, [(METHODS[method].label, method) for method in offered]
    return gr.Dropdown(options, value=getattr(tab.opening, name), label=control.label, info=control.help, elem_id=f"{tab.slug}-{name}")


def _settings(tab: Tab, widgets: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    drawn = " (drawn only)"
    options = [(method.label + ("" if method.runs else drawn), name) for name, method in METHODS.items()]
    widgets["methods"] = gr.CheckboxGroup(options, value=list(tab.opening.methods), label="Methods", elem_id=f"{tab.slug}-methods",
                                          elem_classes="gb-kinds")
    for name in ("left", "right"):
        widgets[name] = _methods(tab, name, ON_ROPE)
    small = {"size": "sm", "elem_classes": "gb-quiet"}
    made["config"] = gr.UploadButton("Load a model's config.json", file_types=[".json"], elem_id=f"{tab.slug}-config", **small)
    made["loaded"] = gr.HTML(elem_id=f"{tab.slug}-loaded")
    panels.put(tab, widgets, "head_dim", "base", "trained", "target", "partial")
    with gr.Column(elem_id=f"{tab.slug}-source"):
        panels.put(tab, widgets, "text")
        panels.counter(tab, MAX_TEXT)
        made["upload"] = gr.UploadButton("Text from a file", elem_id=f"{tab.slug}-upload", **small)
        made["held"] = gr.HTML(elem_id=f"{tab.slug}-held")
    panels.put(tab, widgets, "repeat", "longest", "samples", "window", "sinks")
    with gr.Accordion("Settings of the methods", open=False, elem_id=f"{tab.slug}-rules"):
        panels.put(tab, widgets, *RULES)
    panels.put(tab, widgets, "seed")
    widgets["method"] = _methods(tab, "method", CALCULATED)
    return made


def _shown(tab: Tab) -> dict[str, Any]:
    made: dict[str, Any] = panels.going(tab)
    made["notice"] = gr.HTML(elem_id=f"{tab.slug}-notice")
    made["plot"] = panels.plot(tab)
    made["stage"] = Stage(elem_id=f"{tab.slug}-stage")
    made["remark"] = gr.HTML(elem_id=f"{tab.slug}-remark")
    made["code"] = gr.Code(language="json", label="rope_parameters, to paste into config.json (transformers 5)", interactive=False,
                           wrap_lines=True, elem_id=f"{tab.slug}-code")
    made["checks"] = gr.HTML(elem_id=f"{tab.slug}-checks")
    made["beside"] = gr.HTML(elem_id=f"{tab.slug}-beside")
    gr.HTML(beside.streaming(), elem_id=f"{tab.slug}-streaming")
    made |= panels.twin(tab)
    with gr.Accordion("Rules and sources of the methods", open=False, elem_classes="gb-twin", elem_id=f"{tab.slug}-sources"):
        gr.HTML(beside.rules())
    return made
