"""Causal language models from a folder or a GGUF file on this machine, through `transformers`, with our attention.

Nothing is downloaded and no code of the folder is run: safetensors, `pytorch_model.bin` with weights only, or GGUF.
"""
from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from backends.device import HOST
from backends.lm import pretrained

KEPT = {"local_files_only": True, "trust_remote_code": False}
UNFIT = "The weights of {} do not fit its configuration."


@dataclass(frozen=True)
class Checkpoint:
    """A causal language model in evaluation mode, its tokenizer, and its configuration as a dictionary."""

    network: nn.Module
    tokenizer: Any
    config: dict[str, Any]

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.network.device

    def encoded(self, text: str) -> Tensor:
        """The text's tokens (n,), without any that the tokenizer would add.  ValueError for an empty text."""
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        found = torch.tensor(ids, dtype=torch.long, device=HOST)
        if len(found) < 1:
            raise ValueError("The text is empty.")
        return found

    def words(self, tokens: Tensor) -> list[str]:
        """Each token's own text."""
        return [self.tokenizer.decode([t]) for t in tokens.tolist()]


def config(folder: Path, kinds: tuple[str, ...] = pretrained.FAMILIES) -> dict[str, Any]:
    """The folder's config.json.  Raises ValueError, one sentence, when there is none or its model type is not among
    `kinds`."""
    file = folder / "config.json"
    if not file.is_file():
        raise ValueError(f"There is no config.json in {folder.name}.")
    try:
        found = json.loads(file.read_text("utf-8"))
    except ValueError:
        raise ValueError(f"The config.json in {folder.name} is not JSON.") from None
    kind = found.get("model_type") if isinstance(found, dict) else None
    if kind not in kinds:
        raise ValueError(f"A model of type {str(kind)[:40]!r} is not known here; known are {', '.join(kinds)}.")
    return found


def load(where: Path, device: torch.device | str = HOST, dtype: torch.dtype = torch.float32,
         kinds: tuple[str, ...] = pretrained.FAMILIES) -> Checkpoint:
    """The model in the folder, or in the GGUF file, `where`.  Raises ValueError, one sentence, when it is of no known
    kind, its weights are missing or do not fit, or it has no tokenizer."""
    pretrained.register()
    if where.suffix == ".gguf":
        network, tokenizer = _gguf(where, dtype, kinds)
    else:
        config(where, kinds)
        network, tokenizer = _folder(where, dtype), _tokenizer(where)
    return Checkpoint(pretrained.held(network.to(device)), tokenizer, network.config.to_dict())


def _folder(folder: Path, dtype: torch.dtype) -> nn.Module:
    from transformers import AutoModelForCausalLM
    try:
        network, found = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, ignore_mismatched_sizes=True, output_loading_info=True,
            attn_implementation=pretrained.NAME, weights_only=True, **KEPT)
    except (OSError, RuntimeError, UnpicklingError):
        raise ValueError(f"{folder.name} holds no weights that can be read: safetensors, or a plain "
                         "pytorch_model.bin.") from None
    if found["missing_keys"] or found["mismatched_keys"]:
        raise ValueError(UNFIT.format(folder.name))
    return network


def _tokenizer(folder: Path, **more: Any) -> Any:
    from transformers import AutoTokenizer
    try:
        return AutoTokenizer.from_pretrained(folder, **KEPT, **more)
    except (OSError, ValueError):
        raise ValueError(f"{folder.name} holds no tokenizer that can be read.") from None


def _gguf(file: Path, dtype: torch.dtype, kinds: tuple[str, ...]) -> tuple[nn.Module, Any]:
    """The tensors are turned into plain numbers one after the other; what is tied is not stored."""
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint
    try:
        read = AutoConfig.from_pretrained(file.parent, gguf_file=file.name, **KEPT)
        if read.model_type not in kinds:
            raise ValueError(f"A model of type {read.model_type!r} is not known here; known are {', '.join(kinds)}.")
        read.dtype = dtype
        network = AutoModelForCausalLM.from_config(read, attn_implementation=pretrained.NAME).to(dtype)
        state = load_gguf_checkpoint(str(file), return_tensors=True, model_to_load=network)["tensors"]
    except (OSError, KeyError, IndexError):
        raise ValueError(f"{file.name} is no GGUF file that can be read.") from None
    lacks = network.load_state_dict(state, strict=False)
    tied = {"lm_head.weight"} if read.tie_word_embeddings else set()
    if lacks.unexpected_keys or set(lacks.missing_keys) - tied:
        raise ValueError(UNFIT.format(file.name))
    return network, _tokenizer(file.parent, gguf_file=file.name)


def save(found: Checkpoint, folder: Path, dtype: torch.dtype = torch.bfloat16) -> None:
    """Writes the model as a folder that `load` and transformers read: safetensors in `dtype`, without tied weights."""
    from safetensors.torch import save_file
    folder.mkdir(parents=True, exist_ok=True)
    network = found.network
    state = {name.replace(".rotary_emb.own.", ".rotary_emb."): x.to(dtype).contiguous()
             for name, x in network.state_dict().items()}
    if network.config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    network.config.dtype = dtype
    network.config.save_pretrained(folder)
    found.tokenizer.save_pretrained(folder)
