"""Colours as they are meant: profiles, PNG's gamma, 16 bits a channel, in every format and mode that carries them."""
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from backends import images
from tests.backends import profiles

COLOURS = np.array([[115, 199, 75], [255, 255, 255], [0, 0, 0], [128, 128, 128], [200, 40, 90], [20, 90, 240]])
CHART = np.repeat(np.repeat(COLOURS.reshape(2, 3, 3), 8, 0), 8, 1).astype(np.uint8)
WIDE = {"Adobe RGB": (profiles.ADOBE, 2.2), "Display P3": (profiles.P3, 2.2)}


def encoded(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png16(pixels, *chunks):
    """A PNG of uint16 (H, W, C): grey, grey with alpha, RGB or RGBA; `chunks` stand before the pixels."""
    height, width, channels = pixels.shape
    head = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(chunks) + chunk(b"IDAT", zlib.compress(rows)) + chunk(
        b"IEND", b"")


def tiff(pixels, order="<", photometric=2, kind=1):
    """An uncompressed TIFF (H, W, C) of any number type."""
    height, width, channels = pixels.shape
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    ifd = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II" if order == "<" else b"MM")
    for tag, value in {256: width, 257: height, 258: (8 * pixels.dtype.itemsize,) * channels, 259: 1,
                       262: photometric, 277: channels, 278: height, 279: len(data), 339: (kind,) * channels}.items():
        ifd[tag] = value
    ifd[273] = 0                                            # Pillow counts from the end of the tags
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return head + ifd.tobytes(8) + data


def gamma_chunk(value):
    return chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF"])
@pytest.mark.parametrize("name", WIDE)
def test_a_wide_profile_is_honoured_in_every_format(kind, name):
    primaries, gamma = WIDE[name]
    options = {"quality": 100, "subsampling": "4:4:4"} if kind in ("JPEG", "AVIF") else {"lossless": True}
    data = encoded(Image.fromarray(CHART), kind, icc_profile=profiles.rgb(primaries, gamma), **options)
    expected = profiles.shown_in_srgb(COLOURS, primaries, gamma)
    shown = images.load(data)[4::8, 4::8].reshape(-1, 3)
    assert np.abs(shown - expected).max() <= (2 if kind in ("PNG", "TIFF", "WEBP") else 6)
    assert np.abs(shown - COLOURS.astype(int)).max() > 30


def test_a_profile_that_is_srgb_leaves_the_pixels_as_they_are():
    from PIL import ImageCms

    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(images.load(encoded(Image.fromarray(pixels), "PNG", icc_profile=srgb)), pixels)


@pytest.mark.parametrize("profile", [b"garbage", profiles.rgb(profiles.P3, 2.2)[:200], profiles.cmyk([50] * 16),
                                     profiles.grey(1.8)], ids=["garbage", "torn", "of inks", "of grey"])
def test_a_profile_that_cannot_be_meant_is_no_reason_to_refuse_the_picture(profile):
    assert np.array_equal(images.load(encoded(Image.fromarray(CHART), "PNG", icc_profile=profile)), CHART)


def test_a_palette_with_transparency_is_converted_and_laid_on_pure_white():
    palette = Image.fromarray(CHART).quantize(16)
    clear = palette.getpixel((20, 12))
    data = encoded(palette, "PNG", icc_profile=profiles.rgb(profiles.P3, 2.2), transparency=clear)
    expected = profiles.shown_in_srgb(COLOURS, profiles.P3, 2.2)
    expected[5] = 255
    assert np.abs(images.load(data)[4::8, 4::8].reshape(-1, 3) - expected).max() <= 2


@pytest.mark.parametrize("mode", ["RGBA", "LA", "L", "1"])
def test_alpha_and_grey_of_a_profile(mode):
    layer = Image.fromarray(CHART).convert(mode)
    if mode == "RGBA":
        layer.putalpha(128)
    profile = profiles.rgb(profiles.ADOBE, 2.2) if mode == "RGBA" else profiles.grey(1.0)
    shown = images.load(encoded(layer, "PNG", icc_profile=profile))[4::8, 4::8].reshape(-1, 3)
    if mode == "RGBA":
        expected = 255 - 128 / 255 * (255 - profiles.shown_in_srgb(COLOURS, profiles.ADOBE, 2.2))
    else:
        level = np.asarray(layer.convert("L"))[4::8, 4::8].reshape(-1, 1).repeat(3, 1)
        expected = profiles.shown_in_srgb(level, profiles.SRGB, 1.0)
    assert np.abs(shown - expected).max() <= 3


def test_inks_with_a_profile_are_what_the_profile_says():
    corners = np.zeros((16, 16, 4), np.uint8)
    corners[:, 8:, 0] = 255
    paper_and_cyan = [100] * 8 + [53.6] * 8
    for kind in ("TIFF", "JPEG"):
        data = encoded(Image.fromarray(corners, "CMYK"), kind, icc_profile=profiles.cmyk(paper_and_cyan), quality=100)
        shown = images.load(data).astype(int)
        assert shown[4, 3].min() >= 252 and np.abs(shown[4, 12] - 128).max() <= 4
    plain = images.load(encoded(Image.fromarray(corners, "CMYK"), "TIFF"))
    assert plain[4, 12, 0] < 10 and plain[4, 12, 2] > 245


@pytest.mark.parametrize("gamma, power", [(1.0, 1 / 2.2), (1 / 2.2, 1), (1 / 1.8, 1.8 / 2.2), (0.0, 1), (40.0, 1)])
@pytest.mark.parametrize("palette", [False, True])
def test_the_gamma_of_a_png_is_honoured_unless_it_is_a_mistake(gamma, power, palette):
    picture = Image.fromarray(CHART)
    data = encoded(picture.quantize(16) if palette else picture, "PNG")
    data = data[:33] + gamma_chunk(gamma) + data[33:]
    expected = 255 * (COLOURS / 255) ** power
    assert np.abs(images.load(data)[4::8, 4::8].reshape(-1, 3) - expected).max() <= (2 if power != 1 else 0)


def test_srgb_and_a_profile_overrule_the_gamma():
    for also, expected in (({}, COLOURS), ({"icc_profile": profiles.rgb(profiles.P3, 2.2)},
                                           profiles.shown_in_srgb(COLOURS, profiles.P3, 2.2))):
        data = encoded(Image.fromarray(CHART), "PNG", **also)
        more = gamma_chunk(1.0) + (chunk(b"sRGB", b"\0") if not also else b"")
        shown = images.load(data[:33] + more + data[33:])[4::8, 4::8].reshape(-1, 3)
        assert np.abs(shown - expected).max() <= 2


def ramp(channels, top=4095):
    """uint16 (40, 60, C): each channel another slope, all within 12 bits."""
    x = np.linspace(0, top, 60)[None, :, None] * np.array([1.0, 0.6, 0.3, 1.0])[:channels]
    return np.rint(np.broadcast_to(x, (40, 60, channels))).astype(np.uint16)


def stretched(pixels):
    low, high = np.percentile(pixels, images.STRETCH, method="inverted_cdf")
    return (np.clip(pixels.astype(float), low, high) - low) / (high - low) * 255


def packed(pixels):
    """The uncompressed TIFF with its strip packed as deflate, which libtiff reads."""
    plain = tiff(pixels)
    tags = TiffImagePlugin.ImageFileDirectory_v2(plain[:8])
    file = io.BytesIO(plain)
    file.seek(8)
    tags.load(file)
    strip = zlib.compress(plain[tags[273][0]:])
    ifd = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    for tag in (256, 257, 258, 262, 277, 278, 339):
        ifd[tag] = tags[tag]
    ifd[259], ifd[279], ifd[273] = 8, len(strip), 0
    return b"II*\0" + struct.pack("<I", 8) + ifd.tobytes(8) + strip


FILES = {"png": png16, "tiff": tiff, "big-endian tiff": lambda p: tiff(p, ">"), "deflated tiff": packed}


@pytest.mark.parametrize("name", FILES)
def test_twelve_bits_in_a_sixteen_bit_colour_file_are_stretched_by_one_range(name):
    pixels = ramp(3)
    shown = images.load(FILES[name](pixels)).astype(int)
    assert shown.shape == (40, 60, 3) and np.abs(shown - stretched(pixels)).max() <= 1
    assert len(np.unique(shown[..., 0])) > 50


@pytest.mark.parametrize("name", FILES)
def test_sixteen_bit_alpha_is_blended_on_white_and_what_is_hidden_does_not_count(name):
    pixels = ramp(4)
    pixels[..., 3] = 65535
    pixels[:20, :, 3], pixels[:20, :, :3] = 0, 60000
    shown = images.load(FILES[name](pixels)).astype(int)
    assert (shown[:20] == 255).all() and np.abs(shown[20:] - stretched(pixels[20:, :, :3])).max() <= 1


def test_sixteen_bit_grey_with_alpha_keeps_its_low_bytes():
    pixels = np.concatenate([ramp(1), np.full((40, 60, 1), 65535, np.uint16)], 2)
    shown = images.load(png16(pixels)).astype(int)
    assert np.abs(shown - stretched(pixels[..., :1])).max() <= 1 and (shown == shown[..., :1]).all()


def test_the_colour_that_a_sixteen_bit_png_calls_transparent_is_white_and_no_other():
    pixels = ramp(3)
    gone = pixels[0, 30].tolist()
    shown = images.load(png16(pixels, chunk(b"tRNS", struct.pack(">HHH", *gone))))
    white = (shown == 255).all(2)
    assert white[:, 30].all() and not white[:, :30].any() and not white[:, 31:].any()


@pytest.mark.parametrize("value", [0, 40000, 65535])
def test_a_constant_sixteen_bit_colour_keeps_its_place(value):
    assert (images.load(png16(np.full((8, 8, 3), value, np.uint16))) == round(value / 65535 * 255)).all()


def test_sixteen_bit_colour_with_a_profile_and_an_orientation():
    pixels = ramp(3, 65535)
    exif = Image.Exif()
    exif[0x0112] = 6
    packed = zlib.compress(profiles.rgb(profiles.P3, 2.2))
    data = png16(pixels, chunk(b"iCCP", b"p\0\0" + packed), chunk(b"eXIf", exif.tobytes()[6:]))
    shown = images.load(data)
    expected = profiles.shown_in_srgb(np.rint(stretched(pixels)[0]), profiles.P3, 2.2)
    assert shown.shape == (60, 40, 3) and np.abs(shown[:, 5] - expected).max() <= 3


@pytest.mark.parametrize("dtype, says", [(np.float32, "3 channels of 32-bit floating-point"), (np.float64, "64-bit fl"),
                                         (np.uint32, "3 channels of 32-bit numbers")])
def test_a_tiff_of_a_kind_that_cannot_be_read_is_called_what_it_is(dtype, says):
    data = tiff(np.ones((9, 9, 3), dtype), kind=3 if dtype != np.uint32 else 1)
    with pytest.raises(images.ImageError, match=says):
        images.load(data)
    with pytest.raises(images.ImageError, match="TIFF is damaged"):
        images.load(data[:9])


def test_lab_is_a_colour_space_and_not_damage():
    lab = Image.merge("LAB", [Image.new("L", (9, 9), level) for level in (137, 128, 128)])
    shown = images.load(encoded(lab, "TIFF")).astype(int)
    assert np.abs(shown - 128).max() <= 4


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "GIF", "AVIF"])
def test_of_many_frames_the_first_one_counts(kind):
    red, blue = Image.new("RGB", (16, 16), (255, 0, 0)), Image.new("RGB", (16, 16), (0, 0, 255))
    shown = images.load(encoded(red, kind, save_all=True, append_images=[blue])).astype(int)
    assert np.abs(shown - (255, 0, 0)).max() <= 3


def test_the_size_is_looked_at_before_anything_is_decoded(monkeypatch):
    huge = struct.pack(">IIBBBBB", 30_000, 30_000, 16, 6, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", huge) + pixels + chunk(b"IEND", b"")
    monkeypatch.setattr(Image.Image, "load", None)
    with pytest.raises(images.ImageError, match="40"):
        images.load(data)


def test_heic_is_read_with_pillow_heif_and_named_without_it(monkeypatch):
    import pillow_heif

    primaries, gamma = WIDE["Display P3"]
    out = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(CHART)).save(out, quality=-1, chroma=444)
    with_profile = io.BytesIO()
    tagged = Image.fromarray(CHART)
    tagged.info["icc_profile"] = profiles.rgb(primaries, gamma)
    pillow_heif.from_pillow(tagged).save(with_profile, quality=-1, chroma=444)
    assert np.abs(images.load(out.getvalue()).astype(int) - CHART).max() <= 4
    shown = images.load(with_profile.getvalue())[4::8, 4::8].reshape(-1, 3)
    assert np.abs(shown - profiles.shown_in_srgb(COLOURS, primaries, gamma)).max() <= 8
    with pytest.raises(images.ImageError, match="damaged"):
        images.load(out.getvalue()[:60])
    monkeypatch.setattr(images.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(images.ImageError, match="need the package pillow-heif"):
        images.load(out.getvalue())
