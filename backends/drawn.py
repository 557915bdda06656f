"""What is the same on every device: random numbers and small tables, made on the host and moved by who uses them.

    x = normal(3, n, d, random=seeded(seed)).to(at)

    @hosted
    def table(n): ...                # every tensor that it makes lies on the host
"""
from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor

from backends.device import HOST

F = TypeVar("F", bound=Callable[..., Any])


def hosted(make: F) -> F:
    """`make`, whose tensors all lie on the host, whatever the default device is."""
    @wraps(make)
    def made(*args: Any, **kwargs: Any) -> Any:
        with torch.device(HOST):
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
