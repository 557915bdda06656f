"""Small tensor work on one core.

On tensors of some 10^5 numbers a second core gains nothing, and OpenMP's threads, which wait for each other by spinning, lose much as
soon as another process wants that core: on two busy cores the same work took six times as long with two threads as with one.
"""
from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")
WORKERS = 2


def alone(function: Callable[..., T], *args: Any) -> T:
    """`function(*args)` in a thread whose torch operations use one core each; its result or its exception."""
    return _pool().submit(function, *args).result()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WORKERS, "one-core", initializer=_one_core)


def _one_core() -> None:
    """torch keeps the count per thread, and one more that new threads start with: that one is set back, from a thread of its own."""
    import torch
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    other = threading.Thread(target=torch.set_num_threads, args=(before,))
    other.start()
    other.join()
