"""Where the bracket stands: (Q K^T) V takes 4 n^2 d flops and an n x n matrix, Q (K^T V) 4 n d^2 and a d x d one.

One head of random q, k, v (n, d), float32, no mask, no division: the bare products.  Time is the median over repeats,
with a warm-up; the bytes are those of the tensors alive at once, counted after every operation by a dispatch mode (a
kernel's own scratch is not seen).
"""
from __future__ import annotations

import math
import statistics
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from backends import device, stop
from backends.attention.inputs import Inputs
from backends.attention.params import AttentionParams
from backends.attention.results import Bracket
from backends.drawn import normal, seeded

LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
REPEATS = 5
ROWS = 4096                 # of a product, that are worked out at once
PATIENCE = 0.05             # seconds beyond which a run is repeated once only
SHORT = 0.002               # seconds below which runs are timed several at once
MEMORY = Path("/proc/meminfo")


def quadratic(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """(Q K^T) V: (n, d) each -> (n, d)."""
    return _product(_product(q, k.T), v)


def linear(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Q (K^T V): (n, d) each -> (n, d)."""
    return _product(q, _product(k.T, v))


def _product(a: Tensor, b: Tensor) -> Tensor:
    """a @ b, at most ROWS rows at a time: the longest one takes seconds, and a stop must not wait for it."""
    if len(a) <= ROWS:
        return a @ b
    out = a.new_empty(len(a), b.shape[1])
    for some, place in zip(a.split(ROWS), out.split(ROWS)):
        stop.check()
        torch.mm(some, b, out=place)
    return out


def measure(params: AttentionParams, given: Inputs) -> Iterator[Bracket]:
    """One Bracket after each length; dimension and seed are those of the input."""
    dim, rows = given.q.shape[-1], []
    for n in LENGTHS:
        q, k, v = normal(3, n, dim, random=seeded(params.seed)).to(given.q.device)
        slow = _timed(quadratic, q, k, v) if 4 * n * n <= spare(q.device) else (None, None)
        rows.append((n, *slow, *_timed(linear, q, k, v), _gap(q, k, v)))
        yield _result(dim, rows)


def _gap(q: Tensor, k: Tensor, v: Tensor) -> float:
    """Relative difference of the two orders, on the first 512 queries."""
    one, other = quadratic(q[:512], k, v), linear(q[:512], k, v)
    return ((one - other).norm() / one.norm()).item()


def _timed(product: Callable[..., Tensor], *tensors: Tensor) -> tuple[float, int]:
    """(median seconds of a run, peak bytes of the tensors that it makes)."""
    with Peak(*tensors) as peak:
        product(*tensors)
    first = _seconds(product, tensors, 1)
    count = max(1, math.ceil(SHORT / max(first, 1e-7)))
    repeats = REPEATS if first < PATIENCE else 1
    return statistics.median(_seconds(product, tensors, count) for _ in range(repeats)), peak.bytes


def _seconds(product: Callable[..., Tensor], tensors: tuple[Tensor, ...], count: int) -> float:
    stop.check()
    device.wait(tensors[0].device)
    began = time.perf_counter()
    for _ in range(count):
        product(*tensors)
    device.wait(tensors[0].device)
    return (time.perf_counter() - began) / count


def spare(at: torch.device) -> int:
    """Bytes that one matrix may take: a quarter of what the card or the system calls free, 1 GiB where none says."""
    if at.type == "cuda":
        return torch.cuda.mem_get_info(at)[0] // 4
    lines = MEMORY.read_text().splitlines() if MEMORY.exists() else []
    found = next((line for line in lines if line.startswith("MemAvailable:")), None)
    return int(found.split()[1]) * 1024 // 4 if found else 1 << 30


class Peak(TorchDispatchMode):
    """Inside it, `bytes` is the most that tensors made there held at once; `known` tensors and views of them are not
    counted."""

    def __init__(self, *known: Tensor) -> None:
        super().__init__()
        self.known = {x.untyped_storage().data_ptr() for x in known}
        self.made: list[Any] = []
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Runs the operation, then adds up what is alive."""
        out = func(*args, **(kwargs or {}))
        self.made += [weakref.ref(x) for x in (out if isinstance(out, tuple | list) else [out])
                      if isinstance(x, Tensor)]
        alive = {s.data_ptr(): s.nbytes() for ref in self.made if (x := ref()) is not None
                 and (s := x.untyped_storage())}
        self.bytes = max(self.bytes, sum(size for at, size in alive.items() if at not in self.known))
        return out


def _result(dim: int, rows: list[tuple]) -> Bracket:
    n, slow, slow_bytes, fast, fast_bytes, gaps = zip(*rows)
    flops = tuple(4 * x * x * dim for x in n), tuple(4 * x * dim * dim for x in n)
    return Bracket(dim, n, slow, fast, slow_bytes, fast_bytes, *flops, dim, crossing(n, slow, fast), max(gaps),
                   len(rows) == len(LENGTHS))


def crossing(n: tuple[int, ...], slow: tuple[float | None, ...], fast: tuple[float, ...]) -> float | None:
    """The length from which on `slow` is above `fast`; the first if it always is, None if it never is.

    Timings are noisy, so this is the split of the lengths that the fewest of them contradict, interpolated in
    logarithms.
    """
    ratio = [math.log(a / b) for a, b in zip(slow, fast) if a is not None]
    wrong = [sum(x > 0 for x in ratio[:i]) + sum(x <= 0 for x in ratio[i:]) for i in range(len(ratio) + 1)]
    i = wrong.index(min(wrong))
    if i in (0, len(ratio)):
        return float(n[0]) if i == 0 else None
    low, high = ratio[i - 1], ratio[i]
    share = -low / (high - low) if low <= 0 < high else 0.5
    return n[i - 1] * (n[i] / n[i - 1]) ** share
