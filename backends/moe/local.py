"""Your text through a mixture of experts of your own: Mixtral, OLMoE, Qwen-MoE, DeepSeek-V3 or GPT-OSS.

    python -m backends.moe.local FOLDER TEXT

FOLDER holds config.json, weights and a tokenizer, or is a GGUF file; nothing is downloaded and no code of the folder is
run.  One JSON line for the model: its loss on the text and the balance loss pooled over its layers, as aux_loss counts
it (k = even); one per routed layer, numbered from 1 with the dense ones counted: the experts' loads, their entropy in
bits, the balance loss and the z-loss; then one per token: its text and its experts in each routed layer.
"""
from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from backends import checkpoints, device, models
from backends.moe.mixtures import Mixture, Pass, mixture
from backends.moe.own import described
from backends.moe.params import KINDS


def load(folder: Path, name: str = "cpu") -> Mixture:
    """The model in `folder` on a device, in the precision that is quick there.  Raises ValueError, one sentence, for
    what is no mixture of experts that is known here."""
    at = device.resolve(name)
    return mixture(checkpoints.load(folder, at, models.precision(at), KINDS), folder.name)


def rows(model: Mixture, found: Pass, words: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """What is printed: of the model, of each layer, then of each token."""
    body = described(model, found)
    yield {"model": model.title, "tokens": body.tokens, "loss": round(body.loss, 4), "pooled": round(body.pooled, 4),
           "aux_loss": None if body.reported is None else round(body.reported, 4)}
    for one, choice in zip(body.loads, found.choices, strict=True):
        z = choice.logits.float().logsumexp(-1).square().mean().item()
        yield {"layer": one.layer, "module": one.module, "loads": list(one.counts), "entropy": round(one.entropy, 4),
               "balance": round(one.balance, 4), "z": round(z, 4)}
    for at, word in enumerate(words):
        yield {"token": word, "experts": {one.layer: sorted(one.experts[at].tolist()) for one in body.loads}}


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("text", type=Path)
    p.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:<i> or mps")
    a = p.parse_args()
    try:
        model = load(a.folder, a.device)
        tokens, words = model.spelled(a.text.read_text("utf-8", "replace"))
        if len(tokens) < 2:
            raise ValueError("The text has one token; at least 2 are needed.")
        with torch.no_grad():
            for row in rows(model, model.read(tokens), words):
                print(json.dumps(row, ensure_ascii=False), flush=True)
    except (ValueError, OSError) as error:
        p.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
