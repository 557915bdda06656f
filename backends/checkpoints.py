"""Causal language models of the user's own, from a folder on disk, through `transformers`, which is an optional extra.

Nothing is downloaded and no code of the folder is run.
"""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

MISSING = "Checkpoints of your own need one package more: pip install transformers==5.18.0"


def config(folder: Path, kinds: tuple[str, ...]) -> dict[str, Any]:
    """The folder's config.json.  Raises ValueError, one sentence, when there is none or its model type is not among
    `kinds`."""
    file = folder / "config.json"
    if not file.is_file():
        raise ValueError(f"There is no config.json in {folder}.")
    try:
        found = json.loads(file.read_text("utf-8"))
    except ValueError:
        raise ValueError(f"The config.json in {folder} is not JSON.") from None
    kind = found.get("model_type") if isinstance(found, dict) else None
    if kind not in kinds:
        raise ValueError(f"A model of type {str(kind)[:40]!r} is not known here; known are {', '.join(kinds)}.")
    return found


def load(folder: Path, device: str = "cpu", **options: Any) -> nn.Module:
    """The causal language model in `folder`, float32, in evaluation mode; `options` go to `from_pretrained`.

    Raises ValueError, one sentence, when its safetensors weights are missing or do not fit, and ImportError without
    transformers."""
    try:
        from transformers import AutoModelForCausalLM
    except ImportError:
        raise ImportError(MISSING) from None
    try:
        network, found = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=torch.float32,
            ignore_mismatched_sizes=True, output_loading_info=True, **options)
    except OSError:
        raise ValueError("This folder holds no safetensors weights that can be read.") from None
    if found["missing_keys"] or found["mismatched_keys"]:
        raise ValueError("The weights in this folder do not fit its config.json.")
    return network.to(device).eval().requires_grad_(False)


def encoded(folder: Path, text: str) -> tuple[Tensor, list[str]]:
    """The text as tokens (n,) of the folder's tokenizer, and each one's own text.  Raises ValueError without a
    tokenizer or a text."""
    from transformers import AutoTokenizer
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError):
        raise ValueError("This folder holds no tokenizer that can be read.") from None
    found = torch.tensor(tokenizer(text)["input_ids"], dtype=torch.long)
    if len(found) < 1:
        raise ValueError("The text is empty.")
    return found, [tokenizer.decode([t]) for t in found.tolist()]
