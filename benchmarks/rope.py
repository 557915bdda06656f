"""How long the RoPE tab takes, and the figures that its explanation quotes.

    python -m benchmarks.rope            the curve: 8 methods at 8 context lengths up to 4096 bytes, 4 texts each
    python -m benchmarks.rope --live     the longest text of your own that is taken, 65,536 bytes, along two methods
    python -m benchmarks.rope --found    losses and accuracies of every method on 32 held-out texts, plain and
                                         repeated; passkeys
    python -m benchmarks.rope --real     whether the presets on a real model, whole, show what they promise

Each prints JSON lines; times: seconds in all, of processor time, and until the first point; memory: at its peak, of the
whole process.
"""
from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator
from typing import Any

import torch

from backends import smollm
from backends.lm import corpus, shelf
from backends.rope import evaluate, passkey
from backends.rope.params import MAX_TEXT, METHODS, RUNNING, RopeParams

EIGHT = ("none", "pi", "ntk2", "yarn", "rerope", "rerope_logn", "leaky", "window")
FOUND = (256, 512, 1024, 2048)
REPEAT = 120                 # of the figures on repeated texts
COUNT, SEEDS = 16, (0, 1)    # texts for each seed


def timed(steps: Iterator[Any], **about: Any) -> None:
    """Prints how long the steps of a stream take."""
    began, worked, first = time.perf_counter(), time.process_time(), None
    for _ in steps:
        first = first or time.perf_counter() - began
    row = about | {"threads": torch.get_num_threads(), "first_s": round(first, 2),
                   "all_s": round(time.perf_counter() - began, 1), "cpu_s": round(time.process_time() - worked, 1),
                   "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    print(json.dumps(row), flush=True)


def live(methods: tuple[str, ...]) -> None:
    """The longest text, one method after the other."""
    text = bytes(b & 127 for b in corpus.text(True)[:MAX_TEXT].tolist()).decode()
    for name in methods:
        timed(evaluate.live(RopeParams(view="live", methods=(name,), text=text)), method=name, bytes=MAX_TEXT)


def found() -> None:
    """The figures of the explanation."""
    for repeat in (0, REPEAT):
        for window in (64, 256):
            names = RUNNING if window == 64 else ("rerope",)
            tokens = torch.cat([evaluate.held_out(RopeParams(repeat=repeat, seed=seed), COUNT, FOUND[-1] + 1)
                                for seed in SEEDS])
            for name in names:
                print(json.dumps({"method": name, "repeat": repeat, "window": window} | _row(name, tokens, window)),
                      flush=True)
    for name in ("none", "pi", "ntk", "ntk2", "yarn", "rerope", "rerope_logn", "window"):
        print(json.dumps({"passkeys": name} | {f"{n} tokens": _keys(name, n) for n in (256, 512, 1024, 2048)}),
              flush=True)


def real() -> None:
    """Presets of the tab on a model that is fetched first; a test runs the long one with one method."""
    from ui.tabs.rope import TAB
    for preset in TAB.presets:
        if preset.params.model == smollm.ID:
            began = time.process_time()
            holds = preset.holds(TAB.run(preset.params))
            print(json.dumps({"preset": preset.name, "holds": bool(holds),
                              "cpu_s": round(time.process_time() - began, 1)}), flush=True)


def _row(name: str, tokens: torch.Tensor, window: int) -> dict[str, str]:
    rules = RopeParams(window=window).rules
    parts = {n: evaluate.last_losses(shelf.model(METHODS[name].model), tokens[:, -n - 1 :], name, rules) for n in FOUND}
    return {f"{n} bytes": f"{loss.mean():.3f} nats, {100 * right.float().mean():.1f} %"
            for n, (loss, right) in parts.items()}


def _keys(name: str, length: int) -> str:
    counts = [passkey.answered(name, length, depth, RopeParams(samples=8, seed=seed)) for seed in SEEDS
              for depth in passkey.DEPTHS]
    return f"{sum(counts)} of {8 * len(counts)}"


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--live", action="store_true")
    p.add_argument("--found", action="store_true")
    p.add_argument("--real", action="store_true")
    p.add_argument("--methods", default="none,rerope_logn", help="of --live")
    a = p.parse_args()
    shelf.model("rope-lm")
    if a.live:
        live(tuple(a.methods.split(",")))
    elif a.found:
        found()
    elif a.real:
        real()
    else:
        params = RopeParams(methods=EIGHT, longest=16)
        timed(evaluate.curve(params), methods=len(EIGHT), lengths=len(evaluate.LENGTHS), samples=params.samples)


if __name__ == "__main__":
    main()
