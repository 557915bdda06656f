"""Presets of the Segment tab. Each teaches one thing, and a test holds it to the observation that it promises.

The results are ``answers.Result``: areas in pixels of the picture, scores are predicted IoU.
"""

from typing import Any

from ui.core.tab import Preset
from ui.tabs.segment.state import Params

CAT_AREA = 451 * 300


def _one_click(result: Any) -> bool:
    [cat] = result.objects
    return cat.area > CAT_AREA * 2 / 3 and max(cat.areas) > 1.2 * min(cat.areas)


def _second_is_smaller(result: Any) -> bool:
    before, after = result.objects
    return after.area < 0.9 * before.area


def _history_matters(result: Any) -> bool:
    small, large = (thing.area for thing in result.objects)
    return small < 0.8 * large


def _three_sizes(result: Any) -> bool:
    small, middle, large = sorted(result.objects[0].areas)
    return small < large / 3 and 1.15 * small < middle < large / 1.15


def _walk_stops(result: Any) -> bool:
    return result.inside.body.beyond > 1.5 * result.inside.body.within


def _each_matters(result: Any) -> bool:
    first, second = result.inside.body.iou
    return first <= second < 0.95


PRESETS = (
    Preset(
        "One click, one cat",
        Params(objects="cat:195,155+"),
        "One click between eye and nose: three masks of different size, and the best rated one covers more than two "
        "thirds of the picture.",
        _one_click,
    ),
    Preset(
        "A negative click takes a part away",
        Params(objects="one click:240,70+|minus the left:240,70+;60,60-", active=1),
        "A click on the forehead, then a negative one left of the eyes: the mask loses more than a tenth of its area.",
        _second_is_smaller,
    ),
    Preset(
        "Click an eye: part, larger part, whole",
        Params(objects="eye:150,112+", inside="logits"),
        "One click on an eye means a part of it, the eye, or both eyes: the smallest of the three masks has less than "
        "a third of the area of the largest, and the third lies clearly between them.",
        _three_sizes,
    ),
    Preset(
        "A walk that pays at boundaries",
        Params("coffee", objects="cup:300,200+", inside="click"),
        "The geodesic distance from the click stays small in the mask and jumps at its outline: outside it is at least "
        "half as far again on average.",
        _walk_stops,
    ),
    Preset(
        "What would it be without this click?",
        Params(objects="cat:240,70+;60,60-", inside="left"),
        "Without its negative click the mask is another one (IoU below 0.95), without the first even more so.",
        _each_matters,
    ),
    Preset(
        "The chosen mask steers the next click",
        Params(objects="chose mask 2:158,111+~1;200,60+|chose mask 3:158,111+~2;200,60+", active=1),
        "The same two clicks, but another mask chosen after the first: the results differ by a fifth or more.",
        _history_matters,
    ),
)
