"""Presets of the Segment tab. Each teaches one thing, and a test holds it to the observation that it promises.

The results are ``answers.Result``: areas in pixels of the picture, scores are predicted IoU.
"""

from typing import Any

from ui.segmenting.state import Params
from ui.tab import Preset

CAT_AREA = 451 * 300


def _one_click(result: Any) -> bool:
    [cat] = result.objects
    return cat.area > CAT_AREA / 3 and max(cat.areas) > 1.2 * min(cat.areas)


def _second_is_smaller(result: Any) -> bool:
    before, after = result.objects
    return after.area < 0.9 * before.area


def _history_matters(result: Any) -> bool:
    small, large = (thing.area for thing in result.objects)
    return small < 0.8 * large


PRESETS = (
    Preset(
        "One click, one cat",
        Params(objects="cat:225,150+"),
        "One click between the eyes: three masks of different size, and the best rated one covers more than a third of the picture.",
        _one_click,
    ),
    Preset(
        "A negative click takes a part away",
        Params(objects="one click:225,150+|minus an ear:225,150+;60,60-", active=1),
        "The same first click, then a negative one on the left ear: the mask loses more than a tenth of its area.",
        _second_is_smaller,
    ),
    Preset(
        "The chosen mask steers the next click",
        Params(objects="chose mask 2:250,200+~1;225,60+|chose mask 3:250,200+~2;225,60+", active=1),
        "The same two clicks, but another mask chosen after the first: the results differ by a fifth or more.",
        _history_matters,
    ),
)
