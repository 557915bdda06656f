"""Your text through a Mixtral, OLMoE or Qwen-MoE checkpoint of your own.

    python -m backends.moe.local FOLDER TEXT

FOLDER holds config.json, weights and a tokenizer; nothing is downloaded and no code of the folder is run.
One JSON line per routed layer: the experts' loads, the balance loss in Switch's form (1 = even) and the z-loss; then
one per token: its text and experts.
"""
from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backends import checkpoints
from backends.checkpoints import Checkpoint
from backends.moe.params import Rules
from backends.moe.routers import Routed, route

KINDS = {"mixtral": "num_local_experts", "olmoe": "num_experts", "qwen2_moe": "num_experts", "qwen3_moe": "num_experts"}
"""Known model types, and what their config calls the number of experts."""


@dataclass(frozen=True)
class Experts:
    """A model with `experts`, of which a token visits `k`."""

    model: Checkpoint
    experts: int
    k: int


def load(folder: Path, device: str = "cpu") -> Experts:
    """The model in `folder`, float32.  Raises ValueError, one sentence, for what is no mixture of experts that is known
    here."""
    model = checkpoints.load(folder, device, kinds=tuple(KINDS))
    config = model.network.config
    return Experts(model, getattr(config, KINDS[config.model_type]), config.num_experts_per_tok)


@torch.no_grad()
def routings(mixture: Experts, tokens: Tensor) -> tuple[Routed, ...]:
    """Where tokens (n,) went in each routed layer, from the logits that the model's own routers gave."""
    network = mixture.model.network
    found = network(tokens[None].to(network.device), output_router_logits=True, use_cache=False)
    return tuple(route("mixtral", logits.cpu().float(), Rules(k=mixture.k)) for logits in found.router_logits)


def rows(routed: tuple[Routed, ...], words: list[str]) -> Iterator[dict[str, Any]]:
    """What is printed: of each layer, then of each token."""
    for number, one in enumerate(routed, 1):
        yield {"layer": number, "loads": one.kept.sum(0).tolist(), "balance": round(one.losses.switch.item(), 4),
               "z": round(one.losses.z.item(), 4)}
    for at, word in enumerate(words):
        yield {"token": word, "experts": [one.kept[at].nonzero()[:, 0].tolist() for one in routed]}


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("text", type=Path)
    p.add_argument("--device", default="cpu")
    a = p.parse_args()
    try:
        mixture = load(a.folder, a.device)
        tokens = mixture.model.encoded(a.text.read_text("utf-8", "replace"))
        for row in rows(routings(mixture, tokens), mixture.model.words(tokens)):
            print(json.dumps(row, ensure_ascii=False), flush=True)
    except (ValueError, OSError) as error:
        p.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
