"""Which device computes, and how: cuda before mps before cpu; autocast only on cuda; ZeroGPU's decorator where it
exists.

The mechanisms compute where `exact` says; what they make, they make on the device of what they were given.  Random
numbers and small tables are made on the `HOST` and moved, so that a seed means the same numbers on every device
(`backends.drawn`).  What is kept between calls is kept per device (`kept`).  A result comes back in one place, `home`,
which `backends.result` calls.
"""
from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache, wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch

HOST = "cpu"
"""Where random numbers, index tables and files come from, whichever device computes."""


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


def default() -> torch.device:
    """The device of this process: environment GLASSBOX_DEVICE, else auto.  Raises DeviceError."""
    return resolve(os.environ.get("GLASSBOX_DEVICE") or "auto")


def exact() -> torch.device:
    """The device of the mechanisms: that of the process, but the CPU where that is mps, which has no float64."""
    found = default()
    return resolve(HOST) if found.type == "mps" else found


def wait(device: torch.device) -> None:
    """Until the device is done, so that times mean something."""
    import torch
    if device.type in ("cuda", "mps"):
        getattr(torch, device.type).synchronize()


def strict() -> None:
    """From now on float32 means float32 on a card, too: its convolutions would round to TF32, ten bits of fraction."""
    import torch
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False


def array(x: torch.Tensor) -> np.ndarray:
    """The numbers of a tensor, wherever it lies, for numpy, scipy and PIL."""
    return x.detach().cpu().numpy()


def home(value: Any) -> Any:
    """`value` with every tensor in it on the host: itself where there is none elsewhere.  Looks into dataclasses,
    tuples, lists and dicts."""
    if hasattr(value, "untyped_storage"):
        return value if value.device.type == HOST else value.detach().cpu()
    if is_dataclass(value) and not isinstance(value, type):
        found = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
        moved = {name: new for name, old in found.items() if (new := home(old)) is not old}
        return replace(value, **moved) if moved else value
    if isinstance(value, dict):
        moved = {key: home(old) for key, old in value.items()}
        return moved if any(moved[key] is not old for key, old in value.items()) else value
    if isinstance(value, tuple | list):
        new = [home(old) for old in value]
        if all(a is b for a, b in zip(new, value)):
            return value
        return type(value)(*new) if hasattr(value, "_fields") else type(value)(new)
    return value


def kept(most: int | None) -> Callable[[Callable], Callable]:
    """`functools.lru_cache(most)` whose values are those of the device that computes now: what one device made is never
    given to another."""
    def around(fn: Callable) -> Callable:
        held = lru_cache(most)(lambda at, *args: fn(*args))

        @wraps(fn)
        def asked(*args: Any) -> Any:
            return held(exact(), *args)
        asked.cache_clear = held.cache_clear
        return asked
    return around


def precision(device: torch.device) -> torch.dtype:
    """bfloat16 where that is multiplied quicker than float32: on cuda, and on a CPU with instructions for it
    (AVX512-BF16 or AMX: two to eight times as fast); else float32."""
    import torch
    fast = (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported() if device.type == HOST
            else device.type == "cuda")
    return torch.bfloat16 if fast else torch.float32


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
