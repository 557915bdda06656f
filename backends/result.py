"""The shape of every mechanism's answer, and the one way to ask for it.

    answer = Mechanism(__name__, "run")          # in a package's __init__: nothing is imported yet
    result = answer(params)                      # the finished Result
    for result in answer.stream(params): ...     # growing ones; closing the iterator ends the work

The module that is named holds `VIEWS`: by the name of a view, a function `(params, **inputs)` that yields
`(body, notice, checks)`, with checks None while more will come.  It computes on the device of the process; a result
lies on the host.
"""
from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from backends import device, stop, threads

Step = tuple[Any, str, "tuple[Check, ...] | None"]
Work = Iterator[Step]


@dataclass(frozen=True)
class Check:
    """One invariant, evaluated on the present input: `value` against `bound`, the verdict, and what it says in
    words."""

    name: str
    value: float
    bound: float
    ok: bool
    text: str


def check(name: str, value: Any, bound: float, text: str) -> Check:
    """A check that holds when `value`, a number or a tensor with one, is at most `bound`."""
    return Check(name, float(value), bound, bool(value <= bound), text)


@dataclass(frozen=True)
class Result:
    """One view.  `body`: what it shows, one of the dataclasses of the package; `finished`: nothing more will come;
    `notice`: what was cut, changed or left out, in sentences, or "", and after a line break what is so while it runs;
    `checks`: once it is finished."""

    view: str
    body: Any
    finished: bool
    notice: str
    seconds: float
    checks: tuple[Check, ...]


class Mechanism:
    """What a package of `backends` does, as a function of its settings.  torch is imported by the first call.

    package: its name, from where `answer` is imported; module: the one in it that holds VIEWS; field: the setting that
    names the view; one_core: the work is done in a thread with one core (see `backends.threads`).
    """

    __name__ = "answer"

    def __init__(self, package: str, module: str, field: str = "view", one_core: bool = False) -> None:
        self.__module__ = package
        self._module, self._field, self._one_core = f"{package}.{module}", field, one_core

    def __call__(self, params: Any, **inputs: Any) -> Result:
        """The finished result.  Raises ValueError, one sentence for the user."""
        *_, last = self.stream(params, **inputs)
        return last

    def stream(self, params: Any, **inputs: Any) -> Iterator[Result]:
        """Growing results.  Raises ValueError, one sentence, and `stop.Stopped` once the token is stopped that was
        watched when this was called: the work keeps that token in whatever thread its next step is asked for."""
        return self._results(copy_context().run, params, inputs)

    def _results(self, inside: Callable[..., Any], params: Any, inputs: dict[str, Any]) -> Iterator[Result]:
        began = time.perf_counter()
        work = _steps(self._module, getattr(params, self._field), self._one_core, params, inputs)
        try:
            while (step := inside(_next, work)) is not None:
                view, body, notice, checks = step
                yield Result(view, body, checks is not None, notice, time.perf_counter() - began, checks or ())
        finally:
            work.close()


@device.gpu
def _steps(module: str, view: str, one_core: bool, params: Any, inputs: dict[str, Any]) -> Iterator[tuple]:
    """All that touches the device.  What goes in and comes out can travel to and from another process."""
    work: Work = _views(module)[view](params, **inputs)
    one = threads.alone if one_core else _called
    try:
        while (step := one(next, work, None)) is not None:
            yield view, *device.home(step)
    finally:
        work.close()


def _next(work: Iterator[tuple]) -> tuple | None:
    stop.check()
    return next(work, None)


def _called(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


def _views(module: str) -> dict[str, Callable[..., Work]]:
    """The views of a module.  The first import may take seconds, but can be stopped; nobody waits for it once the
    module has its VIEWS."""
    found = sys.modules.get(module)
    views = getattr(found, "VIEWS", None) or stop.imported(module).VIEWS
    stop.install()
    device.strict()
    return views
