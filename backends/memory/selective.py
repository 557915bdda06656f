"""Inside the two shipped models of selective copying: step sizes, implied attention, answers, and accuracy at longer
strings.

    M_ij = C_i . B_j exp(sum_{j<k<=i} dt_k A) dt_j          per head (Mamba-2, arXiv 2405.21060, equation 16)

The selective model works dt, B and C out from each token; its time-invariant twin has constants instead, and equally
many parameters.  Letters: n tokens, h heads.
"""
from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor

from backends import device, weights
from backends.drawn import hosted
from backends.lm import shelf, ssd, tasks
from backends.lm.model import Decoder
from backends.memory.params import LETTERS, NOISE, MemoryParams, spelled
from backends.memory.results import Lengths, Reach, Reader, Selective

CURVES = "copying.json"               # beside the weights: every seed's curve and figures
LABELS = {"copy-ssd": "selective", "copy-lti": "time-invariant twin", "copy-fixed": "twin, data at fixed places"}
SLOTS, DATA, TIMES = shelf.COPY_SLOTS, shelf.COPY_DATA, (1, 2, 4, 8)
READ = 1                              # the read-out token; data are 2..9
SIZE, PAUSE = 16, 0.5                 # strings a step when lengths are measured, and seconds between two figures


@hosted
def encoded(string: str) -> tuple[Tensor, Tensor]:
    """(tokens (n,) with one read-out for each data letter, the data (m,)), on the host."""
    slots = torch.tensor([0 if letter == NOISE else 2 + LETTERS.index(letter) for letter in string])
    data = slots[slots > READ]
    return torch.cat([slots, torch.full_like(data, READ)]), data


@torch.no_grad()
def inside(model: Decoder, tokens: Tensor, layer: int, head: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(dt (h, n) of a layer, from 1, on tokens (n,); of one head M (n, n), values (n, d) and what the scan makes of
    them (n, d))."""
    x = model.embed(tokens[None])
    for block in model.blocks[: layer - 1]:
        x, _ = block(x)
    block = model.blocks[layer - 1]
    values, log, dt, b, c, _ = block.mixer.parts(block.before(x))
    one = slice(head, head + 1)
    mine = log[:, one], dt[:, one], b, c
    return dt[0], ssd.matrix(*mine)[0, 0], values[0, head], ssd.scan(values[:, one], *mine, chunk=16)[0, 0]


@torch.no_grad()
def look(name: str, string: str, layer: int, head: int) -> Reader:
    """One model on a string."""
    model = shelf.copying(name)
    tokens, data = (x.to(model.device) for x in encoded(string))
    slots = len(tokens) - len(data)
    dt, matrix, values, scanned = inside(model, tokens, layer, head)
    residual = ((matrix @ values - scanned).abs().max() / scanned.abs().max().clamp_min(1e-30)).item()
    p = model(tokens[None])[0, slots:].softmax(-1)
    said, held, noise = p.argmax(-1), tokens[:slots] > READ, tokens == 0
    ratios = (tuple((dt[:, tokens > READ].mean(1) / dt[:, noise].mean(1)).tolist()) if noise.any()
              else (float("nan"),) * len(dt))
    weight = matrix[slots:, :slots].abs() * values[:slots].norm(dim=-1)
    reads = weight / weight.sum(1, keepdim=True).clamp_min(1e-30)
    answers = "".join(LETTERS[a - 2] if READ < a < 2 + len(LETTERS) else "?" for a in said.tolist())
    sure = tuple(round(v, 6) for v in p.gather(1, data[:, None])[:, 0].tolist())
    share = (weight[:, held].sum() / weight.sum().clamp_min(1e-30)).item()
    right = int((said == data).sum())
    return Reader(name, LABELS[name], answers, sure, right, ratios, share, residual,
                  *(device.array(x) for x in (dt, reads, matrix)))


def selective(params: MemoryParams) -> Selective:
    """Both models on the string."""
    string = spelled(params.string)
    wanted = string.replace(NOISE, "")
    readers = tuple(look(name, string, params.layer, params.channel) for name in ("copy-ssd", "copy-lti"))
    return Selective(string + "?" * len(wanted), wanted, params.layer, params.channel, readers)


def accuracies(name: str, times: int, count: int, seed: int) -> Iterator[float]:
    """Share of right read-outs on `count` fresh strings, `times` as long as trained: after each SIZE of them, of those
    so far."""
    model, right = shelf.copying(name), 0
    made = tasks.selective_copying(count, times * SLOTS, DATA, fixed=name == "copy-fixed", seed=seed)
    tokens, targets = (x.to(model.device) for x in made)
    for at in range(0, count, SIZE):
        part = slice(at, at + SIZE)
        with torch.no_grad():
            said = model(tokens[part])[:, -DATA:].argmax(-1)
        right += int((said == targets[part, -DATA:]).sum())
        yield right / (min(count, at + SIZE) * DATA)


def lengths(params: MemoryParams) -> Iterator[Lengths]:
    """Accuracy at 1, 2, 4 and 8 times the trained length, measured now; beside it what each trained seed reached.
    Comes every PAUSE seconds, the newest share from the strings so far."""
    kept, found, last = weights.curves(CURVES), dict.fromkeys(LABELS, ()), 0.0
    for times, name in product(TIMES, LABELS):
        before = found[name]
        for share in accuracies(name, times, params.samples, params.seed):
            found[name] = (*before, share)
            if time.perf_counter() - last > PAUSE:
                yield _reached(params, kept, found)
                last = time.perf_counter()
    yield _reached(params, kept, found)


def _reached(params: MemoryParams, kept: dict[str, list], found: dict[str, tuple[float, ...]]) -> Lengths:
    """All models' shares so far."""
    return Lengths(TIMES, SLOTS, params.samples, tuple(
        Reach(name, LABELS[name], found[name], tuple(tuple(row["far"][str(t)] for t in TIMES) for row in kept[name]),
              tuple(tuple(map(tuple, row["ratios"])) for row in kept[name])) for name in LABELS))
