"""Pictures whose pixels are numbers: a label map with its legend, and the two segmentation pictures of Pascal VOC.

A pixel has one number only.  Where objects overlap the smaller one wins, so that an eye is not hidden by its head.
Colours are those of Pascal VOC's tools (VOClabelcolormap): the bits of the number, dealt to red, green and blue.
"""
from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np

from backends.segment.formats import names
from backends.segment.formats.scene import Labelled, Picture, area, png_bytes


def colours() -> np.ndarray:
    """uint8 (256, 3): Pascal VOC's colour of each number; 0, the background, is black."""
    number, out = np.arange(256), np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            out[:, channel] |= (((number >> channel) & 1) << (7 - bit)).astype(np.uint8)
        number = number >> 3
    return out


def numbered(size: tuple[int, int], objects: Sequence[Labelled], numbers: Sequence[int]) -> np.ndarray:
    """(H, W), uint8 or, beyond 255, uint16: the number of the smallest object at each pixel, 0 where there is none."""
    out = np.zeros(size, np.uint8 if max(numbers, default=0) <= 255 else np.uint16)
    for k in sorted(range(len(objects)), key=lambda k: -area(objects[k])):
        out[objects[k].mask] = numbers[k]
    return out


def shown(numbers: np.ndarray) -> bytes:
    """A PNG of `numbers` (H, W): with VOC's colours where 8 bits hold them, else 16-bit grey."""
    return png_bytes(numbers, colours() if numbers.dtype == np.uint8 else None)


def files(pictures: Sequence[Picture]) -> Iterator[tuple[str, bytes | str]]:
    """For each picture `<stem>-labels.png`, the number of the object at each pixel, and `<stem>-legend.json`."""
    for picture in pictures:
        stem, n = names.stem(picture.file_name), len(picture.objects)
        numbers = numbered(picture.size, picture.objects, range(1, n + 1))
        yield f"{stem}-labels.png", shown(numbers)
        yield f"{stem}-legend.json", json.dumps(_legend(picture, numbers), ensure_ascii=False, indent=1)


def _legend(picture: Picture, numbers: np.ndarray) -> dict:
    visible = np.bincount(numbers.ravel(), minlength=len(picture.objects) + 1).tolist()
    palette = colours().tolist() if numbers.dtype == np.uint8 else None
    rows = [("background", "background", None), *((o.name, o.label, o.score) for o in picture.objects)]
    legend = [{"id": i, "name": name, "label": label, "colour": palette and palette[i], "pixels": visible[i],
               "score": score} for i, (name, label, score) in enumerate(rows)]
    return {"file_name": picture.file_name, "height": picture.size[0], "width": picture.size[1],
            "overlaps": "where objects overlap the smaller one is shown", "legend": legend}
