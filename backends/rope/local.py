"""The curve of the RoPE tab on a real model of your own.

    python -m backends.rope.local MODEL TEXT --methods none,pi,yarn,rerope_logn --lengths 2048,8192,16384

MODEL is a folder with config.json, weights and a tokenizer, or a GGUF file; nothing is downloaded and no code of the
folder is run.  One JSON line per point: loss in nats and share of right guesses over the same last tokens of the text.
"""
from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from backends import checkpoints, device
from backends.rope.lengths import curve
from backends.rope.real import setup
from backends.rope.results import Curve


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
        lengths, known = tuple(int(n) for n in a.lengths.split(",") if n), 0
        for found, *_ in curve(chosen, tokens, tuple(a.methods.split(",")), lengths, a.samples):
            if known < (known := sum(len(line.lengths) for line in found.lines)):
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
