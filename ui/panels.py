"""The parts of a tab's page: heading, presets, controls, figures, tables and text. Element ids are ``<slug>-<part>``."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui import markup, permalink
from ui.explain import prose
from ui.scene import Scene
from ui.tab import Param, ParamError, Tab, declared

Named = dict[str, Any]
"""Components by name."""
QUIET = ("gb-quiet", "gb-word")
STALE = f'<p class="gb-note">{markup.both("The settings have changed: Run shows what they do.", "设置已改变：点击“运行”查看结果。")}</p>'


class Slider(gr.Slider):
    """A slider that takes what is typed beyond its ends as the end, as its number box then shows; Gradio's answers with an error page and
    leaves figure and box apart."""

    is_template = True

    def preprocess(self, payload: float | None) -> float | None:
        """The nearest number within the slider's ends."""
        return None if payload is None else super().preprocess(min(max(payload, self.minimum), self.maximum))


@dataclass(frozen=True)
class Head:
    """The heading's buttons, and the hidden field that carries a text from Python to the browser."""

    link: gr.Button
    python: gr.Button
    carrier: gr.Textbox


@dataclass(frozen=True)
class Shown:
    """What a run fills: the checks, then figure and table of each view; the download buttons and their carrier."""

    outputs: list[Any]
    downloads: list[gr.Button]
    carrier: gr.Textbox


def head(tab: Tab) -> Head:
    """Title, one-line question, *copy link* and *copy Python*."""
    chinese = prose(tab, "zh")
    with gr.Row(elem_classes="gb-head"):
        gr.HTML(markup.title(tab, chinese.title, chinese.question), elem_classes="gb-heading")
        link = gr.Button("Copy link", size="sm", elem_id=f"{tab.slug}-link", elem_classes=[*QUIET, "gb-word-link"], scale=0)
        python = gr.Button("Copy Python", size="sm", elem_id=f"{tab.slug}-python", elem_classes=[*QUIET, "gb-word-python"], scale=0)
    return Head(link, python, _carrier())


def _carrier() -> gr.Textbox:
    return gr.Textbox(visible=False, interactive=True, max_length=None)


def presets(tab: Tab) -> list[gr.Button]:
    """One button for each preset, in a row that wraps."""
    if not tab.presets:
        return []
    with gr.Row(elem_classes="gb-presets"):
        return [
            gr.Button(p.name, size="sm", scale=0, elem_id=f"{tab.slug}-preset-{i}", elem_classes="gb-chip")
            for i, p in enumerate(tab.presets)
        ]


def buttons(tab: Tab) -> tuple[gr.Button, gr.Button | None]:
    """Run and Stop. A tab that answers at once hides Run: the frame presses it after a link or a preset."""
    with gr.Row(elem_classes="gb-run" if tab.streams else "gb-away"):
        run = gr.Button("Run", variant="primary", elem_id=f"{tab.slug}-run", elem_classes=["gb-word", "gb-word-run"])
        stop = gr.Button("Stop", elem_id=f"{tab.slug}-stop", elem_classes=["gb-word", "gb-word-stop"]) if tab.streams else None
    return run, stop


def widget(tab: Tab, param: Param, value: Any) -> Any:
    """The component of one parameter."""
    c = param.control
    common = {"label": c.label, "info": c.help or None, "elem_id": f"{tab.slug}-{param.name}", "value": to_widget(param, value)}
    if c.kind == "slider":
        step = c.step or (1 if param.type is int else None)
        return Slider(c.range[0], c.range[1], step=step, **common)
    if c.kind == "number":
        return gr.Number(precision=0 if param.type is int else None, step=c.step or 1, **common)
    if c.kind in ("radio", "dropdown"):
        options = [(str(o), o) for o in c.choices]
        return (gr.Radio if c.kind == "radio" else gr.Dropdown)(options, **common)
    if c.kind == "checkbox":
        return gr.Checkbox(**common)
    lines = 4 if c.kind == "lines" else 1
    return gr.Textbox(lines=lines, max_lines=12, max_length=c.max_length, visible=c.kind != "hidden", **common)


def counter(tab: Tab, most: int) -> None:
    """How many of the ``most`` bytes that are read the tab's text takes; the browser counts."""
    start = f"setTimeout(() => glassbox.count('{tab.slug}', document.querySelector('#{tab.slug}-text textarea')?.value || ''))"
    template = f'<p class="gb-count" role="status" data-most="{most}"></p>'
    gr.HTML(elem_id=f"{tab.slug}-count", html_template=template, js_on_load=start, apply_default_css=False)


def put(tab: Tab, widgets: Named, *names: str) -> None:
    """The generic widgets of some parameters, in this order, into ``widgets``."""
    known = {p.name: p for p in declared(tab.params)}
    for name in names:
        widgets[name] = widget(tab, known[name], getattr(tab.opening, name))


def to_widget(param: Param, value: Any) -> Any:
    """A parameter as its component shows it: JSON for kinds "json" and "hidden" of structured types."""
    return value if _direct(param) else json.dumps(permalink.plain(value), ensure_ascii=False)


def from_widget(param: Param, value: Any) -> Any:
    """A component's value as the parameter's plain value; ``ParamError`` when a JSON field is not readable."""
    if _direct(param):
        return value
    try:
        return json.loads(value)
    except (TypeError, ValueError) as error:
        raise ParamError(f"{param.control.label} must be written as JSON, for example [1, 2].") from error


def _direct(param: Param) -> bool:
    return param.type in (int, float, str, bool) or param.control.kind in ("radio", "dropdown")


def explanation(tab: Tab) -> None:
    """The text in both languages, what to look at first."""
    if not prose(tab, "en").body:
        return
    with gr.Column(elem_id=f"{tab.slug}-explain", elem_classes="gb-explain"):
        for language in ("en", "zh"):
            told = prose(tab, language)
            for text in filter(None, (told.look, told.body)):
                gr.Markdown(text, elem_classes=[f"gb-{language}"])


def figures(tab: Tab) -> Shown:
    """The checks strip, then each view as caption, figure and a closed table twin with a download."""
    outputs: list[Any] = [gr.HTML(elem_id=f"{tab.slug}-checks")]
    downloads = []
    for index, view in enumerate(tab.views):
        name = f"{tab.slug}-figure-{index}"
        gr.HTML(markup.caption(view))
        if view.kind != "table":
            outputs.append(_figure(view.kind, name))
        place = gr.Column(elem_id=f"{name}-twin") if view.kind == "table" else _twin(name)
        with place:
            outputs.append(gr.HTML(elem_id=f"{name}-table"))
            downloads.append(csv_button(f"{name}-csv"))
    return Shown(outputs, downloads, _carrier())


def _twin(name: str) -> gr.Accordion:
    return gr.Accordion("Table", open=False, elem_classes="gb-twin", elem_id=f"{name}-twin")


def _figure(kind: str, name: str) -> Any:
    if kind == "plot":
        return gr.Plot(show_label=False, elem_id=name, elem_classes="gb-figure", container=False)
    return Scene(elem_id=name, elem_classes="gb-figure")


def views(
    tab: Tab, titles: Mapping[str, str], style: str, settings: Callable[[Named], Named], shown: Callable[[], Named]
) -> tuple[Named, Named]:
    """A page of several views, chosen on top: ``settings`` on the left, which fills the widgets by name, ``shown`` on the right.

    Returns the widgets, and all other components by name. ``style`` hides what does not belong to a view."""
    widgets: Named = {}
    gr.HTML(f"<style>{style}</style>", padding=False)
    with gr.Column(elem_classes=f"gb-tab-{tab.slug}"):
        choices = [(title, name) for name, title in titles.items()]
        widgets["view"] = gr.Radio(choices, value=tab.opening.view, label="View", elem_id=f"{tab.slug}-view", elem_classes="gb-lessons")
        with gr.Row(elem_classes="gb-body"):
            with gr.Column(scale=3, min_width=260, elem_classes="gb-side"):
                made = settings(widgets)
            with gr.Column(scale=7, min_width=300, elem_classes="gb-main"):
                made |= shown()
                explanation(tab)
    return widgets, made | runs(tab) | {"carrier": _carrier()}


def runs(tab: Tab) -> dict[str, Any]:
    """Hidden buttons that the page presses together: ``run`` for what answers at once, ``begin`` for what streams.  When Gradio repeats one
    thing that a button started, since a change came meanwhile, it repeats them all; and a stream must not start twice."""
    return {name: gr.Button("Run", elem_id=f"{tab.slug}-{name}", elem_classes="gb-away") for name in ("run", "begin")}


def going(tab: Tab) -> dict[str, Any]:
    """The row above a view that is run: Run, Stop, and a word that what is shown is old."""
    small = {"size": "sm", "scale": 0, "min_width": 90}
    with gr.Row(elem_classes="gb-run", elem_id=f"{tab.slug}-going"):
        return {
            "go": gr.Button("Run", variant="primary", elem_id=f"{tab.slug}-go", elem_classes=["gb-word", "gb-word-run"], **small),
            "stop": gr.Button("Stop", elem_id=f"{tab.slug}-halt", elem_classes=["gb-word", "gb-word-stop"], **small),
            "stale": gr.HTML(elem_id=f"{tab.slug}-stale"),
        }


def twin(tab: Tab) -> dict[str, Any]:
    """The closed table of what a view draws, with its download."""
    with _twin(tab.slug):
        return {"table": gr.HTML(elem_id=f"{tab.slug}-table"), "csv": csv_button(f"{tab.slug}-csv")}


def csv_button(name: str) -> gr.Button:
    """The button that saves a table."""
    return gr.Button("Download CSV", size="sm", elem_id=name, elem_classes=[*QUIET, "gb-word-csv"])


def plot(tab: Tab, **more: Any) -> gr.Plot:
    """The one plotly chart of a page with several views."""
    return gr.Plot(show_label=False, elem_id=f"{tab.slug}-plot", elem_classes="gb-figure", container=False, **more)


def paint(tab: Tab, params: Any, result: Any) -> list[Any]:
    """The values of ``Shown.outputs`` for one result."""
    preset = next((p for p in tab.presets if p.params == params), None)
    held = preset is not None and bool(preset.holds(result))
    values: list[Any] = [markup.checks(tuple(getattr(result, "checks", ())), preset, held)]
    for view in tab.views:
        drawn = view.draw(result)
        if view.kind != "table":
            values.append(drawn)
        values.append(markup.table(markup.table_of(view, result, drawn), view.title))
    return values
