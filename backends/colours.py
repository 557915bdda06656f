"""Colours as they are meant: embedded profiles and PNG's gamma become sRGB, and 16 bits a channel keep their low bytes.

Pillow reads 16-bit colour by its high bytes alone, so that 12-bit data in 16-bit files becomes nearly black.  Read a
second time with the other byte order, the same file gives the low bytes; nothing else is needed.  Not honoured: PNG's
cHRM without a profile, and profiles of pictures that are stretched from 16-bit or float grey.
"""
from __future__ import annotations

import io
import sys

import numpy as np
from PIL import Image, ImageCms

OTHER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
"""The byte order that gives the low bytes; N is the machine's own, as libtiff hands it over."""
SAME = 2
"""A profile that moves no colour further than this is sRGB itself: the pixels stay as they are."""
GAMMA = (0.1, 5.0)
"""Values of PNG's gAMA beyond these are mistakes."""


def _raw_mode(args: object) -> str:
    return str(args[0] if isinstance(args, tuple) and args else args)


def _swapped(mode: str) -> str | None:
    """Under which name the low bytes are read; None if these are not 16-bit colours."""
    if mode == "LA;16B":
        return "RGBA"                    # four bytes as they stand: grey, its low byte, alpha, its low byte
    layers, _, deep = mode.partition(";")
    return f"{layers};16{OTHER[deep[2]]}" if layers in ("RGB", "RGBA", "RGBX", "RGBa") and deep[:2] == "16" else None


def low_bytes(picture: Image.Image, data: bytes) -> Image.Image | None:
    """The low bytes of 16-bit RGB(A) in the file `data`, which `picture` has opened, not decoded; None for others."""
    names = {_raw_mode(tile[3]) for tile in getattr(picture, "tile", None) or []}
    mode = names.pop() if len(names) == 1 else ""
    swapped = _swapped(mode) if picture.format in ("PNG", "TIFF") else None
    if swapped is None:
        return None
    again = Image.open(io.BytesIO(data), formats=[picture.format])
    again.tile = [tile._replace(args=(swapped, *tile.args[1:]) if isinstance(tile.args, tuple) else swapped)
                  for tile in again.tile]
    again.load()
    if mode == "LA;16B":
        grey = again.getchannel("G")
        low = Image.merge("RGB", [grey] * 3)
        low.info, low.format = again.info, again.format
        return low
    return again


def to_srgb(picture: Image.Image) -> Image.Image:
    """RGB in sRGB, without alpha.  A profile that is damaged or meant for other channels is not used."""
    profile = picture.info.get("icc_profile")
    plain = picture if picture.mode in ("RGB", "L", "CMYK", "LAB") else _without_alpha(picture)
    if plain.mode == "LAB":
        return _converted(plain, ImageCms.createProfile("LAB"))
    if profile:
        try:
            return _converted(plain, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return _gamma(plain.convert("RGB"), picture)


def _without_alpha(picture: Image.Image) -> Image.Image:
    """L for what has no colour, else RGB; the colours under alpha are kept."""
    if picture.mode in ("1", "LA", "La"):
        return picture.convert("LA").getchannel("L") if picture.mode != "1" else picture.convert("L")
    if "transparency" in picture.info or picture.mode in ("PA", "RGBa"):
        return picture.convert("RGBA").convert("RGB")
    return picture.convert("RGB")


def _converted(plain: Image.Image, profile: object) -> Image.Image:
    if plain.mode == "L" and getattr(profile, "profile", None) and profile.profile.xcolor_space.strip() == "RGB":
        plain = plain.convert("RGB")
    transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), plain.mode, "RGB",
                                        ImageCms.Intent.RELATIVE_COLORIMETRIC)
    if plain.mode in ("RGB", "L"):
        steps = np.linspace(0, 255, 9).astype(np.uint8)
        lattice = np.stack(np.meshgrid(*[steps] * 3), -1).reshape(27, 27, 3)
        probe = Image.fromarray(lattice if plain.mode == "RGB" else lattice[..., 0])
        moved = np.asarray(ImageCms.applyTransform(probe, transform), int) - np.asarray(probe.convert("RGB"), int)
        if np.abs(moved).max() <= SAME:
            return plain.convert("RGB")
    return ImageCms.applyTransform(plain, transform)


def _gamma(rgb: Image.Image, picture: Image.Image) -> Image.Image:
    """PNG's gAMA, where neither sRGB nor a profile says more: light = value ^ (1 / gamma), shown at 1 / 2.2."""
    gamma = picture.info.get("gamma")
    if not gamma or "srgb" in picture.info or not GAMMA[0] <= gamma <= GAMMA[1]:
        return rgb
    power = 1 / (2.2 * gamma)
    if abs(power - 1) < 0.02:
        return rgb
    return rgb.point([round(255 * (v / 255) ** power) for v in range(256)] * 3)
