"""The only reader of weights/: the manifest, digests, and files turned into tensors.  Fetching is in
`backends.download`.

`weights/MANIFEST.json` is {"weights": [entry, ...]}.  A shipped entry has `file`, a downloadable one `url`; its file
then lies in $GLASSBOX_HOME, else ~/.cache/glassbox/weights.  A file is used only if size and SHA-256 are those of its
entry.  Files of the user's own: safetensors, or `torch.load(weights_only=True)` for .pth and .pt that the user placed
on this machine.
"""
from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.device import HOST

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from backends.download import Progress

FOLDER = Path(__file__).resolve().parents[1] / "weights"
MAX_BYTES = 8 << 30
MAX_TENSORS = 20_000
WRAPPERS = ("model", "state_dict", "model_state_dict", "model_state")      # keys under which checkpoints are saved
MAX_HEADER = 16 << 20          # bytes of a safetensors header


class WeightsError(RuntimeError):
    """A weights file is missing, wrong or refused; the message is one sentence for the user."""


@dataclass(frozen=True)
class Entry:
    """One entry of the manifest.  Of `file` (shipped, in weights/) and `url` (downloadable) exactly one is set; what is
    not known of a downloadable file (recipe, seed, steps, hardware, data, metric) is None.  `metric` is recomputed by a
    test; `measured` holds figures on data that cannot ship."""

    name: str
    bytes: int
    sha256: str
    licence: str
    architecture: str
    file: str | None = None
    url: str | None = None
    recipe: str | None = None
    seed: int | None = None
    steps: int | None = None
    hardware: str | None = None
    data: Any = None
    metric: dict[str, Any] | None = None
    measured: dict[str, Any] | None = None
    note: str | None = None


@cache
def manifest() -> tuple[Entry, ...]:
    """All entries, in the order of the file."""
    known = {f.name for f in fields(Entry)}
    rows = json.loads((FOLDER / "MANIFEST.json").read_text(encoding="utf-8"))["weights"]
    return tuple(Entry(**{key: row[key] for key in row if key in known}) for row in rows)


def entry(name: str) -> Entry:
    """The entry called `name`.  Raises WeightsError for an unknown name."""
    found = next((e for e in manifest() if e.name == name), None)
    if found is None:
        raise WeightsError(f"There are no weights called {str(name)[:60]!r} in the manifest.")
    return found


def home() -> Path:
    """The folder of downloaded weights."""
    return Path(os.environ.get("GLASSBOX_HOME") or Path.home() / ".cache" / "glassbox" / "weights")


def path(name: str) -> Path:
    """Where the file of an entry lies, or would lie."""
    e = entry(name)
    return FOLDER / e.file if e.file else home() / str(e.url).rsplit("/", 1)[-1]


def available(name: str) -> bool:
    """Whether the file is there and has the right size; its digest is checked by `load`."""
    file = path(name)
    return file.is_file() and file.stat().st_size == entry(name).bytes


def digest_of(path: str | Path) -> str:
    """SHA-256 (hex) of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load(name: str) -> dict[str, Tensor]:
    """The tensors of an entry, on the CPU.  Raises WeightsError if the file is missing, or has another size or
    digest."""
    e, file = entry(name), path(name)
    if not file.is_file():
        advice = "; please download them first." if e.url else ": weights/ is incomplete."
        raise WeightsError(f"The weights {name} are not on this machine{advice}")
    if file.stat().st_size != e.bytes or digest_of(file) != e.sha256:
        raise WeightsError(f"The file {file.name} is not the one in the manifest (its SHA-256 differs), so it was "
                           "not loaded.")
    return load_file(file)


def filled(model: Module, state: dict[str, Tensor]) -> Module:
    """`model` with these numbers in float32, frozen and in evaluation mode."""
    model.load_state_dict({name: value.float() for name, value in state.items()})
    return model.eval().requires_grad_(False)


def curves(file: str) -> dict[str, list[dict[str, Any]]]:
    """Training curves that ship beside the weights: by model, one {"seed", "curve": [{"step", "loss", "accuracy"},
    ...]} for each seed."""
    return json.loads((FOLDER / file).read_text(encoding="utf-8"))


def load_file(path: str | Path, trusted: bool = True) -> dict[str, Tensor]:
    """The tensors of a local checkpoint, on the CPU.  `trusted=False` (an upload) allows safetensors only.

    Raises WeightsError if the file is too large, damaged, holds anything but tensors, or would need to run code.
    """
    file = Path(path)
    if not file.is_file():
        raise WeightsError("This checkpoint file does not exist.")
    if file.stat().st_size > MAX_BYTES:
        raise WeightsError(f"This checkpoint is larger than {MAX_BYTES >> 30} GiB.")
    with open(file, "rb") as stream:
        start = stream.read(64)
    if file.suffix == ".onnx" or (start[:1] == b"\x08" and (b"pytorch" in start or b"onnx" in start)):
        raise WeightsError(f"{file.name} is an ONNX graph, which holds no weights by name; please load the PyTorch or "
                           "safetensors file that it was exported from.")
    if file.suffix == ".safetensors":
        return _safetensors(file)
    if not trusted:
        raise WeightsError("Please load a .safetensors file; other formats can run code.")
    return _pickled(file)


def _safetensors(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file as read
    _check_header(file)
    try:
        return read(file)
    except (SafetensorError, ValueError, KeyError) as error:
        raise WeightsError(f"{file.name} is damaged: {str(error).splitlines()[0][:120]}.") from None


def _check_header(file: Path) -> None:
    """Length, tensor count: read from the header, before any tensor."""
    with open(file, "rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(MAX_HEADER, file.stat().st_size - 8):
            raise WeightsError(f"{file.name} is not a safetensors file: its header is missing or has an "
                               "impossible length.")
        try:
            header = json.loads(stream.read(length))
        except (ValueError, RecursionError):
            raise WeightsError(f"{file.name} is not a safetensors file: its header is not JSON.") from None
    if not isinstance(header, dict) or not header.keys() - {"__metadata__"}:
        raise WeightsError(f"{file.name} holds no tensors.")
    if len(header) > MAX_TENSORS:
        raise WeightsError(f"{file.name} holds more than {MAX_TENSORS} tensors.")


def _pickled(file: Path) -> dict[str, Tensor]:
    import pickle

    import torch
    try:
        state = torch.load(file, map_location=HOST, weights_only=True)
    except pickle.UnpicklingError as error:
        if "ultralytics" in str(error):
            raise WeightsError(f"{file.name} is a model of ultralytics (YOLO or FastSAM), which is another "
                               "architecture and would have to run code; it was not loaded.") from None
        raise WeightsError(f"{file.name} holds more than tensors and would have to run code, or is damaged; it was not "
                           "loaded.") from None
    except (RuntimeError, EOFError, OSError, ValueError, LookupError, AttributeError, TypeError):
        raise WeightsError(f"{file.name} is damaged or not a PyTorch checkpoint.") from None
    state = _unwrapped(state)
    tensors = isinstance(state, dict) and all(isinstance(v, torch.Tensor) for v in state.values())
    if not tensors or not state or not all(isinstance(key, str) for key in state):
        raise WeightsError(f"{file.name} is not a plain state dict of tensors.")
    if len(state) > MAX_TENSORS:
        raise WeightsError(f"{file.name} holds more than {MAX_TENSORS} tensors.")
    return state


def _unwrapped(state: Any) -> Any:
    """What a training run saved beside other things: the state dict under a usual name."""
    import torch
    for _ in range(3):
        if not isinstance(state, dict) or all(isinstance(v, torch.Tensor) for v in state.values()):
            break
        state = next((state[key] for key in WRAPPERS if isinstance(state.get(key), dict)), state)
    return state


def download(name: str) -> Iterator[Progress]:
    """Fetches the file of a downloadable entry, as `backends.download.fetch` does; yields its Progress.  Raises
    WeightsError."""
    from backends.download import fetch
    e = entry(name)
    if e.url is None:
        raise WeightsError(f"The weights {name} ship with the project; there is nothing to download.")
    return fetch(e.url, path(name), e.bytes, e.sha256)
