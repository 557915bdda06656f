"""Procedural scenes with exact masks, for training click segmentation.

Painter's algorithm at 512 px, back to front, so the region index of every pixel is known exactly: a background of textured regions
or one photograph, then shapes with parts and holes, thin rods, and photographed cut-outs; cast shadows (which belong to what they
fall on), one light over all, then a camera (blur, noise, JPEG, gamma). Neighbours often share a palette: hard negatives.
Lee et al., "Dead leaves" (IJCV 2001) for the layered model; Baradad et al., arXiv 2106.05963, for learning from such noise.

A scene is `Scene(image, ids, parent)`: ids (H, W) uint8 leaf index, 0 = not a target; parent[leaf] = object that owns the leaf.
"""
import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter
from scipy.ndimage import gaussian_filter

from backends.train.pictures import Bank
from backends.train.regions import merge

SIZE = 512


@dataclass
class Scene:
    """image (512, 512, 3) uint8 RGB; ids (512, 512) uint8; parent (256,) uint8, leaf -> object."""
    image: np.ndarray
    ids: np.ndarray
    parent: np.ndarray


@dataclass(frozen=True)
class Style:
    """Probabilities: a photograph's own regions as background, a photograph as texture, a cut-out (not a shape) as object."""
    regions: float = 0.0
    photo: float = 0.5
    cutout: float = 0.7


PROCEDURAL, PHOTOGRAPHIC = Style(), Style(0.4, 0.75, 0.9)


def render(seed: int, bank: Bank, style: Style = PROCEDURAL) -> Scene:
    """The scene of this seed: same seed, bank and style, same pixels."""
    rng = np.random.default_rng(seed)
    scene = background(rng, bank, style)
    for _ in range(int(rng.choice([0, 1, 2, 3, 5, 8, 12], p=[.04, .2, .22, .22, .16, .1, .06]))):
        if bank.cutouts and rng.random() < style.cutout:
            paste_cutout(rng, scene, bank)
        else:
            paste_shape(rng, scene, bank)
    scene.image = camera(rng, scene.image)
    return scene


def new_leaf(scene: Scene, parent: int | None = None) -> int:
    """Claims the next free leaf index (at most 255) for an object; the first leaf of an object owns it."""
    leaf = min(int(np.flatnonzero(scene.parent)[-1]) + 1 if scene.parent.any() else 1, 255)
    scene.parent[leaf] = leaf if parent is None else parent
    return leaf


# ---- fields and textures ----

def smooth_field(rng: np.random.Generator, size: int, cells: float, stretch: float = 1.0) -> np.ndarray:
    """Unit-variance smooth noise (size, size), about `cells` bumps per side; stretch > 1 makes bumps wider than high."""
    rows, columns = max(2, int(cells * stretch) + 2), max(2, int(cells / stretch) + 2)
    coarse = Image.fromarray(rng.standard_normal((rows, columns)).astype(np.float32))
    field = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC))
    return (field - field.mean()) / (field.std() + 1e-6)


def spectrum_noise(rng: np.random.Generator, size: int) -> np.ndarray:
    """Three channels of 1/f^a noise, a in 0.6..2.2, (size, size, 3), unit variance."""
    slope = rng.uniform(0.6, 2.2)
    fy, fx = np.fft.fftfreq(size)[:, None] * rng.uniform(0.5, 2), np.fft.rfftfreq(size)[None] * rng.uniform(0.5, 2)
    amplitude = 1 / np.maximum(np.hypot(fy, fx), 1 / size) ** slope
    white = rng.standard_normal((size, size, 3)).astype(np.float32)
    noise = np.fft.irfft2(np.fft.rfft2(white, axes=(0, 1)) * amplitude[..., None], s=(size, size), axes=(0, 1))
    return (noise - noise.mean((0, 1))) / (noise.std((0, 1)) + 1e-6)


def pattern(rng: np.random.Generator, size: int) -> np.ndarray:
    """Stripes, checks, dots or cells under a smooth warp: one channel (size, size) in [-1, 1]."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    bend = rng.uniform(0, 14)
    u, v = x + bend * smooth_field(rng, size, 4), y + bend * smooth_field(rng, size, 4)
    angle, period = rng.uniform(0, np.pi), rng.uniform(6, 48)
    a, b = np.cos(angle) * u + np.sin(angle) * v, np.cos(angle) * v - np.sin(angle) * u
    waves = np.sin(2 * np.pi * a / period), np.sin(2 * np.pi * b / period / rng.uniform(0.6, 1.6))
    kind = rng.integers(4)
    field = (waves[0], waves[0] * waves[1], np.minimum(*waves), np.sign(waves[0]))[kind]
    return gaussian_filter(field, rng.uniform(0.4, 1.5))


def photo_patch(rng: np.random.Generator, bank: Bank, size: int, low: float, high: float) -> np.ndarray:
    """A square of a photograph, side low..high of its short side, resized to (size, size, 3) float 0..255, maybe mirrored."""
    photo = bank.photos[rng.integers(len(bank.photos))]
    side = int(min(photo.shape[:2]) * rng.uniform(low, high))
    y, x = rng.integers(photo.shape[0] - side + 1), rng.integers(photo.shape[1] - side + 1)
    patch = Image.fromarray(photo[y:y + side, x:x + side]).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(patch, np.float32)[:, ::rng.choice([-1, 1])]


def palette(rng: np.random.Generator, bank: Bank) -> np.ndarray:
    """A colour (3,) in 0..255: from a photograph, or a grey with some chroma, seldom a loud one."""
    if bank.photos and rng.random() < 0.5:
        photo = bank.photos[rng.integers(len(bank.photos))]
        return photo[rng.integers(photo.shape[0]), rng.integers(photo.shape[1])].astype(np.float32)
    return np.clip(rng.uniform(20, 235) + rng.normal(0, rng.choice([8, 25, 70]), 3), 5, 250)


def texture(rng: np.random.Generator, bank: Bank, base: np.ndarray | None = None, size: int = SIZE,
            photo: float = PROCEDURAL.photo) -> np.ndarray:
    """A fill (size, size, 3) float 0..255 around the colour `base` (random when None), a photograph with probability `photo`."""
    keep_base = base is not None
    base = palette(rng, bank) if base is None else base
    if bank.photos and rng.random() < photo:
        patch = photo_patch(rng, bank, size, 0.1, 0.45)
        return patch + (base - patch.mean((0, 1))) * (rng.uniform(0.5, 1) if keep_base else rng.uniform(0, 0.5))
    contrast = rng.uniform(2, 45)
    kind = rng.random()
    if kind < 0.4:
        grain = spectrum_noise(rng, size) @ (np.eye(3) * rng.uniform(0.2, 1) + rng.uniform(0.2, 0.6))
    elif kind < 0.65:
        grain = pattern(rng, size)[..., None] * rng.normal(0.6, 0.5, 3)
    else:
        grain = smooth_field(rng, size, rng.uniform(1, 4))[..., None] * rng.normal(0.5, 0.3, 3) + rng.standard_normal((size, size, 1)) * 0.1
    return base + contrast * grain


# ---- background ----

def photo_regions(rng: np.random.Generator, bank: Bank) -> Scene:
    """A photograph whose own regions are targets: leaves of one scale, owned by the coarser region that holds most of them."""
    image = photo_patch(rng, bank, SIZE, 0.45, 1.0)
    small = image.reshape(SIZE // 2, 2, SIZE // 2, 2, 3).mean((1, 3))
    k = np.exp(rng.uniform(np.log(60), np.log(600)))
    fine, coarse = merge(small, k, 200), merge(small, 3 * k, 500)
    largest = np.argsort(-np.bincount(fine.ravel()))[:100]
    ids, parent, owner = np.zeros_like(fine, np.uint8), np.zeros(256, np.uint8), {}
    for leaf, region in enumerate(largest, 1):
        inside = fine == region
        ids[inside] = leaf
        parent[leaf] = owner.setdefault(int(np.bincount(coarse[inside]).argmax()), leaf)
    return Scene(image, ids.repeat(2, 0).repeat(2, 1), parent)


def background(rng: np.random.Generator, bank: Bank, style: Style) -> Scene:
    """One photograph (with its own regions, or no target), or 1..6 textured regions (each a target), often stacked like sky over land."""
    parent = np.zeros(256, np.uint8)
    if bank.photos and rng.random() < style.regions:
        return photo_regions(rng, bank)
    if bank.photos and rng.random() < 0.25:
        return Scene(photo_patch(rng, bank, SIZE, 0.5, 1.0), np.zeros((SIZE, SIZE), np.uint8), parent)
    count = int(rng.integers(1, 7))
    ids = layout(rng, count)
    shared = palette(rng, bank) if rng.random() < 0.3 else None
    image = np.zeros((SIZE, SIZE, 3), np.float32)
    weights = np.stack([gaussian_filter((ids == i).astype(np.float32), rng.choice([0.6, 1.2, 3.0])) for i in range(count)])
    for i in range(count):
        colour = None if shared is None else shared + rng.normal(0, 22, 3)
        image += weights[i][..., None] * texture(rng, bank, colour, photo=style.photo)
    parent[1:count + 1] = np.arange(1, count + 1)
    return Scene(image / weights.sum(0)[..., None], (ids + 1).astype(np.uint8), parent)


def layout(rng: np.random.Generator, count: int) -> np.ndarray:
    """Region index (512, 512) in 0..count-1: the largest of `count` smooth fields, with a pull to horizontal bands half of the time."""
    cells, stretch = rng.uniform(0.5, 3.5), rng.choice([1.0, 0.5, 0.3])
    fields = [smooth_field(rng, SIZE, cells, stretch) + rng.uniform(0, 0.1) * smooth_field(rng, SIZE, 24) for _ in range(count)]
    if rng.random() < 0.5:
        y = np.linspace(-1, 1, SIZE)[:, None]
        centres = np.sort(rng.uniform(-1, 1, count))
        fields = [f - rng.uniform(3, 14) * np.abs(y - c) for f, c in zip(fields, centres)]
    return np.argmax(np.stack(fields), 0)


# ---- objects ----

def side_length(rng: np.random.Generator) -> int:
    """Longer side in px of the next object; many middling, few small or huge."""
    return int(np.clip(np.exp(rng.normal(np.log(170), 0.6)), 28, 470))


def paste_cutout(rng: np.random.Generator, scene: Scene, bank: Bank) -> None:
    """A photographed object, resized, turned, recoloured a little; ears, legs and holes are its own."""
    rgba = Image.fromarray(bank.cutouts[rng.integers(len(bank.cutouts))])
    k = min(side_length(rng) / max(rgba.size), 3.0)
    rgba = rgba.resize([max(8, int(s * k * rng.uniform(0.85, 1.15))) for s in rgba.size], Image.Resampling.BILINEAR)
    rgba = rgba.rotate(rng.normal(0, 18) if rng.random() < 0.6 else 0, Image.Resampling.BILINEAR, expand=True)
    picture = np.asarray(rgba, np.float32)[:, ::rng.choice([-1, 1])]
    colour = picture[..., :3] * rng.uniform(0.7, 1.25) * rng.normal(1, 0.06, 3)
    copies = int(rng.choice([1, 1, 1, 1, 2, 4]))
    for _ in range(copies):
        paste(rng, scene, colour, picture[..., 3] / 255, np.ones(picture.shape[:2], np.uint8))


def paste_shape(rng: np.random.Generator, scene: Scene, bank: Bank) -> None:
    """A blob or rods, perhaps with a hole, in one to three parts with textures of one palette, shaded like a solid."""
    side = side_length(rng)
    alpha = rods(rng, side) if rng.random() < 0.15 else blob(rng, side)
    if rng.random() < 0.2:
        inner = blob(rng, max(8, int(side * rng.uniform(0.25, 0.6))))
        y, x = rng.integers(side - len(inner) + 1), rng.integers(side - len(inner) + 1)
        alpha[y:y + len(inner), x:x + len(inner)] *= 1 - inner
    parts = 1 + np.digitize(smooth_field(rng, side, 1.5), np.sort(rng.normal(0, 0.7, rng.choice([0, 0, 1, 2])))).astype(np.uint8)
    base = palette(rng, bank)
    if rng.random() < 0.3:
        y, x = rng.integers(SIZE, size=2)
        base = scene.image[y, x] + rng.normal(0, 18, 3)                              # same palette as something in the picture
    colour = np.zeros((side, side, 3), np.float32)
    for p in np.unique(parts):
        colour += (parts == p)[..., None] * texture(rng, bank, base + rng.normal(0, 30, 3), side)
    height = gaussian_filter(alpha, side / 8)
    light = np.stack(np.gradient(height * side / 4), -1) @ rng.normal(0, 1, 2)
    paste(rng, scene, colour * (1 + np.clip(light * rng.uniform(0, 0.6), -0.6, 0.6))[..., None], alpha, parts)


def blob(rng: np.random.Generator, side: int) -> np.ndarray:
    """Star-convex or polygonal outline with random Fourier radius, anti-aliased: alpha (side, side) in [0, 1]."""
    turns = np.linspace(0, 2 * np.pi, int(rng.choice([5, 7, 90, 90, 90])), endpoint=False)
    order = np.arange(1, 9)[:, None]
    wobble = (rng.normal(0, 0.35, (8, 1)) / order ** rng.uniform(0.7, 1.6) * np.cos(order * turns + rng.uniform(0, 6.3, (8, 1)))).sum(0)
    radius = np.exp(wobble)
    xy = np.stack([np.cos(turns) * radius * rng.uniform(0.5, 1), np.sin(turns) * radius])
    xy = (xy - xy.min(1, keepdims=True)) / (xy.max(1, keepdims=True) - xy.min(1, keepdims=True)).max()
    return drawn(side, lambda draw, s: draw.polygon([tuple(p) for p in (xy.T * (s - 3) + 1)], fill=255))


def rods(rng: np.random.Generator, side: int) -> np.ndarray:
    """A few thin joined strokes: alpha (side, side)."""
    points = rng.uniform(0.05, 0.95, (int(rng.integers(2, 6)), 2))
    width = rng.uniform(0.02, 0.09)
    return drawn(side, lambda draw, s: draw.line([tuple(p) for p in points * s], fill=255, width=max(3, int(width * s)), joint="curve"))


def drawn(side: int, stroke: Callable[[ImageDraw.ImageDraw, int], None]) -> np.ndarray:
    """What `stroke(draw, size)` draws in white at twice the size, anti-aliased: float (side, side) in [0, 1]."""
    canvas = Image.new("L", (2 * side, 2 * side))
    stroke(ImageDraw.Draw(canvas), 2 * side)
    return np.asarray(canvas.resize((side, side), Image.Resampling.BOX), np.float32) / 255


def paste(rng: np.random.Generator, scene: Scene, colour: np.ndarray, alpha: np.ndarray, parts: np.ndarray) -> None:
    """Shadow, then object; part p of `parts` becomes a new leaf of one new object. Anything outside of the frame is cut."""
    h, w = alpha.shape
    y, x = int(rng.integers(-h // 3, SIZE - h * 2 // 3)), int(rng.integers(-w // 3, SIZE - w * 2 // 3))
    if rng.random() < 0.35:
        drop_shadow(rng, scene.image, alpha, y, x)
    top, left, bottom, right = max(y, 0), max(x, 0), min(y + h, SIZE), min(x + w, SIZE)
    if bottom <= top or right <= left or int(scene.ids.max()) > 240:
        return
    inner = np.s_[top - y:bottom - y, left - x:right - x]
    outer = np.s_[top:bottom, left:right]
    soft = gaussian_filter(alpha, rng.uniform(0.2, 1.0))[inner][..., None]
    under = scene.image[outer]
    tone = 1 - rng.uniform(0, 0.4)
    blended = colour[inner] * tone + (1 - tone) * (colour[inner] - colour[inner].mean((0, 1)) + under.mean((0, 1)))
    scene.image[outer] = under * (1 - soft) + blended * soft
    owner = None
    for p in np.unique(parts[inner][alpha[inner] > 0.5]):
        leaf = new_leaf(scene, owner)
        owner = leaf if owner is None else owner
        scene.ids[outer][(alpha[inner] > 0.5) & (parts[inner] == p)] = leaf


def drop_shadow(rng: np.random.Generator, image: np.ndarray, alpha: np.ndarray, y: int, x: int) -> None:
    """Darkens `image` (512, 512, 3) in place under a blurred, displaced copy of the object whose corner is at (x, y)."""
    dark = np.zeros((SIZE * 2, SIZE * 2), np.float32)
    dy, dx = rng.integers(-14, 24, 2)
    y0, x0 = y + SIZE // 2 + dy, x + SIZE // 2 + dx
    h, w = dark[y0:y0 + alpha.shape[0], x0:x0 + alpha.shape[1]].shape
    dark[y0:y0 + h, x0:x0 + w] = alpha[:h, :w]
    dark = gaussian_filter(dark[SIZE // 2:SIZE * 3 // 2, SIZE // 2:SIZE * 3 // 2], rng.uniform(2, 10))
    image *= 1 - dark[..., None] * rng.uniform(0.2, 0.7)


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
