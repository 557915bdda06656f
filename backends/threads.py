"""Small tensor work on one core.

On tensors of some 10^5 numbers a second core gains nothing, and OpenMP's threads, which wait for each other by
spinning, lose much as soon as another process wants that core: on two busy cores the same work took six times as long
with two threads as with one.
"""
from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import Any, TypeVar

from backends import stop

S = TypeVar("S")
T = TypeVar("T")
WORKERS = 2


def alone(function: Callable[..., T], *args: Any) -> T:
    """`function(*args)` in a thread whose torch operations use one core each; its result or its exception.  The thread
    sees the context variables of its caller, so `stop.check` works there."""
    return _pool("short").submit(copy_context().run, _begun, function, *args).result()


def each(function: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """`function` of every item, in order, as they are done: WORKERS at a time, each on one core.  Closing it starts no
    more of them."""
    waiting: deque[Future[T]] = deque()
    try:
        for item in items:
            waiting.append(_pool("long").submit(copy_context().run, _begun, function, item))
            if len(waiting) > WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _begun(function: Callable[..., T], *args: Any) -> T:
    """Nothing begins that was stopped while it waited."""
    stop.check()
    return function(*args)


@cache
def _pool(name: str) -> ThreadPoolExecutor:
    """Short and long work have threads of their own, so that neither waits for the other."""
    return ThreadPoolExecutor(WORKERS, f"one-core-{name}", initializer=_one_core)


stop.in_forks(_pool.cache_clear)


def _one_core() -> None:
    """torch keeps the count per thread, and one more that new threads start with: that one is set back, from a thread
    of its own."""
    import torch
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    other = threading.Thread(target=torch.set_num_threads, args=(before,))
    other.start()
    other.join()
