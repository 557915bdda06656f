"""How long a language model will take to read, estimated before it is loaded: what its files say of its size, over
what this machine works out a second at the moment, measured on two small products at most once a minute.

Letters: P numbers that multiply each token, l layers, w width of all heads together, n tokens.  Reading n tokens takes
2 P n operations, and attention 4 l w for each pair of a query and a key: 2 l w n^2.
"""
from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from backends import device, models, stop

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
TRIES = 5                       # the quickest counts
ROWS, SIDE = 256, 1024          # of the product
QUERIES, KEYS, HEADS, CHANNELS = 128, 2048, 4, 64
EXPERTS, CHOSEN = (("num_local_experts", "num_experts", "n_routed_experts"),
                   ("num_experts_per_tok", "experts_per_token"))


@dataclass(frozen=True)
class Size:
    """P, l and w of a model; l and w are 0 where its file does not say them before it is loaded (GGUF)."""

    numbers: float
    layers: int = 0
    width: int = 0


def size(name: str) -> Size | None:
    """Of the model of the shelf with this id; None when it is not here."""
    one = models.offered().get(name)
    if one is None or not one.here:
        return None
    numbers = models.numbers(one.where)
    if one.where.is_file():
        return Size(numbers)
    config = json.loads((one.where / "config.json").read_text("utf-8"))
    heads = int(config["num_attention_heads"])
    d = config.get("head_dim") or int(config["hidden_size"]) // heads
    return Size(numbers - _resting(one.where, config), int(config["num_hidden_layers"]), heads * int(d))


def _resting(where: Path, config: dict) -> float:
    """Numbers of the experts that do not work on a token."""
    e, k = (next((int(config[key]) for key in keys if config.get(key)), 0) for keys in (EXPERTS, CHOSEN))
    return models.numbers(where, ".experts.") * (1 - k / e) if e else 0.0


def seconds(model: Size, n: int, looks: float = 1.0) -> float:
    """What reading n tokens takes; `looks`: how much longer than the model's own the attention takes."""
    products, pairs = speeds()
    return 2 * model.numbers * n / products + looks * 2 * model.layers * model.width * n * n / pairs


def minutely(measured: Callable[[], T]) -> Callable[[], T]:
    """A measurement of the process's device that is kept for a minute: a machine is not always as busy."""
    kept = lru_cache(4)(lambda where, minute: measured())

    @wraps(measured)
    def asked() -> T:
        stop.imported("torch")
        return kept(str(device.default()), int(time.monotonic() // 60))
    return asked


@minutely
@device.gpu
def speeds() -> tuple[float, float]:
    """Operations a second of this process's device: products of matrices, and attention."""
    import torch

    from backends.lm.pretrained import Heads, attended
    at = device.default()
    like = {"device": at, "dtype": models.precision(at)}
    a, b = torch.ones(ROWS, SIDE, **like), torch.ones(SIDE, SIDE, **like)
    q, k = torch.ones(1, HEADS, QUERIES, CHANNELS, **like), torch.ones(1, HEADS, KEYS, CHANNELS, **like)
    return (2 * ROWS * SIDE * SIDE / quickest(lambda: a @ b),
            4 * HEADS * QUERIES * KEYS * CHANNELS / quickest(lambda: attended(Heads(0, q, k, k, CHANNELS**-0.5))))


def quickest(work: Callable[[], Tensor]) -> float:
    """Seconds of the quickest of a few tries, the first of which only warms up."""
    import torch
    at, found = device.default(), []
    with torch.no_grad():
        for _ in range(TRIES + 1):
            began = time.perf_counter()
            work()
            device.wait(at)
            found.append(time.perf_counter() - began)
    return max(1e-9, min(found[1:]))


def worded(found: float) -> str:
    """A time that was estimated before a run, in a sentence."""
    if found < 1:
        return ""
    span = f"{found:.0f} s" if found < 90 else f"{found / 60:.0f} min" if found < 5400 else f"{found / 3600:.1f} h"
    return f"About {span} on this machine: an estimate from the model's size."
