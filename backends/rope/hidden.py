"""The passkey grid on a real model: a number hidden in filler at any depth of texts of any length, and asked for at the
end (the text of Mohtashami & Jaggi 2023, arXiv 2305.16300).

A small model seldom says all digits, so a cell tells the share of right tokens of the number, each after the true ones
before it, and the log-probability of the whole number.
"""
from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from backends import models
from backends.checkpoints import Checkpoint
from backends.result import Work
from backends.rope import forecast, jobs, real
from backends.rope.jobs import DEPTHS
from backends.rope.methods import METHODS
from backends.rope.params import RopeParams
from backends.rope.passkey import filled
from backends.rope.real import Setup, all_losses, checks, setup
from backends.rope.results import Grid, Passkey

TASK = ("There is important information hidden inside a lot of irrelevant text. Find it and memorize it. I will quiz "
        "you about the important information there.\n")
FILLER = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.\n"
KEY = "The pass key is {0}. Remember it. {0} is the pass key.\n"
QUESTION = "What is the pass key? The pass key is "
DIGITS = 5


def text(model: Checkpoint, length: int, depth: float, seed: int) -> tuple[Tensor, int]:
    """(tokens (n,) with n at most `length`, how many of them, at the end, are the number).  ValueError when the number
    and its question do not fit."""
    key = "".join(random.Random(seed).choices("0123456789", k=DIGITS))
    task, filler, hidden, question, answer = (model.encoded(part).tolist() for part in (
        TASK, FILLER, KEY.format(key), QUESTION, key))
    count = (length - sum(map(len, (task, hidden, question, answer)))) // len(filler)
    if count < 1:
        raise ValueError(f"A text of {length} tokens has no room for filler; please choose longer ones.")
    before = round(depth * count)
    whole = task + filler * before + hidden + filler * (count - before) + question + answer
    return torch.tensor(whole, device=model.device), len(answer)


def answered(chosen: Setup, name: str, length: int, depth: float, seeds: range) -> tuple[float, float]:
    """(share of the number's tokens that are guessed right, log-probability of the number in nats), means over
    `seeds`."""
    found = []
    for seed in seeds:
        tokens, m = text(chosen.checkpoint, length, depth, seed)
        loss, right = all_losses(chosen, tokens, name)[:, -m:]
        found.append((right.mean().item(), -loss.sum().item()))
    right, log = zip(*found)
    return sum(right) / len(right), sum(log) / len(log)


def grids(params: RopeParams) -> Work:
    """The view "passkey" on a real model, a cell of both grids more each time, short texts first."""
    chosen = setup(models.load(params.model), params.reads, **params.shared)
    trained = chosen.rules.trained
    lengths = jobs.lengths(trained, params.lengths, 4)
    empty = tuple((None,) * len(lengths) for _ in DEPTHS)
    pair = tuple(Grid(name, METHODS[name].label, empty, empty, empty) for name in (params.left, params.right))
    body = Passkey(trained, DEPTHS, lengths, params.samples, 10.0**-DIGITS, pair)
    clock = forecast.Clock(forecast.seconds(params.model, forecast.passkey(params, trained, real.kind(chosen), 0)))
    said, work, done = f"{models.titles()[params.model]}: L = {trained}, w = {chosen.rules.window}.", sum(
        map(forecast.cost, lengths)), 0.0
    yield body, f"{said}\n{clock.left(0)}".strip(), None
    for k, grown in enumerate(_filled(params, chosen, body), 1):
        done += forecast.cost(lengths[(k - 1) // len(DEPTHS)]) / len(DEPTHS)
        yield grown, f"{said}\n{clock.left(done / work)}".strip(), None
    tokens, _ = text(chosen.checkpoint, lengths[0], 0.5, params.seed)
    yield grown, said, checks(chosen, [params.left, params.right], tokens)


def _filled(params: RopeParams, chosen: Setup, body: Passkey) -> Iterator[Passkey]:
    seeds = range(params.seed, params.seed + params.samples)
    for b, n in enumerate(body.lengths):
        for a, depth in enumerate(body.depths):
            grown = []
            for grid in body.grids:
                began = time.perf_counter()
                right, log = answered(chosen, grid.method, n, depth, seeds)
                new = {"right": right, "log": log, "seconds": time.perf_counter() - began}
                grown.append(filled(grid, (a, b), **new))
            body = replace(body, grids=tuple(grown))
            yield body
