"""Device choice, autocast, the ZeroGPU decorator, and that torch waits until it is needed."""
import subprocess
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from backends import device
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


def test_a_refused_default_keeps_the_former_one(machine, monkeypatch):
    machine(False, False)
    monkeypatch.setattr(device, "_chosen", [])
    device.set_default("cpu")
    with pytest.raises(device.DeviceError):
        device.set_default("cuda")
    assert device.default() == torch.device("cpu")


def test_the_environment_names_the_default(machine, monkeypatch):
    machine(False, True)
    monkeypatch.setattr(device, "_chosen", [])
    monkeypatch.setenv("GLASSBOX_DEVICE", "cpu")
    assert device.default().type == "cpu"


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
