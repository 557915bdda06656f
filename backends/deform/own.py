"""Offsets of one's own layer, for the page: read, loaded, asked for.  torch is imported by the first file."""
from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from backends.deform.params import DeformParams

if TYPE_CHECKING:
    from backends.deform.mine import Given


def wanted(params: DeformParams) -> bool:
    """Whether the settings ask for own offsets."""
    return params.view == "own" and params.given != "shipped"


def read(path: Path) -> str:
    """What the file holds, in a few words.  Raises ValueError, one sentence, when it is of no use."""
    found = _read(path)
    channels, height, width = found.offset.shape
    masks = ", and masks" if found.mask is not None else ""
    return f"offsets with {channels} channels, {height} x {width} cells{masks}"


def load(path: Path, params: DeformParams) -> Given:
    """The file's offsets and masks, whatever the settings.  Raises ValueError, one sentence."""
    return _read(path)


@lru_cache(4)
def _read(path: Path) -> Given:
    from backends.deform.mine import read
    return read(path)
