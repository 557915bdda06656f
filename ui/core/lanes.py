"""Who computes when. Instant and long work have threads of their own, so neither waits for the other.

A long run takes a ticket. A visitor has at most one run and one ticket that waits; a new ticket replaces the one that
waits. Tickets are served in the order of their coming, which over visitors with one ticket each is round robin. A run
looks at its stop token (``backends.stop``) inside its loops; it ends when its visitor says so, or has left.
"""

import asyncio
import contextvars
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from backends import stop
from backends.machine import cores

QUICK = 4
"""Instant answers that are worked out at once."""
BEAT = 0.25
"""Seconds between two looks at who waits, who was stopped and who has left."""
PATIENCE = 5.0
"""Seconds after which a run that nobody ever listened to is dropped."""
GONE = 1.0
"""Seconds after which a run whose listener has left is dropped."""
FULL = "Too many long runs are waiting at the moment. What is on screen stays; please try again in a minute."
END = object()


@dataclass(frozen=True)
class Place:
    """Where a waiting run stands: runs before it, and the seconds that they are expected to take (None: not known)."""

    ahead: int
    seconds: float | None


@dataclass(eq=False)
class Ticket:
    """One long run: whose it is, what it runs (for estimates), and since when nobody has listened."""

    visitor: str
    kind: str
    token: stop.Token = field(default_factory=stop.Token)
    began: float = 0.0
    heard: bool = False
    deaf: float | None = None


class Lanes:
    """The threads and the line of one server. ``long_runs`` run at once, at most ``waiting`` wait; ``heard(session)``
    says whether a session still listens to its events."""

    def __init__(self, long_runs: int, waiting: int = 100, heard: Callable[[str], bool] = lambda session: True) -> None:
        self.long_runs, self.waiting, self.heard = long_runs, waiting, heard
        self.running: list[Ticket] = []
        self.line: list[Ticket] = []
        self.seconds: dict[str, float] = {}
        self._quick = ThreadPoolExecutor(QUICK, "instant")
        self._slow = ThreadPoolExecutor(long_runs, "long")

    async def now(self, make: Callable[[], Iterator[Any]]) -> AsyncIterator[Any]:
        """The items of an iterator of instant work."""
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()
        items = await loop.run_in_executor(self._quick, context.run, make)
        while (item := await loop.run_in_executor(self._quick, context.run, next, items, END)) is not END:
            yield item

    async def one(self, find: Callable[[], Any]) -> Any:
        """What a function that is instant work gives."""
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._quick, context.run, find)

    async def long(self, session: str, visitor: str, kind: str,
                   make: Callable[[], Iterator[Any]]) -> AsyncIterator[Any]:
        """The run's ``Place`` while it waits, whenever that changes; then its items. ValueError: the line is full."""
        ticket, place = self._joined(visitor, kind), None
        try:
            while not self._starts(ticket):
                if place != (place := self.place(ticket)):
                    yield place
                await asyncio.sleep(BEAT)
                if self._ended(ticket, session):
                    return
            async for item in self._stepped(ticket, session, make):
                yield item
        finally:
            self._leave(ticket)

    async def _stepped(self, ticket: Ticket, session: str, make: Callable[[], Iterator[Any]]) -> AsyncIterator[Any]:
        context, items = contextvars.copy_context(), []

        def step() -> Any:
            with stop.watch(ticket.token):
                if not items:
                    items.append(make())
                return next(items[0], END)

        pending = None
        try:
            while True:
                pending = asyncio.get_running_loop().run_in_executor(self._slow, context.run, step)
                while not (await asyncio.wait({pending}, timeout=BEAT))[0]:
                    self._ended(ticket, session)
                item = pending.result()
                if item is END or ticket.token.stopped:
                    self._timed(ticket, item is END)
                    return
                yield item
        except stop.Stopped:
            return
        finally:
            ticket.token.stop()
            self._close(ticket, pending, items)

    def _close(self, ticket: Ticket, pending: Any, items: list[Any]) -> None:
        """Free the place once the step that is under way has ended, and close what it read from."""

        def closed(step: Any) -> None:
            if step is not None and not step.cancelled():
                step.exception()
            if items and hasattr(items[0], "close"):
                self._slow.submit(items[0].close)
            self.running = [t for t in self.running if t is not ticket]

        if pending is None or pending.done():
            closed(pending)
        else:
            pending.add_done_callback(closed)

    def _joined(self, visitor: str, kind: str) -> Ticket:
        for old in [t for t in self.line if t.visitor == visitor]:
            self._leave(old)
        if len(self.line) >= self.waiting:
            raise ValueError(FULL)
        self.line.append(Ticket(visitor, kind))
        return self.line[-1]

    def _starts(self, ticket: Ticket) -> bool:
        """Whether this ticket is next: then it runs from now on."""
        busy = {t.visitor for t in self.running}
        first = next((t for t in self.line if t.visitor not in busy), None)
        if first is not ticket or len(self.running) >= self.long_runs:
            return False
        self.line.remove(ticket)
        ticket.began = time.monotonic()
        self.running.append(ticket)
        return True

    def _ended(self, ticket: Ticket, session: str) -> bool:
        """Whether the run is over, because it was stopped or replaced, or because nobody has listened for a while."""
        if self.heard(session):
            ticket.heard, ticket.deaf = True, None
        else:
            ticket.deaf = ticket.deaf or time.monotonic()
            if time.monotonic() - ticket.deaf > (GONE if ticket.heard else PATIENCE):
                ticket.token.stop()
        return ticket.token.stopped

    def _leave(self, ticket: Ticket) -> None:
        ticket.token.stop()
        if ticket in self.line:
            self.line.remove(ticket)

    def _timed(self, ticket: Ticket, whole: bool) -> None:
        if whole:
            took = time.monotonic() - ticket.began
            self.seconds[ticket.kind] = (self.seconds.get(ticket.kind, took) + took) / 2

    def place(self, ticket: Ticket) -> Place:
        """How many runs stand before this one, and how long they are expected to take."""
        before = self.line[: self.line.index(ticket)] if ticket in self.line else []
        known = [self.seconds.get(t.kind) for t in (*self.running, *before)]
        total = sum(s for s in known if s is not None) / self.long_runs if any(known) else None
        return Place(len(self.running) + len(before), total)

    def stop(self, visitor: str) -> None:
        """End this visitor's runs, the one under way and the one that waits."""
        for ticket in [*self.running, *self.line]:
            if ticket.visitor == visitor:
                ticket.token.stop()


def default_long_runs() -> int:
    """Long runs at once where no flag says it: one on a GPU, on a CPU a quarter of the cores, at least one."""
    return (1 if os.environ.get("GLASSBOX_DEVICE", "auto").startswith(("cuda", "mps"))
            else max(1, cores() // 4))
