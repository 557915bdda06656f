"""A way to end long work that has begun.

    token = Token()
    with watch(token):                  # this thread, and the threads of `backends.threads` that it asks
        for result in answer.stream(params): ...
    token.stop()                        # from any thread: the work raises Stopped at its next check

The work calls `check` in its loops, and before every forward of a torch module.  Without a token nothing happens.
What cannot be cut, the import of torch, is done by another thread while the work looks at its token.
"""
from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from typing import Any

LOOK = 0.1                     # seconds between two looks at the token while another thread works


class Stopped(Exception):  # noqa: N818  (it is a wish, not an error)
    """The work was told to stop."""


class Token:
    """Held by who may stop the work; any thread may call `stop`, any number of times."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def stop(self) -> None:
        """From now on the work that watches this token raises Stopped at its next check."""
        self._event.set()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._event.is_set()


_watched: ContextVar[Token | None] = ContextVar("watched", default=None)


@contextmanager
def watch(token: Token | None) -> Iterator[None]:
    """Inside it, `check` looks at `token`."""
    before = _watched.get()
    _watched.set(token)
    try:
        yield
    finally:
        _watched.set(before)


def check(*_: Any) -> None:
    """Raises Stopped if the token that is watched was stopped.  Arguments are ignored: this is a hook, too."""
    token = _watched.get()
    if token is not None and token.stopped:
        raise Stopped


@contextmanager
def held(lock: threading.Lock) -> Iterator[None]:
    """`with lock`, but who waits for it can be stopped."""
    while not lock.acquire(timeout=LOOK):
        check()
    try:
        yield
    finally:
        lock.release()


def imported(name: str) -> Any:
    """The module called `name`.  It may take seconds the first time, so a stop does not wait for it."""
    found = _importer().submit(import_module, name)
    while not wait((found,), LOOK).done:
        check()
    return found.result()


@cache
def _importer() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "import")


def in_forks(forget: Callable[[], None]) -> None:
    """Have every forked process begin with `forget`: it has its parent's pools, but not their threads."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget)


in_forks(_importer.cache_clear)


@cache
def install() -> None:
    """From now on every forward of a torch module begins with `check`."""
    from torch.nn.modules.module import register_module_forward_pre_hook

    register_module_forward_pre_hook(check)
