"""Clicks a second over replicas of Ray Serve on this machine: `python -m benchmarks.replicas --replicas 1,2`.

Needs deploy/requirements-ray.txt.  Every replica computes with one thread.  Visitors click, one after the other, on
pictures that are encoded before the clock starts; 0 replicas is this process, without Ray, with one thread as well.
More replicas than cores cannot help.  One JSON line each: clicks a second, and milliseconds of a click (median, 95 %).
"""
import argparse
import importlib.util
import json
import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ("chelsea", "coffee", "rocket", "astronaut", "scene-a", "scene-b", "scene-c", "coins")


def deployed() -> ModuleType:
    """The module deploy/ray_serve.py."""
    spec = importlib.util.spec_from_file_location("ray_serve", ROOT / "deploy" / "ray_serve.py")
    module = sys.modules["ray_serve"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def clicked(visitors: int, seconds: float) -> dict[str, float]:
    """What `visitors` at once get in that time, each on a picture of its own as far as there are enough."""
    from backends import images
    from backends.segment import Segmenter, work

    segmenter, pictures = Segmenter("tiny", "cpu"), [images.sample(name) for name in PICTURES]
    for picture in pictures:
        work.predicted(segmenter, picture, points=[[20, 20]], labels=[1])

    def visit(number: int) -> list[float]:
        picture, took = pictures[number % len(pictures)], []
        for y, x in product(range(10, 10**6, 3), range(10, 200, 7)):
            start = time.perf_counter()
            if start > ends:
                return took
            work.predicted(segmenter, picture, points=[[x, y % 200]], labels=[1])
            took.append(time.perf_counter() - start)
        return took

    ends = time.perf_counter() + seconds
    with ThreadPoolExecutor(visitors) as crowd:
        times = [1e3 * t for took in crowd.map(visit, range(visitors)) for t in took]
    cuts = statistics.quantiles(times, n=20)
    return {"clicks_per_s": round(len(times) / seconds, 2), "median_ms": round(cuts[9], 1),
            "p95_ms": round(cuts[18], 1)}


def over(replicas: int, visitors: int, seconds: float) -> dict[str, float]:
    """`clicked` with so many replicas behind this process."""
    import ray
    from ray import serve

    module = deployed()
    ray.cloudpickle.register_pickle_by_value(module)
    ray.init(num_cpus=max(8, os.cpu_count() or 1), include_dashboard=False, log_to_driver=False)
    try:
        module.install(*module.start((replicas, replicas), (1, 1)))
        return clicked(visitors, seconds)
    finally:
        serve.shutdown()
        ray.shutdown()


def main() -> None:
    """Command line; every number of replicas in turn, each in a process of its own."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--replicas", default="0,1,2")
    p.add_argument("--visitors", type=int, default=8)
    p.add_argument("--seconds", type=float, default=30)
    a = p.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    if a.replicas.isdigit():
        number = int(a.replicas)
        found = over(number, a.visitors, a.seconds) if number else clicked(a.visitors, a.seconds)
        print(json.dumps({"replicas": number, "visitors": a.visitors} | found), flush=True)
        return
    for number in a.replicas.split(","):
        command = [sys.executable, "-m", "benchmarks.replicas", "--replicas", number, "--visitors", str(a.visitors)]
        os.spawnv(os.P_WAIT, sys.executable, [*command, "--seconds", str(a.seconds)])


if __name__ == "__main__":
    main()
