"""The strict door: right picture or one clear sentence, for everything that people drop on a page."""
import io
import resource
import zlib

import numpy as np
import pytest
from PIL import Image

from backends import images


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def corners(width: int = 6, height: int = 4) -> np.ndarray:
    """Four different corners on grey, so that every turn and mirror shows."""
    a = np.full((height, width, 3), 100, np.uint8)
    a[0, 0], a[0, -1], a[-1, 0], a[-1, -1] = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)
    return a


UPRIGHT = {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1], 5: lambda a: a.transpose(1, 0, 2),
           6: lambda a: np.rot90(a, -1), 7: lambda a: a[::-1, ::-1].transpose(1, 0, 2), 8: lambda a: np.rot90(a, 1)}


@pytest.mark.parametrize("orientation", UPRIGHT, ids=lambda o: f"exif-{o}")
def test_every_exif_orientation_comes_out_upright_to_the_pixel(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = corners()
    loaded = images.load(encoded(Image.fromarray(stored), "PNG", exif=exif))
    assert np.array_equal(loaded, UPRIGHT[orientation](stored))
    assert loaded.flags["C_CONTIGUOUS"] and loaded.dtype == np.uint8


@pytest.mark.parametrize("source", ["bytes", "path", "str", "file"])
def test_a_picture_may_come_as_bytes_path_or_open_file(tmp_path, source):
    data = encoded(Image.fromarray(corners()), "PNG")
    file = tmp_path / "a.png"
    file.write_bytes(data)
    given = {"bytes": data, "path": file, "str": str(file), "file": io.BytesIO(data)}[source]
    assert np.array_equal(images.load(given), corners())


def test_alpha_is_blended_on_white_in_every_mode_that_has_it():
    layer = np.zeros((4, 6, 4), np.uint8)
    layer[..., 0], layer[..., 3] = 200, 128
    half = images.load(encoded(Image.fromarray(layer), "PNG"))
    assert np.abs(half[0, 0].astype(int) - (227, 127, 127)).max() <= 1
    grey = images.load(encoded(Image.fromarray(layer[..., [0, 3]], "LA"), "PNG"))
    assert np.abs(grey[0, 0].astype(int) - 227).max() <= 1
    palette = Image.new("P", (6, 4), 0)
    palette.putpalette([10, 20, 30, 200, 0, 0])
    palette.putpixel((0, 0), 1)
    loaded = images.load(encoded(palette, "PNG", transparency=0))
    assert (loaded[1, 1] == 255).all() and tuple(loaded[0, 0]) == (200, 0, 0)


def test_sixteen_bit_is_stretched_not_clipped():
    ramp = np.linspace(1000, 30000, 4000).astype(np.uint16).reshape(40, 100)
    loaded = images.load(encoded(Image.fromarray(ramp), "PNG"))
    assert loaded.min() == 0 and loaded.max() == 255 and 120 < loaded[20, 0, 0] < 136
    assert (np.diff(loaded[..., 0].ravel().astype(int)) >= 0).all()


@pytest.mark.parametrize("value", [0, 40000])
def test_a_constant_sixteen_bit_picture_does_not_divide_by_zero(value):
    loaded = images.load(encoded(Image.fromarray(np.full((8, 8), value, np.uint16)), "PNG"))
    assert (loaded == int(value / 65535 * 255)).all()


def test_float_tiff_with_nan_is_shown():
    data = np.linspace(-2, 3, 64, dtype=np.float32).reshape(8, 8)
    data[0, 0] = np.nan
    assert images.load(encoded(Image.fromarray(data), "TIFF")).max() == 255


@pytest.mark.parametrize("mode, kind", [("CMYK", "JPEG"), ("L", "PNG"), ("1", "PNG"), ("P", "GIF"), ("RGB", "WEBP"), ("RGB", "BMP")])
def test_other_modes_become_rgb(mode, kind):
    loaded = images.load(encoded(Image.new("RGB", (9, 5), (255, 255, 255)).convert(mode), kind))
    assert loaded.shape == (5, 9, 3) and loaded.min() > 250


def test_the_first_frame_of_an_animation_is_taken_in_its_own_colours():
    red, blue = Image.new("RGB", (7, 5), (255, 0, 0)), Image.new("RGB", (7, 5), (0, 0, 255))
    loaded = images.load(encoded(red, "GIF", save_all=True, append_images=[blue]))
    assert tuple(loaded[2, 3]) == (255, 0, 0)


PHOTO = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)), "PNG")
BAD = {
    "empty": (b"", "empty"), "truncated png": (PHOTO[:2000], "damaged"), "header only": (PHOTO[:40], "not a picture"),
    "truncated jpeg": (encoded(Image.new("RGB", (64, 64)), "JPEG")[:300], "damaged"),
    "text": (b"hello, I am a text file called a.png", "not a picture"), "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    "xml svg": (b"\xef\xbb\xbf<?xml version='1.0'?><svg/>", "SVG"), "pdf": (b"%PDF-1.7", "PDF"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
    "1 x N": (encoded(Image.new("RGB", (1, 60)), "PNG"), "at least 2"), "strip": (encoded(Image.new("RGB", (2, 200)), "PNG"), "50 : 1"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_a_whole_picture_gets_one_sentence(name):
    data, says = BAD[name]
    with pytest.raises(images.ImageError, match=says) as caught:
        images.load(data)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value) and "Error" not in str(caught.value)


def png_of_zeros(width: int, height: int) -> bytes:
    """A valid PNG header and one tiny piece of data that claims to be huge."""
    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [6400, 12_000, 20_000, 60_000])
def test_too_many_pixels_are_refused_from_the_header_before_memory_is_spent(side):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(images.ImageError, match="megapixels"):
        images.load(png_of_zeros(side, side))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000     # kilobytes


def test_loading_leaves_pillows_global_limits_alone():
    before = Image.MAX_IMAGE_PIXELS
    images.load(PHOTO)
    with pytest.raises(images.ImageError):
        images.load(PHOTO[:500])
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_missing_file_and_an_unknown_sample_are_one_sentence_each():
    with pytest.raises(images.ImageError, match="cannot be read"):
        images.load("/nowhere/a.png")
    with pytest.raises(images.ImageError, match="no sample called"):
        images.sample("../../etc/passwd")


def test_equal_pixels_have_equal_digests_and_shape_counts():
    a = corners()
    assert images.digest(a) == images.digest(a.copy()) == images.digest(np.asfortranarray(a))
    assert images.digest(a) != images.digest(a.reshape(6, 4, 3))


@pytest.mark.parametrize("name", images.SAMPLES)
def test_every_sample_loads_and_its_truth_has_its_size(name):
    image, truth = images.sample(name), images.truth(name)
    assert image.ndim == 3 and min(image.shape[:2]) >= 300
    assert (truth is None) == (images.SAMPLES[name].truth is None)
    if truth is not None:
        assert truth.shape == image.shape[:2] and len(np.unique(truth)) > 2


def test_every_sample_file_has_its_licence_written_down():
    text = (images.FOLDER / "LICENSES.md").read_text()
    files = {p.name for p in images.FOLDER.iterdir()} - {"LICENSES.md"}
    assert files == {f for s in images.SAMPLES.values() for f in (s.file, s.truth) if f}
    assert all(f in text for f in files)
