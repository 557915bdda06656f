"""Bytes of the running Python's own standard library (PSF licence): training text, and held-out modules for every
metric.

The text never ships; a checkpoint records the interpreter's version and `digest` of what it read.
"""
from __future__ import annotations

import hashlib
import sysconfig
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backends.drawn import hosted, seeded

SKIPPED = {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"}
SHARE = 16                   # of 256: modules whose name's hash falls below are held out


@cache
def files() -> tuple[Path, ...]:
    """Every .py file of the standard library, tests left out, in the order of their names."""
    root = Path(sysconfig.get_paths()["stdlib"])
    found = (p for p in root.rglob("*.py") if not SKIPPED & set(p.relative_to(root).parts))
    return tuple(sorted(found, key=lambda p: p.relative_to(root).as_posix()))


def held_out(file: Path) -> bool:
    """Whether a module is kept from training: decided by its name alone, so that it holds on any machine."""
    return hashlib.sha256(file.name.encode()).digest()[0] < SHARE


@cache
def text(held: bool) -> Tensor:
    """All training bytes, or all held-out bytes, one module after the other: (n,) uint8."""
    joined = b"".join(f.read_bytes() for f in files() if held_out(f) == held)
    return torch.from_numpy(np.frombuffer(joined, np.uint8).copy())


@cache
def digest() -> str:
    """SHA-256 over names and contents of all files, in order."""
    total = hashlib.sha256()
    for f in files():
        total.update(f.name.encode() + b"\0" + f.read_bytes())
    return total.hexdigest()


@hosted
def windows(held: bool, count: int, length: int, seed: int) -> Tensor:
    """`count` random crops (count, length), int64, on the host."""
    source = text(held)
    random = seeded(seed)
    starts = torch.randint(0, len(source) - length, (count,), generator=random)
    return source[starts[:, None] + torch.arange(length)].long()


def crops(size: int, length: int, seed: int, held: bool) -> tuple[Tensor, Tensor]:
    """Windows of `length` bytes as `windows` cuts them, and the bytes that follow each: tokens and targets (size,
    length)."""
    window = windows(held, size, length + 1, seed)
    return window[:, :-1], window[:, 1:]
