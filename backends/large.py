"""Large pictures are worked on one at a time: of 40 megapixels each takes 0.5 GB on its way, and four would take 2."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

from backends.cache import give_back

PIXELS = 4_000_000
_TURN = RLock()


def waits(size: tuple[int, int]) -> bool:
    """Whether this width and height, in either order, have to wait for their turn."""
    return size[0] * size[1] > PIXELS


@contextmanager
def turn(size: tuple[int, int]) -> Iterator[None]:
    """Waits until no other large picture is worked on, and gives the memory back; a small one does neither."""
    if not waits(size):
        yield
        return
    with _TURN:
        try:
            yield
        finally:
            give_back()
