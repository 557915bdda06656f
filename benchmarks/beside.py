"""Before and after: what Swin and the deformable layers show of the six sample photographs for one click each, as two
pictures.  Drawn by `python -m benchmarks.looks --draw OUT`."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import load_file

from backends import images
from backends.deform import photo
from backends.deform.params import DeformParams
from backends.deform.results import Look
from backends.swin import small
from backends.train.swin_figures import answers

CLICKS = {"chelsea": (0.3, 0.92), "coffee": (0.7, 0.92), "astronaut": (0.85, 0.75), "rocket": (0.3, 0.2),
          "coins": (0.21, 0.13), "horse": (0.3, 0.75)}
"""(y, x) in shares of the sides: Swin's are places whose region is to be named."""
THINGS = {"chelsea": (0.5, 0.4), "coffee": (0.5, 0.45), "astronaut": (0.3, 0.45), "rocket": (0.6, 0.5),
          "coins": (0.21, 0.13), "horse": (0.45, 0.5)}
"""The same for the deformable layers, on things."""
TILE = 260                     # px, the longer side of a picture
MIXED, GAP, HEAD = 0.55, 8, 26
RED, WHITE, YELLOW, GREEN, GREY = (255, 60, 60), (255, 255, 255), (255, 210, 0), (0, 200, 150), (90, 90, 90)


def fitted(image: np.ndarray) -> Image.Image:
    """uint8 (H, W, 3) with TILE px on the longer side."""
    scale = TILE / max(image.shape[:2])
    return Image.fromarray(image).resize([round(n * scale) for n in image.shape[1::-1]], Image.Resampling.LANCZOS)


def called(image: np.ndarray, region: np.ndarray, at: tuple[float, float]) -> Image.Image:
    """The picture (H, W, 3), green in the region (h, w) bool and grey outside, with its click."""
    picture = fitted(image)
    inside = Image.fromarray(region).resize(picture.size, Image.Resampling.NEAREST)
    outside = Image.blend(picture.convert("L").convert("RGB"), Image.new("RGB", picture.size, GREY), MIXED)
    green = Image.blend(picture, Image.new("RGB", picture.size, GREEN), MIXED)
    return clicked(Image.composite(green, outside, inside), at)


def clicked(picture: Image.Image, at: tuple[float, float]) -> Image.Image:
    """The picture with a cross in a ring at (y, x), in shares of its sides."""
    y, x = at[0] * picture.height, at[1] * picture.width
    pen = ImageDraw.Draw(picture)
    for width, colour in ((4, (0, 0, 0)), (2, RED)):
        pen.ellipse((x - 7, y - 7, x + 7, y + 7), outline=colour, width=width)
    return picture


def read(image: np.ndarray, look: Look, at: tuple[float, float]) -> Image.Image:
    """The picture (H, W, 3) with the places that were read for a click, each as large as its weight."""
    picture = clicked(fitted(image), at)
    pen, scale = ImageDraw.Draw(picture), TILE / max(image.shape[:2])
    for (y, x), weight in zip((look.at + 0.5) * scale, look.weight * len(look.weight), strict=True):
        r = 3 * float(weight) ** 0.5
        pen.ellipse((x - r, y - r, x + r, y + r), fill=YELLOW, outline=(0, 0, 0))
    return picture


def swin(former: small.Regions, name: str) -> list[Image.Image]:
    """The region of a click, as the former model calls it and as today's does (p > 1/2)."""
    whole = images.sample(name)
    height, width = small.fitting(*whole.shape[:2])
    seen = np.asarray(Image.fromarray(whole).resize((width, height), Image.Resampling.BILINEAR))
    size, at = (height // small.STRIDE, width // small.STRIDE), CLICKS[name]
    place = int(at[0] * size[0]) * size[1] + int(at[1] * size[1])
    made = [clicked(fitted(whole), at)]
    for model in (former, small.load()):
        vectors = answers(model, seen)
        region = (model.alike(vectors[place:place + 1], vectors)[0] > 0).cpu().numpy().reshape(size)
        made.append(called(whole, region, at))
    return made


def deformable(name: str) -> list[Image.Image]:
    """Where the layers read before they learned and after, and both masks: DCNv2's; places of Deformable DETR's."""
    whole, at = images.sample(name), THINGS[name]
    made = []
    for learner in ("aimed", "star"):
        body = photo.photo(DeformParams(view="photo", picture=name, at=at, learner=learner), whole)[0]
        made += [read(body.image, look, at) for look in (body.before, body.after)]
        if learner == "aimed":
            made += [called(body.image, mask > 0.5, at) for mask in (body.twin, body.mask)]
    return made


def sheet(heads: tuple[str, ...], rows: list[list[Image.Image]]) -> Image.Image:
    """Rows of pictures under their headings."""
    wide = GAP + len(heads) * (TILE + GAP)
    made = Image.new("RGB", (wide, HEAD + sum(max(p.height for p in row) + GAP for row in rows)), WHITE)
    pen, y = ImageDraw.Draw(made), HEAD
    for k, head in enumerate(heads):
        pen.text((GAP + k * (TILE + GAP), 6), head, (0, 0, 0), ImageFont.load_default(14))
    for row in rows:
        for k, picture in enumerate(row):
            made.paste(picture, (GAP + k * (TILE + GAP), y))
        y += max(picture.height for picture in row) + GAP
    return made


@torch.no_grad()
def write(out: Path, former: Path) -> None:
    """The two sheets, with the weights of the Swin that shipped before."""
    out.mkdir(parents=True, exist_ok=True)
    old = small.of(load_file(former))
    sheet(("click", "the former Swin's region", "today's region"), [swin(old, name) for name in CLICKS]
          ).save(out / "swin.png")
    sheet(("plain grid", "DCNv2, learned", "mask of the plain twin", "mask of DCNv2", "star, before", "star, learned"),
          [deformable(name) for name in THINGS]).save(out / "deformable.png")
