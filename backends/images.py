"""The one door for pictures: whatever comes in, RGB uint8 upright comes out, or one clear sentence.

Frame of everything downstream: pixels of the EXIF-transposed picture, x to the right, y down.
Conversions, and why: 16-bit and float pictures are stretched between percentiles (a plain cast turns most of them
white), colours by one range for all channels; embedded profiles and PNG's gamma become sRGB (``backends.colours``);
alpha is blended on white (dropping it shows colours that nobody saw); of an animation the first frame is taken.  Size
is read from the header, before memory is spent, and only FORMATS are opened, HEIC too if pillow-heif is installed:
others decode while they are opened (ICO) or run a program (EPS).  Nothing global is set, neither in Pillow nor in
`warnings`, so threads do not meet here.
"""
from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError

from backends import colours
from backends.large import turn

MAX_PIXELS = 40_000_000
MAX_BYTES = 400_000_000        # of the file: MAX_PIXELS of four 16-bit channels are 320 MB
MAX_ASPECT = 50
MIN_SIDE = 2
STRIP = 4_000_000              # pixels that are converted at a time
STRETCH = (0.5, 99.5)          # percentiles that become 0 and 255 in 16-bit and float pictures
NO_DATA = 1e30                 # beyond it a float pixel means "nothing measured", as -3.4e38 does in maps
SAMPLE_FORMATS = {1: "", 2: "signed ", 3: "floating-point ", 5: "complex "}
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
FOLDER = Path(__file__).resolve().parents[1] / "assets" / "samples"
DEEP = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
_T = Image.Transpose
TURNS = {2: _T.FLIP_LEFT_RIGHT, 3: _T.ROTATE_180, 4: _T.FLIP_TOP_BOTTOM, 5: _T.TRANSPOSE,       # the EXIF orientations
         6: _T.ROTATE_270, 7: _T.TRANSVERSE, 8: _T.ROTATE_90}
HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
OTHER_FORMATS = {b"<svg": "an SVG drawing", b"<?xml": "an XML or SVG file", b"%pdf": "a PDF", b"<!doc": "HTML",
                 b"<html": "HTML"}


class ImageError(ValueError):
    """The picture cannot be used; the message is one sentence for the user."""


def load(source: str | Path | bytes | BinaryIO) -> np.ndarray:
    """A file, its bytes or an open binary file -> uint8 (H, W, 3), RGB, contiguous.

    Raises ImageError for what is not a whole picture, is larger than MAX_PIXELS, thinner than MIN_SIDE or longer than
    MAX_ASPECT : 1.
    """
    data = _read(source)
    try:
        picture = _opened(data)
        _check_size(*picture.size)
        with turn(picture.size), picture:
            return _decoded(picture, data)
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(f"This picture is larger than {MAX_PIXELS // 10**6} megapixels; please scale it "
                         "down first.") from None
    except UnidentifiedImageError:
        raise ImageError(_what_it_is(data)) from None
    except Exception:
        raise ImageError("This picture is damaged or incomplete; please save it again, for example as PNG "
                         "or JPEG.") from None


def header_size(path: str | Path) -> tuple[int, int]:
    """Width and height of a picture file, which is not decoded; (0, 0) of one whose fault `load` will name."""
    try:
        with Image.open(path, formats=FORMATS) as picture:
            return picture.size
    except Exception:
        return 0, 0


def _decoded(picture: Image.Image, data: bytes) -> np.ndarray:
    deep = colours.low_bytes(picture, data)
    picture.load()
    return _rgb(_upright(picture)) if deep is None else _deep(_upright(picture), _upright(deep))


def _opened(data: bytes) -> Image.Image:
    """The picture, not decoded yet."""
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        if data[4:8] != b"ftyp" or data[8:12] not in HEIC or not importlib.util.find_spec("pillow_heif"):
            raise
    import pillow_heif

    return pillow_heif.HeifImageFile(io.BytesIO(data))


def _read(source: str | Path | bytes | BinaryIO) -> bytes:
    if isinstance(source, bytes | bytearray):
        data = bytes(source)
    elif isinstance(source, str | Path):
        data = _read_file(Path(source))
    else:
        data = source.read()
    if not data:
        raise ImageError("This file is empty.")
    return data


def _read_file(path: Path) -> bytes:
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_BYTES else None
    except (OSError, ValueError):          # ValueError: a NUL in the name
        raise ImageError("This picture file cannot be read.") from None
    if data is None:
        raise ImageError(f"This file is larger than {MAX_BYTES // 10**6} MB.")
    return data


def _what_it_is(data: bytes) -> str:
    head = data[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for start, what in OTHER_FORMATS.items():
        if head.startswith(start):
            return f"This is {what}, not a photograph; please export it as PNG or JPEG first."
    if data[4:8] == b"ftyp" and data[8:12] in HEIC:
        return ("HEIC pictures need the package pillow-heif, which is not installed here; please save this one as JPEG "
                "or PNG first.")
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _which_tiff(data)
    return "This file is not a picture that can be read; please use PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF."


def _which_tiff(data: bytes) -> str:
    """What kind of TIFF Pillow cannot read."""
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
        file = io.BytesIO(data)
        file.seek(tags.next)
        tags.load(file)
        bits, kind = tags[258], SAMPLE_FORMATS[tags.get(339, (1,))[0]]
        return (f"This TIFF has {len(bits)} channels of {bits[0]}-bit {kind}numbers, which cannot be read; please save "
                "it with 8 or 16 bits a channel.")
    except Exception:
        return "This TIFF is damaged or of a kind that cannot be read; please save it as PNG or JPEG."


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ImageError(f"This picture has {width * height / 1e6:.0f} megapixels; the limit is {MAX_PIXELS // 10**6}.")
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"This picture is {width} x {height} pixels; at least {MIN_SIDE} are needed on each side.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(f"This picture is {width} x {height} pixels; a strip longer than {MAX_ASPECT} : 1 "
                         "cannot be used.")


def _upright(picture: Image.Image) -> Image.Image:
    """Turned and mirrored as its orientation tag says; a tag block that cannot be read is no reason to refuse a sound
    picture.

    (Pillow's `exif_transpose` also writes the whole block anew, and fails on odd tags that have nothing to do with
    orientation.)
    """
    try:
        turn = TURNS.get(picture.getexif().get(ExifTags.Base.Orientation))
    except Exception:
        turn = None
    return picture if turn is None else picture.transpose(turn)


def _rgb(picture: Image.Image) -> np.ndarray:
    if picture.mode in ("I", "F"):
        grey = _stretch(np.asarray(picture, np.float32), 1.0 if picture.mode == "F" else 65535.0)
        return np.repeat(grey[..., None], 3, 2)
    if picture.mode in DEEP:
        table = _table(np.asarray(strip, np.uint16) for _, strip in _strips(picture))
        grey = ((rows, table[np.asarray(strip, np.uint16)]) for rows, strip in _strips(picture))
        return _filled(picture.size, ((rows, strip[..., None]) for rows, strip in grey))
    return _filled(picture.size, ((rows, _shown(strip)) for rows, strip in _strips(picture)))


def _strips(picture: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """The picture in strips of at most STRIP pixels, so that what is made on the way stays small, and their rows."""
    (width, height), step = picture.size, max(1, STRIP // picture.width)
    if step >= height:
        yield slice(None), picture
        return
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        yield rows, picture.crop((0, rows.start, width, rows.stop))


def _filled(size: tuple[int, int], strips: Iterable[tuple[slice, np.ndarray]]) -> np.ndarray:
    """uint8 (H, W, 3) of strips that fit in."""
    shown = np.empty((size[1], size[0], 3), np.uint8)
    for rows, strip in strips:
        shown[rows] = strip
    return shown


def _shown(strip: Image.Image) -> np.ndarray:
    alpha = None
    if strip.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in strip.info:
        alpha = strip.convert("RGBA").getchannel("A")
    return _on_white(colours.to_srgb(strip), alpha)


def _table(parts: Iterable[np.ndarray]) -> np.ndarray:
    """uint8 (65536,): what each 16-bit number becomes in a picture of these."""
    times = sum(np.bincount(part.ravel(), minlength=65536) for part in parts)
    return _stretch(np.arange(65536, dtype=np.float32), 65535.0, times)


def _deep(high: Image.Image, low: Image.Image) -> np.ndarray:
    """16-bit colour from its high and low bytes: stretched by one range for all channels, then as 8-bit colour.

    Both are RGB or RGBA; of alpha the high byte is enough.
    """
    def parts() -> Iterator[tuple[slice, Image.Image, np.ndarray]]:
        for (rows, above), (_, below) in zip(_strips(high), _strips(low)):
            numbers = np.asarray(above)[..., :3].astype(np.uint16) << 8
            numbers |= np.asarray(below)[..., :3]
            yield rows, above, numbers

    def seen(above: Image.Image, numbers: np.ndarray) -> np.ndarray:
        return numbers[np.asarray(above.getchannel("A")) > 0] if above.mode == "RGBA" else numbers

    table = _table(seen(above, numbers) for _, above, numbers in parts())
    return _filled(high.size, ((rows, _deep_shown(above, numbers, table)) for rows, above, numbers in parts()))


def _deep_shown(above: Image.Image, numbers: np.ndarray, table: np.ndarray) -> np.ndarray:
    alpha = above.getchannel("A") if above.mode == "RGBA" else None
    info = dict(above.info)
    hidden = info.pop("transparency", None)
    if alpha is None and isinstance(hidden, tuple):
        alpha = Image.fromarray(np.where((numbers == np.array(hidden, np.uint16)).all(2), 0, 255).astype(np.uint8))
    shown = Image.fromarray(table[numbers])
    shown.info = info
    return _on_white(colours.to_srgb(shown), alpha)


def _on_white(picture: Image.Image, alpha: Image.Image | None) -> np.ndarray:
    if alpha is not None:
        picture = Image.composite(picture, Image.new("RGB", picture.size, "white"), alpha)
    return np.array(picture, np.uint8, order="C")


def _stretch(grey: np.ndarray, full: float, times: np.ndarray | None = None) -> np.ndarray:
    """Numbers -> uint8: percentiles STRETCH to 0 and 255; a constant picture keeps its place in 0..full; NaN is
    darkest.

    times: how often each of the numbers, sorted, is in the picture; once if it is not given.
    """
    if times is not None and times.any():
        place = np.searchsorted(np.cumsum(times), np.array(STRETCH) / 100 * times.sum())
        low, high = map(float, grey[np.minimum(place, len(grey) - 1)])
        inside = np.flatnonzero(times)
        known = grey[inside] if high <= low else np.array([low, high])
        return _between(grey, known, low, high, full)
    known = grey[np.abs(grey) < NO_DATA]
    low, high = map(float, np.percentile(known, STRETCH, overwrite_input=True)) if known.size else (0.0, 0.0)
    return _between(grey, known, low, high, full)


def _between(grey: np.ndarray, known: np.ndarray, low: float, high: float, full: float) -> np.ndarray:
    if known.size and high <= low:
        low, high = float(known.min()), float(known.max())
    if high <= low:
        low, high = 0.0, full
    clipped = np.clip(np.nan_to_num(grey, nan=low), low, high)
    return ((clipped - low) / (high - low) * 255 + 0.5).astype(np.uint8)


def digest(image: np.ndarray) -> str:
    """SHA-256 (hex) of shape, type and pixels: equal pictures, equal digests."""
    sha = hashlib.sha256(f"{image.shape}{image.dtype}".encode())
    sha.update(np.ascontiguousarray(image).data)
    return sha.hexdigest()


@dataclass(frozen=True)
class Sample:
    """A picture that ships: file in assets/samples, title, licence, where it is from, and the file of exact region ids,
    if any."""

    file: str
    title: str
    licence: str
    source: str
    truth: str | None = None


_SCIKIT = "scikit-image 0.26.0, skimage/data"
_OWN = "rendered by backends.train.scenes, without pictures of others"

SAMPLES: dict[str, Sample] = {
    "chelsea": Sample("chelsea.png", "Cat", "CC0 1.0", f"Stéfan van der Walt; {_SCIKIT}"),
    "coffee": Sample("coffee.png", "Coffee", "CC0 1.0", f"Rachel Michetti; {_SCIKIT}"),
    "rocket": Sample("rocket.jpg", "Rocket", "public domain", f"SpaceX; {_SCIKIT}"),
    "astronaut": Sample("astronaut.png", "Astronaut", "public domain", f"NASA; {_SCIKIT}"),
    "coins": Sample("coins.png", "Coins", "no known copyright restrictions", f"Brooklyn Museum; {_SCIKIT}"),
    "horse": Sample("horse.png", "Horse", "CC0 1.0", f"Andreas Preuss; {_SCIKIT}"),
    "scene-a": Sample("scene-a.png", "Scene A", "Apache-2.0", f"seed 2000005, {_OWN}", "scene-a.ids.png"),
    "scene-b": Sample("scene-b.png", "Scene B", "Apache-2.0", f"seed 2000010, {_OWN}", "scene-b.ids.png"),
    "scene-c": Sample("scene-c.png", "Scene C", "Apache-2.0", f"seed 2000021, {_OWN}", "scene-c.ids.png"),
}


def _sample(name: str) -> Sample:
    if name not in SAMPLES:
        raise ImageError(f"There is no sample called {str(name)[:40]!r}; the samples are {', '.join(SAMPLES)}.")
    return SAMPLES[name]


def sample_path(name: str) -> Path:
    """Where the sample's file lies.  Raises ImageError for an unknown name."""
    return FOLDER / _sample(name).file


def sample(name: str) -> np.ndarray:
    """The sample as uint8 (H, W, 3).  Raises ImageError for an unknown name."""
    return load(sample_path(name))


def truth(name: str) -> np.ndarray | None:
    """Exact object ids uint8 (H, W), 0 = no object, of a rendered scene; None for a photograph."""
    file = _sample(name).truth
    if file is None:
        return None
    with Image.open(FOLDER / file) as ids:
        return np.array(ids, np.uint8)
