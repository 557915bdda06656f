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
from typing import Any, BinaryIO

from backends import stop
from backends.weights import WeightsError, digest_of

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
            stop.check()
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

    A target that is whole already is left as it is, without asking the server.  Raises WeightsError, one sentence: no
    connection, an error of the server, another size, a folder that cannot be written, or a wrong digest (the .part is
    then deleted).
    """
    if target.is_file() and target.stat().st_size == size and digest_of(target) == sha256:
        yield Progress(size, size)
        return
    part = target.with_name(target.name + ".part")
    with _only_one(part) as file:
        arriving = Arriving(file, size)
        yield Progress(arriving.done, size)
        if arriving.done < size:
            for _ in _receive(url, arriving):
                yield Progress(arriving.done, size)
        if arriving.done != size:
            raise WeightsError(f"The connection ended after {arriving.done} of {size} bytes; start again to resume.")
    if arriving.sha.hexdigest() != sha256:
        part.unlink(missing_ok=True)
        raise WeightsError(f"{target.name} arrived with another SHA-256 than the manifest names, so it was deleted.")
    _put_in_place(part, target)


def _put_in_place(part: Path, target: Path) -> None:
    """Renames at once; not an error if another process, which saw the same whole .part, was quicker."""
    try:
        os.replace(part, target)
    except OSError as error:
        if not target.is_file():
            raise WeightsError(f"{target.name} arrived but could not be put in place ({error.strerror}).") from None


@contextmanager
def _only_one(part: Path) -> Iterator[BinaryIO]:
    """The .part file, open for reading and appending, locked where the platform can."""
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        file = open(part, "a+b")  # noqa: SIM115
    except OSError as error:
        raise WeightsError(f"The folder of downloaded weights cannot be written ({error.strerror}).") from None
    with file:
        _lock(file)
        yield file


def _lock(file: BinaryIO) -> None:
    """Refuses a second writer.  Without locks (Windows, some network disks) mixed bytes are still found by the digest
    at the end."""
    try:
        import fcntl
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WeightsError("This file is being downloaded already.") from None
    except (ImportError, OSError):
        pass


def _receive(url: str, arriving: Arriving) -> Iterator[None]:
    """Appends what the server sends, and forgets what was there only once all of it is on its way anew.  Yields after
    every PIECE, and looks at the stop token after every packet."""
    try:
        answer, whole = _ask(url, arriving.done)
        with answer:
            _check_total(answer, url, arriving.size)
            if whole:
                arriving.restart()
            while some := answer.read1(PIECE):
                before = arriving.done // PIECE
                arriving.add(some)
                stop.check()
                if arriving.done // PIECE > before or arriving.done == arriving.size:
                    yield
    except urllib.error.HTTPError as error:
        raise WeightsError(f"The server answered {error.code} for {_name(url)}.") from None
    except (urllib.error.URLError, HTTPException, OSError) as error:
        raise WeightsError(f"The download failed ({getattr(error, 'reason', error)}); start again to resume.") from None


def _ask(url: str, done: int) -> tuple[Any, bool]:
    """(answer, whether it is the whole file): the rest after `done` bytes, or all of it where the server has no such
    rest."""
    if done:
        try:
            answer = _open(url, {"Range": f"bytes={done}-"})
            if answer.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
                return answer, False
            if answer.status == 200:
                return answer, True
            answer.close()
        except urllib.error.HTTPError as error:
            if error.code != 416:          # Range Not Satisfiable: what is here is longer than what is there
                raise
    return _open(url, {}), True


def _open(url: str, headers: dict[str, str]) -> Any:
    return urllib.request.urlopen(urllib.request.Request(url, headers={"User-Agent": "glassbox"} | headers),
                                  timeout=TIMEOUT)


def _check_total(answer: Any, url: str, size: int) -> None:
    """Refuses another file (a login page of a network, say) before a byte of it is taken, if the server names its
    length."""
    length = answer.headers.get("Content-Range", "").rpartition("/")[2] or answer.headers.get("Content-Length", "")
    if length.isdigit() and int(length) != size:
        raise WeightsError(f"The server offers {length} bytes for {_name(url)}, but the manifest names {size}; "
                           "nothing was taken.")


def _name(url: str) -> str:
    return url.rsplit("/", 1)[-1]
