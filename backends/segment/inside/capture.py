"""Tensors from a run of the real modules.

The modules of a model are shared by all users of the process, so hooks never go onto them: `watched` gives a Segmenter
around a copy of the modules' tree that shares every weight, and the hooks live and die with that copy.
"""
from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from backends import device
from backends.segment import interact
from backends.segment.segmenter import Embedding, Segmenter


class Found:
    """What was captured: by name, one entry for each time that the place was passed."""

    def __init__(self) -> None:
        self._entries: dict[str, list[Any]] = defaultdict(list)

    def __getitem__(self, name: str) -> list[Any]:
        return self._entries[name]

    def count(self, ending: str) -> int:
        """How many places have a name that ends so."""
        return sum(name.endswith(ending) for name in self._entries)

    def outputs(self, module: nn.Module, name: str) -> None:
        """From now on keep what `module` gives."""
        module.register_forward_hook(lambda module, given, out: self._entries[name].append(out))

    def inputs(self, module: nn.Module, name: str, at: int = 0) -> None:
        """From now on keep the tensor that `module` is given in place `at`."""
        module.register_forward_pre_hook(lambda module, given: self._entries[name].append(given[at]))

    def method(self, module: nn.Module, method: str) -> None:
        """From now on keep what the method of this one module gives, under the method's name."""
        real = getattr(module, method)

        def kept(*args: Any, **named: Any) -> Any:
            out = real(*args, **named)
            self._entries[method].append(out)
            return out

        setattr(module, method, kept)


def watched(segmenter: Segmenter, *parts: str) -> Segmenter:
    """A Segmenter like the given one, whose modules called `parts` ("image_encoder", "mask_decoder") are copies that
    share the weights and that nobody else runs."""
    sam = copy.copy(segmenter.sam)
    sam._modules = {name: _twin(module) if name in parts else module for name, module in sam._modules.items()}
    found = copy.copy(segmenter)
    found.sam = sam
    return found


def _twin(module: nn.Module) -> nn.Module:
    return copy.deepcopy(module, {id(t): t for t in (*module.parameters(), *module.buffers())})


@dataclass(frozen=True)
class Run:
    """The last decoding of a history, watched: what was found, logits float32 (M, h, w) and clamped scores (M,) as they
    came out, and the result of the whole history as the page shows it."""

    found: Found
    logits: np.ndarray
    scores: np.ndarray
    shown: interact.Result


def decoded(segmenter: Segmenter, e: Embedding, steps: Sequence[interact.Step],
            watch: Callable[[nn.Module, Found], None], smallest: int = 0) -> Run:
    """Decode the last of `steps` once more; `watch(decoder, found)` says what is captured on the way; `smallest` as for
    `interact.replay`.  SegmentError."""
    shown, found = interact.replay(segmenter, e, steps, smallest), Found()
    before = interact.replay(segmenter, e, steps[:-1]) if len(steps) > 1 else None
    other = watched(segmenter, "mask_decoder")
    watch(other.sam.mask_decoder, found)
    with torch.no_grad():
        logits, scores = interact.decode(other, e, steps, None if before is None else before.logits[before.chosen])
    return Run(found, logits, scores, shown)


def cut(values: Tensor, stride: int, e: Embedding) -> np.ndarray:
    """Maps (..., g, g) over the model's whole input -> float32 (..., rows, columns): the cells that the picture
    reaches, without the padding at the right and bottom.  stride: px of the input in one cell."""
    rows, columns = (-(-side // stride) for side in e.input_size)
    return device.array(values[..., :rows, :columns].float())
