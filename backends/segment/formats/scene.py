"""What is exported and imported: pictures with labelled objects, and the file that comes of them."""
from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from backends.segment import rle
from backends.segment.errors import SegmentError


@dataclass(frozen=True)
class Labelled:
    """One object: its name, its mask as COCO's run lengths {"size": [H, W], "counts"}, the model's rating of the mask,
    if any, and its label, which formats call category or class."""

    name: str
    segmentation: dict[str, Any]
    score: float | None = None
    label: str = "object"

    @classmethod
    def of(cls, name: str, mask: np.ndarray, score: float | None = None, label: str = "object") -> Labelled:
        """From a mask, bool (H, W)."""
        return cls(name, rle.encode(mask), score, label)

    @property
    def mask(self) -> np.ndarray:
        """bool (H, W).  SegmentError if the run lengths are damaged."""
        return rle.decode(self.segmentation)


@dataclass(frozen=True)
class Picture:
    """A picture's file name, its size (H, W), its objects, and, for cut-outs, its pixels uint8 (H, W, 3)."""

    file_name: str
    size: tuple[int, int]
    objects: tuple[Labelled, ...]
    pixels: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Raises SegmentError if a mask has another size than the picture."""
        for thing in self.objects:
            if tuple(thing.segmentation["size"]) != tuple(self.size):
                raise SegmentError(f"The mask has shape {tuple(thing.segmentation['size'])}, the picture "
                                   f"{tuple(self.size)}.")


@dataclass(frozen=True)
class File:
    """A finished export: what to call it, its bytes, and the names of the objects that were left out as empty."""

    name: str
    content: bytes
    left_out: tuple[str, ...] = ()


def without_empty(pictures: Sequence[Picture]) -> tuple[list[Picture], tuple[str, ...]]:
    """The pictures without objects of no pixel, and the names of those.  SegmentError if nothing else is there."""
    full = [replace(p, objects=tuple(o for o in p.objects if area(o))) for p in pictures]
    gone = tuple(o.name for p in pictures for o in p.objects if not area(o))
    if not any(p.objects for p in full):
        raise SegmentError("Every mask is empty, so there is nothing to export." if gone
                           else "There is no object to export.")
    return full, gone


def area(thing: Labelled) -> int:
    """Pixels of the mask, counted from its run lengths."""
    return int(rle.lengths(thing.segmentation)[1::2].sum())


def classes(pictures: Sequence[Picture]) -> list[str]:
    """The labels of all objects, each once, in the order of their first appearance."""
    return list(dict.fromkeys(o.label for p in pictures for o in p.objects))


def box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """(x0, y0, x1, y1) of a mask with pixels, x1 and y1 exclusive."""
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1


def png_bytes(picture: np.ndarray, palette: np.ndarray | None = None) -> bytes:
    """A PNG file: bool (H, W) as black and white; uint16 (H, W), uint8 (H, W), RGB (H, W, 3), RGBA (H, W, 4) as is.

    palette: uint8 (256, 3), the colours in which the numbers of a uint8 (H, W) are shown.
    """
    made = Image.fromarray(np.where(picture, 255, 0).astype(np.uint8) if picture.dtype == bool else picture)
    if palette is not None:
        made.putpalette(palette.tobytes())
    file = io.BytesIO()
    made.save(file, "PNG")
    return file.getvalue()


def zipped(files: Iterable[tuple[str, bytes | str]]) -> bytes:
    """A zip of (name, content); names are UTF-8, pictures are not packed a second time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as pack:
        for name, content in files:
            how = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
            pack.writestr(zipfile.ZipInfo(name), content, how)
    return out.getvalue()
