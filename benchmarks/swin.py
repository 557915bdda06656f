"""How fast the Swin tab answers: a setting at 14 x 14 tokens, and a picture of 512 x 512 px through the small Swin.

    python -m benchmarks.swin                one JSON line: milliseconds (medians) and bytes, by view

`setting`: the mechanism and the scene for the browser, the window moving between 6 and 7, on a picture that has been
read; `again`: the same when the token grid moves too, so that the small Swin reads the resized picture anew.
`picture`: the forward pass alone, and all of the view, with the attention of all blocks captured and the clicked
patch's rows cut out.  Both on one core, as the page does it.
"""
from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from ui.figures import swin as figures

from backends import images, swin
from backends.swin import capture, look, small, tokens
from backends.swin.params import ON_TOKENS, SwinParams
from backends.threads import alone


def median(work: Callable[[int], Any], rounds: int = 9) -> float:
    """Milliseconds of `work(round)`, after one round that is not counted."""
    work(rounds)
    spent = []
    for number in range(rounds):
        began = time.perf_counter()
        work(number)
        spent.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(spent), 1)


def answer(params: SwinParams, image: np.ndarray) -> int:
    """Works out the view, and the bytes of what the browser gets."""
    result = swin.answer(params, image=image)
    scene = figures.board(result.body.board, params, result.body.lesson)
    return len(json.dumps(scene)) + (len(json.dumps(figures.tables(result.body.lesson)))
                                     if params.view == "bias" else 0)


def main() -> None:
    """Prints the figures."""
    image = images.sample("chelsea")
    square = np.asarray(Image.fromarray(image).resize((512, 512)))
    model = small.load()
    x = small.normalised(square).to(model.device)
    shown = {view: answer(SwinParams(view=view), image) for view in ON_TOKENS}
    setting = {view: median(lambda n, v=view: answer(SwinParams(view=v, window=7 - n % 2), image))
               for view in ON_TOKENS}

    def anew(number: int) -> None:
        tokens.KEPT.clear()
        answer(SwinParams(columns=14 - number % 2), image)

    def looked(number: int) -> None:
        look.KEPT.clear()
        look.model(SwinParams(view="model"), square, capture.shipped())

    with torch.no_grad():
        picture = {"forward": median(lambda _: alone(model, x)), "view": median(lambda n: alone(looked, n))}
        row = {"threads": torch.get_num_threads(), "setting_ms": setting, "again_ms": median(anew), "bytes": shown,
               "picture_ms": picture}
    print(json.dumps(row))


if __name__ == "__main__":
    main()
