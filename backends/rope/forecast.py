"""How long the RoPE tab's runs on a real model take: estimated from the model's files before they begin, and from what
is done while they go on.

Letters: n tokens of a text, L trained length.
"""
from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

from backends import device, models, pace
from backends.rope import jobs
from backends.rope.config import read_config
from backends.rope.jobs import Job
from backends.rope.params import METHODS, RopeParams

BYTES = 4                       # of a token of plain text, about


def seconds(model: str, work: list[Job]) -> float | None:
    """Of a model of the shelf; None where its files do not say enough."""
    size = pace.size(model)
    if size is None or not size.layers:
        return None
    return sum(pace.seconds(size, n, slower() if _own(name) else 1.0) for n, name in work)


def _own(name: str) -> bool:
    """Whether the attention is ours, since distances or keys change."""
    return name == jobs.ANEW or (name in METHODS and METHODS[name].family in ("distances", "cache"))


@pace.minutely
@device.gpu
def slower() -> float:
    """How much longer ReRoPE takes than the attention of a model as it is, on one small piece."""
    import torch

    from backends.rope.attend import attend
    from backends.rope.methods import plan
    at = device.default()
    like = {"device": at, "dtype": models.precision(at)}
    q, k = (torch.ones(1, pace.HEADS, n, pace.CHANNELS, **like) for n in (pace.QUERIES, pace.KEYS))
    ours = pace.quickest(lambda: attend(plan("rerope", pace.KEYS, pace.CHANNELS), q, k, k))
    return max(1.0, ours * pace.speeds()[1] / (4 * pace.HEADS * pace.QUERIES * pace.KEYS * pace.CHANNELS))


def sentence(params: RopeParams) -> str:
    """What is known of a run before it begins; "" for the small models, and where nothing is."""
    one = models.offered().get(params.model)
    if one is None or not one.here or one.where.is_file():
        return ""
    try:
        work = _work(params, one.where)
    except ValueError:                              # said by the run, which cannot begin
        return ""
    found = seconds(params.model, work)
    return pace.worded(found) if found else ""


def _work(params: RopeParams, folder: Path) -> list[Job]:
    described = read_config(folder / "config.json")
    size = (len(params.text.encode("utf-8", "replace")) if params.text else jobs.SHIPPED.stat().st_size) // BYTES
    trained = params.reads or described.trained
    return WORK[params.view](params, trained, described.rules[0].block.get("rope_type", jobs.DEFAULT), size)


def live(params: RopeParams, trained: int, kind: str, size: int) -> list[Job]:
    """What the view "live" reads of a text of `size` tokens."""
    n = min(size, params.tokens)
    return [(n - first, name) for name, _, first in jobs.along(params, trained, kind, n)]


def curve(params: RopeParams, trained: int, kind: str, size: int) -> list[Job]:
    """The same of the view "curve"."""
    at = tuple(n for n in jobs.lengths(trained, params.lengths) if n <= size)
    methods = (*jobs.named(params), *(() if kind == jobs.DEFAULT else (jobs.CONFIGURED,)))
    return jobs.points(methods, at, params.samples) * params.samples if at else []


def passkey(params: RopeParams, trained: int, kind: str, size: int) -> list[Job]:
    """The same of the view "passkey"."""
    at = jobs.lengths(trained, params.lengths, 4)
    return [(n, name) for n in at for name in (params.left, params.right)] * (len(jobs.DEPTHS) * params.samples)


WORK = {"live": live, "curve": curve, "passkey": passkey}


def cost(n: int) -> float:
    """How long n tokens take, in tokens at the start of a text: attention grows with what is behind (measured)."""
    return n * (1 + n / 9000)


@dataclass
class Clock:
    """Sentences on the time of a run: `before`, the estimate in seconds, until some of its work is done."""

    before: float | None
    began: float = field(default_factory=time.perf_counter)

    def left(self, share: float) -> str:
        """How much is left when this share of the work is done."""
        if share <= 0:
            return pace.worded(self.before) if self.before else ""
        left = (time.perf_counter() - self.began) * (1 / share - 1)
        time_left = f"{math.ceil(left)} s" if left < 120 else f"{round(left / 60)} min"
        return f"About {time_left} are left." if left >= 1 else ""
