"""The shelf of language models: what a page may offer, and the models that are loaded, once a process and bounded in
bytes.

* `bytes`: the small byte models that ship; they are no Checkpoint, and each tab reads them by itself;
* `smollm2-135m`: SmolLM2-135M-Instruct, fetched on request (`backends.smollm`);
* `hub:OWNER/NAME`: what lies in the Hugging Face cache of this machine, where the operator lets it be offered;
* `folder:NAME`: folders and GGUF files in the operator's folder, $GLASSBOX_MODELS.

A browser names an id of this list and never a path.
"""
from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from backends import machine, smollm, stop, weights
from backends.cache import ByteLRU
from backends.device import default, precision

if TYPE_CHECKING:

    from backends.checkpoints import Checkpoint

BYTES = "bytes"
SHARE = 0.3                     # of the device's memory that loaded models may take together


@dataclass(frozen=True)
class Shelved:
    """One model that may be offered.  `where`: its folder or GGUF file; `kind`: its model_type, "" when it is not known
    before it is loaded."""

    id: str
    title: str
    where: Path
    kind: str = ""

    @property
    def here(self) -> bool:
        """Whether it can be loaded without asking the network."""
        return self.where.exists()


@cache
def shelf(fetched: Path, folder: str = "", hub: str = "") -> dict[str, Shelved]:
    """What can be loaded or fetched, by id, SmolLM2 first; each place is looked at once."""
    found = [Shelved(smollm.ID, smollm.TITLE, fetched, "llama"), *_hub(hub), *_folders(folder)]
    return {one.id: one for one in found}


def offered() -> dict[str, Shelved]:
    """The shelf of this process, as the operator set it up."""
    return shelf(smollm.folder(), os.environ.get("GLASSBOX_MODELS", ""), os.environ.get("GLASSBOX_HUB", ""))


def titles() -> dict[str, str]:
    """What a picker says, by id; the shipped models first."""
    return {BYTES: "Shipped byte models"} | {name: one.title for name, one in offered().items()}


def _folders(folder: str) -> list[Shelved]:
    """Models of the operator's folder, or the one model that it is."""
    root = Path(folder)
    if not folder or not root.is_dir():
        return []
    places = [root] if (root / "config.json").is_file() else sorted(root.iterdir())
    return [Shelved(f"folder:{place.name}", place.name, place, kind) for place in places
            if (kind := _kind(place)) is not None]


def _hub(hub: str) -> list[Shelved]:
    """Models of the Hugging Face cache `hub`: of each the snapshot that its branch `main` names."""
    found = []
    for place in sorted(Path(hub).glob("models--*--*")) if hub else ():
        named = place / "refs" / "main"
        snapshot = place / "snapshots" / (named.read_text("utf-8").strip() if named.is_file() else "none")
        if _kind(snapshot):
            name = "/".join(place.name.split("--")[1:])
            found.append(Shelved(f"hub:{name}", name, snapshot, _kind(snapshot) or ""))
    return found


def _kind(place: Path) -> str | None:
    """The model_type of a folder with weights, "" of a GGUF file; None for what is no model."""
    if place.suffix == ".gguf":
        return ""
    if not any(place.glob("*.safetensors")) and not (place / "pytorch_model.bin").is_file():
        return None
    try:
        found = json.loads((place / "config.json").read_text("utf-8"))
        return str(found["model_type"]) if "model_type" in found else None
    except (OSError, ValueError, TypeError):
        return None


def _memory() -> int:
    """Bytes that loaded models may take together."""
    import torch
    device = default()
    if device.type == "cuda":
        return int(SHARE * torch.cuda.get_device_properties(device).total_memory)
    return int(SHARE * machine.memory())


@cache
def _loaded() -> ByteLRU:
    return ByteLRU(_memory(), trims=True)


def load(name: str) -> Checkpoint:
    """The model with this id on the process's device, loaded once.  Raises ValueError, one sentence, when it is not on
    the shelf, not here yet, cannot be read, or is larger than the memory for models."""
    one = offered().get(name)
    if one is None:
        raise ValueError(f"There is no model called {name[:60]!r} on this server's shelf.")
    if not one.here:
        raise ValueError(f"{one.title} is not on this machine yet; please download it first.")
    return _loaded().get_or_compute((name, str(default())), lambda: _read(one))[0]


def loaded(name: str) -> bool:
    """Whether the model is in memory now."""
    return _loaded().get((name, str(default()))) is not None


def _read(one: Shelved) -> tuple[Checkpoint, int]:
    device = default()
    dtype, room = precision(device), _loaded().limit
    if (size := numbers(one.where) * dtype.itemsize) > room:
        raise ValueError(f"{one.title} takes {size / 1e9:.1f} GB, more than the {room / 1e9:.1f} GB that models may "
                         "take here.")
    found = stop.imported("backends.checkpoints").load(one.where, device, dtype)
    return found, sum(x.nbytes for x in found.network.state_dict().values())


def _files(where: Path) -> list[Path]:
    return [where] if where.is_file() else [*where.glob("*.safetensors")] or [*where.glob("pytorch_model*.bin")]


def numbers(where: Path, of: str = "") -> float:
    """About how many numbers a model has, by the bytes that one takes in the kind of file: two at least, or half of one
    in GGUF; safetensors say it.  `of`: in tensors with that in their names, which safetensors alone tell."""
    from safetensors import safe_open
    found = 0.0
    for file in _files(where):
        if file.suffix == ".safetensors":
            with safe_open(file, "np") as opened:
                keys = [key for key in opened.keys() if of in key]  # noqa: SIM118
                found += sum(math.prod(opened.get_slice(key).get_shape()) for key in keys)
        elif not of:
            found += file.stat().st_size / (0.5 if file.suffix == ".gguf" else 2)
    return found


def _size(where: Path) -> int:
    return sum(file.stat().st_size for file in _files(where))


def fetch(name: str) -> Iterator[str]:
    """Downloads a model that can be had: words on how far it is, then that it is here.  ValueError for any other."""
    if name != smollm.ID:
        raise ValueError("There is nothing to download.")
    try:
        for step in smollm.fetch():
            arriving = step.done < step.total
            yield f"{step.done / 1e6:.0f} of {step.total / 1e6:.0f} MB" if arriving else "Converting the weights, once."
    except weights.WeightsError as error:
        raise ValueError(str(error)) from None
    yield f"{smollm.TITLE} is on this machine now."


def offer(name: str) -> tuple[str, bool]:
    """What is known of a model before it is used, in a sentence, and whether it is still to be fetched."""
    if name == BYTES:
        return "Small models of bytes that ship, trained on Python files.", False
    one = offered().get(name)
    if one is None:
        return f"There is no model called {name[:60]!r} on this server's shelf.", False
    if name == smollm.ID and not one.here:
        return smollm.OFFER, True
    return f"{one.title} is on this machine: {one.kind or 'GGUF'}, {_size(one.where) / 1e6:.0f} MB.", False
