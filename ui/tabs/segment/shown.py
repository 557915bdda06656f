"""What the Segment tab shows of a state, and in which words it says what went wrong."""

import secrets
from typing import Any

import gradio as gr

from backends import tuned
from ui.core.lanes import Place
from ui.core.problems import sentence
from ui.core.tab import ParamError
from ui.parts import pictures
from ui.tabs.segment.state import Params, State, format_things, lost, message_of, new_state, things_of


def notice(error: Exception) -> dict[str, Any]:
    """A message that the canvas shows over the picture; everything else stays."""
    return {"kind": "notice", "text": sentence(error), "nonce": secrets.token_hex(4)}


def canvas_value(session: str, state: State, folder: str) -> dict[str, Any]:
    """The state as the canvas takes it. ImageError when the picture is not there."""
    image = pictures.pixels(session, state["picture"])
    height, width = image.shape[:2]
    shown = {"image": pictures.shown(state["picture"], image, folder), "image_id": state["picture"], "width": width,
             "height": height}
    told = {name: state[name] for name in ("active", "model", "inside", "epoch")}
    return {**shown, "objects": message_of(Params(objects=state["objects"]).things), **told,
            "hover": state["model"] == "tiny"}


def with_objects(state: State, message: dict[str, Any]) -> State:
    """The state with the objects of a message from the canvas. StateError when they cannot be read."""
    return {**state, "objects": format_things(things_of(message["objects"])), "active": int(message["active"])}


def usable(session: str, state: State) -> tuple[State, Exception | None]:
    """The state, or the nearest one that this session can show, and why: an own picture or checkpoint cannot travel."""
    if not pictures.known(session, state["picture"]):
        text = ("This link was made with a picture that is not here; an own picture cannot travel in a link. "
                "Open it again.")
        return new_state(Params(model=state["model"], inside=state["inside"])), ParamError(text)
    things = Params(objects=state["objects"]).things
    height, width = pictures.pixels(session, state["picture"]).shape[:2]
    fit = [one for one in things if all(0 <= x <= width and 0 <= y <= height for x, y in one.corners)]
    if len(fit) < len(things):
        return ({**state, "objects": format_things(fit), "active": 0},
                ParamError("What this link marks outside of the picture was left out."))
    if any(map(lost, things)):
        return state, ParamError("Imported masks cannot travel in a link; please import their file again.")
    if state["model"] == "tiny":
        return state, None
    from ui.tabs.segment import models

    try:
        models.activate(session, state["model"])
        return state, None
    except Exception as error:
        return ({**state, "model": "tiny", "epoch": secrets.token_hex(4)},
                ParamError(f"{sentence(error)} The tiny model answers instead."))


SUITS = {"smallest": tuned.CLEAN, "crop_n_layers": tuned.CROPS}
"""Settings that have a default for each model; 0 for models that are not named."""


def suited(numbers: dict[str, Any], model: str, other: str) -> dict[str, int]:
    """Those settings after a change from ``model`` to ``other``: as suits that one if they were as suited this one."""
    now = {name: numbers[name] or 0 for name in SUITS}
    return {name: usual.get(other, 0) if now[name] == usual.get(model, 0) else now[name]
            for name, usual in SUITS.items()}


def waits(place: Place) -> str:
    """Where a run stands that waits."""
    before = "1 run stands before yours" if place.ahead == 1 else f"{place.ahead} runs stand before yours"
    return f"{before}." if place.seconds is None else f"{before}, about {max(1, round(place.seconds))} s."


def picker(session: str, model: str) -> dict[str, Any]:
    """The model picker with ``model`` selected, the facts about it, and no download."""
    from ui.tabs.segment import models

    chosen = gr.Radio(choices=models.choices(session, model), value=model)
    return {"model": chosen, "facts": models.facts(session, model), "offer": "", "progress": ""}
