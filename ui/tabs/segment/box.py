"""The box opened: what lies between a click and its mask, as declared views in a panel below the canvas.

The panel is a page of its own kind (``ui.core.panel``) whose settings the canvas sends: picture, model, the steps of
the active object and how clean masks are, as often as an answer with masks has come while the panel is open. Closed, it
computes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, get_args

import numpy as np

from backends import images, tuned
from ui.core.frame import Frame
from ui.core.kept import Kept
from ui.core.tab import Control, Source, Tab, views
from ui.parts.sources import MissingError
from ui.tabs.segment import figures
from ui.tabs.segment.state import Step

View = Literal["encoder", "click", "logits", "band", "rating", "left"]
TITLES: dict[str, str] = {
    "encoder": "Through the encoder", "click": "What the click adds", "logits": "Logits and threshold",
    "band": "Stability", "rating": "Predicted against true IoU", "left": "One click left out",
}
BY_HAND = "A part of this object was imported or drawn, so its clicks alone do not lead to the mask on screen."
NO_CLICK = "Click on the picture first: then this shows what lies between the click and its mask."


@dataclass(frozen=True)
class BoxParams:
    """What is looked into: the steps of one object on a picture, with a model; clicked: whether its mask comes from
    clicks and boxes alone."""

    view: View = "click"
    picture: Annotated[str, Control(max_length=80)] = "chelsea"
    model: Annotated[str, Control(max_length=80)] = "tiny"
    smallest: int = tuned.CLEAN["tiny"]
    clicked: bool = True
    steps: tuple[Step, ...] = ()


class Run:
    """``backends.segment.inside.inside``, imported by the first call."""

    def __call__(self, params: BoxParams, **given: Any) -> Any:
        """The finished result."""
        *_, last = self.stream(params, **given)
        return last

    def stream(self, params: BoxParams, **given: Any) -> Iterator[Any]:
        """Growing results."""
        from backends.segment.inside import inside

        return inside.stream(params, **given)


BOX = Tab(
    slug="box",
    title="The box opened",
    question="What lies between a click and the mask?",
    params=BoxParams,
    run=Run(),
    views=views(TITLES, figures, streamed=("encoder",)),
    sources=(Source("picture", "picture"),),
    held=("picture", "model", "smallest", "clicked", "steps"),
)


def inputs(kept: Kept, tab: Tab, session: str, params: BoxParams) -> dict[str, Any]:
    """What the mechanism gets: model, picture, steps, the mask on screen as it is kept, and the truth of a scene.
    MissingError while there is no click."""
    from ui.parts import pictures
    from ui.tabs.segment import answers, models

    if not any(step.point or step.box for step in params.steps) and params.view != "encoder":
        raise MissingError(NO_CLICK if params.clicked else BY_HAND)
    known = images.truth(params.picture) if params.picture in images.SAMPLES else None
    shown = on_screen(session, params, kept) if params.steps else None
    return {"segmenter": models.segmenter(session, params.model), "image": pictures.pixels(session, params.picture),
            "steps": answers.backend_steps(params.steps), "shown": shown, "truth": known,
            "smallest": params.smallest}


def on_screen(session: str, params: BoxParams, kept: Kept) -> np.ndarray | None:
    """The mask (H, W) that the visitor's canvas shows for these steps, if it is kept."""
    from backends.segment import rle
    from ui.tabs.segment import answers

    screen = kept.get(session, answers.SCREEN)
    key = answers.key_of(params, params.steps)
    masks = screen.result.masks.get(key) if screen else None
    if masks is None:
        return None
    choice = params.steps[-1].choice
    return rle.decode(masks.masks[masks.best if choice is None else min(choice, len(masks.masks) - 1)])


def opened(session: str, params: Any, kept: Kept) -> Any:
    """The result of the view that the tab's parameters open, of their active object; None where none is open."""
    things = params.things
    if params.inside not in get_args(View) or params.active >= len(things):
        return None
    asked = BoxParams(params.inside, params.picture, params.model, params.smallest,
                      steps=things[params.active].steps)
    return BOX.run(asked, **inputs(kept, BOX, session, asked))


def draw(frame: Frame) -> Any:
    """The panel, in the current context."""
    from ui.core.panel import panel

    return panel(BOX, frame, "segment", partial(inputs, frame.kept))
