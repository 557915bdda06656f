"""The curve of the RoPE tab on a Llama-type checkpoint of your own, through `transformers`, which is an optional extra.

    python -m backends.rope.local FOLDER TEXT --methods none,pi,yarn,rerope_logn --longest 4

FOLDER holds config.json, safetensors weights and a tokenizer; nothing is downloaded and no code of the folder is run.
The model's own rotary embedding is held still and its attention is `backends.rope.attend`, so every method runs, also
those that rope_parameters cannot say.  One JSON line per point: loss in nats and share of right guesses over the same
last tokens of the text.
"""
from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backends import checkpoints
from backends.rope import evaluate
from backends.rope.attend import attend
from backends.rope.config import Model, read_config
from backends.rope.methods import METHODS, ON_ROPE, Plan, Rules, plan
from backends.rope.results import Curve, Line

LLAMAS = ("llama", "mistral", "qwen2", "qwen3")
NAME = "glassbox"            # of the attention, as transformers knows it
BEGUN = (0.25, 0.5)          # the first context lengths, in trained lengths; then 1, 2, 4 ..


@dataclass(frozen=True)
class Checkpoint:
    """A causal language model of transformers that reads with our attention, in evaluation mode, and what its
    config.json says."""

    folder: Path
    network: nn.Module
    described: Model


class Still(nn.Module):
    """A rotary embedding that turns nothing: (cos, sin) = (1, 0), each (1, n, d)."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.d = d

    def forward(self, x: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        """For hidden states x (b, n, D)."""
        cos = x.new_ones(1, x.shape[1], self.d)
        return cos, torch.zeros_like(cos)


def attention(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, plan: Plan,
              scaling: float, **more: Any) -> tuple[Tensor, None]:
    """`attend` as transformers calls it: query (b, h, n, d), key and value (b, groups, n, d), none rotated -> (b, n, h,
    d)."""
    if mask is not None or abs(scaling * query.shape[-1] ** 0.5 - 1) > 1e-6:
        raise ValueError("This model masks or scales its attention in a way of its own, which is not known here.")
    times = query.shape[1] // key.shape[1]
    return attend(plan, query, *(x.repeat_interleave(times, 1) for x in (key, value))).transpose(1, 2), None


def load(folder: Path, device: str = "cpu") -> Checkpoint:
    """The checkpoint in `folder`, float32.  Raises ValueError, one sentence, for what is no Llama-type model with plain
    RoPE, and ImportError without transformers."""
    described = checked(folder)
    try:
        from transformers import AttentionInterface
    except ImportError:
        raise ImportError(checkpoints.MISSING) from None
    AttentionInterface.register(NAME, attention)
    network = checkpoints.load(folder, device, attn_implementation=NAME)
    network.model.rotary_emb = Still(described.head_dim)
    return Checkpoint(folder, network, described)


def checked(folder: Path) -> Model:
    """What the folder's config.json says.  Raises ValueError, one sentence, unless it is a Llama-type model with plain
    RoPE."""
    config = checkpoints.config(folder, LLAMAS)
    described = read_config(folder / "config.json")
    if described.block.get("rope_type", "default") != "default" or described.partial != 1:
        raise ValueError("This model's RoPE is changed or partial already; the methods here start from a plain one.")
    windowed = config.get("sliding_window") is not None and config.get("use_sliding_window", True)
    if windowed or set(config.get("layer_types") or ()) - {"full_attention"}:
        raise ValueError("This model was trained with a sliding window, which the methods here would take away.")
    return described


@torch.no_grad()
def last_losses(checkpoint: Checkpoint, tokens: Tensor, name: str, rules: Rules,
                tail: int = evaluate.TAIL) -> tuple[Tensor, Tensor]:
    """(loss in nats, guessed right), each (b, tail), as `evaluate.last_losses`, one text at a time."""
    p, parts = plan(name, tokens.shape[1] - 1, checkpoint.described.head_dim, rules), []
    for text in tokens.to(checkpoint.network.device).split(1):
        logits = checkpoint.network(text[:, :-1], use_cache=False, logits_to_keep=tail, plan=p).logits
        parts.append(evaluate.scored(logits.float(), text[:, -tail:]))
    loss, right = zip(*parts)
    return torch.cat(loss).cpu(), torch.cat(right).cpu()


def rules_for(described: Model, **more: Any) -> Rules:
    """The rules for the model: w a quarter of the trained length, tau 32, unless `more` says otherwise."""
    return Rules(**{"window": max(1, described.trained // 4), "tau": 32.0, "base": described.base,
                    "trained": described.trained} | more)


def curve(checkpoint: Checkpoint, tokens: Tensor, methods: tuple[str, ...], rules: Rules, longest: int = 4,
          samples: int = 1) -> Iterator[Curve]:
    """Growing curves over tokens (n,) of one text, short contexts first, a quarter to `longest` trained lengths.

    Raises ValueError for a method that does not run on a model that was trained with plain RoPE, and for a text that is
    too short."""
    wrong = [name for name in methods if name not in ON_ROPE]
    if wrong or not methods:
        raise ValueError(f"The method {wrong[0]!r} cannot be run on this model." if wrong
                         else "Please choose at least one method.")
    lengths = tuple(n for n in _lengths(rules.trained, longest) if evaluate.TAIL <= n < len(tokens))
    if not lengths:
        raise ValueError(f"The text has {len(tokens)} tokens; more than {max(evaluate.TAIL, rules.trained // 4)} "
                         "are needed.")
    texts = evaluate.tails(tokens, lengths[-1], samples)
    lines = {name: Line(name, METHODS[name].label) for name in methods}
    whole = max([n for n in lengths if n <= rules.trained], default=lengths[0])
    own = evaluate.means(last_losses(checkpoint, texts[:, -whole - 1 :], "none", rules))
    for n in lengths:
        for name in methods:
            found = last_losses(checkpoint, texts[:, -n - 1 :], name, rules)
            lines[name] = evaluate.extended(lines[name], n, evaluate.means(found), own)
            yield Curve(rules.trained, evaluate.TAIL, len(texts), evaluate.OWN, lengths, tuple(lines.values()))


def _lengths(trained: int, longest: int) -> list[int]:
    """Context lengths: parts of the trained length, then its doubles, `longest` times it last."""
    doubles = {2**k for k in range(longest.bit_length())} | {longest}
    return [int(share * trained) for share in BEGUN] + [times * trained for times in sorted(doubles)
                                                        if times <= longest]


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("text", type=Path)
    p.add_argument("--methods", default="none,pi,ntk2,yarn,rerope_logn,window")
    p.add_argument("--longest", type=int, default=4, help="in trained lengths")
    p.add_argument("--samples", type=int, default=1)
    p.add_argument("--window", type=int, help="w in tokens; a quarter of the trained length by default")
    p.add_argument("--device", default="cpu")
    a = p.parse_args()
    try:
        checkpoint = load(a.folder, a.device)
        rules = rules_for(checkpoint.described, **({"window": a.window} if a.window else {}))
        (tokens, _), methods = checkpoints.encoded(a.folder,
                                                   a.text.read_text("utf-8", "replace")), tuple(a.methods.split(","))
        for found in curve(checkpoint, tokens, methods, rules, a.longest, a.samples):
            print(json.dumps(_newest(found)), flush=True)
    except (ValueError, OSError, ImportError) as error:
        p.exit(1, f"{error}\n")


def _newest(found: Curve) -> dict[str, Any]:
    """The last point of the line that grew last: of those with the most points, the last in order."""
    most = max(len(line.lengths) for line in found.lines)
    line = [line for line in found.lines if len(line.lengths) == most][-1]
    return {"method": line.method, "length": line.lengths[-1], "loss": round(line.loss[-1], 4),
            "accuracy": round(line.accuracy[-1], 4)}


if __name__ == "__main__":
    main()
