"""What Python answers: masks for a prompt, regions for everything mode, the numbers of a link, and the public
endpoints.

Pure functions of the state, the session and the message; no event handling here. What was answered is kept as run
lengths (``Screen``, ``Regions`` in ``ui.core.kept``), so that a download takes what is on screen and computes nothing.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from backends import images, large, stop, tuned
from backends.segment import Segmenter, SegmentError, drawn, interact, rle, work
from backends.segment.clean import cleaned
from ui.core import export, permalink
from ui.core.kept import Kept
from ui.parts import pictures
from ui.parts.uploads import uploaded
from ui.tabs.segment import box, held, models
from ui.tabs.segment.state import Params, Step, Thing, format_step, format_things, settings, things_of

DISPLAY = 1400
"""Masks travel to the browser with at most this many pixels on the longer side."""
PREVIEW = 512
"""The same for the mask under the pointer."""
SCREEN, REGIONS = "segment", "segment regions"
"""Under what names the last answers are kept."""


@dataclass(frozen=True)
class Selected:
    """One object of a result: pixels of the chosen mask, its predicted IoU, and the same for all candidates. An
    imported mask is not rated."""

    name: str
    area: int
    score: float | None
    chosen: int
    areas: tuple[int, ...]
    scores: tuple[float | None, ...]


@dataclass(frozen=True)
class Result:
    """All objects of a link in order; those without a click are left out. inside: of the opened box, a
    ``backends.result.Result``."""

    objects: tuple[Selected, ...]
    inside: Any = field(default=None, metadata={"numbers": False})


@dataclass(frozen=True)
class Masks:
    """What the steps of one object gave: COCO run lengths and predicted IoU of each mask, and the index of the best
    rated."""

    masks: tuple[dict[str, Any], ...]
    scores: tuple[float | None, ...]
    best: int


@dataclass(frozen=True)
class Screen:
    """The masks of the objects that a visitor's canvas shows, by ``key_of``."""

    masks: dict[str, Masks]


@dataclass(frozen=True)
class Regions:
    """What everything mode has found so far: run lengths and predicted IoU of each region."""

    found: tuple[tuple[dict[str, Any], float], ...]


def key_of(params: Params, steps: Sequence[Step]) -> str:
    """What the masks of ``steps`` depend on; the mask chosen last only feeds the next step."""
    last = replace(steps[-1], choice=None)
    return " ".join([params.model, params.picture, str(params.smallest), *map(format_step, (*steps[:-1], last))])


def backend_steps(steps: Sequence[Step]) -> list[interact.Step]:
    """The page's steps as ``backends.segment.interact`` takes them. SegmentError when an imported mask is gone."""
    if any(s.held is not None and held.get(s.held) is None for s in steps):
        raise SegmentError("An imported mask is not here any more; please import its file again.")
    points = [(s.point,) if s.point else () for s in steps]
    return [interact.Step(p, s.box, s.choice, s.held and held.get(s.held), s.stroke, s.rings)
            for p, s in zip(points, steps, strict=True)]


def ratings(found: interact.Result) -> tuple[float | None, ...]:
    """Predicted IoU of each mask; None for one that no click made."""
    return tuple(None if np.isnan(s) else float(s) for s in found.scores)


def run(params: Params) -> Result:
    """Everything that a link says, computed anew on a sample picture."""
    return result_for("", params)


def result_for(session: str, params: Params, kept: Kept | None = None) -> Result:
    """``run`` for a session, whose own pictures and checkpoints are known too."""
    done = [(t.name, _replayed(session, params, t.steps)) for t in params.things if t.steps]
    return Result(tuple(_selected(name, r) for name, r in done), box.opened(session, params, kept or Kept()))


def _selected(name: str, r: interact.Result) -> Selected:
    areas, scores = tuple(int(m.sum()) for m in r.masks), ratings(r)
    return Selected(name, areas[r.chosen], scores[r.chosen], r.chosen, areas, scores)


def objects_of(session: str, params: Params, kept: Kept) -> list[tuple[Thing, dict[str, Any], float | None]]:
    """Every object that has a click, with the run lengths of its mask and its score: those on screen as they are kept,
    others computed."""
    shown = kept.get(session, SCREEN)
    known = shown.result.masks if shown else {}
    found = []
    for thing in (t for t in params.things if t.steps):
        masks = (known.get(key_of(params, thing.steps))
                 or _masks(_replayed(session, params, thing.steps), thing.steps))
        choice = thing.steps[-1].choice
        k = masks.best if choice is None else min(choice, len(masks.masks) - 1)
        found.append((thing, masks.masks[k], masks.scores[k]))
    return found


def outline(session: str, params: Params, kept: Kept) -> list[drawn.Ring]:
    """The mask of the active object as rings of vertices; none when it has no mask."""
    things = params.things[params.active : params.active + 1]
    alone = replace(params, objects=format_things(things), active=0)
    masks = [mask for _, mask, _ in objects_of(session, alone, kept)]
    return [ring for mask in masks for ring in drawn.outlined(mask, outline_error(mask))]


def outline_error(mask: np.ndarray) -> float:
    """How far the rings may leave the mask (H, W), in pixels: one in small pictures, a 700th of the side in large
    ones."""
    return max(1.0, max(mask.shape) / 700)


def _replayed(session: str, params: Params, steps: Sequence[Step]) -> interact.Result:
    segmenter, image = models.segmenter(session, params.model), pictures.pixels(session, params.picture)
    return work.replayed(segmenter, image, [backend_steps(steps)], params.smallest)[1][0]


def _masks(found: interact.Result, steps: Sequence[Step]) -> Masks:
    best = found.chosen if steps[-1].choice is None else int(found.scores.argmax())
    return Masks(tuple(map(rle.encode, found.masks)), ratings(found), best)


def reply(session: str, params: Params, ask: dict[str, Any], kept: Kept) -> dict[str, Any]:
    """The masks that a ``prompt`` message wants, with times; they are kept. Of ``params`` count model, picture and
    clean masks. ValueError or RuntimeError holds one sentence."""
    things = things_of(ask["objects"])
    segmenter, image = models.segmenter(session, params.model), pictures.pixels(session, params.picture)
    truth = images.truth(params.picture) if params.picture in images.SAMPLES else None
    wanted = [i for i in ask["want"] if isinstance(i, int) and 0 <= i < len(things) and things[i].steps]
    histories = [backend_steps(things[index].steps) for index in wanted]
    encoder, replayed = work.replayed(segmenter, image, histories, params.smallest)
    results, click, fresh = [], None, {}
    for index, found in zip(wanted, replayed, strict=True):
        click = found.milliseconds
        results.append(_item(index, things[index].steps, found, truth))
        fresh[key_of(params, things[index].steps)] = _masks(found, things[index].steps)
    _keep(session, [key_of(params, t.steps) for t in things if t.steps], fresh, kept)
    times = {"encoder": encoder.milliseconds, "cached": encoder.cached, "click": click}
    return {"results": results, "times": times, "smallest": params.smallest, "error": None}


def preview(session: str, params: Params, ask: dict[str, Any]) -> dict[str, Any] | None:
    """Runs of the mask that the click ``ask["point"]`` (x, y, label) would give after ``ask["steps"]``, at most
    ``PREVIEW`` pixels wide or high; None where the picture is not encoded yet. Nothing is kept."""
    [thing] = things_of([{"name": "preview", "steps": [*ask["steps"], {"point": ask["point"], "choice": None}]}])
    segmenter, image = models.segmenter(session, params.model), pictures.pixels(session, params.picture)
    mask = work.preview(segmenter, image, backend_steps(thing.steps), params.smallest)
    return None if mask is None else rle.runs(shrunk(mask, PREVIEW))


def _keep(session: str, keys: list[str], fresh: dict[str, Masks], kept: Kept) -> None:
    """Keep the masks of the objects that are on screen now, those asked for and those known."""
    shown = kept.get(session, SCREEN)
    known = (shown.result.masks if shown else {}) | fresh
    kept.put(session, SCREEN, None, Screen({key: known[key] for key in keys if key in known}))


def _item(index: int, steps: Sequence[Step], found: interact.Result, truth: np.ndarray | None) -> dict[str, Any]:
    return {
        "index": index,
        "masks": [rle.runs(shrunk(m)) for m in found.masks],
        "areas": [int(m.sum()) for m in found.masks],
        "scores": ratings(found),
        "chosen": found.chosen,
        "honoured": [honoured(m, steps) for m in found.masks],
        "truth": None if truth is None else [best_overlap(m, truth) for m in found.masks],
    }


def honoured(mask: np.ndarray, steps: Sequence[Step]) -> list[int]:
    """[how many clicks the mask (H, W) honours, of how many]: positive ones inside of it, negative ones outside."""
    clicks = [step.point for step in steps if step.point is not None]
    return [sum(bool(mask[int(y), int(x)]) == bool(label) for x, y, label in clicks), len(clicks)]


def shrunk(mask: np.ndarray, most: int = DISPLAY) -> np.ndarray:
    """The mask (H, W) for display: every k-th pixel, so that no side exceeds ``most``."""
    k = -(-max(mask.shape) // most)
    return mask[k // 2 :: k, k // 2 :: k] if k > 1 else mask


def best_overlap(mask: np.ndarray, truth: np.ndarray) -> float | None:
    """The highest IoU of ``mask`` (H, W) with one true object of ``truth`` (ids, 0 is background); None if there is
    none."""
    sizes = np.bincount(truth.ravel(), minlength=2).astype(float)
    both = np.bincount(truth[mask], minlength=len(sizes))
    iou = both[1:] / np.maximum(sizes[1:] + mask.sum() - both[1:], 1)
    return float(iou.max()) if sizes[1:].any() else None


def regions(session: str, params: Params, kept: Kept) -> Iterator[dict[str, Any]]:
    """Everything mode as ``records`` messages: after each batch the new regions, from index ``first`` on; the final
    message holds the whole list (crops drop doubles at the end), so that a message lost on the way costs nothing."""
    segmenter, image = models.segmenter(session, params.model), pictures.pixels(session, params.picture)
    found: list[tuple[dict[str, Any], float]] = []
    for batch in work.everything(segmenter, image, settings(params)):
        stop.check()
        first = 0 if batch.final else len(found)
        found = [*found[:first], *((r.rle, min(float(r["predicted_iou"]), 1.0)) for r in batch.records)]
        kept.put(session, REGIONS, params, Regions(tuple(found)))
        fresh = [_region(record) for record in batch.records]
        yield {"kind": "records", "done": batch.done, "total": batch.total, "final": batch.final, "first": first,
               "records": fresh}


def _region(record: Any) -> dict[str, Any]:
    [point], (height, width) = record["point_coords"], record.rle["size"]
    return {
        # a click sees the whole picture, so it gives no mask that was found in a crop
        "rle": None if record["crop_box"] == [0, 0, width, height] else record.rle,
        "mask": rle.runs(shrunk(record["segmentation"])),
        "area": int(record["area"]),
        "iou": min(float(record["predicted_iou"]), 1.0),
        "stability": float(record["stability_score"]),
        "point": [float(v) for v in point],
    }


def picture_of(picture: Any) -> np.ndarray:
    """The picture of an endpoint call: a sample's name, or an uploaded file as gradio's clients send it. ImageError
    else."""
    if isinstance(picture, str) and picture in images.SAMPLES:
        return images.sample(picture)
    if isinstance(picture, dict) and picture.get("path"):
        return images.load(uploaded(picture["path"]))
    raise images.ImageError(f"Send a picture file, or the name of a sample: {', '.join(images.SAMPLES)}.")


def segment(picture: Any, *prompt: Any) -> dict[str, Any]:
    """The endpoint ``/segment``; see ``ui.tabs.segment.endpoints``. Large pictures wait for each other."""
    file = picture.get("path") if isinstance(picture, dict) else None
    with large.turn(images.header_size(uploaded(file)) if file else (0, 0)):
        return _segmented(picture, *prompt)


def _segmented(picture: Any, points: Any, labels: Any, box: Any, model: str, smallest: Any = None) -> dict[str, Any]:
    start = time.perf_counter()
    segmenter, area = _public(model), permalink.make(Params, _given(model, smallest)).smallest
    points = points or None
    labels = [1] * len(points) if points and not labels else labels or None
    encoder, p = work.predicted(segmenter, picture_of(picture), points=points, labels=labels, box=box or None)
    ran = 0.0 if encoder.cached else encoder.milliseconds
    times = {"encoder": ran, "click": p.milliseconds, "total": 1e3 * (time.perf_counter() - start)}
    clicks = [(*xy, label) for xy, label in zip(points or [], labels or [], strict=True)]
    masks = [rle.encode(cleaned(m, area, clicks)) for m in p.masks]
    return {"masks": masks, "scores": [float(s) for s in p.scores], "milliseconds": times}


def _given(model: str, smallest: Any) -> dict[str, Any]:
    """Clean masks as the endpoint was asked for them; None is what suits the model."""
    return {"smallest": tuned.CLEAN.get(model, 0) if smallest is None else smallest}


def everything(picture: Any, model: str, given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The endpoint ``/everything``; see ``ui.tabs.segment.endpoints``. The last item is the answer, those before are
    signs of life."""
    start, image = time.perf_counter(), picture_of(picture)
    if not 1 <= given["points_per_side"] <= 32:
        raise SegmentError("points_per_side must lie between 1 and 32.")
    for batch in work.everything(_public(model), image, given):
        stop.check()
        yield {}
    records = [{**{k: v for k, v in r.items() if k != "segmentation"}, "segmentation": r.rle} for r in batch.records]
    yield {"records": records, "milliseconds": 1e3 * (time.perf_counter() - start)}


def _public(model: str) -> Segmenter:
    if model not in models.MODELS:
        raise SegmentError(f"The model must be one of {', '.join(models.MODELS)}.")
    return models.segmenter("", models.activate("", model))


def script(params: Params) -> str:
    """Python on the public backends that prints the numbers of ``run(params)`` as JSON."""
    own = params.picture not in images.SAMPLES
    picture = 'images.load("picture.png")  # your own picture' if own else f"images.sample({params.picture!r})"
    model = params.model if params.model in models.MODELS else "checkpoint.safetensors"
    objects = "".join(f"    ({t.name!r}, {backend_steps(t.steps)!r}),\n" for t in params.things if t.steps)
    imports = ["from backends import images", "from backends.segment import Segmenter",
               "from backends.segment.interact import Step, replay"]
    return export.compose("Segment: click on a thing, get the thing.", imports,
                          [SCRIPT.format(picture=picture, model=model, objects=objects, smallest=params.smallest)])


SCRIPT = '''image = {picture}
segmenter = Segmenter({model!r})
embedding = segmenter.embed(image)  # the expensive step, once for each picture
smallest = {smallest}  # holes and islands of fewer pixels are filled and dropped

# Every step is one click (x, y, label) or a box; choice is the mask picked after it, None the best rated.
objects = [
{objects}]


def figures(name, result):
    areas, scores = [int(mask.sum()) for mask in result.masks], [float(score) for score in result.scores]
    k = result.chosen
    return {{"name": name, "area": areas[k], "score": scores[k], "chosen": k, "areas": areas, "scores": scores}}


result = {{"objects": [figures(name, replay(segmenter, embedding, steps, smallest)) for name, steps in objects]}}'''
