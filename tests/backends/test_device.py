"""Device choice, autocast, the ZeroGPU decorator, and that torch waits until it is needed."""
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch

from backends import device
from tests import pretend
from tests.conftest import ROOT


@pytest.fixture
def machine(monkeypatch):
    """A machine with the given devices."""
    def with_devices(cuda: bool, mps: bool):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: int(cuda))
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    return with_devices


@pytest.mark.parametrize("cuda, mps, expected", [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_auto_prefers_cuda_then_mps_then_cpu(machine, cuda, mps, expected):
    machine(cuda, mps)
    assert device.resolve("auto").type == expected


NOT_THERE = [("cuda", "no usable cuda"), ("mps", "no usable mps"), ("tpu", "Unknown"), ("meta", "Unknown"),
             ("", "Unknown")]


@pytest.mark.parametrize("name, says", NOT_THERE)
def test_a_device_that_is_not_there_is_refused_in_one_sentence(machine, name, says):
    machine(False, False)
    with pytest.raises(device.DeviceError, match=says):
        device.resolve(name)


def test_a_cuda_index_beyond_the_last_is_refused(machine):
    machine(True, False)
    assert device.resolve("cuda:0") == torch.device("cuda:0")
    with pytest.raises(device.DeviceError, match="1 CUDA device"):
        device.resolve("cuda:1")


def test_the_environment_names_the_default(machine, monkeypatch):
    machine(False, True)
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")
    assert device.default().type == "cpu"
    monkeypatch.setenv("GLASSBOX_DEVICE", "cuda")
    with pytest.raises(device.DeviceError):
        device.default()


@pytest.mark.parametrize("cuda, mps, expected", [(True, True, "cuda"), (False, True, "cpu"), (False, False, "cpu")])
def test_what_needs_float64_never_computes_on_mps(machine, monkeypatch, cuda, mps, expected):
    machine(cuda, mps)
    monkeypatch.delenv("GLASSBOX_DEVICE", raising=False)
    assert device.exact().type == expected


@dataclass(frozen=True)
class Body:
    """A result in miniature."""

    x: object
    rest: object = ()
    made: int = field(default=0, init=False)


def test_a_result_comes_home_and_one_that_is_there_stays_itself():
    here = torch.ones(2)
    assert device.home(value := Body(here, ({"a": [1, "b"]}, None))) is value
    there = here.to(pretend.HERE)
    moved = device.home(Body(there, [{"a": (here, there)}, Named(there, 2)]))
    again, named = moved.rest[0]["a"], moved.rest[1]
    assert again[0] is here and named.n == 2 and isinstance(named, Named)
    assert all(type(x) is torch.Tensor and x.tolist() == [1, 1] for x in (moved.x, again[1], named.x))


class Named(NamedTuple):
    """A tuple with names."""

    x: torch.Tensor
    n: int


def test_what_is_kept_is_kept_per_device(machine, monkeypatch):
    machine(True, False)
    asked = []

    @device.kept(2)
    def squared(n):
        asked.append(n)
        return n * n

    for name in ("cpu", "cuda", "cuda", "cpu"):
        monkeypatch.setenv("GLASSBOX_DEVICE", name)
        assert squared(3) == 9
    assert asked == [3, 3]


@pytest.mark.parametrize("name", ["cpu", "mps"])
def test_cpu_and_mps_stay_in_float32(name):
    assert isinstance(device.autocast(torch.device(name)), nullcontext)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("bf16, dtype", [(True, torch.bfloat16), (False, torch.float16)], ids=["new card", "old card"])
def test_cuda_computes_in_bfloat16_where_it_can(monkeypatch, bf16, dtype):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *args: bf16)
    assert device.autocast(torch.device("cuda:0")).fast_dtype == dtype


def test_gpu_is_the_function_itself_without_spaces(monkeypatch):
    monkeypatch.setitem(sys.modules, "spaces", None)
    assert device.gpu(len) is len and device.gpu(duration=5)(len) is len


def test_gpu_is_zerogpus_decorator_with_spaces(monkeypatch):
    calls = []
    monkeypatch.setitem(sys.modules, "spaces",
                        SimpleNamespace(GPU=lambda duration: calls.append(duration) or (lambda fn: ("on gpu", fn))))
    assert device.gpu(len) == ("on gpu", len) and device.gpu(duration=7)(len) == ("on gpu", len)
    assert calls == [60, 7]


@pytest.mark.parametrize("module", ["images", "weights", "download", "shapes", "device"])
def test_importing_it_does_not_import_torch(module):
    code = f"import sys, backends.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
