"""Which picture is meant: samples by name, own pictures by an id that only their session knows.

An uploaded file is read once through ``backends.images.load`` (the strict door) and stays where gradio put it, in its
temporary folder; a bounded map leads from (session, id) to that path. What the browser sends is an id, never a path,
except right after an upload, and that path must lie inside the upload folder. Decoded pictures are kept in one cache that
is bounded in bytes.
"""

import io
import threading
from base64 import b64encode
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder
from PIL import Image

from backends import images

OWN = "own-"
PER_SESSION, IN_ALL = 8, 512
DECODED_BYTES = 192 << 20
LOSSLESS_PIXELS = 2_000_000


class Shelf:
    """A bounded map (session, id) -> path; the oldest entries of a session, then of all, go first."""

    def __init__(self, per_session: int, in_all: int) -> None:
        self._limits = per_session, in_all
        self._paths: OrderedDict[tuple[str, str], Path] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, session: str, name: str, path: Path) -> None:
        """Remember ``path`` for this session alone."""
        with self._lock:
            self._paths[session, name] = path
            self._paths.move_to_end((session, name))
            mine = [key for key in self._paths if key[0] == session]
            for key in mine[: -self._limits[0]]:
                del self._paths[key]
            while len(self._paths) > self._limits[1]:
                self._paths.popitem(last=False)

    def get(self, session: str, name: str) -> Path | None:
        """The path, or None when this session has no such entry or its file is gone."""
        with self._lock:
            path = self._paths.get((session, name))
        return path if path is not None and path.is_file() else None

    def drop(self, session: str) -> None:
        """Forget a session."""
        with self._lock:
            for key in [key for key in self._paths if key[0] == session]:
                del self._paths[key]


@cache
def decoded() -> Any:
    """The cache of decoded pictures. Made on first use: its module comes with torch, which the page does not wait for."""
    from backends.segment.cache import ByteLRU

    return ByteLRU(DECODED_BYTES)


OWN_PICTURES = Shelf(PER_SESSION, IN_ALL)
OWN_CHECKPOINTS = Shelf(3, 64)


def uploaded(path: Any) -> Path:
    """The one function that decides whether a path from a browser may be opened: only a file inside the upload folder."""
    folder = Path(get_upload_folder()).resolve()
    try:
        found = Path(str(path)).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        found = None
    if found is None or not found.is_relative_to(folder) or not found.is_file():
        raise images.ImageError("This file was not uploaded to this page.")
    return found


def add(session: str, path: Any) -> str:
    """Read an uploaded picture and remember it for ``session``; its id. ImageError says what is wrong with it."""
    found = uploaded(path)
    image = images.load(found)
    name = OWN + images.digest(image)[:16]
    OWN_PICTURES.put(session, name, found)
    decoded().put((session, name), image, image.nbytes)
    return name


def pixels(session: str, name: str) -> np.ndarray:
    """uint8 (H, W, 3) of a sample or of an own picture of this session. ImageError when there is none."""
    if name in images.SAMPLES:
        return decoded().get_or_compute(("", name), lambda: _sized(images.sample(name)))[0]
    path = OWN_PICTURES.get(session, name)
    if path is None:
        raise images.ImageError("This picture is not here any more; please open it again.")
    return decoded().get_or_compute((session, name), lambda: _sized(images.load(path)))[0]


def _sized(image: np.ndarray) -> tuple[np.ndarray, int]:
    return image, image.nbytes


def known(session: str, name: str) -> bool:
    """Whether ``pixels`` would find the picture."""
    return name in images.SAMPLES or OWN_PICTURES.get(session, name) is not None


def seen(session: str, name: str) -> np.ndarray:
    """``pixels``, or ImageError with what to do where a link names a picture that this session does not have."""
    if not known(session, name):
        raise images.ImageError("This picture is not here; an own picture cannot travel in a link. Please choose one.")
    return pixels(session, name)


def title(name: str) -> str:
    """What to call the picture in file names and on screen."""
    return name if name in images.SAMPLES else "picture"


def shown(name: str, image: np.ndarray, folder: str) -> str:
    """Path of the upright picture as the browser loads it: lossless PNG, or fine JPEG above two megapixels."""
    small = image.shape[0] * image.shape[1] <= LOSSLESS_PIXELS
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG" if small else "JPEG", **({"compress_level": 1} if small else {"quality": 95, "subsampling": 0}))
    return save_bytes_to_cache(out.getvalue(), f"{title(name)}.{'png' if small else 'jpg'}", folder)


@cache
def thumbnails() -> list[dict[str, str]]:
    """The samples as small buttons: id, title and a data URL (152 x 114 pixels)."""
    return [{"id": name, "title": sample.title, "thumb": _thumbnail(images.sample(name))} for name, sample in images.SAMPLES.items()]


def _thumbnail(image: np.ndarray) -> str:
    picture = Image.fromarray(image)
    picture.thumbnail((200, 152))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    return "data:image/jpeg;base64," + b64encode(out.getvalue()).decode("ascii")
