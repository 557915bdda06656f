"""q, k and v of one's own safetensors file, for `answer(params, tensors=...)`.  torch is imported by the first file."""
from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from backends.attention.params import AttentionParams

if TYPE_CHECKING:
    from backends.attention.inputs import Tensors


def read(path: Path) -> str:
    """What the file holds, in a few words.  Raises ValueError, one sentence, when it is of no use."""
    heads, n, d = _tensors(path)[0].shape
    return f"{heads} head{'s' * (heads > 1)}, {n} tokens, {d} channels"


def load(path: Path, params: AttentionParams) -> Tensors:
    """q, k, v (h, n, d), float32, whatever the settings.  Raises ValueError, one sentence."""
    return _tensors(path)


@lru_cache(4)
def _tensors(path: Path) -> Tensors:
    from backends.attention.inputs import read_tensors
    return read_tensors(path)
