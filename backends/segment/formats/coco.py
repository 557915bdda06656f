"""COCO annotations (cocodataset.org/#format-data): written with run lengths or polygons, and read to go on working.

Frame: pixels of the upright picture, (x, y), x right, y down; bbox is [x, y, width, height].
"""
from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as official

from backends.segment import rle
from backends.segment.errors import SegmentError
from backends.segment.formats.polygons import outlines
from backends.segment.formats.scene import Labelled, Picture, area, box, classes

MOST_BYTES, MOST_OBJECTS = 64 << 20, 2000
GARBAGE = "This file is not a COCO file: it must be JSON with images, annotations and categories."


def dataset(pictures: Sequence[Picture], as_polygons: bool = False) -> dict[str, Any]:
    """A COCO data set, ready for json.dumps; objects of one label share a category.

    One annotation per object: segmentation as compressed RLE or as polygons, area in pixels of the mask, and, beyond
    COCO, the object's `name` and the model's `score`.
    """
    labels, notes = classes(pictures), []
    for number, picture in enumerate(pictures, 1):
        for thing in picture.objects:
            notes.append(annotation(len(notes) + 1, number, labels.index(thing.label) + 1, thing, as_polygons))
    return {
        "info": {"description": "Segmented with Glassbox"}, "licenses": [],
        "images": [{"id": i, "file_name": p.file_name, "width": int(p.size[1]), "height": int(p.size[0])}
                   for i, p in enumerate(pictures, 1)],
        "annotations": notes,
        "categories": [{"id": i, "name": label, "supercategory": ""} for i, label in enumerate(labels, 1)],
    }


def annotation(number: int, image: int, category: int, thing: Labelled, as_polygons: bool) -> dict[str, Any]:
    """One entry of `annotations` for an object that is not empty."""
    mask = thing.mask
    x0, y0, x1, y1 = box(mask)
    out = {"id": number, "image_id": image, "category_id": category,
           "segmentation": outlines(mask) if as_polygons else rle.encode(mask), "area": area(thing),
           "bbox": [x0, y0, x1 - x0, y1 - y0], "iscrowd": 0, "name": thing.name}
    return out if thing.score is None else out | {"score": float(thing.score)}


@dataclass(frozen=True)
class Read:
    """What a COCO file says of one picture: its objects, and how many were left out as empty or beyond the limit."""

    objects: tuple[Labelled, ...]
    empty: int = 0
    beyond: int = 0


def read(content: bytes, file_name: str, size: tuple[int, int], most: int = MOST_OBJECTS) -> Read:
    """The objects of the picture `file_name`, of `size` (H, W), in a COCO file.

    Segmentations may be compressed or uncompressed run lengths or polygons.  Raises SegmentError with one sentence if
    the file is no COCO file, does not know the picture, holds it in another size, or has a damaged object.
    """
    data = _parsed(content)
    image = _image_of(data, file_name, size)
    categories = data.get("categories")
    labels = {c["id"]: str(c["name"]) for c in (categories if isinstance(categories, list) else [])
              if {"id", "name"} <= _keys(c)}
    notes = [a for a in data["annotations"] if isinstance(a, dict) and a.get("image_id") == image.get("id")]
    if not notes:
        raise SegmentError("This COCO file holds no object for this picture.")
    found, empty = [], 0
    for number, note in enumerate(notes[:MOST_OBJECTS], 1):
        thing = _object(note, number, labels, size)
        empty += not area(thing)
        found += [thing] if area(thing) else []
    return Read(tuple(found[:most]), empty, len(notes) - empty - len(found[:most]))


def _parsed(content: bytes) -> dict[str, Any]:
    if len(content) > MOST_BYTES:
        raise SegmentError(f"This COCO file is larger than {MOST_BYTES >> 20} MB.")
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise SegmentError(GARBAGE) from None
    if not isinstance(data, dict) or not all(isinstance(data.get(key), list) for key in ("images", "annotations")):
        raise SegmentError(GARBAGE)
    return data


def _keys(entry: Any) -> set:
    return set(entry) if isinstance(entry, dict) and isinstance(entry.get("id"), int | str) else set()


def _base(name: Any) -> str:
    return str(name).replace("\\", "/").rpartition("/")[2]


def _image_of(data: dict[str, Any], file_name: str, size: tuple[int, int]) -> dict[str, Any]:
    images = [i for i in data["images"] if {"id", "file_name"} <= _keys(i)]
    for same in (lambda a: a == file_name, lambda a: a.casefold() == file_name.casefold()):
        for image in images:
            if same(_base(image["file_name"])):
                held = (image.get("height"), image.get("width"))
                if held != tuple(size):
                    raise SegmentError(f"In this COCO file the picture has {held[1]} x {held[0]} pixels, here it has "
                                       f"{size[1]} x {size[0]}.")
                return image
    known = f", but {_base(images[0]['file_name'])[:60]!r}" if len(images) == 1 else ""
    raise SegmentError(f"This COCO file does not know the picture {file_name[:60]!r}{known}.")


def _object(note: dict[str, Any], number: int, labels: dict[Any, str], size: tuple[int, int]) -> Labelled:
    category = note.get("category_id")
    label = labels.get(category, "object") if isinstance(category, int | str) else "object"
    score = note.get("score")
    good = isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= 1
    try:
        mask = _mask(note.get("segmentation"), size)
    except (SegmentError, ValueError, TypeError, KeyError, OverflowError):
        raise SegmentError(f"Object {number} of this COCO file has a damaged segmentation.") from None
    return Labelled.of(str(note.get("name") or f"{label} {number}"), mask, float(score) if good else None, label)


def _mask(segmentation: Any, size: tuple[int, int]) -> np.ndarray:
    if isinstance(segmentation, dict):
        if tuple(segmentation["size"]) != tuple(size):
            raise SegmentError("another size")
        return rle.decode(segmentation)
    if not isinstance(segmentation, list) or not segmentation:
        raise SegmentError("no polygon")
    parts = [official.frPyObjects([_checked(ring, size)], *size)[0] for ring in segmentation]
    return official.decode(official.merge(parts)).astype(bool)


def _checked(ring: Any, size: tuple[int, int]) -> list[float]:
    """A polygon whose corners lie in or near the picture: pycocotools walks every pixel of an edge, however long."""
    numbers = [float(v) for v in ring if not isinstance(v, bool)]
    far = 2 * max(size)
    if len(numbers) != len(ring) or len(ring) < 6 or len(ring) % 2 or not all(
            math.isfinite(v) and -far <= v <= 2 * far for v in numbers):
        raise SegmentError("no polygon")
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    moved = [p for i, p in enumerate(pairs) if p != pairs[i - 1]]
    if len(moved) < 3:
        raise SegmentError("no polygon")
    return [v for pair in moved for v in pair]
