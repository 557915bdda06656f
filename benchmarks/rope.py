"""How long the RoPE tab's curve takes: 8 methods at 8 context lengths up to 4096 bytes, 4 texts each.

    python -m benchmarks.rope                one JSON line: seconds in all, of processor time, and until the first point
"""
from __future__ import annotations

import json
import resource
import time

import torch

from backends.lm import shelf
from backends.rope.evaluate import LENGTHS, curve
from backends.rope.params import RopeParams

METHODS = ("none", "pi", "ntk2", "yarn", "rerope", "rerope_logn", "leaky", "window")


def main() -> None:
    """Prints the figures."""
    shelf.model("rope-lm")
    params = RopeParams(methods=METHODS, longest=16)
    began, worked, first = time.perf_counter(), time.process_time(), None
    for _ in curve(params):
        first = first or time.perf_counter() - began
    row = {"methods": len(METHODS), "lengths": len(LENGTHS), "samples": params.samples, "threads": torch.get_num_threads(),
           "first_s": round(first, 2), "all_s": round(time.perf_counter() - began, 1), "cpu_s": round(time.process_time() - worked, 1),
           "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    print(json.dumps(row))


if __name__ == "__main__":
    main()
