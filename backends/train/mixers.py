"""The mixer family: one small decoder with six token mixers, at equal steps, on the standard library's bytes and on associative recall.

    python -m backends.train.mixers --task bytes --mixer softmax --seed 0     one model; resumes from its own checkpoint in --out
    python -m backends.train.mixers --task mqar --every --seeds 3             the whole family, one after the other
    python -m backends.train.mixers --export weights                          what ships: one file per model, and the curves
    python -m backends.train.mixers --measure                                 the manifest's figures, of what ships
"""
from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

from torch import Tensor

from backends import device
from backends.lm import corpus, shelf, tasks
from backends.train import loop

TASKS = ("bytes", "mqar")


def crops(size: int, length: int, seed: int, held: bool) -> tuple[Tensor, Tensor]:
    """Random crops of the standard library, and the bytes that follow."""
    window = corpus.windows(held, size, length + 1, seed)
    return window[:, :-1], window[:, 1:]


def recall(size: int, length: int, seed: int, held: bool) -> tuple[Tensor, Tensor]:
    """Associative recall; every sequence is a fresh one."""
    return tasks.mqar(size, length, seed=seed)


def plan(task: str, mixer: str) -> loop.Plan:
    """The plan of one member.  task: "bytes" or "mqar"."""
    config, name = shelf.config(task, mixer), f"{task}-{mixer}"
    if task == "mqar":
        return loop.Plan(name, config, recall, steps=1200, size=64, length=64)
    return loop.Plan(name, config, crops, steps=1000, size=16, length=256)


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--task", choices=TASKS, default="bytes")
    p.add_argument("--mixer", choices=tuple(shelf.FAMILY), default="softmax")
    p.add_argument("--every", action="store_true", help="the whole family")
    p.add_argument("--seed", type=int, default=0, help="first seed")
    p.add_argument("--seeds", type=int, default=1, help="how many seeds")
    p.add_argument("--device", default="auto")
    p.add_argument("--out", type=Path, default=Path("run-mixers"))
    p.add_argument("--export", type=Path, help="only write what ships into this folder")
    p.add_argument("--measure", action="store_true", help="only measure what ships")
    a = p.parse_args()
    if a.export:
        loop.export(a.out, a.export, "mixers.json")
    elif a.measure:
        for task, mixer in product(TASKS, shelf.FAMILY):
            print(f"{task}-{mixer}", loop.measure(shelf.load(mixer, task), plan(task, mixer)))
    else:
        chosen = tuple(shelf.FAMILY) if a.every else (a.mixer,)
        loop.train([plan(a.task, mixer) for mixer in chosen], range(a.seed, a.seed + a.seeds), a.out, device.resolve(a.device))


if __name__ == "__main__":
    main()
