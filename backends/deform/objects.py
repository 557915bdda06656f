"""Procedural pictures of bent things, with exact masks, for the network that learns where to look.

Each thing bears a few small marks of one kind; the same marks of all kinds lie about on the ground, and other things
have others.  So a cell of a thing learns its class only from marks that lie on that thing, and must find them along its
shape.  Marks are few however large the thing is.  Shapes (bar, cross, tee, ring segment) are drawn in their own
coordinates (u along, v across, px), which are turned, scaled and bent: the axis of length L becomes an arc of the angle
`bend`, u = R * angle, v = distance to the arc, R = L / bend.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, zoom

MARKS = ((42, 127, 191), (213, 94, 0), (0, 158, 115), (204, 121, 167))     # colours of the kinds 1..4
LENGTH, THICK, RADIUS = 40.0, 10.0, 1.9                                    # px: a thing at scale 1, and a mark
SHAPES = ("bar", "cross", "tee", "dumbbell")


@dataclass(frozen=True)
class Warp:
    """How much things are deformed: ranges of scale and of bend (radians), most turn (radians), either way."""

    scale: tuple[float, float]
    bend: tuple[float, float]
    turn: float = np.pi


MILD = Warp((0.75, 1.3), (0.0, 1.0))
STRONG = Warp((1.3, 1.9), (1.0, 2.6))


@dataclass(frozen=True)
class Scene:
    """image (h, w, 3) uint8; kinds (h, w) uint8, 0 = ground, else the kind of the thing's marks; ids (h, w) uint8, 0 =
    ground."""

    image: np.ndarray
    kinds: np.ndarray
    ids: np.ndarray


def axes(height: int, width: int, y: float, x: float, scale: float, turn: float,
         bend: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (u, v), each (height, width), of every pixel in the frame of a thing centred at (y, x), in px at
    scale 1."""
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    dy, dx = (rows - y) / scale, (columns - x) / scale
    along, across = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
    if abs(bend) < 1e-3:
        return along, across
    radius = LENGTH / bend
    shift = np.sign(radius)
    return (radius * np.arctan2(along * shift, (radius - across) * shift),
            radius - shift * np.hypot(along, radius - across))


def inside(shape: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Whether (u, v) belongs to the shape."""
    half, thick = LENGTH / 2, THICK / 2
    bar = (np.abs(u) < half) & (np.abs(v) < thick)
    if shape == "cross":
        return bar | ((np.abs(u) < thick) & (np.abs(v) < half * 0.7))
    if shape == "tee":
        return bar | ((np.abs(u - half + thick) < thick) & (np.abs(v) < half * 0.7))
    if shape == "dumbbell":
        ends = np.minimum(np.hypot(u - half + thick, v), np.hypot(u + half - thick, v)) < THICK * 0.85
        return ((np.abs(u) < half) & (np.abs(v) < thick * 0.6)) | ends
    return bar


def ground(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A soft coloured field with grain, (height, width, 3), 0..255."""
    coarse = rng.normal(0, 1, (5, 5, 3))
    field = zoom(coarse, (height / 5, width / 5, 1), order=1, mode="nearest", grid_mode=True)[:height, :width]
    return rng.uniform(100, 155) + rng.normal(0, 12, 3) + field * rng.uniform(4, 12)


def stamp(image: np.ndarray, y: float, x: float, kind: int) -> None:
    """Draws one mark in place: a disc of its kind's colour with a light rim."""
    height, width = image.shape[:2]
    top, left = max(int(y) - 4, 0), max(int(x) - 4, 0)
    part = image[top:min(int(y) + 6, height), left:min(int(x) + 6, width)]
    rows, columns = np.mgrid[top:top + part.shape[0], left:left + part.shape[1]]
    far = np.hypot(rows - y, columns - x)[..., None]
    rim, disc = np.clip(RADIUS + 1.3 - far, 0, 1), np.clip(RADIUS + 0.5 - far, 0, 1)
    part[:] = part * (1 - rim) + 238 * rim
    part[:] = part * (1 - disc) + np.array(MARKS[kind - 1]) * disc


def place(rng: np.random.Generator, taken: np.ndarray, warp: Warp) -> np.ndarray | None:
    """Mask (h, w) of a new thing that hardly touches what is `taken` and is mostly in the picture; None after some
    tries."""
    height, width = taken.shape
    for _ in range(12):
        scale, bend = np.exp(rng.uniform(*np.log(warp.scale))), rng.uniform(*warp.bend) * rng.choice((-1, 1))
        where = rng.uniform(0.15, 0.85) * height, rng.uniform(0.15, 0.85) * width
        u, v = axes(height, width, *where, scale, rng.uniform(-warp.turn, warp.turn), bend)
        mask = inside(str(rng.choice(SHAPES)), u, v)
        if mask.sum() > 0.75 * LENGTH * THICK * 0.75 * scale**2 and not (mask & taken).any():
            return mask
    return None


def render(seed: int, warp: Warp, height: int = 96, width: int = 96, things: int = 0) -> Scene:
    """The picture of this seed: `things` of them (0: one to three), two or three marks on each, others on the
    ground."""
    rng = np.random.default_rng(seed)
    image, kinds, ids = ground(rng, height, width), np.zeros((height, width),
                                                             np.uint8), np.zeros((height, width), np.uint8)
    stamps = []
    for index in range(things or int(rng.integers(1, 4))):
        mask = place(rng, ids > 0, warp)
        if mask is None:
            break
        kind = int(rng.integers(1, 5))
        shade = (image[mask].mean(0) + rng.choice((-1, 1)) * rng.uniform(40, 70) + rng.normal(0, 10, 3))
        image[mask] = shade + 0.3 * (image[mask] - image[mask].mean(0)) + rng.normal(0, 9, (int(mask.sum()), 1))
        kinds[mask], ids[mask] = kind, index + 1
        deep = np.argwhere(gaussian_filter(mask.astype(np.float32), 1.6) > 0.8)
        if len(deep):
            stamps += [(*deep[rng.integers(len(deep))] + rng.uniform(-.5, .5, 2), kind)
                       for _ in range(int(rng.integers(2, 4)))]
    free = np.argwhere(gaussian_filter((ids > 0).astype(np.float32), 1.6) < 0.1)
    count = rng.poisson(len(free) / 350)
    stamps += [(*free[rng.integers(len(free))] + rng.uniform(-.5, .5, 2), int(rng.integers(1, 5)))
               for _ in range(count)]
    for y, x, kind in stamps:
        stamp(image, y, x, kind)
    image = gaussian_filter(image, (0.4, 0.4, 0)) + rng.normal(0, 4, image.shape)
    return Scene(np.clip(image, 0, 255).astype(np.uint8), kinds, ids)
