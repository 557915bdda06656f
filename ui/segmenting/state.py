"""The state of the Segment tab: one frozen dataclass, and a short readable text for objects and their steps.

``cat:120,80+~1;200,90-;b10,10,60,50|object 2:5,6+`` are two objects. A step is a click ``x,y`` with its sign, ``+`` in and
``-`` out, or a box ``b`` with its corners x0,y0,x1,y1; ``~1`` says that the user then chose mask 1 (without it the mask
that the model rates best counts). Frame: pixels of the upright picture, (x, y), x right, y down. In names ``% : ; |`` are
written as %XX. No gradio here, and nothing heavy is imported.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from ui.tab import Control

MAX_OBJECTS, MAX_STEPS, MAX_NAME = 24, 64, 40
NUMBER = r"(\d{1,6}(?:\.\d{1,24})?)"
STEP = re.compile(rf"(?:b{NUMBER},{NUMBER},{NUMBER},{NUMBER}|{NUMBER},{NUMBER}([+-]))(?:~([0-2]))?")
SPECIAL = re.compile(r"[%:;|\x00-\x1f\x7f]")

EVERYTHING = ("points_per_side", "pred_iou_thresh", "stability_score_thresh", "box_nms_thresh", "min_mask_region_area")
"""The fields of ``Params`` that everything mode takes."""
HELP = {
    "points": "A grid of clicks: 12 means 144. Time grows with the square; SAM and MobileSAM are slow on a CPU.",
    "iou": "Masks that the model itself rates lower are dropped.",
    "stability": "IoU of the mask at a stricter and at a laxer threshold. Low for masks with a vague border.",
    "boxes": "Of two masks whose bounding boxes have a higher IoU, the lower rated goes. It compares boxes, not masks.",
    "regions": "Fills smaller holes and removes smaller islands inside each mask. It is not a minimum size of masks.",
}


class StateError(ValueError):
    """Objects that cannot be read; the message is one sentence."""


@dataclass(frozen=True)
class Step:
    """One click ``point`` (x, y, label) with label 1 in, 0 out, or one ``box`` (x0, y0, x1, y1); and the chosen mask."""

    point: tuple[float, float, int] | None = None
    box: tuple[float, float, float, float] | None = None
    choice: int | None = None


@dataclass(frozen=True)
class Thing:
    """A named object and the steps that made it."""

    name: str
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Params:
    """Everything that a link holds. ``picture`` is a sample's name or, for an own picture, an id that cannot travel."""

    picture: Annotated[str, Control(max_length=80)] = "chelsea"
    model: Annotated[str, Control(max_length=80)] = "tiny"
    objects: Annotated[str, Control(max_length=40_000)] = ""
    active: Annotated[int, Control(range=(0, MAX_OBJECTS - 1))] = 0
    points_per_side: Annotated[int, Control("Points per side", (12, 32), 4, help=HELP["points"])] = 12
    pred_iou_thresh: Annotated[float, Control("Predicted IoU at least", (0.0, 1.0), 0.01, help=HELP["iou"])] = 0.35
    stability_score_thresh: Annotated[float, Control("Stability at least", (0.0, 1.0), 0.01, help=HELP["stability"])] = 0.55
    box_nms_thresh: Annotated[float, Control("Overlap of boxes at most", (0.0, 1.0), 0.05, help=HELP["boxes"])] = 0.7
    min_mask_region_area: Annotated[int, Control("Holes and islands up to (px)", (0, 5000), 10, help=HELP["regions"])] = 0

    def __post_init__(self) -> None:
        """Raises StateError with one sentence when ``objects`` cannot be read."""
        parse(self.objects)

    @property
    def things(self) -> tuple[Thing, ...]:
        """The objects with their steps."""
        return parse(self.objects)


def settings(params: Params) -> dict[str, float]:
    """The parameters of everything mode by name."""
    return {name: getattr(params, name) for name in EVERYTHING}


def clean_name(name: Any) -> str:
    """A name without control characters and lone surrogates, at most ``MAX_NAME`` characters."""
    text = str(name).encode("utf-8", "ignore").decode("utf-8")
    return re.sub(r"[\x00-\x1f\x7f]", " ", text).strip()[:MAX_NAME].strip()


def number(value: float) -> str:
    """The shortest text that gives the same float; whole numbers without a point."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def format_step(step: Step) -> str:
    """One step as text."""
    if step.box is not None:
        text = "b" + ",".join(map(number, step.box))
    else:
        x, y, label = step.point
        text = f"{number(x)},{number(y)}{'+' if label else '-'}"
    return text if step.choice is None else f"{text}~{step.choice}"


def format_things(things: Sequence[Thing]) -> str:
    """Objects as text; a single nameless-by-default object without steps is the empty text."""
    if not any(thing.steps for thing in things) and len(things) <= 1:
        return ""
    return "|".join(f"{_escape(thing.name)}:{';'.join(map(format_step, thing.steps))}" for thing in things)


def parse(text: str) -> tuple[Thing, ...]:
    """The inverse of ``format_things``; StateError with one sentence on anything else."""
    if not text:
        return ()
    parts = text.split("|")
    if len(parts) > MAX_OBJECTS:
        raise StateError(f"A picture can have at most {MAX_OBJECTS} objects.")
    return tuple(_parse_thing(part) for part in parts)


def _parse_thing(part: str) -> Thing:
    name, colon, rest = part.partition(":")
    if not colon:
        raise StateError("The link's objects are damaged: a name must be followed by a colon.")
    steps = rest.split(";") if rest else []
    if len(steps) > MAX_STEPS:
        raise StateError(f"An object can have at most {MAX_STEPS} clicks.")
    return Thing(clean_name(_unescape(name)), tuple(_parse_step(step) for step in steps))


def _parse_step(text: str) -> Step:
    found = STEP.fullmatch(text)
    if not found:
        raise StateError("The link's objects are damaged: a click looks like 120,80+ or b10,10,60,50.")
    *numbers, sign, choice = found.groups()
    x0, y0, x1, y1, x, y = (None if n is None else _value(n) for n in numbers)
    chosen = None if choice is None else int(choice)
    return Step(box=(x0, y0, x1, y1), choice=chosen) if sign is None else Step(point=(x, y, int(sign == "+")), choice=chosen)


def _value(text: str) -> float:
    return float(text) if "." in text else int(text)


def _escape(name: str) -> str:
    return SPECIAL.sub(lambda m: f"%{ord(m[0]):02X}", name)


def _unescape(text: str) -> str:
    return re.sub(r"%([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), text)


def things_of(message: Any) -> tuple[Thing, ...]:
    """The objects of a canvas message ``[{"name", "steps": [{"point" | "box", "choice"}]}]``; StateError on anything else.

    The message comes from a browser, so it is rebuilt through the text codec, which admits only what it can write.
    """
    try:
        return parse(format_things([Thing(clean_name(o["name"]), tuple(map(_step_of, o["steps"]))) for o in message]) or "")
    except StateError:
        raise
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise StateError("The browser sent objects that cannot be read.") from error


def _step_of(message: Mapping[str, Any]) -> Step:
    choice = message.get("choice")
    if message.get("box") is not None:
        return Step(box=tuple(map(_finite, message["box"])), choice=choice)
    x, y, label = message["point"]
    return Step(point=(_finite(x), _finite(y), int(bool(label))), choice=choice)


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
        raise StateError("A click lies outside the picture.")
    return value


def message_of(things: Sequence[Thing]) -> list[dict[str, Any]]:
    """Objects as the canvas reads them."""
    return [{"name": thing.name, "steps": [_step_message(step) for step in thing.steps]} for thing in things]


def _step_message(step: Step) -> dict[str, Any]:
    where = {"box": list(step.box)} if step.box is not None else {"point": list(step.point)}
    return {**where, "choice": step.choice}


def new_scene(params: Params) -> dict[str, Any]:
    """The state for ``params``, under a new epoch."""
    state = {"picture": params.picture, "model": params.model, "objects": params.objects, "active": params.active}
    return {**state, "epoch": secrets.token_hex(4)}
