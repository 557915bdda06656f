"""YOLO segmentation: one text file a picture, one line an object, `class x0 y0 x1 y1 ...` as fractions of the size.

Format: docs.ultralytics.com/datasets/segment.  A line is one polygon, so parts and holes are joined by seams (see
`polygons.outline`).
"""
from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from backends.segment.formats import names
from backends.segment.formats.polygons import outline
from backends.segment.formats.scene import Labelled, Picture, classes


def files(pictures: Sequence[Picture]) -> Iterator[tuple[str, str]]:
    """(name, text): `labels/<stem>.txt` for each picture, and data.yaml with the names of the classes."""
    labels = classes(pictures)
    yield "data.yaml", "path: .\ntrain: images\nval: images\nnames:\n" + "".join(
        f"  {i}: {json.dumps(label, ensure_ascii=False)}\n" for i, label in enumerate(labels))
    for picture in pictures:
        lines = [_line(labels.index(o.label), o, picture.size) for o in picture.objects]
        yield f"labels/{names.stem(picture.file_name)}.txt", "".join(lines)


def _line(number: int, thing: Labelled, size: tuple[int, int]) -> str:
    walk, (height, width) = outline(thing.mask), size
    numbers = [f"{v / (height if i % 2 else width):.6f}".rstrip("0").rstrip(".") for i, v in enumerate(walk)]
    return f"{number} {' '.join(numbers)}\n"
