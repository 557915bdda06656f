"""The files that leave the tab: cut-out and mask of the active object, COCO and polygons of all objects."""

import json
import re
from typing import Any

import numpy as np

from backends.segment import SegmentError, export
from backends.segment.interact import Result
from ui.segmenting import answers, pictures
from ui.segmenting.state import Params, Thing

KINDS = ("cutout", "mask", "coco", "polygons")


def file_of(session: str, params: Params, kind: str) -> tuple[str, bytes]:
    """Name and content of one download. SegmentError when there is nothing to export."""
    if kind not in KINDS:
        raise SegmentError(f"There is no export called {str(kind)[:20]!r}.")
    found = answers.objects_of(session, params)
    if not found:
        raise SegmentError("There is no object to export yet: click on the picture first.")
    name, image = pictures.title(params.picture), pictures.pixels(session, params.picture)
    if kind in ("coco", "polygons"):
        return f"{name}-{kind}.json", json.dumps(_dataset(name, found, kind)).encode()
    thing, result = _active(params, found)
    made = export.cutout(image, result.mask) if kind == "cutout" else np.asarray(result.mask)
    return f"{name}-{_safe(thing.name)}-{kind}.png", export.png_bytes(made)


def _active(params: Params, found: list[tuple[Thing, Result]]) -> tuple[Thing, Result]:
    wanted = params.things[min(params.active, len(params.things) - 1)]
    for thing, result in found:
        if thing == wanted:
            return thing, result
    raise SegmentError("The selected object has no click yet.")


def _dataset(name: str, found: list[tuple[Thing, Result]], kind: str) -> dict[str, Any]:
    labelled = [export.Labelled(t.name, r.mask, float(r.scores[r.chosen])) for t, r in found]
    if kind == "coco":
        return export.coco(f"{name}.png", labelled)
    h, w = found[0][1].mask.shape
    frame = "pixel edges of the upright picture, x right, y down; fill by the even-odd rule, holes are rings too"
    things = [{"name": o.name, "score": o.score, "polygons": export.polygons(o.mask)} for o in labelled]
    return {"width": int(w), "height": int(h), "frame": frame, "objects": things}


def _safe(name: str) -> str:
    return re.sub(r"[^\w-]+", "-", name).strip("-")[:40] or "object"
