"""A second device without hardware, to see on any machine what a card would refuse.

A tensor on `HERE` is one of the CPU in a wrapper that says "pretend": torch's own kernels compute, so numbers are
those of the CPU to the last bit, but mixing it with a tensor of the CPU, drawing on it with a generator of the CPU, or
reading it as numpy is refused as a card refuses it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import _get_current_function_mode_stack
from torch.utils._device import DeviceContext
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map_only, tree_unflatten
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

_setup_privateuseone_for_python_backend("pretend")
HERE, CPU = torch.device("pretend:0"), torch.device("cpu")
MIX = {"copy_", "_to_copy", "index", "index_put", "index_put_", "_index_put_impl_"}
"""Where a card takes a tensor of the CPU beside its own."""
OUT = {"_local_scalar_dense", "equal", "is_nonzero"}
MADE = ("arange", "arange.start", "arange.start_step", "eye", "eye.m")
"""Operations that torch would make empty and let grow."""


class Pretend(Tensor):
    """A tensor of the pretended device around `raw`, one of the CPU."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, raw: Tensor) -> "Pretend":
        return torch.Tensor._make_wrapper_subclass(cls, raw.size(), strides=raw.stride(), dtype=raw.dtype, device=HERE,
                                                   storage_offset=raw.storage_offset())

    def __init__(self, raw: Tensor) -> None:
        self.raw = raw

    def __repr__(self) -> str:
        return f"Pretend({self.raw})"

    def tolist(self) -> Any:
        """As on every device; torch's own refuses a subclass."""
        return self.raw.tolist()

    def untyped_storage(self) -> Any:
        """Where the numbers lie, for who counts bytes."""
        return self.raw.untyped_storage()

    def new_tensor(self, data: Any, **more: Any) -> Tensor:
        """The same."""
        return self.raw.new_tensor(data, **more).to(HERE)

    def __getitem__(self, index: Any) -> Tensor:
        """torch moves a list of places to the device; so does this."""
        return super().__getitem__(_places(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        """The same."""
        super().__setitem__(_places(index), value)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        return _run(func, *args, **(kwargs or {}))


def _places(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(_places(part) for part in index)
    if not isinstance(index, list | np.ndarray):
        return index
    return torch.tensor(index, dtype=None if len(index) else torch.long, device=CPU).to(HERE)


def _run(func: Any, *args: Any, **kwargs: Any) -> Any:
    """The operation, on the CPU."""
    name, (flat, shape) = func.overloadpacket.__name__, tree_flatten((args, kwargs))
    ours = [x for x in flat if isinstance(x, Pretend)]
    at = torch.device(kwargs["device"] if kwargs.get("device") is not None else HERE if ours else CPU)
    if ours and name not in MIX and any(isinstance(x, Tensor) and not isinstance(x, Pretend) and x.dim() for x in flat):
        raise RuntimeError(f"{func}: expected all tensors to be on the same device.")
    if at == HERE and kwargs.get("generator") is not None:
        raise RuntimeError(f"{func}: expected a generator of the pretended device.")
    raw = [x.raw if isinstance(x, Pretend) else CPU if isinstance(x, torch.device) else x for x in flat]
    args_, kwargs_ = tree_unflatten(raw, shape)
    found = func(*args_, **kwargs_)
    if name in OUT or at.type == "cpu" or (name == "copy_" and not isinstance(args[0], Pretend)):
        return args[0] if name == "copy_" else found
    known = {id(x.raw): x for x in ours}
    found = tree_map_only(Tensor, lambda x: known.get(id(x)) if id(x) in known else Pretend(x), found)
    found = return_and_correct_aliasing(func, args, kwargs, found)
    assert all(x.raw.shape == x.shape for x in ours), f"{func} makes a tensor larger in place"
    return found


def _default() -> torch.device:
    """Of `with torch.device(...)`, innermost."""
    contexts = [mode for mode in _get_current_function_mode_stack() if isinstance(mode, DeviceContext)]
    return contexts[-1].device if contexts else CPU


def moved(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """torch.tensor or torch.as_tensor, which torch does not leave to a device that is written in Python: makes on the
    CPU, then moves.  For a test to put in their place."""
    def there(*args: Any, device: Any = None, **more: Any) -> Tensor:
        at = _default() if device is None else torch.device(device)
        if at.type != "pretend":
            return make(*args, device=device, **more)
        if isinstance(args[0], Pretend):
            return args[0].to(more.get("dtype") or args[0].dtype)
        grad = more.pop("requires_grad", False)
        return make(*args, device=CPU, **more).to(HERE).requires_grad_(grad)
    return there


_every, _aten = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
_every.fallback(_run, "PrivateUse1")
for _name in MADE:
    _op, _, _overload = _name.partition(".")
    _aten.impl(_name, partial(_run, getattr(getattr(torch.ops.aten, _op), _overload or "default")), "PrivateUse1")
