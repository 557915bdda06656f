"""Models that were trained short, for the RoPE tab: what they make of longer inputs is not trained, but worked out by
`backends.rope`.

    python -m backends.train.lengths --model rope-lm      one model; resumes from its own checkpoint in --out
    python -m backends.train.lengths --every              all of them, one after the other
    python -m backends.train.lengths --export weights     what ships: one file per model, and the curves
    python -m backends.train.lengths --measure            the manifest's figures, of what ships

A quarter of the documents of the byte models is one snippet over and over, so that what lies far back is worth looking
at.
"""
from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from backends.lm import corpus, shelf, tasks
from backends.lm.model import Decoder
from backends.rope import sinks
from backends.train import command, loop

PERIODS = (40, 161)          # from, to: length of a snippet that is repeated
SHORTEST = 24                # of the passkey texts


def documents(size: int, length: int, seed: int, held: bool) -> tuple[Tensor, Tensor]:
    """Crops of the standard library; every fourth is its own beginning, repeated with a period drawn anew.  Held-out
    ones are plain."""
    window = corpus.windows(held, size, length + 1, seed)
    if not held:
        random = torch.Generator().manual_seed(seed)
        for row in range(0, size, 4):
            period = int(torch.randint(*PERIODS, (1,), generator=random))
            window[row] = tasks.repeats(window[row : row + 1], period)[0]
    return window[:, :-1], window[:, 1:]


def needles(size: int, length: int, seed: int, held: bool) -> tuple[Tensor, Tensor]:
    """Passkey texts of the full length when measured, of a length drawn from SHORTEST on when trained."""
    drawn = int(torch.randint(SHORTEST, length + 1, (1,), generator=torch.Generator().manual_seed(seed)))
    return tasks.passkey(size, length if held else drawn, seed)


def copies(size: int, length: int, seed: int, held: bool) -> tuple[Tensor, Tensor]:
    """Texts of the bigram-backcopy language."""
    return tasks.backcopy(size, length, seed)


@torch.no_grad()
def context_use(model: Decoder, contexts: tuple[int, ...] = (32, 64, 128, 256), count: int = 1024) -> dict[int, float]:
    """Mean nats of the same `count` held-out bytes, each predicted from the last `contexts` bytes before it."""
    text = corpus.windows(True, count, max(contexts) + 1, loop.HELD).to(model.device)
    rows = [torch.cat([model(part)[:, -1] for part in text[:, -n - 1 : -1].split(64)]) for n in contexts]
    return {n: round(F.cross_entropy(row, text[:, -1]).item(), 4) for n, row in zip(contexts, rows)}


def special(name: str, model: Decoder) -> dict[str, Any]:
    """What else the manifest says of a model: its use of context, or the weight that its head puts on the first
    token."""
    if name == "sink":
        idle, busy, _ = sinks.masses(model, copies(32, 128, loop.HELD, True)[0], 64)
        return {"idle": round(idle, 4), "busy": round(busy, 4), "drained": round(sinks.drained(model), 4)}
    return {"context": context_use(model)} if plan(name).batches is documents else {}


def plan(name: str) -> loop.Plan:
    """The plan of one model of `shelf.LENGTHS`."""
    config = shelf.LENGTHS[name]
    if name == "passkey":
        return loop.Plan(name, config, needles, steps=3000, size=32, length=256)
    if name == "sink":
        return loop.Plan(name, config, copies, steps=5000, size=64, length=128)
    return loop.Plan(name, config, documents, steps=2400, size=16, length=256)


def figures(name: str, batches: int = loop.BATCHES) -> dict[str, Any]:
    """Everything that the manifest says of a shipped model."""
    model = shelf.model(name)
    return loop.measure(model, plan(name), batches) | special(name, model)


def main() -> None:
    """Command line."""
    command.run(__doc__, "run-lengths", shelf.LENGTHS, plan, partial(loop.export, curves="lengths.json"), figures)


if __name__ == "__main__":
    main()
