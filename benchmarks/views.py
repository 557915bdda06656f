"""What one move of a setting costs: compute of every view that answers at once, and what travels to the page.

    python -m benchmarks.views [SLUG ...]    one JSON line for each view: fastest and median milliseconds of nine calls,
                                             kilobytes of figure, stage and what stands below (budget: 50 ms on 2 cores,
                                             200 KB)
"""
from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ui import TABS
from ui.core.tab import Tab
from ui.parts import sources

CALLS = 9


def rows(slugs: list[str]) -> Iterator[dict[str, Any]]:
    """One for each view that answers at once, at the tab's opening settings."""
    for tab in TABS:
        if tab.page is None and (not slugs or tab.slug in slugs):
            for name in [name for name, view in tab.views.items() if not view.streamed]:
                yield row(tab, replace(tab.opening, **{tab.chooser: name}))


def row(tab: Tab, params: Any) -> dict[str, Any]:
    """The figures of one view."""
    view, spent = tab.view(params), []
    given = sources.inputs(tab, "", params)
    for _ in range(CALLS + 1):
        began = time.perf_counter()
        result = tab.run(params, **given)
        spent.append(1000 * (time.perf_counter() - began))
    shown = [view.figure(result.body).to_json() if view.figure else "",
             json.dumps(view.stage(params, result.body)) if view.stage else "",
             view.below(params, result.body) if view.below else ""]
    return {"tab": tab.slug, "view": result.view, "fastest_ms": round(min(spent[1:]), 1),
            "median_ms": round(statistics.median(spent[1:]), 1), "kb": round(sum(map(len, shown)) / 1000, 1)}


def main() -> None:
    """Prints the figures."""
    for found in rows(sys.argv[1:]):
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
