"""Results for the page: worked out by ``backends.swin``, which is imported (and torch with it) by the first call."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from gradio.processing_utils import save_bytes_to_cache
from PIL import Image

from backends.swin.params import SwinParams
from ui import export
from ui.figures import swin
from ui.segmenting import pictures
from ui.segmenting.pictures import Shelf, uploaded
from ui.tab import Table

if TYPE_CHECKING:
    from backends.swin.results import SwinResult

OWN_WEIGHTS = Shelf(per_session=1, in_all=64)
NAME = "weights"
HEADING = "Swin: where shifted windows let a picture's tokens look."


def run(params: SwinParams) -> SwinResult:
    """The view's result on a sample picture. ValueError with one sentence for the user."""
    return list(steps("", params))[-1]


def steps(session: str, params: SwinParams) -> Iterator[SwinResult]:
    """The view's results on the session's own picture and weights, or on a sample."""
    from backends.swin import run as mechanism

    if params.view == "cost":
        yield from mechanism.steps(params)
        return
    image = pixels(session, params.picture)
    reader = _reader(session, params) if params.view == "model" and params.model == "own" else None
    yield from mechanism.steps(params, image, reader)


def _reader(session: str, params: SwinParams) -> Any:
    from backends.swin import capture
    from backends.weights import WeightsError

    path = OWN_WEIGHTS.get(session, NAME)
    if path is None:
        return None
    try:
        return capture.own(path, params.architecture)
    except WeightsError as error:
        raise ValueError(str(error)) from error


def add_weights(session: str, path: Any) -> str:
    """Remember an uploaded checkpoint for ``session``; a few words on it. ValueError when it is no safetensors file."""
    from backends import weights

    found = uploaded(path)
    try:
        state = weights.load_file(found, trusted=False)
    except weights.WeightsError as error:
        raise ValueError(str(error)) from error
    OWN_WEIGHTS.put(session, NAME, found)
    return f"{len(state)} tensors, {sum(v.numel() for v in state.values()) / 1e6:.1f} million numbers"


def offered(architecture: str) -> str:
    """What the hub has for an architecture, in a sentence. ValueError when it has nothing. Nothing is asked of the network."""
    from backends.swin import hub

    found = hub.offer(architecture)
    where = "is on this machine already" if found.here else f"about {found.megabytes} MB from huggingface.co"
    return f"{found.repository}: {where}; licence: {found.licence}."


def add_hub(session: str, architecture: str) -> Iterator[str]:
    """Download timm's weights and remember them for ``session``; a few words on how far it is. ValueError, one sentence."""
    from backends.swin import hub
    from backends.weights import WeightsError

    try:
        for step in hub.fetch(architecture):
            yield f"{step.done / 1e6:.0f} of {step.total / 1e6:.0f} MB"
        OWN_WEIGHTS.put(session, NAME, hub.place(architecture))
        yield f"{hub.offer(architecture).repository} is loaded."
    except WeightsError as error:
        raise ValueError(str(error)) from error


def scene(session: str, params: SwinParams, result: SwinResult, folder: str) -> dict[str, Any] | None:
    """What the stage draws; None where the view has no picture."""
    if result.view == "cost":
        return None
    image = pixels(session, params.picture)
    shown = {"image": _file(session, params.picture, folder), "aspect": image.shape[1] / image.shape[0], "picture": params.picture}
    return {**_drawn(params, result), **shown}


def _drawn(params: SwinParams, result: SwinResult) -> dict[str, Any]:
    if result.view == "model":
        return swin.model(result.body, params)
    if result.view == "merge":
        return swin.merge(result.body, params.token)
    return swin.board(result.board, params, result.body)


def pixels(session: str, name: str) -> np.ndarray:
    """uint8 (H, W, 3) of a picture that this session may see, not larger than the mechanism needs. ImageError when there is none."""
    from backends.swin import tokens

    def shrunk() -> tuple[np.ndarray, int]:
        small = tokens.shrunk(pictures.seen(session, name))
        return small, small.nbytes

    return pictures.decoded().get_or_compute(("swin", session, name), shrunk)[0]


@lru_cache(64)
def _file(session: str, name: str, folder: str) -> str:
    """Path of the picture as the browser loads it."""
    out = io.BytesIO()
    Image.fromarray(pixels(session, name)).save(out, "JPEG", quality=90)
    return save_bytes_to_cache(out.getvalue(), f"{pictures.title(name)}.jpg", folder)


def table(result: SwinResult) -> Table:
    """The rows behind what is drawn."""
    return swin.rows(result)


def script(params: SwinParams) -> str:
    """Python on the public backends that prints the numbers of ``run(params)``; own files are named by paths to be filled in."""
    own_picture = params.picture.startswith("own-")
    own_weights = params.view == "model" and params.model == "own"
    imports, given, arguments = ["from backends.swin.params import SwinParams", "from backends.swin.run import run"], [], ""
    if own_picture:
        imports.append("from backends import images")
        given.append('image = images.load("my-picture.png")  # your picture')
        arguments += ", image=image"
    if own_weights:
        imports += ["from pathlib import Path", "from backends.swin import capture"]
        given.append(f'reader = capture.own(Path("my-weights.safetensors"), {json.dumps(params.architecture)})  # your weights')
        arguments += ", reader=reader"
    return export.compose(HEADING, imports, [f"params = {export.literal(params)}", *given, f"result = run(params{arguments})"])
