"""What the Attention tab draws: settings on the left, cards and a lesson on the right. The wiring is in ``ui/attention.py``."""

from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from backends.attention.params import KINDS, MAX_BYTES
from ui import panels
from ui.attending.lessons import TITLES
from ui.attending.state import PARAMS, style
from ui.cards import Cards, Stage
from ui.tab import Tab

SOURCES = [("My text, through a trained model", "text"), ("Random q, k, v", "synthetic"), ("My own q, k, v", "file")]
READINGS = [("Raw, as applied", "raw"), ("Absolute, rows to 1", "absolute"), ("Row-normalised, signed", "row")]


@dataclass(frozen=True)
class Parts:
    """The tab's components. ``widgets``: one for each parameter, by name."""

    widgets: dict[str, Any]
    file: gr.File
    loaded: gr.HTML
    cards: Cards
    checks: gr.HTML
    notice: gr.HTML
    table: gr.HTML
    metrics_csv: gr.Button
    which: gr.Dropdown
    matrix_csv: gr.Button
    lesson: gr.Column
    prose: list[gr.Markdown]
    measure: gr.Button
    stop: gr.Button
    measuring: gr.Row
    plot: gr.Plot
    stage: Stage
    lesson_table: gr.HTML
    lesson_csv: gr.Button
    drawn: gr.State
    carrier: gr.Textbox
    run: gr.Button
    begin: gr.Button


def draw(tab: Tab) -> Parts:
    """Draw the tab in the current context."""
    made: dict[str, Any] = {"widgets": {}}
    gr.HTML(f"<style>{style(tab.slug)}</style>", padding=False)
    with gr.Row(elem_classes="gb-body gb-tab-attention"):
        with gr.Column(scale=3, min_width=260, elem_classes="gb-side"):
            made |= _source(tab, made["widgets"])
            _settings(tab, made["widgets"])
        with gr.Column(scale=7, min_width=300, elem_classes="gb-main"):
            made |= _maps(tab, made["widgets"])
            made |= _lesson(tab, made["widgets"])
            panels.explanation(tab)
    made |= panels.runs(tab)
    made["drawn"] = gr.State("none")
    made["carrier"] = gr.Textbox(visible=False, interactive=True, max_length=None)
    made["widgets"] = {name: made["widgets"][name] for name in PARAMS}
    return Parts(**{f.name: made[f.name] for f in fields(Parts)})


def _radio(tab: Tab, name: str, options: list[tuple[str, str]], **more: Any) -> gr.Radio:
    return gr.Radio(options, value=getattr(tab.opening, name), label=PARAMS[name].control.label, elem_id=f"{tab.slug}-{name}", **more)


def _source(tab: Tab, widgets: dict[str, Any]) -> dict[str, Any]:
    widgets["source"] = _radio(tab, "source", SOURCES)
    panels.put(tab, widgets, "text")
    panels.counter(tab, MAX_BYTES)
    load = {"file_types": [".safetensors"], "file_count": "single", "height": 110, "elem_id": f"{tab.slug}-file"}
    file = gr.File(label="safetensors with q, k, v: (n, d) or (h, n, d)", **load)
    loaded = gr.HTML(elem_id=f"{tab.slug}-loaded")
    panels.put(tab, widgets, "layer", "head", "n", "dim", "norm", "causal")
    return {"file": file, "loaded": loaded}


def _settings(tab: Tab, widgets: dict[str, Any]) -> None:
    """Settings of single kinds, and those that are rarely touched."""
    widgets["reading"] = _radio(tab, "reading", READINGS, info=PARAMS["reading"].control.help)
    with gr.Accordion("Settings of the kinds", open=False, elem_id=f"{tab.slug}-kinds-settings"):
        panels.put(tab, widgets, "m", "orthogonal", "window", "stride", "block", "globals", "blocks", "rank")
    with gr.Accordion("More", open=False, elem_id=f"{tab.slug}-more"):
        panels.put(tab, widgets, "seed", "radius")


def _maps(tab: Tab, widgets: dict[str, Any]) -> dict[str, Any]:
    kinds = [(kind.label, name) for name, kind in KINDS.items()]
    more = {"elem_id": f"{tab.slug}-kinds", "elem_classes": "gb-kinds"}
    with gr.Column(elem_classes="gb-kinds-place"):
        widgets["kinds"] = gr.CheckboxGroup(kinds, value=list(tab.opening.kinds), label="Kinds, all on the same q, k, v", **more)
    made: dict[str, Any] = {"notice": gr.HTML(elem_id=f"{tab.slug}-notice")}
    made["cards"] = Cards(elem_id=f"{tab.slug}-cards")
    made["checks"] = gr.HTML(elem_id=f"{tab.slug}-checks")
    with gr.Accordion("Table", open=False, elem_classes="gb-twin", elem_id=f"{tab.slug}-twin"):
        made["table"] = gr.HTML(elem_id=f"{tab.slug}-table")
        made["metrics_csv"] = panels.csv_button(f"{tab.slug}-csv")
        which = {"elem_id": f"{tab.slug}-which", "interactive": True, "value": tab.opening.kinds[0]}
        made["which"] = gr.Dropdown([(KINDS[k].label, k) for k in tab.opening.kinds], label="The matrix of one card, as CSV", **which)
        made["matrix_csv"] = panels.csv_button(f"{tab.slug}-matrix-csv")
    return made


def _lesson(tab: Tab, widgets: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    widgets["lesson"] = _radio(tab, "lesson", [(title, name) for name, title in TITLES.items()], elem_classes="gb-lessons")
    with gr.Column(visible=False, elem_id=f"{tab.slug}-lesson-body", elem_classes="gb-lesson") as made["lesson"]:
        made["prose"] = [gr.Markdown(elem_classes=["gb-lesson-text", f"gb-{language}"]) for language in ("en", "zh")]
        with gr.Row(visible=False, elem_classes="gb-run") as made["measuring"]:
            small = {"size": "sm", "scale": 0, "min_width": 90}
            run, stop = ["gb-word", "gb-word-run"], ["gb-word", "gb-word-stop"]
            made["measure"] = gr.Button("Run", variant="primary", elem_id=f"{tab.slug}-measure", elem_classes=run, **small)
            made["stop"] = gr.Button("Stop", elem_id=f"{tab.slug}-stop-measure", elem_classes=stop, **small)
        panels.put(tab, widgets, "step", "delta", "depth")
        made["plot"] = panels.plot(tab, visible=False)
        made["stage"] = Stage(elem_id=f"{tab.slug}-stage", visible=False)
        with gr.Accordion("Table", open=False, elem_classes="gb-twin", elem_id=f"{tab.slug}-lesson-twin"):
            made["lesson_table"] = gr.HTML(elem_id=f"{tab.slug}-lesson-table")
            made["lesson_csv"] = panels.csv_button(f"{tab.slug}-lesson-csv")
    return made
