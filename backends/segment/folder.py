"""A folder of pictures, segmented one after the other: restartable, and one bad picture does not stop the rest.

For each picture `NAME` the folder OUT gets `NAME.coco.json` and `NAME-labels.png` with its legend; the JSON is written
last and whole, so a picture that has one is finished and is skipped by the next run, unless the picture, the model or
the prompt is another.  At the end all of them become `annotations.json`, one COCO file.
"""
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends import images
from backends.segment.errors import SegmentError
from backends.segment.formats import Labelled, Picture, coco, labelmap
from backends.segment.formats.scene import area
from backends.segment.segmenter import Segmenter

ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"}
Box = tuple[tuple[float, ...], str]


@dataclass(frozen=True)
class Job:
    """What is done to each picture: the grid of clicks with these settings of `Segmenter.everything`, or, with boxes,
    one object for each box ((x0, y0, x1, y1), label) of a picture, by file name."""

    segmenter: Segmenter
    settings: Mapping[str, Any]
    boxes: Mapping[str, list[Box]] | None = None

    def key(self, file: Path, name: str) -> str:
        """What the result for one picture depends on."""
        asked = self.settings if self.boxes is None else self.boxes.get(name, [])
        said = json.dumps([self.segmenter.name, self.segmenter.digest, asked], sort_keys=True)
        return hashlib.sha256(said.encode() + file.read_bytes()).hexdigest()

    def objects(self, image: Any, name: str) -> Iterator[Labelled]:
        """The objects of a picture.  SegmentError if a box lies outside of it."""
        if self.boxes is None:
            *_, last = self.segmenter.everything(image, **self.settings)
            for number, record in enumerate(last.records, 1):
                yield Labelled(f"region {number}", record.rle, min(float(record["predicted_iou"]), 1.0), "region")
            return
        embedding = self.segmenter.embed(image)
        for number, (box, label) in enumerate(self.boxes.get(name, []), 1):
            found = self.segmenter.predict(embedding, box=box, multimask=False)
            yield Labelled.of(f"{label} {number}", found.masks[0], float(found.scores[0]), label)


@dataclass(frozen=True)
class Done:
    """What became of one picture: finished now, finished before, or the sentence that says why not."""

    name: str
    before: bool = False
    problem: str = ""


def pictures_in(folder: Path, out: Path) -> list[str]:
    """Names of the picture files in `folder` and the folders in it, without those in `out`, sorted.  SegmentError if
    there is none."""
    if not folder.is_dir():
        raise SegmentError(f"There is no folder {folder}.")
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*")
                   if p.suffix.lower() in ENDINGS and p.is_file() and out.resolve() not in p.resolve().parents)
    if not names:
        raise SegmentError(f"There is no picture in {folder}.")
    return names


def boxes_of(file: Path) -> dict[str, list[Box]]:
    """Boxes by file name from JSON: {"cat.png": [[x0, y0, x1, y1], {"box": [...], "label": "cat"}]}, or a COCO file
    whose annotations have a bbox.  SegmentError if it is neither."""
    try:
        data = json.loads(file.read_bytes())
        return _of_coco(data) if "annotations" in data else {name: list(map(_box, rows)) for name, rows in data.items()}
    except OSError:
        raise SegmentError(f"The file {file} cannot be read.") from None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        raise SegmentError(f"{file.name} must be JSON like {{\"cat.png\": [[x0, y0, x1, y1]]}}, or a COCO file with "
                           "boxes.") from None


def _box(row: Any) -> Box:
    box, label = (row["box"], row.get("label", "object")) if isinstance(row, dict) else (row, "object")
    x0, y0, x1, y1 = map(float, box)
    return (x0, y0, x1, y1), str(label)


def _of_coco(data: dict[str, Any]) -> dict[str, list[Box]]:
    names = {image["id"]: image["file_name"] for image in data["images"]}
    labels = {c["id"]: str(c["name"]) for c in data.get("categories", [])}
    found: dict[str, list[Box]] = {name: [] for name in names.values()}
    for note in data["annotations"]:
        x, y, w, h = map(float, note["bbox"])
        found[names[note["image_id"]]].append(((x, y, x + w, y + h), labels.get(note.get("category_id"), "object")))
    return found


def run(job: Job, folder: Path, out: Path, names: list[str]) -> Iterator[Done]:
    """Each picture in turn; what is wrong with one is said in its `Done`."""
    for name in names:
        try:
            yield Done(name, before=not _one(job, folder / name, out, name))
        except (ValueError, OSError, MemoryError, RuntimeError) as error:
            yield Done(name, problem=str(error) or type(error).__name__)


def _one(job: Job, file: Path, out: Path, name: str) -> bool:
    """Segment one picture; False if that was done before."""
    key, target = job.key(file, name), out / f"{name}.coco.json"
    if _held(target).get("info", {}).get("key") == key:
        return False
    image = images.load(file)
    picture = Picture(name, image.shape[:2], tuple(o for o in job.objects(image, name) if area(o)))
    target.parent.mkdir(parents=True, exist_ok=True)
    for end, content in zip(("labels.png", "legend.json"), (c for _, c in labelmap.files([picture])), strict=True):
        _write(out / f"{name}-{end}", content)
    data = coco.dataset([picture])
    data["info"] |= {"key": key, "model": job.segmenter.name}
    _write(target, json.dumps(data, ensure_ascii=False))
    return True


def _held(target: Path) -> dict[str, Any]:
    try:
        return json.loads(target.read_bytes())
    except (OSError, ValueError):
        return {}


def _write(target: Path, content: bytes | str) -> None:
    """The file appears whole or not at all."""
    part = target.with_name(target.name + ".part")
    part.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(part, target)


def gather(out: Path, names: list[str]) -> Path:
    """Write `annotations.json`, one COCO file of the finished pictures of `names`; its path."""
    data: dict[str, Any] = {"info": {"description": "Segmented with Glassbox"}, "licenses": [], "images": [],
                            "annotations": [], "categories": []}
    ids: dict[str, int] = {}
    for name in names:
        one = _held(out / f"{name}.coco.json")
        labels = {c["id"]: ids.setdefault(c["name"], len(ids) + 1) for c in one.get("categories", [])}
        number = len(data["images"]) + 1
        data["images"] += [{**image, "id": number} for image in one.get("images", [])]
        data["annotations"] += [
            {**note, "id": len(data["annotations"]) + k, "image_id": number, "category_id": labels[note["category_id"]]}
            for k, note in enumerate(one.get("annotations", []), 1)]
    data["categories"] = [{"id": i, "name": name, "supercategory": ""} for name, i in ids.items()]
    _write(out / "annotations.json", json.dumps(data, ensure_ascii=False))
    return out / "annotations.json"
