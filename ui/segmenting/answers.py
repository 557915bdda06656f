"""What Python answers: masks for a prompt, regions for everything mode, the numbers of a link, and the public endpoints.

Pure functions of the state, the session and the message; no event handling here.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from backends import images
from backends.device import gpu
from backends.segment import Segmenter, SegmentError, interact, rle
from ui.segmenting import models, pictures
from ui.segmenting.state import Params, Step, Thing, settings, things_of

DISPLAY = 1400
"""Masks travel to the browser with at most this many pixels on the longer side."""


@dataclass(frozen=True)
class Selected:
    """One object of a result: pixels of the chosen mask, its predicted IoU, and the same for all candidates."""

    name: str
    area: int
    score: float
    chosen: int
    areas: tuple[int, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Result:
    """All objects of a link in order; those without a click are left out."""

    objects: tuple[Selected, ...]


def backend_steps(steps: Sequence[Step]) -> list[interact.Step]:
    """The page's steps as ``backends.segment.interact`` takes them."""
    return [interact.Step((s.point,) if s.point else (), s.box, s.choice) for s in steps]


def run(params: Params) -> Result:
    """Everything that a link says, computed anew on a sample picture."""
    return result_for("", params)


def result_for(session: str, params: Params) -> Result:
    """``run`` for a session, whose own pictures and checkpoints are known too."""
    segmenter, image = models.segmenter(session, params.model), pictures.pixels(session, params.picture)
    embedding = segmenter.embed(image)
    done = [(t.name, interact.replay(segmenter, embedding, backend_steps(t.steps))) for t in params.things if t.steps]
    return Result(tuple(_selected(name, r) for name, r in done))


def _selected(name: str, r: interact.Result) -> Selected:
    areas, scores = tuple(int(m.sum()) for m in r.masks), tuple(float(s) for s in r.scores)
    return Selected(name, areas[r.chosen], scores[r.chosen], r.chosen, areas, scores)


def objects_of(session: str, params: Params) -> list[tuple[Thing, interact.Result]]:
    """Every object that has a click, with its masks."""
    segmenter, image = models.segmenter(session, params.model), pictures.pixels(session, params.picture)
    embedding = segmenter.embed(image)
    return [(t, interact.replay(segmenter, embedding, backend_steps(t.steps))) for t in params.things if t.steps]


@gpu
def reply(session: str, model: str, picture: str, ask: dict[str, Any]) -> dict[str, Any]:
    """The masks that a ``prompt`` message wants, with times. ValueError or RuntimeError holds one sentence."""
    things = things_of(ask["objects"])
    segmenter, image = models.segmenter(session, model), pictures.pixels(session, picture)
    embedding = segmenter.embed(image)
    truth = images.truth(picture) if picture in images.SAMPLES else None
    results, click = [], None
    for index in [i for i in ask["want"] if isinstance(i, int) and 0 <= i < len(things) and things[i].steps]:
        found = interact.replay(segmenter, embedding, backend_steps(things[index].steps))
        click = found.milliseconds
        results.append(_item(index, things[index].steps, found, truth))
    times = {"encoder": embedding.milliseconds, "cached": embedding.cached, "click": click}
    return {"results": results, "times": times, "error": None}


def _item(index: int, steps: Sequence[Step], found: interact.Result, truth: np.ndarray | None) -> dict[str, Any]:
    return {
        "index": index,
        "masks": [rle.runs(shrunk(m)) for m in found.masks],
        "areas": [int(m.sum()) for m in found.masks],
        "scores": [float(s) for s in found.scores],
        "chosen": found.chosen,
        "honoured": [honoured(m, steps) for m in found.masks],
        "truth": None if truth is None else [best_overlap(m, truth) for m in found.masks],
    }


def honoured(mask: np.ndarray, steps: Sequence[Step]) -> list[int]:
    """[how many clicks the mask (H, W) honours, of how many]: positive ones inside of it, negative ones outside."""
    clicks = [step.point for step in steps if step.point is not None]
    return [sum(bool(mask[int(y), int(x)]) == bool(label) for x, y, label in clicks), len(clicks)]


def shrunk(mask: np.ndarray) -> np.ndarray:
    """The mask (H, W) for display: every k-th pixel, so that no side exceeds ``DISPLAY``."""
    k = -(-max(mask.shape) // DISPLAY)
    return mask[k // 2 :: k, k // 2 :: k] if k > 1 else mask


def best_overlap(mask: np.ndarray, truth: np.ndarray) -> float | None:
    """The highest IoU of ``mask`` (H, W) with one true object of ``truth`` (ids, 0 is background); None if there is none."""
    sizes = np.bincount(truth.ravel(), minlength=2).astype(float)
    both = np.bincount(truth[mask], minlength=len(sizes))
    iou = both[1:] / np.maximum(sizes[1:] + mask.sum() - both[1:], 1)
    return float(iou.max()) if sizes[1:].any() else None


def regions(session: str, params: Params) -> Iterator[dict[str, Any]]:
    """Everything mode as ``records`` messages: after each batch the new regions, from index ``first`` on; the final message holds the
    whole list (crops drop doubles at the end), so that a message lost on the way costs nothing."""
    segmenter, image = models.segmenter(session, params.model), pictures.pixels(session, params.picture)
    known = 0
    for batch in segmenter.everything(image, **settings(params)):
        fresh = [_region(record) for record in batch.records]
        first, known = (0, len(fresh)) if batch.final else (known, known + len(fresh))
        yield {"kind": "records", "done": batch.done, "total": batch.total, "final": batch.final, "first": first, "records": fresh}


def _region(record: Any) -> dict[str, Any]:
    [point] = record["point_coords"]
    return {
        "mask": rle.runs(shrunk(record["segmentation"])),
        "area": int(record["area"]),
        "iou": min(float(record["predicted_iou"]), 1.0),
        "stability": float(record["stability_score"]),
        "point": [float(v) for v in point],
    }


def picture_of(picture: Any) -> np.ndarray:
    """The picture of an endpoint call: a sample's name, or an uploaded file as gradio's clients send it. ImageError else."""
    if isinstance(picture, str) and picture in images.SAMPLES:
        return images.sample(picture)
    if isinstance(picture, dict) and picture.get("path"):
        return images.load(pictures.uploaded(picture["path"]))
    raise images.ImageError(f"Send a picture file, or the name of a sample: {', '.join(images.SAMPLES)}.")


@gpu
def segment(picture: Any, points: Any, labels: Any, box: Any, model: str) -> dict[str, Any]:
    """The endpoint ``/segment``; see ``ui.segmenting.endpoints``."""
    start, image = time.perf_counter(), picture_of(picture)
    segmenter = _public(model)
    embedding = segmenter.embed(image)
    points = points or None
    labels = [1] * len(points) if points and not labels else labels or None
    p = segmenter.predict(embedding, points=points, labels=labels, box=box or None)
    encoder = 0.0 if embedding.cached else embedding.milliseconds
    times = {"encoder": encoder, "click": p.milliseconds, "total": 1e3 * (time.perf_counter() - start)}
    return {"masks": [rle.encode(m) for m in p.masks], "scores": [float(s) for s in p.scores], "milliseconds": times}


@gpu
def everything(picture: Any, model: str, given: dict[str, Any]) -> dict[str, Any]:
    """The endpoint ``/everything``; see ``ui.segmenting.endpoints``."""
    start, image = time.perf_counter(), picture_of(picture)
    if not 1 <= given["points_per_side"] <= 32:
        raise SegmentError("points_per_side must lie between 1 and 32.")
    for batch in _public(model).everything(image, **given):
        last = batch
    records = [{**{k: v for k, v in r.items() if k != "segmentation"}, "segmentation": r.rle} for r in last.records]
    return {"records": records, "milliseconds": 1e3 * (time.perf_counter() - start)}


def _public(model: str) -> Segmenter:
    if model not in models.MODELS:
        raise SegmentError(f"The model must be one of {', '.join(models.MODELS)}.")
    return models.segmenter("", models.activate("", model))


def script(params: Params) -> str:
    """Python on the public backends that prints the numbers of ``run(params)`` as JSON."""
    own = params.picture not in images.SAMPLES
    picture = 'images.load("picture.png")  # your own picture' if own else f"images.sample({params.picture!r})"
    model = params.model if params.model in models.MODELS else "checkpoint.safetensors"
    lines = "".join(f"    ({t.name!r}, {backend_steps(t.steps)!r}),\n" for t in params.things if t.steps)
    return SCRIPT.format(picture=picture, model=model, objects=lines)


SCRIPT = '''"""Glassbox, Segment: click on a thing, get the thing.

Run it inside a checkout of Glassbox after `pip install -r requirements.txt`.
"""

import json

from backends import images
from backends.segment import Segmenter
from backends.segment.interact import Step, replay

image = {picture}
segmenter = Segmenter({model!r})
embedding = segmenter.embed(image)  # the expensive step, once for each picture

# Every step is one click (x, y, label) or a box; choice is the mask picked after it, None the best rated.
objects = [
{objects}]


def numbers(name, result):
    areas, scores = [int(mask.sum()) for mask in result.masks], [float(score) for score in result.scores]
    k = result.chosen
    return {{"name": name, "area": areas[k], "score": scores[k], "chosen": k, "areas": areas, "scores": scores}}


found = [numbers(name, replay(segmenter, embedding, steps)) for name, steps in objects]
print(json.dumps({{"objects": found}}, indent=1))
'''


def as_dict(result: Result) -> dict[str, Any]:
    """A result as plain JSON."""
    return asdict(result)
