"""The user's own weights, for the page: read, loaded, offered and fetched.  torch is imported by the first call.

Every function raises ValueError, one sentence, for what cannot be used.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from backends.swin.params import OF_MODELS, SwinParams

if TYPE_CHECKING:
    from backends.swin.capture import Reader


@contextmanager
def _told() -> Iterator[None]:
    """An error of weights as one sentence for the user."""
    from backends.weights import WeightsError
    try:
        yield
    except WeightsError as error:
        raise ValueError(str(error)) from error


def wanted(params: SwinParams) -> bool:
    """Whether the settings ask for own weights."""
    return params.view in OF_MODELS and params.model == "own"


def read(path: Path) -> str:
    """What a file of weights holds, in a few words."""
    from backends import weights
    with _told():
        state = weights.load_file(path, trusted=False)
    return f"{len(state)} tensors, {sum(v.numel() for v in state.values()) / 1e6:.1f} million numbers"


def load(path: Path, params: SwinParams) -> Reader:
    """The model that the settings name, with the weights of a file."""
    from backends.swin import capture
    with _told():
        return capture.own(path, params.architecture)


@lru_cache(64)
def _offered(architecture: str, here: bool) -> str:
    from backends.swin import hub
    found = hub.offer(architecture)
    where = "is on this machine already" if here else f"about {found.megabytes} MB from huggingface.co"
    return f"{found.repository}: {where}; licence: {found.licence}."


def offer(params: SwinParams) -> tuple[str, bool]:
    """What the hub has for the architecture, in a sentence, and whether it is still to be fetched.  Nothing is asked of
    the network."""
    from backends.swin import hub
    here = hub.place(params.architecture).is_file()
    return _offered(params.architecture, here), not here


def fetch(params: SwinParams) -> Iterator[str | Path]:
    """Downloads timm's weights: words on how far it is, then the file, then that it is there."""
    from backends.swin import hub
    with _told():
        for step in hub.fetch(params.architecture):
            yield f"{step.done / 1e6:.0f} of {step.total / 1e6:.0f} MB"
    yield hub.place(params.architecture)
    yield f"{hub.offer(params.architecture).repository} is loaded."
