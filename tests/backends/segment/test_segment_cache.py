"""The byte-bounded cache: bound, order, one computation per key, errors."""
from threading import Event, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.cache import ByteLRU


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60))))
def test_it_never_holds_more_than_its_limit_and_keeps_the_latest(puts):
    cache, latest = ByteLRU(100), {}
    for key, size in puts:
        cache.put(key, (key, size), size)
        latest[key] = size
        assert cache.bytes <= 100 and cache.get(key) == (key, size)
    held = [k for k in latest if cache.get(k) is not None]
    assert cache.bytes == sum(latest[k] for k in held) and len(cache) == len(held)


def test_what_was_used_longest_ago_goes_first():
    cache = ByteLRU(3)
    for key in "abc":
        cache.put(key, key, 1)
    cache.get("a")
    cache.put("d", "d", 1)
    assert cache.get("b") is None and [cache.get(k) for k in "acd"] == list("acd")


def test_a_value_larger_than_the_limit_is_not_kept_and_pushes_nothing_out():
    cache = ByteLRU(3)
    cache.put("a", 1, 2)
    cache.put("b", 2, 4)
    assert cache.get("b") is None and cache.get("a") == 1


def test_a_key_is_computed_once_and_then_held():
    cache, calls = ByteLRU(9), []
    for wanted in (("v", False), ("v", True)):
        assert cache.get_or_compute("k", lambda: (calls.append(1) or "v", 1)) == wanted
    assert len(calls) == 1


def test_an_error_reaches_the_caller_and_the_next_one_tries_again():
    cache = ByteLRU(9)
    with pytest.raises(KeyError):
        cache.get_or_compute("k", lambda: {}["missing"])
    assert cache.get_or_compute("k", lambda: ("v", 1)) == ("v", False)


def test_a_slow_key_does_not_hold_up_another():
    cache, go = ByteLRU(9), Event()
    slow = Thread(target=lambda: cache.get_or_compute("slow", lambda: (go.wait(10), 1)))
    slow.start()
    assert cache.get_or_compute("quick", lambda: ("v", 1)) == ("v", False)
    go.set()
    slow.join()
    assert cache.get("slow") is True


def test_clearing_empties_it():
    cache = ByteLRU(9)
    cache.put("a", 1, 5)
    cache.clear()
    assert len(cache) == cache.bytes == 0 and cache.get("a") is None


def test_memory_is_given_back_when_large_values_go(monkeypatch):
    import backends.cache as cache
    calls = []
    monkeypatch.setattr(cache, "give_back", lambda: calls.append(1))
    plain, large = ByteLRU(9), ByteLRU(9, trims=True)
    for one in (plain, large):
        one.put("a", 1, 5)
        one.put("b", 1, 5)
        one.drop(lambda key: True)
    assert len(calls) == 3 and len(large) == 0


def test_giving_back_is_harmless():
    from backends.cache import give_back
    give_back()
