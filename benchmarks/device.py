"""Every tab on a card against the CPU of the same machine: `python -m benchmarks.device`, or `--device mps`.

For each view one JSON line: seconds on both, the speed-up, and the largest difference of any number of the result, as
a share of what its dtype allows (1 is too much).  A long run is measured up to its first FEW results.  The first run of
a view, with another seed, does not count.  Ends with 1 where a difference is too large; says so in one sentence, and
ends with 0, where there is no such device.
"""
import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from backends import device, images, models, stop
from ui import TABS

FEW = 3
WHOLE = {("memory", "lengths"): {"samples": 32}, ("scale", "training"): {"steps": 20}}
"""Long runs whose results come by the clock: these run to their end, with these settings."""
ALLOWED = {"float64": 1e-5, "float32": 1e-3, "bfloat16": 3e-2, "float": 1e-3}
"""Of a float, as a share of the largest number beside it, but at least LEAST; a float of Python counts as float32, out
of which it came."""
LEAST = 1e-3
FLIPPED = 0.01
"""Share of whole numbers, truths and words that may differ: one that is rounded the other way moves a largest entry."""
TIMED = ("seconds", "milliseconds", "crossover_seconds", "bytes")


def beyond(a: Any, b: Any, at: str = "") -> Iterator[tuple[float, str]]:
    """(difference over what is allowed, where) of every part of two results."""
    if is_dataclass(a):
        for name in (f.name for f in fields(a) if not f.name.endswith(TIMED)):
            yield from beyond(getattr(a, name), getattr(b, name), f"{at}.{name}")
    elif isinstance(a, dict):
        for name in a:
            yield from beyond(a[name], b[name], f"{at}.{name}")
    elif hasattr(a, "dtype"):
        yield _differing(a, b), at
    elif isinstance(a, tuple | list) and not all(isinstance(x, float) for x in (*a, *b)):
        yield (0.0 if len(a) == len(b) else float("inf")), at
        for n, (one, other) in enumerate(zip(a, b)):
            yield from beyond(one, other, f"{at}[{n}]")
    elif isinstance(a, float | tuple | list):
        yield _differing(np.atleast_1d(a), np.atleast_1d(b), "float"), at


def _differing(a: Any, b: Any, kind: str = "") -> float:
    if tuple(np.shape(a)) != tuple(np.shape(b)):
        return float("inf")
    kind = kind or str(a.dtype).removeprefix("torch.")
    if kind in ALLOWED:
        a, b = (np.asarray(x.double() if hasattr(x, "double") else x, float) for x in (a, b))
        known = np.isfinite(a) & np.isfinite(b)
        most = np.abs(np.where(known, a, 0)).max(initial=LEAST)
        return float(np.abs(np.where(known, a - b, 0)).max(initial=0) / most / ALLOWED[kind])
    return float(np.mean(np.asarray(a) != np.asarray(b)) / FLIPPED) if np.size(a) else 0.0


def asked() -> Iterator[tuple[str, str, Callable[[int], Any]]]:
    """(tab, view, its result for a seed) of everything that is measured."""
    for tab in TABS:
        for view in tab.views if tab.page is None else ():
            more = WHOLE.get((tab.slug, view))
            params = replace(tab.params(), **{tab.chooser: view, **(more or {})})
            few = FEW if tab.views[view].streamed and more is None else None

            def answer(shift: int, tab: Any = tab, params: Any = params, few: int | None = few) -> Any:
                *_, last = islice(tab.run.stream(replace(params, **_seed(params, shift))), few)
                return last.body
            yield tab.slug, view, answer
    yield from _modelled()
    yield "segment", "click", _clicked
    yield "segment", "everything", _found


def _modelled() -> Iterator[tuple[str, str, Callable[[int], Any]]]:
    """The views of the first real model of the shelf that is here, in float32 on both, so that the device alone
    differs; none where no model is."""
    name = next((name for name, one in models.offered().items() if one.here), "")
    if not name:
        return
    models.precision = lambda at: stop.imported("torch").float32
    by = {tab.slug: tab for tab in TABS}
    for slug, view, more in (("attention", "heads", {"source": "model"}), ("attention", "cost", {"source": "model"}),
                             ("rope", "live", {"tokens": 2048, "methods": ("none", "yarn_hf", "rerope")})):
        params = replace(by[slug].params(), **{by[slug].chooser: view, "model": name, **more})

        def answer(shift: int, run: Any = by[slug].run, params: Any = params) -> Any:
            return run(replace(params, **_seed(params, shift))).body
        yield slug, f"{view}, {name}", answer


def _seed(params: Any, shift: int) -> dict[str, int]:
    return {"seed": params.seed + shift} if hasattr(params, "seed") else {}


def _clicked(shift: int) -> Any:
    from backends.segment import Segmenter, interact, work
    image = images.sample("scene-b" if shift else "scene-a")
    found = work.replayed(Segmenter("tiny"), image, [[interact.Step(((100, 120, 1),))]], 0)[1][0]
    return {"scores": found.scores, "masks": found.masks}


def _found(shift: int) -> Any:
    from backends.segment import Segmenter, work
    *_, last = work.everything(Segmenter("tiny"), images.sample("scene-b" if shift else "scene-a"), {})
    return {"iou": [r["predicted_iou"] for r in last.records[:1]]}


def measured(answer: Callable[[int], Any], name: str) -> tuple[float, Any]:
    """(seconds, result) on a device, after another run has warmed it."""
    os.environ["GLASSBOX_DEVICE"] = name
    answer(1)
    device.wait(device.default())
    began = time.perf_counter()
    found = answer(0)
    device.wait(device.default())
    return time.perf_counter() - began, found


def compared(name: str) -> Iterator[dict[str, Any]]:
    """One line for each view."""
    for tab, view, answer in asked():
        (slow, one), (fast, other) = (measured(answer, at) for at in (device.HOST, name))
        worst, where = max(beyond(one, other), default=(0.0, ""))
        yield {"tab": tab, "view": view, "cpu_s": round(slow, 4), f"{name}_s": round(fast, 4),
               "speed_up": round(slow / fast, 2), "difference": round(worst, 3), "where": where}


def main() -> int:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--device", default="cuda")
    a = p.parse_args()
    try:
        device.resolve(a.device)
    except device.DeviceError:
        print(f"There is no usable {a.device} device on this machine, so nothing was compared.")
        return 0
    worst = 0.0
    for row in compared(a.device):
        worst = max(worst, row["difference"])
        print(json.dumps(row), flush=True)
    return int(worst >= 1)


if __name__ == "__main__":
    sys.exit(main())
