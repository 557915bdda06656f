"""Who computes when: a visitor's share, round robin, places in the line, Stop, and visitors who have left."""

import asyncio
import threading

import pytest

from backends import stop
from tests.conftest import played
from ui.core.lanes import FULL, Lanes, Place


class Work:
    """A run that goes on until it is let go, and counts its steps."""

    def __init__(self, steps=3):
        self.go, self.steps, self.done, self.closed = threading.Event(), steps, 0, False

    def __call__(self):
        try:
            for k in range(self.steps):
                while not self.go.wait(0.01):
                    stop.check()
                self.done += 1
                yield k
        finally:
            self.closed = True


async def collected(run):
    """All items of a run, without its places in the line."""
    return [item async for item in run if not isinstance(item, Place)]


async def until(true):
    """Wait for a state."""
    while not true():
        await asyncio.sleep(0.01)


def test_instant_work_does_not_wait_for_long_work():
    async def play():
        lanes, work = Lanes(1), Work()
        long = asyncio.create_task(collected(lanes.long("a", "ann", "k", work)))
        await until(lambda: lanes.running)
        assert [item async for item in lanes.now(lambda: iter((1, 2)))] == [1, 2] and work.done == 0
        work.go.set()
        assert await long == [0, 1, 2]

    played(play())


def test_a_second_press_replaces_the_waiting_run_of_the_same_visitor_alone():
    async def play():
        lanes, first, second, third, other = Lanes(1), Work(), Work(), Work(), Work()
        runs = []
        for session, visitor, work in (("a", "ann", first), ("a", "ann", second), ("b", "bob", other),
                                       ("a", "ann", third)):
            runs.append(asyncio.create_task(collected(lanes.long(session, visitor, "k", work))))
            await until(lambda: len(lanes.running) + len(lanes.line) == min(len(runs), 3))
        await until(lambda: lanes.line[-1].visitor == "ann")
        assert [t.visitor for t in lanes.line] == ["bob", "ann"]
        for work in (first, second, third, other):
            work.go.set()
        results = await asyncio.gather(*runs)
        assert results[1] == [] and second.done == 0
        assert first.done == third.done == other.done == 3

    played(play())


def test_long_runs_are_served_round_robin_over_visitors():
    async def play():
        lanes, order, go = Lanes(1), [], threading.Event()

        def work(name):
            def run():
                while not go.wait(0.01):
                    stop.check()
                order.append(name)
                yield name

            return run

        runs = []
        for name in ("ann 1", "ann 2", "bob 1", "cid 1"):
            runs.append(asyncio.create_task(collected(lanes.long(name, name[:3], "k", work(name)))))
            await until(lambda: len(lanes.running) + len(lanes.line) == len(runs))
        go.set()
        await asyncio.gather(*runs)
        assert order == ["ann 1", "ann 2", "bob 1", "cid 1"] or order == ["ann 1", "bob 1", "cid 1", "ann 2"]
        assert order.index("bob 1") <= 2

    played(play())


def test_a_place_in_the_line_and_an_estimate_are_told():
    async def play():
        lanes, quick = Lanes(1), Work(1)
        quick.go.set()
        await collected(lanes.long("a", "ann", "k", quick))
        first, second = Work(), Work()
        one = asyncio.create_task(collected(lanes.long("a", "ann", "k", first)))
        await until(lambda: lanes.running)
        waiting = lanes.long("b", "bob", "k", second)
        place = await anext(waiting)
        assert place.ahead == 1 and place.seconds is not None
        first.go.set(), second.go.set()
        assert await one == [0, 1, 2]
        assert [item async for item in waiting if isinstance(item, int)] == [0, 1, 2]

    played(play())


def test_a_full_line_is_one_sentence_and_instant_work_goes_on():
    async def play():
        lanes, works = Lanes(1, waiting=2), [Work() for _ in range(3)]
        runs = [asyncio.create_task(collected(lanes.long(str(k), str(k), "k", work))) for k, work in enumerate(works)]
        await until(lambda: lanes.running and len(lanes.line) == 2)
        with pytest.raises(ValueError, match=FULL[:30]):
            await anext(lanes.long("x", "x", "k", Work()))
        assert [item async for item in lanes.now(lambda: iter((1,)))] == [1]
        for work in works:
            work.go.set()
        await asyncio.gather(*runs)

    played(play())


def test_stop_ends_the_own_run_inside_its_step_and_nobody_elses():
    async def play():
        lanes, mine, theirs = Lanes(2), Work(), Work()
        runs = [asyncio.create_task(collected(lanes.long(name, name, "k", work)))
                for name, work in (("ann", mine), ("bob", theirs))]
        await until(lambda: len(lanes.running) == 2)
        lanes.stop("ann")
        assert await runs[0] == [] and mine.done == 0
        await until(lambda: [t.visitor for t in lanes.running] == ["bob"])
        assert mine.closed and not theirs.closed
        theirs.go.set()
        assert await runs[1] == [0, 1, 2]

    played(play())


def test_a_run_that_nobody_listens_to_is_dropped_waiting_or_under_way(monkeypatch):
    monkeypatch.setattr("ui.core.lanes.PATIENCE", 0.3)

    async def play():
        deaf = set()
        lanes, first, second = Lanes(1, heard=lambda session: session not in deaf), Work(), Work()
        runs = [asyncio.create_task(collected(lanes.long(name, name, "k", work)))
                for name, work in (("ann", first), ("bob", second))]
        await until(lambda: lanes.running and lanes.line)
        deaf.update(("ann", "bob"))
        results = await asyncio.gather(*runs)
        assert first.done == second.done == 0 and results == [[], []]
        await until(lambda: not lanes.running and not lanes.line)

    played(play())


def test_a_listener_that_goes_while_waiting_for_the_next_item_frees_the_lane():
    async def play():
        lanes, work = Lanes(1), Work()
        work.go.set()
        run = lanes.long("a", "ann", "k", work)
        assert await anext(run) == 0
        await run.aclose()
        await until(lambda: not lanes.running and work.closed)
        assert work.done < 3

    played(play())
