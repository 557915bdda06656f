"""A stop is heard wherever work is done, and within half a second of work in every view that streams."""
import threading
import time
from contextvars import Context
from types import SimpleNamespace

import pytest
import torch

from backends import attention, deform, memory, moe, rope, scale, stop, swin, threads
from backends.attention.params import KINDS, AttentionParams
from backends.deform.params import DeformParams
from backends.memory.params import MemoryParams
from backends.moe.params import MAX_TEXT, MoeParams
from backends.result import Mechanism
from backends.rope.params import RUNNING, RopeParams
from backends.scale.params import ScaleParams
from backends.stop import Stopped, Token, watch
from backends.swin.params import SwinParams

CODE = ("def f(x):\n    return x + 1\n" * 1000)[:MAX_TEXT]
HEAVIEST = {
    "moe capacity": (moe, MoeParams(view="capacity", text=CODE)),
    "moe race": (moe, MoeParams(view="race", steps=400, k=8)),
    "memory layer": (memory, MemoryParams(view="layer", longest=4096, size=64)),
    "memory lengths": (memory, MemoryParams(view="lengths", samples=512)),
    "scale training": (scale, ScaleParams(view="training", steps=200)),
    "scale entropy": (scale, ScaleParams(view="entropy", d=1024)),
    "scale width": (scale, ScaleParams(view="width")),
    "rope curve": (rope, RopeParams(view="curve", samples=16, longest=16, methods=RUNNING)),
    "rope passkey": (rope, RopeParams(view="passkey", samples=16, longest=16)),
    "rope live": (rope, RopeParams(view="live", longest=16, methods=RUNNING)),
    "rope tax": (rope, RopeParams(view="tax", samples=16, longest=16, methods=RUNNING)),
    "rope sinks": (rope, RopeParams(view="sinks", samples=16, sinks=16)),
    "deform twins": (deform, DeformParams(view="twins", samples=300)),
    "deform fit": (deform, DeformParams(view="fit", steps=400)),
    "swin cost": (swin, SwinParams(view="cost", channels=512, pixels=2048, window=12)),
    "attention bracket": (attention,
                          AttentionParams(source="synthetic", lesson="bracket", n=512, dim=128, kinds=tuple(KINDS))),
}
SPENT = 1.5                 # seconds of work, of all threads, after which each view is stopped
# the same that may pass in one thread between two looks: twice what is wanted, for a busy machine
LONGEST = 1.0


class Watched(Token):
    """Knows the longest work between two looks: in seconds of the thread's own work, which no neighbour makes
    longer."""

    def __init__(self):
        super().__init__()
        self.last, self.longest, self.looks = {}, 0.0, 0

    @property
    def stopped(self):
        thread, now = threading.get_ident(), time.thread_time()
        self.longest = max(self.longest, now - self.last.get(thread, now))
        self.last[thread], self.looks = now, self.looks + 1
        return super().stopped


def stopped_midway(package, params):
    """(the token, how the run ended, results): the view runs in a thread of its own until SPENT, then it is stopped."""
    token, ended, results = Watched(), [], []

    def work():
        try:
            with watch(token):
                results.extend(package.answer.stream(params))
            ended.append("finished")
        except Stopped:
            ended.append("stopped")

    thread, began = threading.Thread(target=work), time.process_time()
    thread.start()
    while thread.is_alive() and time.process_time() - began < SPENT:
        thread.join(0.02)
    token.stop()
    thread.join(60)
    return token, ended, results


@pytest.mark.parametrize("name", HEAVIEST)
def test_every_streamed_view_looks_often(name):
    package, params = HEAVIEST[name]
    for attempt in range(2):
        token, ended, results = stopped_midway(package, params)
        if token.longest < LONGEST:
            break
    assert ended == ["stopped"] or (ended == ["finished"] and results[-1].finished)
    assert token.longest < LONGEST and token.looks > 5


@pytest.mark.parametrize("product", ["quadratic", "linear"])
def test_the_longest_product_of_the_bracket_is_cut(product):
    from backends.attention.lessons import bracket
    q, k, v = torch.randn(3, bracket.ROWS + 100, 8)
    token = Watched()
    with watch(token):
        found = getattr(bracket, product)(q, k, v)
        assert token.looks >= 2
        with bracket.Peak(q, k, v) as peak:
            bracket.quadratic(q, k, v)
        token.stop()
        with pytest.raises(Stopped):
            bracket.quadratic(q, k, v)
    assert torch.allclose(found, q @ (k.T @ v), rtol=1e-3, atol=0.1 * len(q) ** 0.5)
    assert peak.bytes == 4 * (len(q) ** 2 + q.numel())


def toy(monkeypatch, work, one_core=False):
    monkeypatch.setitem(__import__("sys").modules, "toy.run", SimpleNamespace(VIEWS={"toy": work}))
    return Mechanism("toy", "run", one_core=one_core)


@pytest.mark.parametrize("one_core", [False, True])
def test_a_stream_stops_between_results_and_its_work_is_closed(monkeypatch, one_core):
    closed, token = [], Token()

    def endless(params):
        try:
            while True:
                yield 0, "", None
        finally:
            closed.append(True)

    with watch(token):
        results = toy(monkeypatch, endless, one_core).stream(SimpleNamespace(view="toy"))
    next(results)
    token.stop()
    with pytest.raises(Stopped):
        next(results)
    assert closed == [True]


def test_a_stream_keeps_its_token_whoever_asks_for_the_next_result(monkeypatch):
    seen = []

    def work(params):
        for _ in range(3):
            seen.append(stop._watched.get())
            yield 0, "", None

    token = Token()
    with watch(token):
        results = toy(monkeypatch, work).stream(SimpleNamespace(view="toy"))
    next(results)
    Context().run(next, results)
    threads.alone(next, results)
    assert seen == [token] * 3


def test_only_the_work_that_watches_a_token_stops():
    one, other = Token(), Token()
    one.stop()
    stop.check()
    with watch(other):
        stop.check()
        with watch(one), pytest.raises(Stopped):
            stop.check()
        with watch(None):
            stop.check()
        stop.check()
        other.stop()
        with pytest.raises(Stopped):
            stop.check()
    stop.check()
    assert one.stopped and other.stopped and not Token().stopped


def test_threads_that_work_for_the_caller_hear_it():
    token = Token()
    with watch(token):
        assert threads.alone(stop._watched.get) is token
        assert list(threads.each(lambda n: stop._watched.get(), [0])) == [token]
        token.stop()
        for work in (lambda: threads.alone(int), lambda: list(threads.each(int, "12"))):
            with pytest.raises(Stopped):
                work()
    assert threads.alone(int) == 0


def test_every_module_s_forward_hears_it():
    stop.install()
    stop.install()
    token, layers = Watched(), torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.GELU())
    with watch(token):
        layers(torch.zeros(2))
        assert token.looks == 3
        token.stop()
        with pytest.raises(Stopped):
            layers(torch.zeros(2))
    layers(torch.zeros(2))


def test_who_waits_for_a_lock_or_an_import_can_be_stopped(tmp_path, monkeypatch):
    token, lock = Token(), threading.Lock()
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(2)\nDONE = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    with stop.held(lock):
        assert lock.locked()
        token.stop()
        with watch(token), pytest.raises(Stopped), stop.held(lock):
            pytest.fail("held twice")
    assert not lock.locked()
    with watch(token), pytest.raises(Stopped):
        stop.imported("slow_to_import")
    assert stop.imported("slow_to_import").DONE
    with pytest.raises(ModuleNotFoundError):
        stop.imported("no_such_module_anywhere")
