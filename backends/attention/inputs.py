"""Where q, k and v come from: a trained model reading a text, a seeded draw, or a safetensors file.

Letters: h heads, n tokens, d head dimension.  The norm dial multiplies q and k of every source.
"""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from torch import Tensor

from backends import device, threads, weights
from backends.attention.params import MAX_BYTES, AttentionParams
from backends.drawn import normal, seeded

Tensors = tuple[Tensor, Tensor, Tensor]
HEADS = 4                    # of a synthetic input
MAX_TOKENS, MAX_DIM, MAX_HEADS, MAX_VALUE = 512, 256, 64, 1e6
MAX_FILE = 256 << 20
MODEL = "softmax"


@dataclass(frozen=True)
class Inputs:
    """q, k, v (float32, on the device that computes), one label per token, and a sentence on what was cut or is unusual
    ("" if nothing)."""

    q: Annotated[Tensor, "h n d"]
    k: Annotated[Tensor, "h n d"]
    v: Annotated[Tensor, "h n d"]
    labels: tuple[str, ...]
    notice: str = ""


def load(params: AttentionParams, tensors: Tensors | None = None) -> Inputs:
    """The input that `params` names; `tensors` are those of a file.  Raises ValueError with one sentence for the
    user."""
    if params.source == "text":
        found = _text(params)
    elif params.source == "file":
        if tensors is None:
            raise ValueError("Please choose a safetensors file that holds q, k and v.")
        found = _numbered(*(x.to(device.exact()) for x in tensors))
    else:
        made = normal(3, HEADS, params.n, params.dim, random=seeded(params.seed))
        found = _numbered(*made.to(device.exact()))
    if params.head > len(found.q):
        raise ValueError(f"This input has {len(found.q)} head{'s' * (len(found.q) > 1)}; please choose one of them.")
    return Inputs(found.q * params.norm, found.k * params.norm, found.v, found.labels, found.notice)


def _numbered(q: Tensor, k: Tensor, v: Tensor) -> Inputs:
    return Inputs(q, k, v, tuple(f"q{i}" for i in range(q.shape[1])))


def _text(params: AttentionParams) -> Inputs:
    text, notice = cut(params.text)
    layers, length = traced(text)
    if params.layer > len(layers):
        raise ValueError(f"The trained model has {len(layers)} layers.")
    labels = tuple(label(byte) for byte in text.encode("utf-8"))
    if len(labels) > length:
        notice += f"The model was trained on {length} bytes at a time; what comes after is longer than it ever saw."
    return Inputs(*layers[params.layer - 1], labels, notice.strip())


def cut(text: str) -> tuple[str, str]:
    """The text as at most MAX_BYTES bytes of UTF-8, never through a character, and a sentence if that shortened it.
    Raises ValueError for an empty text."""
    data = text[: MAX_BYTES + 1].encode("utf-8", "replace")
    if not data:
        raise ValueError("The text is empty; please type at least one character.")
    short = data[:MAX_BYTES].decode("utf-8", "ignore")
    notice = f"Only the first {len(short.encode('utf-8'))} bytes of the text are used. "
    return short, notice if len(data) > MAX_BYTES else ""


def label(byte: int) -> str:
    """A byte as its printable ASCII character, or as \\xNN."""
    return chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}"


@device.kept(16)
def traced(text: str) -> tuple[tuple[Tensors, ...], int]:
    """Per layer of the trained softmax model, q, k, v (h, n, d) on this text, and the length that it was trained on."""
    from backends.lm import shelf
    try:
        model = shelf.load(MODEL)
    except weights.WeightsError as error:
        raise ValueError(str(error)) from None
    layers = threads.alone(model.trace, shelf.tokens(text)).layers
    return tuple((layer.q[0], layer.k[0], layer.v[0]) for layer in layers), model.config.length


def read_tensors(path: str | Path) -> Tensors:
    """q, k, v (h, n, d), float32, of a safetensors file with these keys and one shape: (n, d), (h, n, d) or (1, h, n,
    d).

    Raises ValueError, one sentence: no safetensors file, keys missing, shapes or types wrong, too large, or values that
    are not finite.
    """
    file = Path(path)
    if file.is_file() and file.stat().st_size > MAX_FILE:
        raise ValueError(f"This file is larger than {MAX_FILE >> 20} MB; q, k and v of one layer need less.")
    try:
        found = weights.load_file(file, trusted=False)
    except weights.WeightsError as error:
        raise ValueError(str(error)) from None
    missing = [name for name in "qkv" if name not in found]
    if missing:
        raise ValueError(f"This file holds no tensor called {missing[0]}; it needs q, k and v.")
    if len({found[name].shape for name in "qkv"}) > 1:
        raise ValueError(f"q, k and v must have one shape, but have "
                         f"{', '.join(str(tuple(found[name].shape)) for name in 'qkv')}.")
    q, k, v = (_checked(name, found[name]) for name in "qkv")
    return q, k, v


def _checked(name: str, x: Tensor) -> Tensor:
    """One tensor as (h, n, d) float32."""
    shape = tuple(x.shape)
    if x.dim() == 4 and len(x) == 1:
        x = x[0]
    x = x[None] if x.dim() == 2 else x
    if x.dim() != 3 or not x.numel():
        raise ValueError(f"{name} has shape {shape}; it should be (n, d), (h, n, d) or (1, h, n, d), without an "
                         "empty axis.")
    if len(x) > MAX_HEADS or x.shape[1] > MAX_TOKENS or x.shape[2] > MAX_DIM:
        raise ValueError(f"{name} has shape {shape}; at most {MAX_HEADS} heads, {MAX_TOKENS} tokens and {MAX_DIM} "
                         "channels can be shown.")
    if not x.is_floating_point():
        raise ValueError(f"{name} holds {str(x.dtype).removeprefix('torch.')} numbers; real floating-point ones "
                         "are needed.")
    x = x.float()
    if not x.isfinite().all():
        raise ValueError(f"{name} holds values that are not finite (NaN or infinity).")
    if x.abs().max() > MAX_VALUE:
        raise ValueError(f"{name} holds values beyond {MAX_VALUE:.0e}; please scale it down first.")
    return x.contiguous()
