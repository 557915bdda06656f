"""Names of files: the user's own, less what a file system or a zip forbids, and no two alike."""
from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # names of devices in Windows
MOST = 180  # bytes: file systems hold 255, and an ending is added


def safe(name: str, otherwise: str = "picture") -> str:
    """`name` as a file can be called on Linux, macOS and Windows; `otherwise` if nothing is left of it."""
    text = FORBIDDEN.sub("_", str(name).encode("utf-8", "ignore").decode("utf-8")).strip().rstrip(". ")
    text = f"_{text}" if RESERVED.fullmatch(text) else text
    if len(text.encode()) > MOST:
        ending = PurePosixPath(text).suffix if len(PurePosixPath(text).suffix.encode()) < 12 else ""
        text = text.encode()[: MOST - len(ending.encode())].decode("utf-8", "ignore") + ending
    return text if text.strip("._ ") else otherwise


def stem(name: str) -> str:
    """The name without its ending: `rocket` of `rocket.jpg`, `.hidden` of `.hidden`."""
    return PurePosixPath(name).stem or name


def distinct(names: Sequence[str], by_stem: bool = False) -> list[str]:
    """The names in order; one that is taken becomes `cat (2).png`.

    by_stem: `cat.png` and `Cat.jpg` count as alike, for formats whose files are called after the stem.
    """
    taken, out = set(), []
    for name in names:
        base, ending, n, new = stem(name), name[len(stem(name)) :], 1, name
        while (_key(new, by_stem)) in taken:
            n += 1
            new = f"{base} ({n}){ending}"
        taken.add(_key(new, by_stem))
        out.append(new)
    return out


def _key(name: str, by_stem: bool) -> str:
    return stem(name).casefold() if by_stem else name
