"""The files that leave the tab and the one that comes back: objects or found regions in ``backends.segment.formats``,
cut-out and mask of the selected object, and COCO files of other tools.

They come from the masks that are kept of what is on screen (``answers.objects_of``).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from backends import stop
from backends.segment import SegmentError, formats, rle
from backends.segment.formats import File, Labelled, Picture, coco, cutouts, names, scene
from ui.core.kept import Kept
from ui.parts import pictures
from ui.parts.uploads import uploaded
from ui.tabs.segment import answers, held
from ui.tabs.segment.state import MAX_OBJECTS, Params, clean_name, format_things, things_of

ALONE = ("cutout", "mask")
"""What is made of the selected object alone."""


def file_of(session: str, params: Params, kind: str, kept: Kept, regions: bool = False) -> File:
    """One download. SegmentError when there is nothing to export."""
    if kind in ALONE:
        return _alone(session, params, kind, kept)
    objects = _regions(session, params, kept) if regions else _objects(session, params, kept)
    return formats.export(kind, [_picture(session, params, objects)])


def files_of(session: str, params: Params, kind: str, asked: Any, kept: Kept) -> Iterator[str | File]:
    """One download of many pictures ``[{"picture", "objects"}]``, a long run: how far it is, then the file."""
    stop.install()
    made = []
    for k, ask in enumerate(asked):
        stop.check()
        yield f"{k} of {len(asked)} pictures"
        one = replace(params, picture=str(ask["picture"]), objects=format_things(things_of(ask["objects"])), active=0)
        made.append(_picture(session, one, _objects(session, one, kept)))
    if not any(p.objects for p in made):
        raise SegmentError("There is no object to export yet: click on the picture first.")
    yield formats.export(kind, made)


def left_out(file: File) -> str:
    """What an export lacks, in one sentence; empty when nothing."""
    if not file.left_out:
        return ""
    named = ", ".join(file.left_out[:5]) + (", ..." if len(file.left_out) > 5 else "")
    return f"Empty masks were left out: {named}."


def read(session: str, params: Params, path: Any) -> tuple[list[dict[str, Any]], str]:
    """The objects that a COCO file holds for the picture on screen, as messages to the canvas, and what was left out.

    ValueError with one sentence when the file cannot be used.
    """
    room = MAX_OBJECTS - sum(bool(t.steps) for t in params.things)
    if room < 1:
        raise SegmentError(f"A picture can have at most {MAX_OBJECTS} objects.")
    file, size = uploaded(path), pictures.pixels(session, params.picture).shape[:2]
    if file.stat().st_size > coco.MOST_BYTES:
        raise SegmentError(f"This COCO file is larger than {coco.MOST_BYTES >> 20} MB.")
    found = coco.read(file.read_bytes(), pictures.file_name(session, params.picture), size, room)
    lacks = [f"{found.empty} empty masks were left out." if found.empty else "",
             f"{found.beyond} objects were left out: a picture can have {MAX_OBJECTS}." if found.beyond else ""]
    return [_message(thing) for thing in found.objects], " ".join(filter(None, lacks))


def _message(thing: Labelled) -> dict[str, Any]:
    held.hold(thing.segmentation)
    step = {"mask": thing.segmentation, "choice": None}
    return {"name": clean_name(thing.name), "label": clean_name(thing.label), "steps": [step]}


def _picture(session: str, params: Params, objects: tuple[Labelled, ...]) -> Picture:
    pixels = pictures.pixels(session, params.picture)
    return Picture(pictures.file_name(session, params.picture), pixels.shape[:2], objects, pixels)


def _objects(session: str, params: Params, kept: Kept) -> tuple[Labelled, ...]:
    found = answers.objects_of(session, params, kept)
    return tuple(Labelled(thing.name, mask, score, thing.label) for thing, mask, score in found)


def _alone(session: str, params: Params, kind: str, kept: Kept) -> File:
    if not params.things:
        raise SegmentError("There is no object to export yet: click on the picture first.")
    wanted = params.things[min(params.active, len(params.things) - 1)]
    if not wanted.steps:
        raise SegmentError("The selected object has no click yet.")
    [(_, mask, _)] = answers.objects_of(session, replace(params, objects=format_things([wanted])), kept)
    shown = rle.decode(mask)
    made = cutouts.cutout(pictures.pixels(session, params.picture), shown) if kind == "cutout" else shown
    start = names.stem(names.safe(pictures.file_name(session, params.picture)))
    return File(names.safe(f"{start}-{wanted.name}-{kind}.png"), scene.png_bytes(made))


def _regions(session: str, params: Params, kept: Kept) -> tuple[Labelled, ...]:
    """What everything mode has found on this picture."""
    shown = kept.get(session, answers.REGIONS)
    if shown is None or (shown.params.picture, shown.params.model) != (params.picture,
                                                                       params.model) or not shown.result.found:
        raise SegmentError("There are no regions to export: press Find everything first.")
    found = enumerate(shown.result.found, 1)
    return tuple(Labelled(f"region {i}", mask, score, "region") for i, (mask, score) in found)
