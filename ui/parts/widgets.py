"""The widget of a parameter, and the way from its value to the parameter and back. Element ids are
``<slug>-<name>``."""

import json
from typing import Any

import gradio as gr

from ui.core import permalink
from ui.core.tab import Param, ParamError, Tab, pairs

NUMBERS = tuple[int, ...]


class Slider(gr.Slider):
    """A slider that takes what is typed beyond its ends as the end, as its number box then shows; Gradio's answers with
    an error page and leaves figure and box apart."""

    is_template = True

    def preprocess(self, payload: float | None) -> float | None:
        """The nearest number within the slider's ends."""
        return None if payload is None else super().preprocess(min(max(payload, self.minimum), self.maximum))


def boxes(tab: Tab, param: Param) -> bool:
    """Whether the parameter is a choice of several."""
    return param.name in tab.titles and param.control.kind == "json"


def menu(tab: Tab, param: Param) -> bool:
    """Whether the parameter is a menu of what was found when the process began, such as the models of the shelf."""
    return param.name in tab.titles and param.control.kind == "dropdown" and not param.control.choices


def widget(tab: Tab, param: Param) -> Any:
    """The component of one parameter, showing what the tab opens with; a state where the stage changes it."""
    c, value = param.control, to_widget(tab, param, getattr(tab.opening, param.name))
    if param.name in tab.held:
        return gr.State(value)
    common = {"label": c.label, "info": c.help or None, "elem_id": f"{tab.slug}-{param.name}", "value": value}
    if param.name in tab.titles:
        return _titled(tab, param, common)
    if c.kind == "slider":
        return Slider(c.range[0], c.range[1], step=c.step or (1 if param.type is int else None), **common)
    if c.kind == "number":
        return gr.Number(precision=0 if param.type is int else None, step=c.step or 1, **common)
    if c.kind in ("radio", "dropdown"):
        return (gr.Radio if c.kind == "radio" else gr.Dropdown)([(str(o), o) for o in c.choices], **common)
    if c.kind == "checkbox":
        return gr.Checkbox(**common)
    lines = 4 if c.kind == "lines" else 1
    return gr.Textbox(lines=lines, max_lines=12, max_length=c.max_length, visible=c.kind != "hidden", **common)


def _titled(tab: Tab, param: Param, common: dict[str, Any]) -> Any:
    """A choice whose values have labels: boxes, a radio, or a menu where many are offered and nothing hangs on them."""
    options = [(title, choice) for choice, title in tab.titles[param.name].items()]
    if boxes(tab, param):
        return gr.CheckboxGroup(options, elem_classes="gb-kinds", **common)
    owner = any(param.name == name for choices in tab.needs.values() for name, _ in pairs(choices))
    few = len(options) <= 4 and param.control.kind != "dropdown"
    if not menu(tab, param) and (owner or few):
        return gr.Radio(options, **common)
    return gr.Dropdown(options, allow_custom_value=not param.control.choices, **common)


def to_widget(tab: Tab, param: Param, value: Any) -> Any:
    """A parameter as its component shows it: whole numbers with commas between, JSON for other structured types."""
    if param.name in tab.held or boxes(tab, param):
        return permalink.plain(value)
    if param.type == NUMBERS:
        return ", ".join(map(str, value))
    return value if _direct(param) else json.dumps(permalink.plain(value), ensure_ascii=False)


def from_widget(tab: Tab, param: Param, value: Any) -> Any:
    """A component's value as the parameter's plain value; ``ParamError`` when a JSON field is not readable."""
    if param.name in tab.held or boxes(tab, param) or _direct(param):
        return value
    if param.type == NUMBERS:
        return _numbers(param, value)
    try:
        return json.loads(value)
    except (TypeError, ValueError) as error:
        raise ParamError(f"{param.control.label} must be written as JSON, for example [1, 2].") from error


def _numbers(param: Param, value: str) -> list[int]:
    """Whole numbers as people write several: with commas or spaces between, in brackets or not."""
    try:
        return [int(part) for part in value.strip(" []()").replace(",", " ").split()]
    except ValueError as error:
        raise ParamError(f"{param.control.label} must be whole numbers with commas between, for example 2048, 8192."
                         ) from error


def _direct(param: Param) -> bool:
    return param.type in (int, float, str, bool) or param.control.kind in ("radio", "dropdown")


def event_of(control: Any) -> str | None:
    """The event of a person changing ``control``; a state has none. Gradio's text ``input`` misses pasting and Chinese
    input methods."""
    if isinstance(control, gr.State):
        return None
    return "change" if isinstance(control, gr.Textbox | gr.Number) else "input"
