"""The public endpoints ``/segment``, instant, and ``/everything``, a long run."""

import inspect
import os
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, get_type_hints

import gradio as gr

from ui.core import permalink
from ui.core.gate import visitor_of
from ui.core.lanes import Lanes
from ui.core.problems import refusals
from ui.core.tab import ParamError
from ui.tabs.segment import endpoints


def publish(lanes: Lanes) -> None:
    """Publish both; errors are one sentence."""
    if os.environ.get("SPACES_ZERO_GPU"):
        from ui.tabs.segment import answers  # noqa: F401  ZeroGPU wants to see the decorated functions at the start

    def now(request: gr.Request, make: Callable[[], dict]) -> AsyncIterator[dict]:
        return lanes.now(lambda: iter([make()]))

    def long(request: gr.Request, make: Callable[[], Any]) -> AsyncIterator[Any]:
        session = request.session_hash
        return lanes.long(session, visitor_of(request, session), "segment everything", make)

    for function, lane in ((endpoints.segment, now), (endpoints.everything, long)):
        gr.api(_public(function, lane), api_name=function.__name__, concurrency_limit=None)


def _public(function: Callable[..., Any],
            lane: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[dict]]:
    """``function`` in a lane; between its answers stands the last one, as a sign of life."""
    async def call(request: gr.Request, *args: Any, **named: Any) -> AsyncIterator[dict]:
        last: dict = {}
        with refusals(function.__name__):
            async for item in lane(request, partial(function, **typed(function, args, named))):
                last = item if isinstance(item, dict) else last
                yield last

    own = inspect.signature(function)
    asks = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=gr.Request)
    call.__signature__ = own.replace(parameters=[asks, *own.parameters.values()], return_annotation=dict)
    call.__annotations__ = {**function.__annotations__, "request": gr.Request, "return": dict}
    call.__doc__, call.__name__ = function.__doc__, function.__name__
    return call


def typed(function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """What a client sent, by name and of the types that ``function`` says. ParamError, one sentence, for what is
    not."""
    hints, found = get_type_hints(function), inspect.signature(function).bind(*args, **named).arguments
    for name, value in found.items():
        try:
            found[name] = value if hints[name] is Any else permalink.coerce(hints[name], value)
        except ParamError as error:
            raise ParamError(f"{name} must be {error}.") from None
    return found
