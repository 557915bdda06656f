"""The curve of the RoPE tab on a real model of your own.

    python -m backends.rope.local MODEL TEXT --methods none,pi,yarn,rerope_logn --lengths 2048,8192,16384

MODEL is a folder with config.json, weights and a tokenizer, or a GGUF file; nothing is downloaded and no code of the
folder is run.  One JSON line per point: loss in nats and share of right guesses over the same last tokens of the text.
"""
from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backends import checkpoints, device
from backends.rope import evaluate
from backends.rope.methods import METHODS, ON_ROPE
from backends.rope.real import CONFIGURED, SHARES, Setup, all_losses, setup
from backends.rope.results import Curve, Line


def last_losses(chosen: Setup, tokens: Tensor, name: str, tail: int = evaluate.TAIL) -> tuple[Tensor, Tensor]:
    """(loss in nats, guessed right), each (b, tail), of the last tokens of texts (b, n + 1), one text at a time."""
    found = [all_losses(chosen, text.to(chosen.checkpoint.device), name)[:, -tail:] for text in tokens]
    both = torch.stack(found, 1)
    return both[0], both[1] > 0


def curve(chosen: Setup, tokens: Tensor, methods: tuple[str, ...], lengths: tuple[int, ...] = (),
          samples: int = 1) -> Iterator[Curve]:
    """Growing curves over tokens (n,) of one text, short contexts first, at `lengths` or at SHARES of the trained one.

    Raises ValueError for a method that does not run on a model that was trained with RoPE, and for a text that is too
    short."""
    wrong = [name for name in methods if name not in (*ON_ROPE, CONFIGURED)]
    if wrong or not methods:
        raise ValueError(f"The method {wrong[0]!r} cannot be run on this model; known are "
                         f"{', '.join((CONFIGURED, *ON_ROPE))}." if wrong else "Please choose at least one method.")
    trained = chosen.rules.trained
    wanted = sorted(lengths or [int(share * trained) for share in SHARES])
    lengths = tuple(n for n in wanted if evaluate.TAIL <= n < len(tokens))
    if not lengths:
        raise ValueError(f"The text has {len(tokens)} tokens; more than {max(evaluate.TAIL, wanted[0])} are needed.")
    texts = evaluate.tails(tokens, lengths[-1], samples)
    lines = {name: Line(name, METHODS[name].label if name in METHODS else "as configured") for name in methods}
    whole = max([n for n in lengths if n <= trained], default=lengths[0])
    own = evaluate.means(last_losses(chosen, texts[:, -whole - 1 :], CONFIGURED))
    for n in lengths:
        for name in methods:
            found = last_losses(chosen, texts[:, -n - 1 :], name)
            lines[name] = evaluate.extended(lines[name], n, evaluate.means(found), own)
            yield Curve(trained, evaluate.TAIL, len(texts), evaluate.OWN, lengths, tuple(lines.values()))


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model", type=Path)
    p.add_argument("text", type=Path)
    p.add_argument("--methods", default="none,pi,ntk2,yarn,rerope_logn,window")
    p.add_argument("--lengths", default="", help="tokens of context, with commas between; else by the trained length")
    p.add_argument("--trained", type=int, default=0, help="trained length in tokens; else what the model says")
    p.add_argument("--samples", type=int, default=1)
    p.add_argument("--window", type=int, default=0, help="w in tokens; a quarter of the trained length by default")
    p.add_argument("--device", default="auto")
    a = p.parse_args()
    try:
        chosen = setup(checkpoints.load(a.model, device.resolve(a.device)), trained=a.trained, window=a.window)
        tokens = chosen.checkpoint.encoded(a.text.read_text("utf-8", "replace"))
        lengths = tuple(int(n) for n in a.lengths.split(",") if n)
        for found in curve(chosen, tokens, tuple(a.methods.split(",")), lengths, a.samples):
            print(json.dumps(_newest(found)), flush=True)
    except (ValueError, OSError) as error:
        p.exit(1, f"{error}\n")


def _newest(found: Curve) -> dict[str, Any]:
    """The last point of the line that grew last: of those with the most points, the last in order."""
    most = max(len(line.lengths) for line in found.lines)
    line = [line for line in found.lines if len(line.lengths) == most][-1]
    return {"method": line.method, "length": line.lengths[-1], "loss": round(line.loss[-1], 4),
            "accuracy": round(line.accuracy[-1], 4)}


if __name__ == "__main__":
    main()
