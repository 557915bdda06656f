"""The strict door: right picture or one clear sentence, for everything that people drop on a page."""
import io
import struct

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


UPRIGHT = {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
           5: lambda a: a.transpose(1, 0, 2), 6: lambda a: np.rot90(a, -1),
           7: lambda a: a[::-1, ::-1].transpose(1, 0, 2), 8: lambda a: np.rot90(a, 1)}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", UPRIGHT, ids=lambda o: f"exif-{o}")
def test_every_exif_orientation_comes_out_upright_to_the_pixel(orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = corners()
    loaded = images.load(encoded(Image.fromarray(stored), kind, exif=exif, lossless=True))
    assert np.array_equal(loaded, UPRIGHT[orientation](stored))
    assert loaded.flags["C_CONTIGUOUS"] and loaded.dtype == np.uint8


def test_a_photograph_from_a_camera_is_turned_as_well():
    exif = Image.Exif()
    exif[0x0112] = 6
    halves = np.zeros((40, 64, 3), np.uint8)
    halves[:, 32:] = 255
    loaded = images.load(encoded(Image.fromarray(halves), "JPEG", exif=exif, quality=95))
    assert loaded.shape == (64, 40, 3) and loaded[:28].max() < 20 and loaded[36:].min() > 235


def tags(*entries: bytes) -> bytes:
    """An EXIF block, big-endian, of 12-byte entries."""
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", len(entries)) + b"".join(entries) + bytes(4)


TURN = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
ODD_TAGS = {
    "garbage": (b"Exif\0\0garbage garbage", False),
    "not a tag block": (tags(TURN).replace(b"MM\0*", b"MM\0\xff"), False),
    "text as orientation": (tags(struct.pack(">HHI4s", 0x0112, 2, 4, b"666\0")), False),
    "beyond 8": (tags(TURN[:8] + b"\0\x09\0\0"), False),
    "text where Pillow wants a number": (tags(TURN, struct.pack(">HHI4s", 0x011A, 2, 4, b"abc\0")), True),
    "pointer out of the file": (tags(TURN, struct.pack(">HHII", 0x8769, 4, 1, 0xFFFFFF00)), True),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ODD_TAGS)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_sound_picture_with_odd_tags_is_not_refused_and_turned_if_they_say_so(name, kind):
    block, turned = ODD_TAGS[name]
    loaded = images.load(encoded(Image.fromarray(corners()), kind, exif=block))
    assert loaded.shape[:2] == ((6, 4) if turned else (4, 6))


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


@pytest.mark.parametrize("value", [0, 1, 40000, 65535])
def test_a_constant_sixteen_bit_picture_does_not_divide_by_zero(value):
    loaded = images.load(encoded(Image.fromarray(np.full((8, 8), value, np.uint16)), "PNG"))
    assert (loaded == round(value / 65535 * 255)).all()


def test_a_few_bright_pixels_of_a_sixteen_bit_mask_stay_visible():
    mask = np.zeros((40, 40), np.uint16)
    mask[3, 4] = 7
    loaded = images.load(encoded(Image.fromarray(mask), "PNG"))
    assert loaded[3, 4].min() == 255 and loaded.sum() == 3 * 255


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i4"])
def test_a_deep_tiff_of_any_byte_order_is_stretched(dtype):
    ramp = np.linspace(0, 30000, 256).astype(dtype).reshape(16, 16)
    loaded = images.load(encoded(Image.fromarray(ramp), "TIFF"))[..., 0].astype(int)
    assert loaded[0, 0] == 0 and loaded[-1, -1] == 255 and 120 <= loaded[8, 0] <= 136


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf, -3.4e38])
def test_pixels_without_data_do_not_spoil_the_range_of_a_float_tiff(hole):
    data = np.linspace(1000, 1100, 100, dtype=np.float32).reshape(10, 10)
    data[0] = hole
    loaded = images.load(encoded(Image.fromarray(data), "TIFF"))[..., 0].astype(int)
    assert loaded[1, 0] < 5 and loaded[9, 9] == 255 and 110 < loaded[5, 4] < 130
    assert (loaded[0] == (255 if hole == np.inf else 0)).all()


@pytest.mark.parametrize("value, shown", [(np.nan, 0), (0.0, 0), (0.5, 128), (1.0, 255), (7.0, 255)])
def test_a_constant_float_picture_does_not_divide_by_zero(value, shown):
    assert (images.load(encoded(Image.fromarray(np.full((8, 8), value, np.float32)), "TIFF")) == shown).all()


MODES = [("CMYK", "JPEG"), ("L", "PNG"), ("1", "PNG"), ("P", "GIF"), ("RGB", "WEBP"), ("RGB", "BMP"), ("RGB", "AVIF")]


@pytest.mark.parametrize("mode, kind", MODES)
def test_other_modes_become_rgb(mode, kind):
    loaded = images.load(encoded(Image.new("RGB", (9, 5), (255, 255, 255)).convert(mode), kind))
    assert loaded.shape == (5, 9, 3) and loaded.min() > 250


def test_the_first_frame_of_an_animation_is_taken_in_its_own_colours():
    red, blue = Image.new("RGB", (7, 5), (255, 0, 0)), Image.new("RGB", (7, 5), (0, 0, 255))
    loaded = images.load(encoded(red, "GIF", save_all=True, append_images=[blue]))
    assert tuple(loaded[2, 3]) == (255, 0, 0)


def test_a_transparent_gif_is_laid_on_white():
    clear = Image.new("P", (7, 5), 0)
    clear.putpalette([10, 20, 30, 200, 0, 0])
    clear.putpixel((1, 1), 1)
    loaded = images.load(encoded(clear, "GIF", transparency=0))
    assert tuple(loaded[1, 1]) == (200, 0, 0) and (loaded[0] == 255).all()


PHOTO = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)), "PNG")
BAD = {
    "empty": (b"", "empty"), "truncated png": (PHOTO[:2000], "damaged"), "header only": (PHOTO[:40], "not a picture"),
    "truncated jpeg": (encoded(Image.new("RGB", (64, 64)), "JPEG")[:300], "damaged"),
    "text": (b"hello, I am a text file called a.png", "not a picture"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    "xml svg": (b"\xef\xbb\xbf<?xml version='1.0'?><svg/>", "SVG"), "pdf": (b"%PDF-1.7", "PDF"),
    "video": (b"\0\0\0\x18ftypisom\0\0\0\0", "not a picture"),
    "eps, which would run Ghostscript": (encoded(Image.new("RGB", (9, 9)), "EPS"), "not a picture"),
    "1 x N": (encoded(Image.new("RGB", (1, 60)), "PNG"), "at least 2"),
    "strip": (encoded(Image.new("RGB", (2, 200)), "PNG"), "50 : 1"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.case("Pictures that are none: cut, empty, SVG, text", "One sentence each.")
def test_what_is_not_a_whole_picture_gets_one_sentence(name):
    data, says = BAD[name]
    with pytest.raises(images.ImageError, match=says) as caught:
        images.load(data)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value) and "Error" not in str(caught.value)


WHOLE = {
    "png": ("PNG", {}), "jpeg": ("JPEG", {}), "progressive": ("JPEG", {"progressive": True}), "webp": ("WEBP", {}),
    "gif": ("GIF", {}),
    "lossless webp": ("WEBP", {"lossless": True}), "bmp": ("BMP", {}), "tiff": ("TIFF", {}),
    "lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "avif": ("AVIF", {}),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", WHOLE)
def test_a_file_cut_anywhere_gives_the_whole_picture_or_an_error_never_a_part(name):
    kind, options = WHOLE[name]
    data = encoded(Image.open(io.BytesIO(PHOTO)), kind, **options)
    whole = images.load(data)
    refused = 0
    for end in [*range(1, len(data), len(data) // 40), *range(len(data) - 12, len(data))]:
        try:
            assert np.array_equal(images.load(data[:end]), whole), end
        except images.ImageError:
            refused += 1
    assert refused >= 40


def test_a_missing_file_and_an_unknown_sample_are_one_sentence_each():
    for path in ("/nowhere/a.png", str(images.FOLDER), "a\0.png"):
        with pytest.raises(images.ImageError, match="cannot be read"):
            images.load(path)
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
    assert sum(s.truth is None for s in images.SAMPLES.values()) == 6
    assert files == {f for s in images.SAMPLES.values() for f in (s.file, s.truth) if f}
    assert all(f in text for f in files)
