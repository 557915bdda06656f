"""From a ``Tab`` to its page: widgets, events, the public endpoint, the link and the exported script.

``render(tab)`` draws one tab inside the open ``gr.Tab``. What is special to a tab is a ``Built``: the components that hold
its state and how to read and write them. The generic ``build`` makes one from the parameter dataclass; ``tab.build``
replaces it (the Segment tab's canvas). Everything around it, presets, link, script and restoring, is the same for all.
"""

import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from backends.plain import numbers
from ui import export, markup, panels, permalink
from ui.memo import Memo
from ui.tab import Param, ParamError, Tab, declared

log = logging.getLogger("glassbox")
MEMO = Memo(entries=24)
PRIVATE = {"api_visibility": "private", "show_progress": "hidden"}
TRIVIAL = {**PRIVATE, "queue": False}
LIVE = {**PRIVATE, "trigger_mode": "always_last", "concurrency_id": "live", "concurrency_limit": 4}
"""For what answers at once: of several changes the last one wins."""
LONG = {**PRIVATE, "trigger_mode": "multiple", "concurrency_id": "long", "concurrency_limit": 1}
"""For what streams: one at a time on this machine."""
FAILED = "This could not be computed; what you see is the last good state. The server's log says why."


@dataclass(frozen=True)
class Built:
    """What a tab's build hands to the frame.

    ``values``: the components (or ``gr.State``) that hold the state. ``read(*values) -> params`` raises ``ParamError``;
    ``write(params) -> list`` gives their new values. ``run``: a button with the id ``<slug>-run`` whose click computes
    everything from the state; the frame presses it after a link or a preset. ``changes``: the events after which the
    link in the address bar is written anew.
    """

    values: list[Any]
    read: Callable[..., Any]
    write: Callable[[Any], list[Any]]
    run: gr.Button
    changes: tuple[Any, ...] = ()


def render(tab: Tab) -> Built:
    """Draw ``tab`` in the current context and wire its presets, link, script and endpoint; returns its ``Built``."""
    head = panels.head(tab)
    presets = panels.presets(tab)
    built = (tab.build or build)(tab)
    _share(tab, built, head)
    for button, preset in zip(presets, tab.presets, strict=True):
        chosen = button.click(lambda p=preset: unlist(built.write(p.params)), None, built.values, **TRIVIAL)
        chosen.then(None, None, None, js=f"() => glassbox.run('{tab.slug}')")
    return built


def unlist(values: list[Any]) -> Any:
    """Gradio takes one value for one output and a list for several."""
    return values[0] if len(values) == 1 else values


def warn(error: Exception) -> None:
    """Show one sentence as a toast. Toasts render HTML, so the sentence is escaped."""
    gr.Warning(escape(str(error)), title="Not used")


@contextmanager
def told() -> Iterator[None]:
    """Turn what goes wrong inside into one sentence as a toast; what is on screen stays."""
    try:
        yield
    except ValueError as error:
        warn(error)
    except Exception:
        log.exception("a handler failed")
        warn(RuntimeError(FAILED))


def _share(tab: Tab, built: Built, head: panels.Head) -> None:
    """Wire *copy link*, *copy Python* and the address bar."""

    def link(params: Any) -> str:
        return permalink.encode(tab.slug, tab.portable(params) if tab.portable else params)

    def shared(params: Any) -> str:
        if tab.caveat and tab.caveat(params):
            gr.Info(escape(tab.caveat(params)), title="About this link")
        return link(params)

    def code(params: Any) -> str:
        return export.script(tab, params)

    for button, make, kind in ((head.link, shared, "link"), (head.python, code, "python")):
        made = button.click(_text(built, make), built.values, head.carrier, **PRIVATE)
        made.success(None, head.carrier, None, js=f"(text) => glassbox.share('{kind}', text)")
    for event in built.changes:
        told = event.then(_text(built, link, quiet=True), built.values, head.carrier, **TRIVIAL)
        told.success(None, head.carrier, None, js=f"(text) => glassbox.remember('{tab.slug}', text)")


def _text(built: Built, make: Callable[[Any], str], quiet: bool = False) -> Callable[..., Any]:
    """A handler from the state's components to a text; a state that cannot be read keeps the text that was there."""

    def inner(*values: Any) -> Any:
        try:
            return make(built.read(*values))
        except ParamError as error:
            if not quiet:
                warn(error)
            return gr.skip()

    return inner


def build(tab: Tab) -> Built:
    """The generic page of a tab: controls from the parameter dataclass, figures, checks, tables and text."""
    params = declared(tab.params)
    with gr.Row(elem_classes="gb-body"):
        with gr.Column(scale=3, min_width=260, elem_classes="gb-side"):
            run, stop = panels.buttons(tab)
            controls = [panels.widget(tab, p, getattr(tab.opening, p.name)) for p in params]
        with gr.Column(scale=7, min_width=300, elem_classes="gb-main"):
            shown = panels.figures(tab)
            panels.explanation(tab)

    def read(*values: Any) -> Any:
        return permalink.make(tab.params, {p.name: panels.from_widget(p, v) for p, v in zip(params, values, strict=True)})

    def write(state: Any) -> list[Any]:
        return [panels.to_widget(p, getattr(state, p.name)) for p in params]

    ran = _computes(tab, read, controls, run, shown)
    changes = (ran,) if not tab.streams else (ran, _verifies(read, controls))
    if stop is not None:
        stop.click(None, None, None, cancels=[ran], api_visibility="private")
    _downloads(tab, read, controls, shown)
    endpoint(tab)
    return Built(controls, read, write, run, changes)


def touched(control: Any) -> Any:
    """The event of a person changing ``control``. Gradio's text ``input`` misses pasting and Chinese input methods."""
    return control.change if isinstance(control, gr.Textbox | gr.Number) else control.input


def _computes(tab: Tab, read: Callable[..., Any], controls: list[Any], run: gr.Button, shown: panels.Shown) -> Any:
    """The one event that computes: the hidden or visible Run button, and every control of a tab that answers at once."""

    def paint(*values: Any) -> Iterator[Any]:
        with told():
            params = read(*values)
            for result in MEMO.results(tab, params):
                yield unlist(panels.paint(tab, params, result))
            return
        yield gr.skip()

    live = [] if tab.streams else [touched(c) for c in controls]
    return gr.on(
        [run.click, *live],
        paint,
        controls,
        shown.outputs,
        trigger_mode="once" if tab.streams else "always_last",
        concurrency_id="long" if tab.streams else "live",
        concurrency_limit=1 if tab.streams else 4,
        api_visibility="private",
        show_progress="minimal" if tab.streams else "hidden",
    )


def _verifies(read: Callable[..., Any], controls: list[Any]) -> Any:
    """A long run does not start by itself, but a control that makes no sense is named at once."""

    def verify(*values: Any) -> None:
        try:
            read(*values)
        except ParamError as error:
            warn(error)

    return gr.on([touched(c) for c in controls], verify, controls, None, trigger_mode="always_last", **PRIVATE)


def _downloads(tab: Tab, read: Callable[..., Any], controls: list[Any], shown: panels.Shown) -> None:
    """Each figure's rows as a CSV file, written by the browser from the last result."""
    for index, (view, button) in enumerate(zip(tab.views, shown.downloads, strict=True)):

        def rows(*values: Any, view: Any = view) -> Any:
            try:
                return markup.csv_of(markup.table_of(view, MEMO.last(tab, read(*values))))
            except ValueError as error:
                warn(error)
                return gr.skip()

        name = f"glassbox-{tab.slug}-{index + 1}.csv"
        made = button.click(rows, controls, shown.carrier, api_visibility="private", show_progress="hidden")
        made.success(None, shown.carrier, None, js=f"(text) => glassbox.save('{name}', text)")


def endpoint(tab: Tab) -> None:
    """Publish ``/<slug>``: the parameters by name, the result's numbers as JSON (``backends.plain``)."""

    def call(*args: Any, **named: Any) -> dict:
        given = dict(zip((p.name for p in declared(tab.params)), args, strict=False)) | named
        try:
            return numbers(MEMO.last(tab, permalink.make(tab.params, given)))
        except ValueError as error:
            raise gr.Error(str(error)) from error

    described(call, tab)
    gr.api(call, api_name=tab.slug, concurrency_id="long" if tab.streams else "live", concurrency_limit=1 if tab.streams else 4)


def described(call: Callable[..., Any], tab: Tab) -> None:
    """Give ``call`` the signature, hints and docstring that Gradio's API page reads."""
    params = declared(tab.params)
    keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD
    hints = {p.name: _hint(p) for p in params}
    call.__signature__ = inspect.Signature(
        [inspect.Parameter(p.name, keyword, default=permalink.plain(p.default), annotation=hints[p.name]) for p in params],
        return_annotation=dict,
    )
    call.__annotations__ = {**hints, "return": dict}
    lines = (f"    {p.name}: {p.control.help or p.control.label}" for p in params)
    call.__doc__ = f"{tab.question}\n\nParameters:\n" + "\n".join(lines)


def _hint(param: Param) -> Any:
    return param.type if param.type in (int, float, str, bool) else Any
