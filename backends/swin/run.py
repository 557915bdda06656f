"""The views of the Swin tab: settings and a picture in, what the chosen view shows out."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from backends import images, stop
from backends.result import Check, Work, check
from backends.swin import capture, changes, cost, lessons, look, stage, tokens
from backends.swin.capture import Reader
from backends.swin.geometry import layout
from backends.swin.params import OF_MODELS, SwinParams
from backends.swin.results import Cost, Shown

PATCH, HEAD_DIM = 4, 32        # of Swin: px of a token of the first stage, channels of a head
SIDES = (7, 14, 28, 56, 112)   # maps whose cost is drawn

LESSONS: dict[str, Callable[[stage.Scene], tuple[Any, tuple[Check, ...]]]] = {
    "reach": lessons.reached, "leak": lessons.leaked, "orders": lessons.libraries, "bias": lessons.biased,
    "cosine": changes.cosine}


def _picture(params: SwinParams, image: np.ndarray | None) -> np.ndarray:
    return tokens.shrunk(images.sample(params.picture) if image is None else image)


@torch.no_grad()
def _on_tokens(params: SwinParams, image: np.ndarray | None = None, reader: Reader | None = None) -> Work:
    scene = stage.Scene(params.used, _picture(params, image))
    board = stage.board(scene)
    lesson, more = LESSONS[params.view](scene) if params.view in LESSONS else (None, ())
    yield Shown(board, lesson), notice(params), stage.checks(scene, board) + more


@torch.no_grad()
def _merge(params: SwinParams, image: np.ndarray | None = None, reader: Reader | None = None) -> Work:
    lesson, checks = lessons.merged(params, _picture(params, image))
    yield Shown(None, lesson), notice(params), checks


def _model(params: SwinParams, image: np.ndarray | None = None, reader: Reader | None = None) -> Work:
    if params.model == "own" and reader is None:
        raise ValueError("Please load your own weights first, as safetensors; a link cannot carry them.")
    used = reader if params.model == "own" else capture.shipped()
    work = {"network": look.drawn, "model": look.model, "rollout": look.rolled}[params.view]
    lesson, checks = work(params, _picture(params, image), used)
    yield Shown(None, lesson), "", checks


def _cost(params: SwinParams, image: np.ndarray | None = None, reader: Reader | None = None) -> Work:
    """Formulas at once, then times, map by map."""
    heads, side = max(1, params.channels // HEAD_DIM), params.pixels // PATCH
    asked = cost.price((side, side), params.window, params.channels, heads)
    prices = [cost.price((n, n), params.window, params.channels, heads) for n in SIDES]

    def shown() -> Shown:
        return Shown(None, Cost(params.window, params.channels, heads, asked, tuple(prices)))

    yield shown(), "", None
    for at, price in enumerate(prices):
        whole, cut = cost.timed(price.size, params.window, params.channels, heads)
        prices[at] = replace(price, global_seconds=whole, window_seconds=cut)
        yield shown(), "", None if at + 1 < len(prices) else (_counted(params),)


def _counted(params: SwinParams) -> Check:
    """Formula against count."""
    heads, side, gaps = max(1, params.channels // HEAD_DIM), params.pixels // PATCH, []
    for n in (side, *SIDES):
        stop.check()
        price = cost.price((n, n), params.window, params.channels, heads)
        formulas = (price.global_attention, price.window_attention, price.global_projections, price.window_projections)
        counts = cost.counted(price.size, params.window, params.channels, heads)
        gaps += map(abs, np.subtract(counts, formulas).tolist())
    text = ("largest difference in multiply-adds, whole maps and windows, to torch's own count: attention of what is "
            "timed, projections of torchvision's windows")
    return check("The formulas count what runs", max(gaps), 0, text)


def notice(params: SwinParams) -> str:
    """What was changed so that the settings fit each other."""
    said = []
    if params.shift >= params.window:
        said.append(f"A shift of {params.shift} is not smaller than the window of {params.window}, so the largest "
                    "possible one, "
                    f"{params.shifted}, is used.")
    if params.view not in ("cost", *OF_MODELS):
        said += _covered(params)
    return " ".join(said)


def _covered(params: SwinParams) -> list[str]:
    """What the convention does with a window that covers a side, or does not divide the map."""
    small = [name for name, length in (("rows", params.rows), ("columns", params.columns)) if length <= params.window]
    done = {"timm": "the window shrinks to the map and nothing is shifted there",
            "torchvision": "the map is padded up to the window and nothing is shifted there",
            "microsoft": "the window shrinks to the shorter side, along both axes, and nothing is shifted at all"}
    reaches = f"The window reaches all {' and '.join(small)}: as in {params.order}, {done[params.order]}."
    said = [reaches] if small else []
    if params.order == "microsoft" and layout(params.size, params.window, 0, "microsoft").padded != params.size:
        said.append("Microsoft's own code stops here, as the window does not divide the map; this is padded, then "
                    "rolled, as in transformers.")
    return said


VIEWS: dict[str, Callable[..., Work]] = {
    **dict.fromkeys(("roll", *LESSONS), _on_tokens), "merge": _merge, "cost": _cost,
    **dict.fromkeys(OF_MODELS, _model)}
