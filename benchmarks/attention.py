"""Milliseconds to put kinds of attention side by side, on this machine: `python -m benchmarks.attention --n 128`.

Synthetic input of four heads; median, fastest and CPU time over --repeats of all that a slider's move computes
(matrices, outputs, figures, checks, and the band over random draws), and the bytes of the drawn head as uint8, which is
what a page needs of the cards.
"""
import argparse
import json
import statistics
import time

import torch

from backends.attention import answer
from backends.attention.params import KINDS, AttentionParams


def measure(kinds: tuple[str, ...], n: int, repeats: int) -> dict[str, float | int]:
    """Figures of one set of kinds at one length."""
    params = AttentionParams(source="synthetic", kinds=kinds, n=n)
    wall, cpu = [], []
    for _ in range(repeats + 1):
        began = time.process_time()
        wall.append(answer(params).seconds * 1e3)
        cpu.append((time.process_time() - began) * 1e3)
    return {"kinds": len(kinds), "n": n, "threads": torch.get_num_threads(),
            "median_ms": round(statistics.median(wall[1:]), 1),
            "fastest_ms": round(min(wall[1:]), 1), "cpu_ms": round(statistics.median(cpu[1:]), 1),
            "drawn_bytes": len(kinds) * n * n}


def main() -> None:
    """Command line: prints one JSON object for the default kinds, one for all, and one per kind with --each."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--n", type=int, default=128)
    p.add_argument("--repeats", type=int, default=21)
    p.add_argument("--each", action="store_true")
    a = p.parse_args()
    sets = [AttentionParams().kinds, tuple(KINDS)] + [(name,) for name in KINDS if a.each]
    for kinds in sets:
        found = measure(kinds, a.n, a.repeats)
        print(json.dumps(({"kind": kinds[0]} if len(kinds) == 1 else {}) | found))


if __name__ == "__main__":
    main()
