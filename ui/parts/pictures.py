"""Which picture is meant: samples by name, own pictures by an id that only their session knows.

An uploaded file is read once through ``backends.images.load`` (the strict door) and stays where gradio put it; what the
browser sends is an id, never a path, except right after an upload. Decoded pictures are kept in one cache that is
bounded in bytes.
"""

import io
from typing import Any

import numpy as np
from gradio.processing_utils import save_bytes_to_cache
from PIL import Image

from backends import images
from backends.cache import ByteLRU
from ui.parts.uploads import Shelf, uploaded

OWN = "own-"
DECODED = ByteLRU(192 << 20)
THUMB = (200, 152)
OWN_PICTURES = Shelf(40, 2048)


def add(session: str, path: Any, title: Any = "") -> str:
    """Read an uploaded picture and remember it, with the user's own name for it, for ``session``; its id. ImageError
    says what is wrong with it."""
    found = uploaded(path)
    image = images.load(found)
    name = OWN + images.digest(image)[:16]
    OWN_PICTURES.put(session, name, found, str(title or "").replace("\\", "/").rpartition("/")[2][:200])
    DECODED.put((session, name), image, image.nbytes)
    return name


def pixels(session: str, name: str) -> np.ndarray:
    """uint8 (H, W, 3) of a sample or of an own picture of this session. ImageError when there is none."""
    if name in images.SAMPLES:
        return DECODED.get_or_compute(("", name), lambda: _sized(images.sample(name)))[0]
    path = OWN_PICTURES.get(session, name)
    if path is None:
        raise images.ImageError("This picture is not here any more; please open it again.")
    return DECODED.get_or_compute((session, name), lambda: _sized(images.load(path)))[0]


def _sized(image: np.ndarray) -> tuple[np.ndarray, int]:
    return image, image.nbytes


def known(session: str, name: str) -> bool:
    """Whether ``pixels`` would find the picture."""
    return name in images.SAMPLES or OWN_PICTURES.get(session, name) is not None


def smaller(image: np.ndarray, most: int) -> np.ndarray:
    """The picture itself, or a copy with a longer side of ``most`` px."""
    height, width = image.shape[:2]
    scale = most / max(height, width)
    if not most or scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def seen(session: str, name: str, most: int = 0) -> np.ndarray:
    """``pixels``, not longer than ``most`` px; ImageError with what to do where a link names a picture that this
    session does not have."""
    if not known(session, name):
        raise images.ImageError("This picture is not here; an own picture cannot travel in a link. Please choose one.")
    if not most:
        return pixels(session, name)
    return DECODED.get_or_compute((session, name, most), lambda: _sized(smaller(pixels(session, name), most)))[0]


def title(name: str) -> str:
    """What to call the picture in file names and on screen."""
    return name if name in images.SAMPLES else "picture"


def file_name(session: str, name: str) -> str:
    """What the user calls the picture's file; of a sample, its own name."""
    return images.SAMPLES[name].file if name in images.SAMPLES else OWN_PICTURES.title(session, name) or "picture.png"


def shown(name: str, image: np.ndarray, folder: str) -> str:
    """Path of the upright picture as the browser loads it: a fine JPEG, a quarter of a PNG.

    Masks and downloads are made from the pixels themselves.
    """
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=95, subsampling=0)
    return save_bytes_to_cache(out.getvalue(), f"{title(name)}.jpg", folder)


def thumbnail(name: str) -> bytes:
    """A sample as a small WebP, as the page's buttons show it."""
    picture = Image.fromarray(images.sample(name))
    picture.thumbnail(THUMB)
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=60)
    return out.getvalue()


def thumbnails() -> list[dict[str, str]]:
    """The samples as small buttons: id, title and the address of the picture, relative to the page."""
    return [{"id": name, "title": s.title, "thumb": f"glass/thumbs/{name}.webp"} for name, s in images.SAMPLES.items()]
