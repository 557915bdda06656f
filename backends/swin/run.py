"""The Swin tab's mechanism: settings and a picture in, what the chosen view shows out."""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from backends import images
from backends.shapes import Check
from backends.swin import capture, cost, lessons, look, stage, tokens
from backends.swin.capture import Reader
from backends.swin.params import SwinParams
from backends.swin.results import Cost, SwinResult
from backends.threads import alone

PATCH, HEAD_DIM = 4, 32        # of Swin: px of a token of the first stage, channels of a head
SIDES = (7, 14, 28, 56, 112)   # maps whose cost is drawn

LESSONS: dict[str, Callable[[stage.Scene], tuple[Any, tuple[Check, ...]]]] = {
    "reach": lessons.reached, "leak": lessons.leaked, "orders": lessons.libraries, "bias": lessons.biased, "cosine": lessons.cosine}


def run(params: SwinParams, image: np.ndarray | None = None, reader: Reader | None = None) -> SwinResult:
    """The last of `steps`."""
    result = None
    for result in steps(params, image, reader):
        pass
    assert result is not None
    return result


def steps(params: SwinParams, image: np.ndarray | None = None, reader: Reader | None = None) -> Iterator[SwinResult]:
    """The view's result; "cost" yields growing ones, one for each map that has been timed.

    image: uint8 (H, W, 3), by default the sample that the settings name; reader: the user's model where the settings ask for it.  Raises
    ValueError or WeightsError with one sentence for the user.
    """
    began = time.perf_counter()
    if params.view == "cost":
        checks = (_counted(params),)
        for body in _costs(params):
            yield SwinResult("cost", None, body, "", time.perf_counter() - began, checks)
        return
    picture = tokens.shrunk(images.sample(params.picture) if image is None else image)
    result = alone(_of_model, params, picture, reader) if params.view == "model" else alone(_on_tokens, params, picture)
    yield replace(result, seconds=time.perf_counter() - began)


@torch.no_grad()
def _on_tokens(params: SwinParams, image: np.ndarray) -> SwinResult:
    if params.view == "merge":
        body, checks = lessons.merged(params, image)
        return SwinResult("merge", None, body, notice(params), 0.0, checks)
    scene = stage.Scene(params.used, image)
    shown = stage.board(scene)
    body, more = LESSONS[params.view](scene) if params.view in LESSONS else (None, ())
    return SwinResult(params.view, shown, body, notice(params), 0.0, stage.checks(scene, shown) + more)


def _of_model(params: SwinParams, image: np.ndarray, reader: Reader | None) -> SwinResult:
    if params.model == "own" and reader is None:
        raise ValueError("Please load your own weights first, as safetensors; a link cannot carry them.")
    body, checks = look.model(params, image, reader if params.model == "own" else capture.shipped())
    return SwinResult("model", None, body, "", 0.0, checks)


def _counted(params: SwinParams) -> Check:
    """Formula against count."""
    heads, side, gaps = max(1, params.channels // HEAD_DIM), params.pixels // PATCH, []
    for n in (side, *SIDES):
        price = cost.price((n, n), params.window, params.channels, heads)
        gaps += map(abs, np.subtract(cost.counted(price.size, params.window, params.channels, heads),
                                     (price.global_attention, price.window_attention)).tolist())
    text = "largest difference in multiply-adds, whole maps and windows, to torch's own count of what is timed"
    return Check("The formulas count what runs", max(gaps), 0, max(gaps) == 0, text)


def _costs(params: SwinParams) -> Iterator[Cost]:
    """Formulas at once, then times, map by map; in a thread with one core, as the page's own work is done."""
    heads, side = max(1, params.channels // HEAD_DIM), params.pixels // PATCH
    asked = cost.price((side, side), params.window, params.channels, heads)
    prices = [cost.price((n, n), params.window, params.channels, heads) for n in SIDES]
    yield Cost(params.window, params.channels, heads, asked, tuple(prices))
    for at, price in enumerate(prices):
        whole, cut = alone(cost.timed, price.size, params.window, params.channels, heads)
        prices[at] = replace(price, global_seconds=whole, window_seconds=cut)
        yield Cost(params.window, params.channels, heads, asked, tuple(prices))


def notice(params: SwinParams) -> str:
    """What was changed so that the settings fit each other."""
    said = []
    if params.shift >= params.window:
        said.append(f"A shift of {params.shift} is not smaller than the window of {params.window}, so the largest possible one, "
                    f"{params.shifted}, is used.")
    small = [name for name, length in (("rows", params.rows), ("columns", params.columns)) if length <= params.window]
    if small and params.view not in ("cost", "model"):
        done = "the window shrinks to the map" if params.order == "timm" else "the map is padded up to the window"
        said.append(f"The window reaches all {' and '.join(small)}: as in {params.order}, {done} and nothing is shifted there.")
    return " ".join(said)
