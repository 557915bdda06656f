"""What one move of a setting costs in the tabs with several views: compute of each view that answers at once, and what
travels to the page.

    python -m benchmarks.labs       one JSON line for each view: fastest and median milliseconds of nine calls,
                                    kilobytes of figure and stage (budget: 50 ms on 2 cores, 200 KB)
"""
from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from ui import TABS, deformable, memory, moe, scale

LABS = {"moe": moe.LAB, "memory": memory.LAB, "scale": scale.LAB, "deformable": deformable.LAB}
CALLS = 9


def rows() -> Iterator[dict[str, Any]]:
    """One for each view that answers at once, at the tab's opening settings."""
    for tab in TABS:
        lab = LABS.get(tab.slug)
        for view in lab.instant if lab else ():
            params = replace(tab.opening, view=view)
            *_, result = lab.results("", params)
            times = []
            for _ in range(CALLS):
                began = time.perf_counter()
                *_, result = lab.results("", params)
                times.append(1000 * (time.perf_counter() - began))
            figure = lab.figures[view](result.body).to_json() if view in lab.figures else ""
            stage = json.dumps(lab.scenes[view](params, result.body)) if view in lab.scenes else ""
            yield {"tab": tab.slug, "view": view, "fastest_ms": round(min(times), 1),
                   "median_ms": round(statistics.median(times), 1), "kb": round((len(figure) + len(stage)) / 1000, 1)}


def main() -> None:
    """Prints the figures."""
    torch.set_num_threads(2)
    for row in rows():
        print(json.dumps(row))


if __name__ == "__main__":
    main()
