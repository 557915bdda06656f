"""Files of annotations: what Glassbox writes for other tools, and reads of theirs.

`export(kind, pictures)` makes one file of any number of pictures; `coco.read` takes a COCO file back.
"""
from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from backends.segment.errors import SegmentError
from backends.segment.formats import coco, cutouts, labelmap, names, voc, yolo
from backends.segment.formats.scene import File, Labelled, Picture, without_empty, zipped

__all__ = ["FORMATS", "File", "Format", "Labelled", "Picture", "export"]


@dataclass(frozen=True)
class Format:
    """A kind of file: its title, its ending, and what makes it of pictures whose names are distinct."""

    title: str
    ending: str
    make: Callable[[Sequence[Picture]], bytes]
    by_stem: bool = True


def _json(as_polygons: bool) -> Callable[[Sequence[Picture]], bytes]:
    return lambda pictures: json.dumps(coco.dataset(pictures, as_polygons), ensure_ascii=False).encode()


def _zip(files: Callable[[Sequence[Picture]], Iterable[tuple[str, bytes | str]]]) -> Callable:
    return lambda pictures: zipped(files(pictures))


FORMATS = {
    "coco": Format("COCO, run lengths", "coco.json", _json(False), by_stem=False),
    "polygons": Format("COCO, polygons", "coco-polygons.json", _json(True), by_stem=False),
    "yolo": Format("YOLO segmentation", "yolo.zip", _zip(yolo.files)),
    "voc": Format("Pascal VOC", "voc.zip", _zip(voc.files)),
    "labels": Format("Label map PNG and legend", "labels.zip", _zip(labelmap.files)),
    "cutouts": Format("Cut-outs, cropped", "cutouts.zip", _zip(cutouts.files)),
}


def export(kind: str, pictures: Sequence[Picture]) -> File:
    """One file of all `pictures`.

    File names stay the user's, less what a file system forbids; two of one name become distinct.  Objects without a
    pixel are left out and named in the answer.  SegmentError if the kind is unknown or nothing is left to export.
    """
    if kind not in FORMATS:
        raise SegmentError(f"There is no export called {str(kind)[:20]!r}.")
    form, (full, gone) = FORMATS[kind], without_empty(pictures)
    called = names.distinct([names.safe(p.file_name) for p in full], form.by_stem)
    full = [replace(p, file_name=name) for p, name in zip(full, called, strict=True)]
    start = names.stem(called[0]) if len(full) == 1 else "glassbox"
    return File(f"{start}-{form.ending}", form.make(full), gone)
