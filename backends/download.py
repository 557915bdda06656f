"""Fetching one large file so that it is whole or not there: resumed, hashed on the way, checked, renamed at the end.

What has arrived lies beside the target as NAME.part, which one process at a time may write; stopping keeps it.
"""
from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO

from backends.weights import WeightsError

PIECE = 1 << 20
TIMEOUT = 30                   # seconds without an answer


@dataclass(frozen=True)
class Progress:
    """Bytes that are on this machine, and bytes in all."""

    done: int
    total: int


class Arriving:
    """The .part file, its length and running hash, which always speak of the same bytes."""

    def __init__(self, file: BinaryIO, size: int):
        self.file, self.size = file, size
        self.sha, self.done = hashlib.sha256(), 0
        file.seek(0)
        while piece := file.read(PIECE):
            self._count(piece)
        if self.done > size:
            self.restart()

    def _count(self, piece: bytes) -> None:
        self.sha.update(piece)
        self.done += len(piece)

    def add(self, piece: bytes) -> None:
        """Appends; raises WeightsError, and keeps nothing, once there is more than there should be."""
        if self.done + len(piece) > self.size:
            self.restart()
            raise WeightsError("The server sends more bytes than the manifest names.")
        self.file.write(piece)
        self._count(piece)

    def restart(self) -> None:
        """Forgets what has arrived."""
        self.file.truncate(0)
        self.sha, self.done = hashlib.sha256(), 0


def fetch(url: str, target: Path, size: int, sha256: str) -> Iterator[Progress]:
    """Downloads `url` to `target`; closing the generator stops and keeps the .part, the next call resumes it by Range.

    Raises WeightsError, one sentence: no connection, an error of the server, a wrong size, or a wrong digest (the .part is then deleted).
    """
    part = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(part) as file:
        arriving = Arriving(file, size)
        yield Progress(arriving.done, size)
        if arriving.done < size:
            for _ in _receive(url, arriving):
                yield Progress(arriving.done, size)
        file.flush()
        if arriving.done != size:
            raise WeightsError(f"The connection ended after {arriving.done} of {size} bytes; start again to resume.")
        if arriving.sha.hexdigest() != sha256:
            part.unlink(missing_ok=True)
            raise WeightsError(f"{target.name} arrived with another SHA-256 than the manifest names, so it was deleted.")
        os.replace(part, target)


@contextmanager
def _only_one(part: Path) -> Iterator[BinaryIO]:
    """The .part file, open for reading and appending, locked where the platform can."""
    with open(part, "a+b") as file:
        try:
            import fcntl
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass
        except OSError:
            raise WeightsError("This file is being downloaded already.") from None
        yield file


def _receive(url: str, arriving: Arriving) -> Iterator[None]:
    """Appends what the server sends; one that ignores Range starts from the first byte.  Yields after every piece."""
    ask_for = {"Range": f"bytes={arriving.done}-"} if arriving.done else {}
    request = urllib.request.Request(url, headers={"User-Agent": "glassbox"} | ask_for)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            if arriving.done and answer.status != 206:
                arriving.restart()
            while piece := answer.read(PIECE):
                arriving.add(piece)
                yield
    except urllib.error.HTTPError as error:
        raise WeightsError(f"The server answered {error.code} for {url.rsplit('/', 1)[-1]}.") from None
    except (urllib.error.URLError, HTTPException, OSError) as error:
        raise WeightsError(f"The download failed ({getattr(error, 'reason', error)}); start again to resume.") from None
