"""The public endpoint of a tab."""

import inspect
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, is_dataclass
from functools import partial
from typing import Any, Literal, get_args

import gradio as gr

from backends.plain import numbers
from ui.core import permalink
from ui.core.gate import visitor_of
from ui.core.lanes import Lanes, Place
from ui.core.problems import refusals
from ui.core.tab import Param, Tab, declared
from ui.parts import sources


def publish(tab: Tab, lanes: Lanes) -> None:
    """Publish ``/<slug>``: the parameters by name, the result's numbers as JSON (``backends.plain``). A long view
    streams."""
    async def call(request: gr.Request, *args: Any, **named: Any) -> AsyncIterator[dict]:
        given = dict(zip((p.name for p in declared(tab.params)), args, strict=False)) | named
        session = request.session_hash
        with refusals(tab.slug):
            params = permalink.make(tab.params, given)
            found = sources.inputs(tab, "", params)
            if (await lanes.one(partial(tab.view(params).plan, params)))["streamed"]:
                kind = f"{tab.slug} {getattr(params, tab.chooser)}"
                grown = lambda: (numbers(result) for result in tab.run.stream(params, **found))  # noqa: E731
                items = lanes.long(session, visitor_of(request, session), kind, grown)
            else:
                items = lanes.now(lambda: iter([numbers(tab.run(params, **found))]))
            async for item in items:
                yield {"waiting": asdict(item)} if isinstance(item, Place) else item

    described(call, tab)
    gr.api(call, api_name=tab.slug, concurrency_limit=None)


def described(call: Callable[..., Any], tab: Tab) -> None:
    """Give ``call`` the signature, hints and docstring that Gradio's API page reads."""
    params = declared(tab.params)
    keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD
    hints = {p.name: _hint(p) for p in params}
    own = [inspect.Parameter(p.name, keyword, default=permalink.plain(p.default), annotation=hints[p.name])
           for p in params]
    request = inspect.Parameter("request", keyword, annotation=gr.Request)
    call.__signature__ = inspect.Signature([request, *own], return_annotation=dict)
    call.__annotations__ = {"request": gr.Request, **hints, "return": dict}
    call.__name__ = tab.slug
    lines = (f"    {p.name}: {_said(p)}" for p in params)
    call.__doc__ = f"{tab.question}\n\nParameters:\n" + "\n".join(lines)


def _hint(param: Param) -> Any:
    """The type as gradio and MCP describe it: choices by name, lists of what they hold; a dataclass is an object."""
    if param.control.choices and param.type is str:
        return Literal[tuple(param.control.choices)]
    return Any if is_dataclass(param.type) or any(map(is_dataclass, get_args(param.type))) else param.type


def _said(param: Param) -> str:
    """What the widget's label and help say, and its range."""
    control = param.control
    between = f", {control.range[0]:g} to {control.range[1]:g}" if control.range else ""
    words = f"{control.label}{between}" + (f": {control.help}" if control.help else "")
    return " ".join(words.split())
