"""One shape for every mechanism's answer: what a Mechanism promises, on a toy of its own and on all packages."""
import importlib
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from backends.result import Check, Mechanism, check
from tests.conftest import ROOT

PACKAGES = ("attention", "deform", "memory", "moe", "rope", "scale", "swin")
CLOSED = []


def counted(params, image=None):
    try:
        for n in range(3):
            yield n, image or "", None
        yield 3, f"on {torch.get_num_threads()}", (check("three", 3, 3, "as many as asked"),)
    finally:
        CLOSED.append(params.view)


@pytest.fixture(params=[False, True], ids=["here", "one core"])
def toy(request, monkeypatch):
    monkeypatch.setitem(sys.modules, "toy.run", SimpleNamespace(VIEWS={"count": counted}))
    CLOSED.clear()
    return Mechanism("toy", "run", one_core=request.param)


def test_results_grow_and_the_last_has_the_checks(toy):
    results = list(toy.stream(SimpleNamespace(view="count"), image="seen"))
    assert [r.body for r in results] == [0, 1, 2, 3] and [r.finished for r in results] == [False] * 3 + [True]
    assert [r.notice for r in results[:3]] == ["seen"] * 3 and {r.view for r in results} == {"count"}
    assert [r.seconds for r in results] == sorted(r.seconds for r in results) and results[0].checks == ()
    assert results[-1].checks == (Check("three", 3.0, 3, True, "as many as asked"),)
    assert toy(SimpleNamespace(view="count")).body == 3


def test_closing_ends_the_work(toy):
    results = toy.stream(SimpleNamespace(view="count"))
    assert next(results).body == 0 and not CLOSED
    results.close()
    assert CLOSED == ["count"]


def test_one_core_means_one_core():
    toy = Mechanism("toy", "run", one_core=True)
    sys.modules["toy.run"] = SimpleNamespace(VIEWS={"count": counted})
    assert toy(SimpleNamespace(view="count")).notice == "on 1"
    del sys.modules["toy.run"]


@pytest.mark.parametrize(("value", "ok"), [(0.5, True), (1, True), (1.5, False), (float("nan"), False)])
def test_a_check_holds_when_its_value_is_at_most_its_bound(value, ok):
    for given in (value, torch.tensor(value)):
        assert check("x", given, 1.0, "").ok is ok and type(check("x", given, 1.0, "").value) is float


def test_a_live_check_cannot_be_changed_afterwards():
    with pytest.raises(AttributeError):
        check("rows sum to 1", 1e-7, 1e-6, "largest residual").ok = False


@pytest.mark.parametrize("name", PACKAGES)
def test_every_package_gives_its_answer_by_one_name(name):
    package = importlib.import_module(f"backends.{name}")
    answer = package.answer
    assert package.__all__ == ["answer"] and answer.__name__ == "answer" and answer.__module__ == package.__name__
    assert isinstance(answer, Mechanism) and importlib.import_module(answer._module).VIEWS


def test_importing_every_package_loads_no_torch():
    code = f"import sys, {', '.join(f'backends.{name}.params' for name in PACKAGES)}; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
