"""Settings worth a look, each with the observation that it must produce; a test evaluates them."""

from typing import Any

from backends.deform.params import DeformParams
from ui.core.tab import Preset


def _half(result: Any) -> bool:
    body = result.body
    return body.total == 4.5 and all(abs(2 * a - b) < 1e-4 for a, b in zip(body.output, body.plain, strict=True))


def _star(result: Any) -> bool:
    body = result.body
    far = [max(abs(p.at[0] - body.start[0]), abs(p.at[1] - body.start[1])) for p in body.points[:16]]
    return len(body.points) == 128 and {round(1 / p.weight) for p in body.points} == {128} and round(max(far)) == 32


def _outside(result: Any) -> bool:
    body = result.body
    last = body.points[-1]
    return last.at[0] > body.map.shape[0] - 0.5 and last.value[0] != body.points[0].value[0]


def _moved(result: Any) -> bool:
    points = result.body.points
    far = [((p.at[0] - p.ghost[0]) ** 2 + (p.at[1] - p.ghost[1]) ** 2) ** 0.5 for p in points]
    return len(points) == 9 and sum(far) / 9 > 1


def _followed(result: Any) -> bool:
    before, after = result.body.before, result.body.after
    return after.inside > before.inside + 0.02 and after.spread > before.spread


def _drawn_in(result: Any) -> bool:
    return len(result.body.after.weight) == 64 and result.body.after.inside > result.body.before.inside + 0.2


def _clamped(result: Any) -> bool:
    body = result.body
    last = [n - 1 for n in body.map.shape[:2]]
    off = [v < -1e-6 or v > most + 1e-6 for p in body.points for v, most in zip(p.at, last, strict=True)]
    edge = [min(abs(v), abs(v - most)) < 1e-6 for p in body.points for v, most in zip(p.at, last, strict=True)]
    return not any(off) and sum(edge) > 0.1 * len(edge)


def _silent(result: Any) -> bool:
    body = result.body
    return body.total == 0 and set(body.output) == {0.0} and not body.whole.any()


def _follows(result: Any) -> bool:
    body = result.body
    change = [abs(a - b) for a, b in zip(body.output, body.plain, strict=True)]
    return max(change) > 0.02


def _beyond(result: Any) -> bool:
    first, twin = result.body.fields
    return len(first.places) == 729 and first.outside > 0.05 and twin.outside == 0


def _beats(result: Any) -> bool:
    means = {(s.name, s.bend): sum(s.accuracy) / len(s.accuracy) for s in result.body.scores}
    strong = next(one for one in result.body.inside if one.bend == "strong")
    more = sum(strong.weighted) / len(strong.weighted) - sum(strong.wide) / len(strong.wide)
    return means["deformable", "strong"] > means["plain", "strong"] + 0.1 and more > 0.1


def _zeros(result: Any) -> bool:
    return set(result.body.output) == {0.0} and result.notice.startswith("9 of 9")


def _agree(result: Any) -> bool:
    return result.checks[0].value == 0 and len(result.body.rows) == 6


def _finds(result: Any) -> bool:
    body = result.body
    return body.error[-1] < 0.15 * body.error[0] and body.losses[-1] < 0.01 * body.losses[0]


def _lost(result: Any) -> bool:
    body = result.body
    return body.error[-1] > 2 and body.losses[-1] < 0.2 * body.losses[0]


def _dead(result: Any) -> bool:
    body = result.body
    return max(body.gradients) < 1e-12 and body.error[-1] == body.error[0] and body.losses[-1] == body.losses[0] > 0.1


SEEN = (0.5, 0.35)             # on a thing of the scene
FAR = ((300.0, 300.0),) * 9
PRESETS = (
    Preset("Half a convolution", DeformParams(operator="dcn2", turn=0.0, grow=1.0),
           "A DCNv2 that begins with offsets and raw modulations of zero is not the convolution but half of it: the "
           "sigmoid of 0 is 0.5.", _half),
    Preset("Along the edge", DeformParams(operator="dcn1", pattern="edge", kernel="sobel", grow=2.0),
           "Offsets that turn the grid into the edge's own direction change the Sobel output by more than 0.02.",
           _follows),
    Preset("The star", DeformParams(picture="chelsea"),
           "Deformable DETR before any training: 8 heads, 4 levels, 4 points, all 128 with the "
           "same weight; on the coarsest level they lie up to 32 cells away.", _star),
    Preset("DAT's last keys", DeformParams(operator="dat", noise=0.0),
           "DAT's reference points are not symmetric: even without offsets the "
           "last row of keys lies off the map.", _outside),
    Preset("Kept on the map", DeformParams(operator="dat2", noise=0.5),
           "DAT++ does not limit its offsets and clamps where they lead: no key lies off the map, and many lie exactly "
           "on its edge.", _clamped),
    Preset("It begins with nothing", DeformParams(operator="dcn4"),
           "DCNv4 has no softmax and no sigmoid: at the usual start all its weights are zero, and so is the output.",
           _silent),
    Preset("Offsets follow the thing", DeformParams(view="photo", picture="scene-c", at=SEEN),
           "Over frozen features two layers learned to cut out what is clicked; on this scene, whose masks are exact, "
           "more of their weight lies on the clicked thing than before they learned.", _followed),
    Preset("The star, learned", DeformParams(view="photo", picture="scene-c", at=SEEN, learner="star"),
           "Deformable DETR's star before and after it learned: at least 20 points more of its weight lie on the "
           "clicked thing.", _drawn_in),
    Preset("729 places", DeformParams(view="stack", seed=6),
           "Three trained layers read 729 places; more than 5 % of the gradient lies beyond the plain layers' square, "
           "of the plain layers' own nothing does.", _beyond),
    Preset("Against its twin", DeformParams(view="twins"),
           "On held-out things, more bent than in training, the deformable network names over 10 points more cells "
           "right than its twin of "
           "the same size; its places lie on the thing over 10 points more often than a regular grid that is as wide.",
           _beats),
    Preset("Offsets learn", DeformParams(view="fit"),
           "Nine offsets find a turn of 30 degrees and a growth of 1.3: the loss falls below 1 %, the distance below "
           "15 % of what it was.", _finds),
    Preset("Too far to feel", DeformParams(view="fit", turn=120.0, grow=1.0),
           "Turned by 120 degrees the loss falls too, but the taps end more than 2 cells from the true places: the "
           "gradient only knows the "
           "four cells around.", _lost),
    Preset("Dead gradient", DeformParams(view="fit", start="flat"),
           "In a flat region the loss is large and the gradient of the offsets is zero: nothing moves.", _dead),
    Preset("Off the map", DeformParams(operator="dcn1", offsets=FAR),
           "Offsets that lead off the picture read zeros, and zeros have no gradient to come back by.", _zeros),
    Preset("A layer's own offsets", DeformParams(view="own"),
           "The first layer of the trained network reads nine places; the offsets moved them by more than one cell "
           "on average.", _moved),
    Preset("Six conventions", DeformParams(view="conventions"),
           "Eleven probes find the order of coordinates and taps that the table says.",
           _agree),
)
