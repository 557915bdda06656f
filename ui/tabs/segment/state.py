"""The state of the Segment tab: one frozen dataclass, and a short readable text for objects and their steps.

``cat:120,80+~1;200,90-;b10,10,60,50|object 2:5,6+`` are two objects. A step is a click ``x,y`` with its sign, ``+`` in
and ``-`` out, or a box ``b`` with its corners x0,y0,x1,y1; ``~1`` says that the user then chose mask 1 (without it the
mask that the model rates best counts). ``s4+10,20,30,40`` is a stroke of a brush of radius 4 along a path, ``s4-`` one
of an eraser, and ``g1,1,9,1,5,8/2,2,4,2,3,4`` a polygon of two rings; ``m`` and a number names a mask that was imported
(``held``). A label other than ``object`` follows a second colon: ``Tom:120,80+:cat``. Frame: pixels of the upright
picture, (x, y), x right, y down. In names and labels ``% : ; |`` are written as %XX. No gradio here, and nothing heavy
is imported.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any, ClassVar, Literal

from backends import tuned
from ui.core.tab import Control
from ui.tabs.segment import held

State = dict[str, Any]
"""What is held for a visitor: picture, model, objects, active, the opened view and the epoch."""
MAX_OBJECTS, MAX_STEPS, MAX_NAME, MAX_VERTICES = 24, 200, 40, 2000
LABEL = "object"
"""The label of an object that nobody has labelled."""
NUMBER = r"(\d{1,6}(?:\.\d{1,24})?)"
STEP = re.compile(rf"(?:b{NUMBER},{NUMBER},{NUMBER},{NUMBER}|{NUMBER},{NUMBER}([+-]))(?:~([0-2]))?")
PAIRS = rf"{NUMBER},{NUMBER}(?:,{NUMBER},{NUMBER})*"
DRAWN = re.compile(rf"(?:s(?P<radius>{NUMBER})(?P<sign>[+-])(?P<path>{PAIRS})|g(?P<rings>{PAIRS}(?:/{PAIRS})*))"
                   r"(?:~(?P<choice>[0-2]))?")
HELD = re.compile(r"m([0-9a-f]{24})")
SPECIAL = re.compile(r"[%:;|\x00-\x1f\x7f]")

EVERYTHING = ("points_per_side", "pred_iou_thresh", "stability_score_thresh", "box_nms_thresh",
              "min_mask_region_area", "skip_covered", "crop_n_layers")
"""The fields of ``Params`` that everything mode takes."""
SETTINGS = ("smallest", *EVERYTHING)
"""The fields of ``Params`` that have a widget."""
HELP = {
    "clean": "Holes and islands of fewer pixels are filled and dropped in each clicked mask; 0 leaves masks as they "
             "are.",
    "crops": "1 looks at four overlapping crops as well, which finds smaller things; each runs the encoder again and "
             "has its own grid of clicks.",
    "skip": "Where the masks of many clicks lie no further point of the grid is clicked: much faster, nearly the same "
            "masks.",
    "points": "A grid of clicks on the picture, and on each crop: 12 means 144 on each. Time grows with the square; "
              "SAM and MobileSAM are slow on a CPU.",
    "iou": "Masks that the model itself rates lower are dropped.",
    "stability": "IoU of the mask at a stricter and at a laxer threshold. Low for masks with a vague border.",
    "boxes": "Of two masks whose bounding boxes have a higher IoU, the lower rated goes. It compares boxes, not masks.",
    "regions": "Fills smaller holes and removes smaller islands inside each mask. It is not a minimum size of masks.",
}


class StateError(ValueError):
    """Objects that cannot be read; the message is one sentence."""


Corner = tuple[float, float]


@dataclass(frozen=True)
class Step:
    """One click ``point`` (x, y, label) with label 1 in, 0 out, one ``box`` (x0, y0, x1, y1), one ``stroke`` (label,
    radius, path), or the ``rings`` of a polygon; and the chosen mask. The first step may be ``held`` instead: the name
    of an imported mask."""

    point: tuple[float, float, int] | None = None
    box: tuple[float, float, float, float] | None = None
    choice: int | None = None
    stroke: tuple[int, float, tuple[Corner, ...]] | None = None
    rings: tuple[tuple[Corner, ...], ...] | None = None
    held: str | None = None


@dataclass(frozen=True)
class Thing:
    """A named object, the steps that made it, and its label: the class that an export calls category."""

    name: str
    steps: tuple[Step, ...] = ()
    label: str = LABEL


    @property
    def corners(self) -> list[Corner]:
        """(x, y) of all that was marked."""
        each = [[step.point[:2]] if step.point else [step.box[:2], step.box[2:]] if step.box else
                step.stroke[2] if step.stroke else chain.from_iterable(step.rings or ()) for step in self.steps]
        return [*chain.from_iterable(each)]


@dataclass(frozen=True)
class Params:
    """Everything that a link holds. ``picture`` is a sample's name or, for an own picture, an id that cannot travel;
    ``inside`` the view that the opened box shows, empty while it is closed."""

    picture: Annotated[str, Control(max_length=80)] = "chelsea"
    model: Annotated[str, Control(max_length=80)] = "tiny"
    objects: Annotated[str, Control(max_length=400_000)] = ""
    active: Annotated[int, Control(range=(0, MAX_OBJECTS - 1))] = 0
    inside: Literal["", "encoder", "click", "logits", "band", "rating", "left"] = ""
    smallest: Annotated[int, Control("Clean masks (px)", (0, 100_000), 10, kind="number",
                                     help=HELP["clean"])] = tuned.CLEAN["tiny"]
    points_per_side: Annotated[int, Control("Points per side", (12, 32), 4,
                                            help=HELP["points"])] = tuned.EVERYTHING["points_per_side"]
    pred_iou_thresh: Annotated[float, Control("Predicted IoU at least", (0.0, 1.0), 0.01,
                                              help=HELP["iou"])] = tuned.EVERYTHING["pred_iou_thresh"]
    stability_score_thresh: Annotated[float, Control("Stability at least", (0.0, 1.0), 0.01, help=HELP["stability"]
                                                     )] = tuned.EVERYTHING["stability_score_thresh"]
    box_nms_thresh: Annotated[float, Control("Overlap of boxes at most", (0.0, 1.0), 0.05, help=HELP["boxes"])] = 0.7
    min_mask_region_area: Annotated[int, Control("Holes and islands up to (px)", (0, 5000), 10,
                                                 help=HELP["regions"])] = 0
    skip_covered: Annotated[bool, Control("Skip what is covered", help=HELP["skip"])] = True
    crop_n_layers: Annotated[int, Control("Layers of crops", (0, 2), 1,
                                          help=HELP["crops"])] = tuned.EVERYTHING["crop_n_layers"]

    FORMER: ClassVar[tuple[dict[str, Any], ...]] = (
        {"smallest": 0, "skip_covered": False, "crop_n_layers": 0, "points_per_side": 12, "pred_iou_thresh": 0.35,
         "stability_score_thresh": 0.55}, {"smallest": 100})

    def __post_init__(self) -> None:
        """Raises StateError with one sentence when ``objects`` cannot be read."""
        parse(self.objects)

    @property
    def things(self) -> tuple[Thing, ...]:
        """The objects with their steps."""
        return parse(self.objects)


def settings(params: Params, names: Sequence[str] = EVERYTHING) -> dict[str, float]:
    """Parameters by name, those of everything mode if no others are named."""
    return {name: getattr(params, name) for name in names}


def clean_name(name: Any) -> str:
    """A name without control characters and lone surrogates, at most ``MAX_NAME`` characters."""
    text = str(name).encode("utf-8", "ignore").decode("utf-8")
    return re.sub(r"[\x00-\x1f\x7f]", " ", text).strip()[:MAX_NAME].strip()


def number(value: float) -> str:
    """The shortest text that gives the same float; whole numbers without a point."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def format_step(step: Step) -> str:
    """One step as text."""
    if step.held is not None:
        return f"m{step.held}"
    if step.box is not None:
        text = "b" + ",".join(map(number, step.box))
    elif step.stroke is not None:
        label, radius, path = step.stroke
        text = f"s{number(radius)}{'+' if label else '-'}{_pairs(path)}"
    elif step.rings is not None:
        text = "g" + "/".join(map(_pairs, step.rings))
    else:
        x, y, label = step.point
        text = f"{number(x)},{number(y)}{'+' if label else '-'}"
    return text if step.choice is None else f"{text}~{step.choice}"


def _pairs(path: Sequence[Corner]) -> str:
    return ",".join(number(value) for corner in path for value in corner)


def format_things(things: Sequence[Thing]) -> str:
    """Objects as text; a single nameless-by-default object without steps is the empty text."""
    if not any(thing.steps for thing in things) and len(things) <= 1:
        return ""
    return "|".join(map(_format_thing, things))


def _format_thing(thing: Thing) -> str:
    label = "" if thing.label == LABEL else f":{_escape(thing.label)}"
    return f"{_escape(thing.name)}:{';'.join(map(format_step, thing.steps))}{label}"


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
    rest, _, label = rest.partition(":")
    steps = rest.split(";") if rest else []
    if len(steps) > MAX_STEPS:
        raise StateError(f"An object can have at most {MAX_STEPS} clicks.")
    return Thing(clean_name(_unescape(name)), tuple(map(_parse_step, steps)), clean_name(_unescape(label)) or LABEL)


def _parse_step(text: str) -> Step:
    if text[:1] in ("s", "g"):
        return _parse_drawn(text)
    if named := HELD.fullmatch(text):
        return Step(held=named[1])
    found = STEP.fullmatch(text)
    if not found:
        raise StateError("The link's objects are damaged: a click looks like 120,80+ or b10,10,60,50.")
    *numbers, sign, choice = found.groups()
    x0, y0, x1, y1, x, y = (None if n is None else _value(n) for n in numbers)
    chosen = None if choice is None else int(choice)
    return Step(box=(x0, y0, x1, y1), choice=chosen) if sign is None else Step(point=(x, y, int(sign == "+")),
                                                                               choice=chosen)


def _parse_drawn(text: str) -> Step:
    found = DRAWN.fullmatch(text)
    if not found:
        raise StateError("The link's objects are damaged: a stroke looks like s4+10,20,30,40, a polygon like "
                         "g1,1,9,1,5,8.")
    choice = None if found["choice"] is None else int(found["choice"])
    rings = tuple(map(_corners, (found["rings"] or found["path"]).split("/")))
    if sum(map(len, rings)) > MAX_VERTICES:
        raise StateError(f"A stroke or polygon can have at most {MAX_VERTICES} points.")
    if found["rings"]:
        return Step(rings=rings, choice=choice)
    return Step(stroke=(int(found["sign"] == "+"), _value(found["radius"]), rings[0]), choice=choice)


def _corners(text: str) -> tuple[Corner, ...]:
    values = [_value(value) for value in text.split(",")]
    return tuple(zip(values[::2], values[1::2], strict=True))


def _value(text: str) -> float:
    return float(text) if "." in text else int(text)


def _escape(name: str) -> str:
    return SPECIAL.sub(lambda m: f"%{ord(m[0]):02X}", name)


def _unescape(text: str) -> str:
    return re.sub(r"%([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), text)


def things_of(message: Any) -> tuple[Thing, ...]:
    """The objects of a canvas message ``[{"name", "label"?, "steps": [{"point" | "box" | "stroke" | "rings" | "mask",
    "choice"}]}]``; StateError on anything else. Masks, COCO's run lengths, are held and named.

    The message comes from a browser, so it is rebuilt through the text codec, which admits only what it can write.
    """
    try:
        return parse(format_things(list(map(_thing_of, message))))
    except StateError:
        raise
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise StateError("The browser sent objects that cannot be read.") from error


def _thing_of(message: Mapping[str, Any]) -> Thing:
    label = clean_name(message.get("label") or LABEL) or LABEL
    return Thing(clean_name(message["name"]), tuple(map(_step_of, message["steps"])), label)


def _step_of(message: Mapping[str, Any]) -> Step:
    choice = message.get("choice")
    if message.get("mask") is not None:
        return Step(held=held.hold(message["mask"]))
    if message.get("box") is not None:
        return Step(box=tuple(map(_finite, message["box"])), choice=choice)
    if message.get("stroke") is not None:
        label, radius, path = message["stroke"]
        return Step(stroke=(int(bool(label)), _finite(radius), _path(path)), choice=choice)
    if message.get("rings") is not None:
        return Step(rings=tuple(map(_path, message["rings"])), choice=choice)
    x, y, label = message["point"]
    return Step(point=(_finite(x), _finite(y), int(bool(label))), choice=choice)


def _path(message: Sequence[Sequence[float]]) -> tuple[Corner, ...]:
    return tuple((_finite(x), _finite(y)) for x, y in message)


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
        raise StateError("A click lies outside the picture.")
    return value


def message_of(things: Sequence[Thing]) -> list[dict[str, Any]]:
    """Objects as the canvas reads them. An imported mask that is not held any more takes its object's steps along."""
    return [{"name": t.name, "label": t.label, "steps": [] if lost(t) else list(map(_step_message, t.steps))}
            for t in things]


def lost(thing: Thing) -> bool:
    """Whether the object began with an imported mask that is not here."""
    return any(step.held is not None and held.get(step.held) is None for step in thing.steps)


def _step_message(step: Step) -> dict[str, Any]:
    if step.held is not None:
        return {"mask": held.get(step.held), "choice": None}
    if step.stroke is not None:
        where: dict[str, Any] = {"stroke": [*step.stroke[:2], list(map(list, step.stroke[2]))]}
    elif step.rings is not None:
        where = {"rings": [list(map(list, ring)) for ring in step.rings]}
    else:
        where = {"box": list(step.box)} if step.box is not None else {"point": list(step.point)}
    return {**where, "choice": step.choice}


def new_state(params: Params) -> dict[str, Any]:
    """The state of a page that shows ``params``, under a new epoch: the name of this choice of a picture and a
    model."""
    names = ("picture", "model", "objects", "active", "inside")
    return {**{name: getattr(params, name) for name in names}, "epoch": secrets.token_hex(4)}
