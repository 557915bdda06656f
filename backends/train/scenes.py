"""Procedural scenes with exact masks, for training click segmentation.

Painter's algorithm at 512 px, back to front, so the region index of every pixel is known exactly: a background of
textured regions or one photograph, then shapes with parts and holes, thin rods, and photographed cut-outs; cast shadows
(which belong to what they fall on), one light over all, then a camera (blur, noise, JPEG, gamma). Neighbours often
share a palette: hard negatives.  Lee et al., "Dead leaves" (IJCV 2001) for the layered model; Baradad et al., arXiv
2106.05963, for learning from such noise.

A scene is `Scene(image, ids, parent, group)`: ids (H, W) uint8 leaf index, 0 = not a target; parent[leaf] = object that
owns the leaf; group[leaf] = what the object belongs to.
"""
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter
from scipy.ndimage import gaussian_filter

from backends.train.pictures import Bank
from backends.train.regions import levels
from backends.train.textures import SIZE, palette, photo_patch, smooth_field, texture
from backends.train.things import Scene, paste_crowd, paste_cutout, paste_shape, relit


@dataclass(frozen=True)
class Style:
    """Probabilities: a photograph's own regions as background, a photograph as texture, a cut-out (not a shape) as
    object, a crowd of one thing; and whether cut-outs and photographs are recoloured and lit afresh."""
    regions: float = 0.0
    photo: float = 0.5
    cutout: float = 0.7
    crowd: float = 0.0
    varied: bool = False


PROCEDURAL, PHOTOGRAPHIC = Style(), Style(0.6, 0.75, 0.9, 0.18, True)
# of 0, 1, 2, 3, 5, 8, 12 things in a scene
MANY, FEW = (.04, .2, .22, .22, .16, .1, .06), (.34, .27, .2, .12, .07, 0, 0)


def render(seed: int, bank: Bank, style: Style = PROCEDURAL) -> Scene:
    """The scene of this seed: same seed, bank and style, same pixels."""
    rng = np.random.default_rng(seed)
    own = bool(bank.photos) and rng.random() < style.regions
    scene = photo_regions(rng, bank) if own else background(rng, bank, style)
    if style.varied:
        scene.image = relit(rng, scene.image) if rng.random() < 0.5 else scene.image
    if style.crowd and rng.random() < style.crowd:
        paste_crowd(rng, scene, bank)
    for _ in range(int(rng.choice([0, 1, 2, 3, 5, 8, 12], p=FEW if own else MANY))):
        if bank.cutouts and rng.random() < style.cutout:
            paste_cutout(rng, scene, bank, style.varied)
        else:
            paste_shape(rng, scene, bank)
    scene.image = camera(rng, scene.image)
    return scene


# ---- background ----

def photo_regions(rng: np.random.Generator, bank: Bank) -> Scene:
    """A photograph whose own regions are targets: some 5 to 20 objects, their parts, and the coarser regions that hold
    them."""
    image = photo_patch(rng, bank, SIZE, 0.4, 1.0)
    small = image.reshape(SIZE // 2, 2, SIZE // 2, 2, 3).mean((1, 3))
    objects = int(np.exp(rng.uniform(np.log(5), np.log(20))))
    counts = (min(70, int(objects * rng.uniform(2, 5))), objects, max(2, int(objects / rng.uniform(1.6, 3))))
    fine, middle, coarse = levels(small, counts, bank.features(image) if bank.features else None)
    # a pixel of each leaf; the levels are nested
    _, first = np.unique(fine, return_index=True)
    scene = Scene(image, (fine + 1).astype(np.uint8).repeat(2, 0).repeat(2, 1), np.zeros(256, np.uint8))
    for table, level in ((scene.parent, middle), (scene.group, coarse)):
        _, owner, member = np.unique(level.ravel()[first], return_index=True, return_inverse=True)
        table[1:len(first) + 1] = owner[member] + 1
    return scene


def background(rng: np.random.Generator, bank: Bank, style: Style) -> Scene:
    """One photograph (no target), or 1..6 textured regions (each a target), often stacked like sky over land."""
    parent = np.zeros(256, np.uint8)
    if bank.photos and rng.random() < 0.25:
        return Scene(photo_patch(rng, bank, SIZE, 0.5, 1.0), np.zeros((SIZE, SIZE), np.uint8), parent)
    count = int(rng.integers(1, 7))
    ids = layout(rng, count)
    shared = palette(rng, bank) if rng.random() < 0.3 else None
    image = np.zeros((SIZE, SIZE, 3), np.float32)
    weights = np.stack([gaussian_filter((ids == i).astype(np.float32), rng.choice([0.6, 1.2, 3.0]))
                        for i in range(count)])
    for i in range(count):
        colour = None if shared is None else shared + rng.normal(0, 22, 3)
        image += weights[i][..., None] * texture(rng, bank, colour, photo=style.photo)
    parent[1:count + 1] = np.arange(1, count + 1)
    return Scene(image / weights.sum(0)[..., None], (ids + 1).astype(np.uint8), parent, parent.copy())


def layout(rng: np.random.Generator, count: int) -> np.ndarray:
    """Region index (512, 512) in 0..count-1: the largest of `count` smooth fields, with a pull to horizontal bands half
    of the time."""
    cells, stretch = rng.uniform(0.5, 3.5), rng.choice([1.0, 0.5, 0.3])
    fields = [smooth_field(rng, SIZE, cells, stretch) + rng.uniform(0, 0.1) * smooth_field(rng, SIZE, 24)
              for _ in range(count)]
    if rng.random() < 0.5:
        y = np.linspace(-1, 1, SIZE)[:, None]
        centres = np.sort(rng.uniform(-1, 1, count))
        fields = [f - rng.uniform(3, 14) * np.abs(y - c) for f, c in zip(fields, centres)]
    return np.argmax(np.stack(fields), 0)


# ---- camera ----

def camera(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Light over the whole scene, gamma, blur or sharpening, sensor noise, JPEG: uint8 (512, 512, 3)."""
    image = image * (1 + rng.uniform(0, 0.25) * np.clip(smooth_field(rng, SIZE, 1.2), -2, 2))[..., None]
    image = 255 * (np.clip(image, 0, 255) / 255) ** rng.uniform(0.75, 1.35)
    image += rng.normal(0, rng.choice([1.0, 3.0, 8.0], p=[.5, .35, .15]), image.shape)
    picture = Image.fromarray(np.clip(image, 0, 255).astype(np.uint8))
    if rng.random() < 0.4:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.6)))
    if rng.random() < 0.2:
        picture = picture.filter(ImageFilter.UnsharpMask(2, int(rng.uniform(40, 160))))
    picture = ImageEnhance.Color(picture).enhance(rng.uniform(0.4, 1.3) if rng.random() > 0.06 else 0)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=int(rng.uniform(40, 95)))
    return np.asarray(Image.open(buffer))
