"""Size is refused before memory is spent, and nothing global changes on the way."""
import io
import json
import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageFile

from backends import images
from tests.conftest import ROOT


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("size, fits",
                         [((8, 5), True), ((41, 1), False), ((2, 20), True), ((2, 22), False), ((7, 6), False)])
def test_the_limits_are_inclusive(monkeypatch, size, fits):
    monkeypatch.setattr(images, "MAX_PIXELS", 40)
    monkeypatch.setattr(images, "MAX_ASPECT", 10)
    data = encoded(Image.new("RGB", size), "PNG")
    if fits:
        assert images.load(data).shape[:2] == size[::-1]
    else:
        with pytest.raises(images.ImageError):
            images.load(data)


def black_png(side: int) -> bytes:
    """A whole, valid black picture, 1 bit a pixel: the file is tiny, the picture is not."""
    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(side * (1 + (side + 7) // 8)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def wide_webp(side: int) -> bytes:
    """An animation of 8 x 8 frames on a canvas that claims to be huge."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = bytearray(encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]))
    at = data.index(b"VP8X") + 12
    data[at:at + 6] = (side - 1).to_bytes(3, "little") * 2
    return bytes(data)


def icon_of(png: bytes) -> bytes:
    """An icon that claims 64 x 64 and holds `png`; Pillow would decode it while opening."""
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 64, 64, 0, 0, 1, 32, len(png), 22) + png


BOMBS = {
    "png 6400": lambda: black_png(6400), "png 12000": lambda: black_png(12_000), "png 20000": lambda: black_png(20_000),
    "webp 12000": lambda: wide_webp(12_000), "webp 16383": lambda: wide_webp(16_383),
    "icon 12000": lambda: icon_of(black_png(12_000)),
}
METER = """
import json, resource, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from backends import images

def peak():
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def grown(path):
    before = peak()
    try:
        images.load(path)
        said = ""
    except images.ImageError as error:
        said = str(error)
    return said, peak() - before

folder = Path(sys.argv[1])
for warm in ("warm.png", "warm.webp"):
    images.load(folder / warm)
found = {path.name: grown(path) for path in sorted((folder / "bombs").iterdir())}
before = peak()
with ThreadPoolExecutor(4) as four:
    kept = list(four.map(images.load, [folder / "four.png"] * 4))
found["four"] = "", peak() - before
images.MAX_PIXELS = 10**9
found["control"] = grown(folder / "bombs" / "png 6400")
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def metered(tmp_path_factory):
    """{name: (sentence, kilobytes by which peak memory grew)} of every bomb and a control, loaded in a process of their
    own."""
    folder = tmp_path_factory.mktemp("metered")
    for kind in ("png", "webp"):
        (folder / f"warm.{kind}").write_bytes(encoded(Image.new("RGB", (64, 64)), kind.upper()))
    (folder / "four.png").write_bytes(encoded(Image.new("RGBA", (3000, 2000)), "PNG", compress_level=1))
    (folder / "bombs").mkdir()
    for name, make in BOMBS.items():
        (folder / "bombs" / name).write_bytes(make())
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", METER, folder], cwd=ROOT, capture_output=True,
                          text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.case("Pictures of too many pixels", "One sentence before memory is spent.")
def test_a_picture_beyond_the_limit_is_refused_before_memory_is_spent(metered, name):
    said, kilobytes = metered[name]
    assert ("not a picture" if name.startswith("icon") else "megapixels") in said
    assert kilobytes < 10_000


def test_the_memory_meter_sees_a_picture_that_is_decoded(metered):
    said, kilobytes = metered["control"]
    assert said == "" and kilobytes > 100_000


def test_four_large_pictures_at_once_take_little_more_than_what_they_decode_to(metered):
    """3 bytes a pixel each, and one at a time 4 more and a strip; side by side it was 22 a pixel each."""
    _, kilobytes = metered["four"]
    assert 4 * 18_000 * 0.9 < kilobytes < 200_000


@pytest.mark.parametrize("action", ["default", "error"])
def test_pillows_own_bomb_warning_changes_nothing(action):
    with warnings.catch_warnings(record=True):
        warnings.simplefilter(action)
        with pytest.raises(images.ImageError, match="megapixels"):
            images.load(black_png(10_000))


def test_nothing_global_is_changed_while_a_picture_is_read(monkeypatch):
    def globals_now():
        return list(warnings.filters), Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    seen = []
    monkeypatch.setattr(images, "_check_size", lambda *size: seen.append(globals_now()))
    before = globals_now()
    images.load(encoded(Image.new("RGB", (9, 9)), "PNG"))
    assert seen == [before] and globals_now() == before


def test_threads_do_not_disturb_each_other():
    pictures = [np.random.default_rng(i).integers(0, 256, (60 + i, 80, 3), dtype=np.uint8) for i in range(8)]
    files = [encoded(Image.fromarray(p), "PNG") for p in pictures]
    files += [data[:2000] for data in files[:4]]

    def attempt(data):
        try:
            return images.load(data)
        except images.ImageError:
            return None
    with ThreadPoolExecutor(6) as pool:
        for _ in range(5):
            loaded = list(pool.map(attempt, files))
            assert all(np.array_equal(a, b) for a, b in zip(loaded, pictures)) and loaded[8:] == [None] * 4


def test_a_file_that_is_too_large_is_not_even_read(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_BYTES", 1000)
    (tmp_path / "a.png").write_bytes(bytes(1001))
    with pytest.raises(images.ImageError, match="This file is larger"):
        images.load(tmp_path / "a.png")
