"""What is the same on every device: random numbers and small tables, made on the host and moved by who uses them.

    x = normal(3, n, d, random=seeded(seed)).to(at)

    @hosted
    def table(n): ...                # what it makes lies on the host; `placed`: where the mechanisms compute
"""
from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor

from backends.device import HOST, exact

F = TypeVar("F", bound=Callable[..., Any])


def hosted(make: F) -> F:
    """`make`, a function or a class, whose new tensors lie on the host, whatever the default device is."""
    return _within(make, lambda: torch.device(HOST))


def placed(make: F) -> F:
    """`make`, whose new tensors lie on the device of the mechanisms."""
    return _within(make, exact)


def _within(make: F, at: Callable[[], torch.device]) -> F:
    @wraps(make)
    def made(*args: Any, **kwargs: Any) -> Any:
        with at():
            return make(*args, **kwargs)
    return made


def seeded(seed: int) -> torch.Generator:
    """A source of random numbers, on the host."""
    return torch.Generator(HOST).manual_seed(seed)


def normal(*size: int, random: torch.Generator, dtype: torch.dtype = torch.float32) -> Tensor:
    """Standard normal numbers, on the host."""
    return torch.randn(*size, generator=random, dtype=dtype, device=HOST)


def uniform(*size: int, random: torch.Generator, dtype: torch.dtype = torch.float32) -> Tensor:
    """Numbers in [0, 1), on the host."""
    return torch.rand(*size, generator=random, dtype=dtype, device=HOST)
