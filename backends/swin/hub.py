"""timm's own Swin weights from the Hugging Face hub, only when somebody asks: what a download would be, and the
download.

The hub answers a HEAD request for a large file with its size and SHA-256 (X-Linked-Size, X-Linked-Etag) before it
redirects to where the bytes are; `backends.download` then resumes, hashes and checks.  The file lies in the folder of
downloaded weights and is loaded like one of the user's own (`backends.swin.capture.own`), which refuses what does not
fit.
"""
from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import torch

from backends import download, weights
from backends.swin.capture import CaptureError, names

HUB = "https://huggingface.co"
FILE = "model.safetensors"


@dataclass(frozen=True)
class Offer:
    """Where the weights lie on the hub, their licence, about how many megabytes they are, and whether they are here
    already."""

    repository: str
    licence: str
    megabytes: int
    here: bool


class _Stay(urllib.request.HTTPRedirectHandler):
    """Does not follow: the redirect's own headers are wanted."""

    def redirect_request(self, *given: Any) -> None:
        return None


def place(name: str) -> Path:
    """Where the weights of timm's architecture `name` are kept."""
    return weights.home() / "hub" / f"{name}.safetensors"


def offer(name: str) -> Offer:
    """What a download would be; nothing is asked of the network.  Raises CaptureError, one sentence."""
    import timm
    if name not in names():
        raise CaptureError(f"timm has no Swin architecture called {str(name)[:60]!r}.")
    config = timm.models.get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        raise CaptureError(f"The hub has no weights of timm's {name}.")
    with torch.device("meta"):
        numbers = sum(p.numel() for p in timm.create_model(name).parameters())
    return Offer(config.hf_hub_id, config.license or "unknown", round(4 * numbers / 1e6), place(name).is_file())


def promised(url: str) -> tuple[int, str]:
    """Size in bytes and SHA-256 that the hub names for a file.  Raises CaptureError, one sentence."""
    request = urllib.request.Request(url, headers={"User-Agent": "glassbox"}, method="HEAD")
    try:
        headers = urllib.request.build_opener(_Stay).open(request, timeout=download.TIMEOUT).headers
    except urllib.error.HTTPError as error:
        if not 300 <= error.code < 400:
            raise CaptureError(f"The hub answered {error.code} for {url}.") from None
        headers = error.headers
    except (urllib.error.URLError, HTTPException, OSError) as error:
        raise CaptureError(f"The hub cannot be reached ({getattr(error, 'reason', error)}).") from None
    size, digest = headers.get("X-Linked-Size", ""), headers.get("X-Linked-Etag", "").strip('"')
    if not size.isdigit() or len(digest) != 64:
        raise CaptureError(f"The hub did not name size and SHA-256 of {url}, so nothing was taken.")
    return int(size), digest


def fetch(name: str) -> Iterator[download.Progress]:
    """Downloads to `place(name)` unless it is there; closing stops and keeps what has arrived.  Raises CaptureError or
    WeightsError."""
    if not offer(name).here:
        url = f"{HUB}/{offer(name).repository}/resolve/main/{FILE}"
        yield from download.fetch(url, place(name), *promised(url))
