"""Selective copying, for the Memory tab: a selective state-space model, its time-invariant twin, and the twin with data at fixed places.

    python -m backends.train.copying --model copy-ssd --seed 0    one model; resumes from its own checkpoint in --out
    python -m backends.train.copying --every --seeds 3            all of them, one after the other
    python -m backends.train.copying --export weights             what ships: one file per model, and the curves with every seed's figures
    python -m backends.train.copying --measure                    the manifest's figures, of what ships

4 of 32 slots hold data, the rest is noise; then the data are asked for, in order (Mamba, arXiv 2312.00752, section 4.1.1).  All models
have equally many parameters and see equally many batches.
"""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backends.lm import shelf, tasks
from backends.lm.model import Decoder
from backends.lm.ssd import CONV
from backends.train import command, loop

TIMES = (1, 2, 4, 8)         # lengths that are measured, in trained ones


def strings(size: int, length: int, seed: int, held: bool) -> tuple[Tensor, Tensor]:
    """Fresh strings with `length` slots, 4 of them with data, anywhere."""
    return tasks.selective_copying(size, length, 4, seed=seed)


def columns(size: int, length: int, seed: int, held: bool) -> tuple[Tensor, Tensor]:
    """4 data tokens at the same places in every string."""
    return tasks.selective_copying(size, length, 4, fixed=True, seed=seed)


def plan(name: str) -> loop.Plan:
    """The plan of one model of `shelf.COPYING`."""
    return loop.Plan(name, shelf.COPYING[name], columns if name == "copy-fixed" else strings, steps=1200, size=64, length=32)


@torch.no_grad()
def steps_of(model: Decoder, tokens: Tensor) -> Tensor:
    """Step sizes dt (layers, b, h, n) of a state-space decoder on tokens (b, n)."""
    x, seen = model.embed(tokens), []
    for block in model.blocks:
        seen.append(block.mixer.parts(block.before(x))[2])
        x, _ = block(x)
    return torch.stack(seen)


def ratios(model: Decoder, p: loop.Plan) -> dict[str, list[float]]:
    """By layer, means over heads of 64 held-out strings: "ratios", step size on data over that on noise; "near", step size where the
    short convolution sees data over that where it sees noise alone."""
    tokens, _ = p.batches(64, p.length, loop.HELD, True)
    dt, (near, alone) = steps_of(model, tokens).mean(2), tasks.data_near(tokens, CONV)
    pairs = {"ratios": (tokens > 1, tokens == 0), "near": (near, alone)}
    return {name: [round((layer[a].mean() / layer[b].mean()).item(), 3) for layer in dt] for name, (a, b) in pairs.items()}


def figures(model: Decoder, name: str) -> dict[str, Any]:
    """Loss and accuracy at the trained length, accuracy at multiples of it, and the step sizes' ratios by layer."""
    p = plan(name)
    far = {t: loop.measure(model, p, 8, t * p.length)["accuracy"] for t in TIMES}
    return loop.measure(model, p) | {"far": far} | ratios(model, p)


def export(out: Path, target: Path) -> None:
    """What `loop.export` writes, and into the curves every seed's figures."""
    loop.export(out, target, "copying.json")
    kept = json.loads((target / "copying.json").read_text())
    for name, runs in kept.items():
        for row in runs:
            model = Decoder(shelf.COPYING[name])
            model.load_state_dict(torch.load(out / f"{name}-{row['seed']}.pt", map_location="cpu", weights_only=True)["model"])
            row |= figures(model.eval(), name)
    (target / "copying.json").write_text(json.dumps(kept, separators=(",", ":")) + "\n")


def main() -> None:
    """Command line."""
    command.run(__doc__, "run-copying", shelf.COPYING, plan, export, lambda name: figures(shelf.copying(name), name))


if __name__ == "__main__":
    main()
