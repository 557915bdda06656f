"""Selective copying, for the Memory tab: a selective state-space model, its time-invariant twin, and the twin with data
at fixed places.

    python -m backends.train.copying --model copy-ssd --seed 0    one model; resumes from its own checkpoint in --out
    python -m backends.train.copying --every --seeds 3            all of them, one after the other
    python -m backends.train.copying --export weights
        what ships: one file per model, and the curves with every seed's figures
    python -m backends.train.copying --measure                    the manifest's figures, of what ships

4 of 384 slots hold data, the rest is noise; then the data are asked for, in order (Mamba, arXiv 2312.00752, section
4.1.1).  All models have equally many parameters and see equally many batches.  Blocks are Mamba's: no feed-forward.
Much noise matters, and so do steps: among 64 slots the twin learns to count sooner (0.87 right after 1200 steps, 0.96
with a feed-forward after 1600), among 384 later (0.87, 0.47 and 0.25 at 1, 2 and 4 times the length after 4800 steps,
seed 0); then it fails only on longer strings.
"""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backends.lm import shelf, tasks
from backends.lm.model import Decoder
from backends.train import command, loop

TIMES = (1, 2, 4, 8)         # lengths that are measured, in trained ones


def strings(size: int, length: int, seed: int, held: bool) -> tuple[Tensor, Tensor]:
    """Fresh strings with `length` slots, 4 of them with data, anywhere."""
    return tasks.selective_copying(size, length, shelf.COPY_DATA, seed=seed)


def columns(size: int, length: int, seed: int, held: bool) -> tuple[Tensor, Tensor]:
    """4 data tokens at the same places in every string."""
    return tasks.selective_copying(size, length, shelf.COPY_DATA, fixed=True, seed=seed)


def plan(name: str) -> loop.Plan:
    """The plan of one model of `shelf.COPYING`."""
    batches = columns if name == "copy-fixed" else strings
    return loop.Plan(name, shelf.COPYING[name], batches, steps=1600, size=32, length=shelf.COPY_SLOTS)


@torch.no_grad()
def steps_of(model: Decoder, tokens: Tensor) -> Tensor:
    """Step sizes dt (layers, b, h, n) of a state-space decoder on tokens (b, n)."""
    x, seen = model.embed(tokens), []
    for block in model.blocks:
        seen.append(block.mixer.parts(block.before(x))[2])
        x, _ = block(x)
    return torch.stack(seen)


def ratios(model: Decoder, p: loop.Plan) -> list[list[float]]:
    """By layer and head: mean step size on data over that on noise, of held-out strings."""
    tokens = p.batches(32, p.length, loop.HELD, True)[0].to(model.device)
    dt, data, noise = steps_of(model, tokens).transpose(1, 2), tokens > 1, tokens == 0
    return [[round((head[data].mean() / head[noise].mean()).item(), 3) for head in layer] for layer in dt]


def figures(model: Decoder, name: str, batches: int = loop.BATCHES) -> dict[str, Any]:
    """Loss and accuracy at the trained length, accuracy at multiples of it, and the step sizes' ratios by layer and
    head."""
    p = plan(name)
    found = {t: loop.measure(model, p, batches, t * p.length) for t in TIMES}
    return found[1] | {"far": {t: one["accuracy"] for t, one in found.items()}, "ratios": ratios(model, p)}


def export(out: Path, target: Path) -> None:
    """What `loop.export` writes, and into the curves every seed's figures."""
    loop.export(out, target, "copying.json")
    kept = json.loads((target / "copying.json").read_text())
    for name, runs in kept.items():
        for row in runs:
            model = Decoder(shelf.COPYING[name])
            model.load_state_dict(torch.load(out / f"{name}-{row['seed']}.pt", map_location="cpu",
                                             weights_only=True)["model"])
            row |= figures(model.eval(), name)
    (target / "copying.json").write_text(json.dumps(kept, separators=(",", ":")) + "\n")


def main() -> None:
    """Command line."""
    command.run(__doc__, "run-copying", shelf.COPYING, plan, export,
                lambda name, batches: figures(shelf.copying(name), name, batches))


if __name__ == "__main__":
    main()
