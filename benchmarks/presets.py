"""Whether every preset of a tab holds, those on a model that is fetched first too, and what that costs.

    python -m benchmarks.presets SLUG [PART OF A NAME]    one JSON line for each preset
"""
from __future__ import annotations

import json
import sys
import time

from ui import TABS


def main() -> None:
    """Command line."""
    slug, part = sys.argv[1], " ".join(sys.argv[2:])
    tab = next(tab for tab in TABS if tab.slug == slug)
    for preset in (one for one in tab.presets if part in one.name):
        began, worked = time.perf_counter(), time.process_time()
        row = {"preset": preset.name, "holds": bool(preset.holds(tab.run(preset.params)))}
        row |= {"all_s": round(time.perf_counter() - began, 1), "cpu_s": round(time.process_time() - worked, 1)}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
