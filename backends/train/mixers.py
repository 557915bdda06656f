"""The mixer family: one small decoder with six token mixers, at equal steps, on the standard library's bytes and on
associative recall.

    python -m backends.train.mixers --task bytes --mixer softmax --seed 0
        one model; resumes from its own checkpoint in --out
    python -m backends.train.mixers --task mqar --every --seeds 3             the whole family, one after the other
    python -m backends.train.mixers --export weights   what ships: one file per model, and the curves
    python -m backends.train.mixers --measure                                 the manifest's figures, of what ships
"""
from __future__ import annotations

from functools import partial
from itertools import product

from torch import Tensor

from backends.lm import corpus, shelf, tasks
from backends.train import command, loop

TASKS = ("bytes", "mqar")


def recall(size: int, length: int, seed: int, held: bool) -> tuple[Tensor, Tensor]:
    """Associative recall; every sequence is a fresh one."""
    return tasks.mqar(size, length, seed=seed)


def plan(task: str, mixer: str) -> loop.Plan:
    """The plan of one member.  task: "bytes" or "mqar"."""
    config, name = shelf.config(task, mixer), f"{task}-{mixer}"
    if task == "mqar":
        return loop.Plan(name, config, recall, steps=1200, size=64, length=64)
    return loop.Plan(name, config, corpus.crops, steps=1000, size=16, length=256)


def figures(task: str, mixer: str, batches: int = loop.BATCHES) -> dict[str, float]:
    """What the manifest says of a shipped model."""
    return loop.measure(shelf.load(mixer, task), plan(task, mixer), batches)


def main() -> None:
    """Command line."""
    p = command.parser(__doc__, "run-mixers", every="the whole family")
    p.add_argument("--task", choices=TASKS, default="bytes")
    p.add_argument("--mixer", choices=tuple(shelf.FAMILY), default="softmax")
    a = p.parse_args()
    plans = [plan(a.task, mixer) for mixer in (shelf.FAMILY if a.every else (a.mixer,))]
    every = [(f"{task}-{mixer}", partial(figures, task, mixer)) for task, mixer in product(TASKS, shelf.FAMILY)]
    command.carry_out(a, plans, partial(loop.export, curves="mixers.json"), every)


if __name__ == "__main__":
    main()
