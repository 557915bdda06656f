"""A run that is asked to stop ends itself, and nobody else's."""

from ui.stops import Stops


def test_a_run_ends_before_its_next_item_and_is_closed():
    stops, closed = Stops(), []

    def count():
        try:
            yield from range(9)
        finally:
            closed.append(True)

    run = stops.until("ann", count())
    assert [next(run), next(run)] == [0, 1]
    stops.ask("bob")
    assert next(run) == 2
    stops.ask("ann")
    assert list(run) == [] and closed == [True]


def test_a_stop_that_came_before_the_run_does_not_count():
    stops = Stops()
    stops.ask("ann")
    assert list(stops.until("ann", iter(range(3)))) == [0, 1, 2]
