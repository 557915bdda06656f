"""Which device computes, and how: cuda before mps before cpu; autocast only on cuda; ZeroGPU's decorator where it
exists."""
from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_chosen: list[str] = []


class DeviceError(ValueError):
    """The device is unknown or not there; the message is one sentence for the user."""


def resolve(name: str = "auto") -> torch.device:
    """auto, cpu, cuda, cuda:<i> or mps -> torch.device.  Raises DeviceError when it is not a device of this machine."""
    import torch
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind in found if found[kind]))
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        device = None
    if device is None or device.type not in found:
        raise DeviceError(f"Unknown device {str(name)[:40]!r}; use auto, cpu, cuda, cuda:0 or mps.")
    if not found[device.type]:
        raise DeviceError(f"This machine has no usable {device.type} device; use --device cpu or auto.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"There is no {device}: this machine has {torch.cuda.device_count()} CUDA device(s).")
    return device


def set_default(name: str) -> torch.device:
    """Makes `name` the device of this process.  Raises DeviceError and keeps the former one when it cannot be used."""
    device = resolve(name)
    _chosen[:] = [name]
    return device


def default() -> torch.device:
    """The device of this process: the one set, else environment GLASSBOX_DEVICE, else auto."""
    return resolve(_chosen[0] if _chosen else os.environ.get("GLASSBOX_DEVICE") or "auto")


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Mixed precision where it is safe and pays: bfloat16 (else float16) on cuda; nothing on cpu and mps, which stay
    float32."""
    import torch
    if device.type != "cuda":
        return nullcontext()
    return torch.autocast("cuda", torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16)


def gpu(fn: Callable | None = None, *, duration: int = 60) -> Callable:
    """Decorator, bare or with `duration` in seconds: ZeroGPU's `spaces.GPU` where `spaces` is installed, else the
    function itself."""
    if fn is None:
        return lambda later: gpu(later, duration=duration)
    try:
        return import_module("spaces").GPU(duration=duration)(fn)
    except ImportError:
        return fn
