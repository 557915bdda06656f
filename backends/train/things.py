"""What lies in a procedural scene: shapes with parts and holes, thin rods, photographed cut-outs, and crowds of one
thing."""
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from backends.train.pictures import Bank
from backends.train.regions import levels
from backends.train.textures import SIZE, palette, smooth_field, texture


@dataclass
class Scene:
    """image (512, 512, 3) uint8 RGB; ids (512, 512) uint8; parent (256,) uint8, leaf -> object; group (256,) uint8,
    leaf -> what its object belongs to (all copies of one thing, a coarser region), the object itself where there is
    nothing larger."""
    image: np.ndarray
    ids: np.ndarray
    parent: np.ndarray
    group: np.ndarray = field(default_factory=lambda: np.zeros(256, np.uint8))


def new_leaf(scene: Scene, parent: int | None = None, group: int | None = None) -> int:
    """Claims the next free leaf index (at most 255) for an object; the first leaf of an object owns it, that of a group
    the group."""
    leaf = min(int(np.flatnonzero(scene.parent)[-1]) + 1 if scene.parent.any() else 1, 255)
    scene.parent[leaf] = leaf if parent is None else parent
    scene.group[leaf] = scene.parent[leaf] if group is None else group
    return leaf


def side_length(rng: np.random.Generator) -> int:
    """Longer side in px of the next object; many middling, few small or huge."""
    return int(np.clip(np.exp(rng.normal(np.log(170), 0.6)), 28, 470))


def paste_cutout(rng: np.random.Generator, scene: Scene, bank: Bank, varied: bool = False) -> None:
    """A photographed object, resized, turned, recoloured a little; ears, legs and holes are its own.  varied:
    recoloured and lit afresh, and half of the time its own regions are its parts."""
    rgba = Image.fromarray(bank.cutouts[rng.integers(len(bank.cutouts))])
    k = min(side_length(rng) / max(rgba.size), 3.0)
    rgba = rgba.resize([max(8, int(s * k * rng.uniform(0.85, 1.15))) for s in rgba.size], Image.Resampling.BILINEAR)
    rgba = rgba.rotate(rng.normal(0, 18) if rng.random() < 0.6 else 0, Image.Resampling.BILINEAR, expand=True)
    picture = np.asarray(rgba, np.float32)[:, ::rng.choice([-1, 1])]
    colour = picture[..., :3] * rng.uniform(0.7, 1.25) * rng.normal(1, 0.06, 3)
    parts = np.ones(picture.shape[:2], np.uint8)
    if varied:
        parts = own_parts(rng, picture) if rng.random() < 0.5 else parts
        colour = relit(rng, colour)
    copies, group = int(rng.choice([1, 1, 1, 1, 2, 4])), None
    for _ in range(copies):
        owner = paste(rng, scene, colour, picture[..., 3] / 255, parts, group)
        group = owner if group is None else group


def own_parts(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Two to five regions of a cut-out (h, w, 4) as its parts, numbered from 1: uint8 (h, w)."""
    h, w = picture.shape[:2]
    k = min(1.0, 128 / max(h, w))
    small = Image.fromarray(picture.clip(0, 255).astype(np.uint8)).resize((max(8, int(w * k)), max(8, int(h * k))))
    seen = np.asarray(small, np.float32)
    seen = seen[..., :3] + (1 - seen[..., 3:] / 255) * (128 - seen[..., :3])
    found = levels(seen, (int(rng.integers(3, 7)),))[0]
    return 1 + np.asarray(Image.fromarray(found.astype(np.uint8)).resize((w, h), Image.Resampling.NEAREST))


def relit(rng: np.random.Generator, colour: np.ndarray) -> np.ndarray:
    """Other colours, another gamma, light from one side, perhaps out of focus: float (h, w, 3) in 0..255."""
    mixed = colour @ (np.eye(3) + rng.normal(0, 0.12, (3, 3))) if rng.random() < 0.7 else colour
    mixed = 255 * (np.clip(mixed, 0, 255) / 255) ** np.exp(rng.normal(0, 0.25))
    h, w = colour.shape[:2]
    y, x = np.linspace(-0.5, 0.5, h)[:, None], np.linspace(-0.5, 0.5, w)
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.6)
    mixed = ((mixed * (1 + depth * (np.cos(angle) * x + np.sin(angle) * y))[..., None] - 128) * rng.uniform(0.6, 1.2)
             + 128)
    blur = rng.uniform(0.5, 1.8) if rng.random() < 0.25 else 0
    return np.clip(gaussian_filter(mixed, (blur, blur, 0)), 0, 255)


def coin(rng: np.random.Generator, side: int, base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A round or oval thing with a raised rim and a relief: colour (side, side, 3) and alpha (side, side)."""
    flat = rng.uniform(0, 0.15)
    alpha = drawn(side, lambda draw, s: draw.ellipse((1, 1 + flat * s, s - 2, s - 2 - flat * s), fill=255))
    height = (gaussian_filter(alpha, max(1.0, side / 16)) + 0.25 * smooth_field(rng, side, rng.uniform(3, 9))
              * (alpha > 0.5))
    light = np.stack(np.gradient(gaussian_filter(height, 0.7)), -1) @ rng.normal(0, 1, 2)
    return base * (1 + np.clip(light * rng.uniform(0.3, 2.5), -0.5, 0.5))[..., None], alpha


def paste_crowd(rng: np.random.Generator, scene: Scene, bank: Bank) -> None:
    """Many of one thing side by side, no two quite the same, often touching: coins, cups, fruit. Each is an object, all
    are a group."""
    side, base, group = int(np.clip(np.exp(rng.normal(np.log(78), 0.4)), 32, 170)), palette(rng, bank), None
    model = (Image.fromarray(bank.cutouts[rng.integers(len(bank.cutouts))]) if bank.cutouts
             and rng.random() < 0.5 else None)
    gap, spread, shadow = side * rng.uniform(0.85, 1.4), rng.choice([0.04, 0.2]), rng.choice([0.0, 0.5])
    rows, columns = (int(n) for n in np.clip(rng.integers(2, 8, 2), 1, SIZE // gap + 1))
    corner, turn = rng.uniform(0, np.maximum(1, SIZE - gap * np.array([rows, columns]))), rng.uniform(0, 0.5)
    for at in rng.permutation(rows * columns):
        place = np.array([at // columns, at % columns + (at // columns) % 2 * turn]) * gap + rng.normal(0, 0.1 * gap, 2)
        size = max(12, int(side * np.exp(rng.normal(0, spread))))
        if rng.random() < 0.08:
            continue
        if model is None:
            colour, alpha = coin(rng, size, base * rng.normal(1, 0.06) + rng.normal(0, 4, 3))
        else:
            k = size / max(model.size)
            one = model.resize([max(6, int(n * k)) for n in model.size], Image.Resampling.BILINEAR)
            one = np.asarray(one.rotate(rng.uniform(0, 360), Image.Resampling.BILINEAR, expand=True), np.float32)
            colour, alpha = one[..., :3] * rng.normal(1, 0.06), one[..., 3] / 255
        owner = paste(rng, scene, colour, alpha, np.ones(alpha.shape, np.uint8), group,
                      (corner + place).astype(int), shadow)
        group = owner if group is None else group


def paste_shape(rng: np.random.Generator, scene: Scene, bank: Bank) -> None:
    """A blob or rods, perhaps with a hole, in one to three parts with textures of one palette, shaded like a solid."""
    side = side_length(rng)
    alpha = rods(rng, side) if rng.random() < 0.15 else blob(rng, side)
    if rng.random() < 0.2:
        inner = blob(rng, max(8, int(side * rng.uniform(0.25, 0.6))))
        y, x = rng.integers(side - len(inner) + 1), rng.integers(side - len(inner) + 1)
        alpha[y:y + len(inner), x:x + len(inner)] *= 1 - inner
    parts = 1 + np.digitize(smooth_field(rng, side, 1.5),
                            np.sort(rng.normal(0, 0.7, rng.choice([0, 0, 1, 2])))).astype(np.uint8)
    base = palette(rng, bank)
    if rng.random() < 0.3:
        y, x = rng.integers(SIZE, size=2)
        # same palette as something in the picture
        base = scene.image[y, x] + rng.normal(0, 18, 3)
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
    wobble = (rng.normal(0, 0.35, (8, 1)) / order ** rng.uniform(0.7, 1.6)
              * np.cos(order * turns + rng.uniform(0, 6.3, (8, 1)))).sum(0)
    radius = np.exp(wobble)
    xy = np.stack([np.cos(turns) * radius * rng.uniform(0.5, 1), np.sin(turns) * radius])
    xy = (xy - xy.min(1, keepdims=True)) / (xy.max(1, keepdims=True) - xy.min(1, keepdims=True)).max()
    return drawn(side, lambda draw, s: draw.polygon([tuple(p) for p in (xy.T * (s - 3) + 1)], fill=255))


def rods(rng: np.random.Generator, side: int) -> np.ndarray:
    """A few thin joined strokes: alpha (side, side)."""
    points = rng.uniform(0.05, 0.95, (int(rng.integers(2, 6)), 2))
    width = rng.uniform(0.02, 0.09)
    return drawn(side, lambda draw, s: draw.line([tuple(p) for p in points * s], fill=255, width=max(3, int(width * s)),
                                                 joint="curve"))


def drawn(side: int, stroke: Callable[[ImageDraw.ImageDraw, int], None]) -> np.ndarray:
    """What `stroke(draw, size)` draws in white at twice the size, anti-aliased: float (side, side) in [0, 1]."""
    canvas = Image.new("L", (2 * side, 2 * side))
    stroke(ImageDraw.Draw(canvas), 2 * side)
    return np.asarray(canvas.resize((side, side), Image.Resampling.BOX), np.float32) / 255


def paste(rng: np.random.Generator, scene: Scene, colour: np.ndarray, alpha: np.ndarray, parts: np.ndarray,
          group: int | None = None, at: tuple[int, int] | None = None, shadow: float = 0.35) -> int | None:
    """Shadow, then object; part p of `parts` becomes a new leaf of one new object. Anything outside of the frame is
    cut.

    at: the corner (y, x), anywhere when None; returns the leaf that owns the object, None where nothing of it is seen.
    """
    h, w = alpha.shape
    y, x = (int(rng.integers(-n // 3, SIZE - n * 2 // 3)) for n in (h, w)) if at is None else at
    if rng.random() < shadow:
        drop_shadow(rng, scene.image, alpha, y, x)
    top, left, bottom, right = max(y, 0), max(x, 0), min(y + h, SIZE), min(x + w, SIZE)
    if bottom <= top or right <= left or int(scene.ids.max()) > 240:
        return None
    inner = np.s_[top - y:bottom - y, left - x:right - x]
    outer = np.s_[top:bottom, left:right]
    soft = gaussian_filter(alpha, rng.uniform(0.2, 1.0))[inner][..., None]
    under = scene.image[outer]
    tone = 1 - rng.uniform(0, 0.4)
    blended = colour[inner] * tone + (1 - tone) * (colour[inner] - colour[inner].mean((0, 1)) + under.mean((0, 1)))
    scene.image[outer] = under * (1 - soft) + blended * soft
    owner = None
    for p in np.unique(parts[inner][alpha[inner] > 0.5]):
        leaf = new_leaf(scene, owner, group)
        owner = leaf if owner is None else owner
        scene.ids[outer][(alpha[inner] > 0.5) & (parts[inner] == p)] = leaf
    return owner


def drop_shadow(rng: np.random.Generator, image: np.ndarray, alpha: np.ndarray, y: int, x: int) -> None:
    """Darkens `image` (512, 512, 3) in place under a blurred, displaced copy of the object whose corner is at (x,
    y)."""
    dark = np.zeros((SIZE * 2, SIZE * 2), np.float32)
    dy, dx = rng.integers(-14, 24, 2)
    y0, x0 = y + SIZE // 2 + dy, x + SIZE // 2 + dx
    h, w = dark[y0:y0 + alpha.shape[0], x0:x0 + alpha.shape[1]].shape
    dark[y0:y0 + h, x0:x0 + w] = alpha[:h, :w]
    dark = gaussian_filter(dark[SIZE // 2:SIZE * 3 // 2, SIZE // 2:SIZE * 3 // 2], rng.uniform(2, 10))
    image *= 1 - dark[..., None] * rng.uniform(0.2, 0.7)
