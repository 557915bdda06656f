"""Rendered scenes on disk, because rendering costs more than a training step: files of CHUNK scenes, named by their
first seed."""
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from backends.train.pictures import load_bank
from backends.train.scenes import PHOTOGRAPHIC, PROCEDURAL, render

CHUNK = 100
PHOTOGRAPHIC_SEED = 500_000     # first seed of photographic scenes


def render_cache(cache: Path, count: int, pictures: str | None, photographic: bool = False, init: str | None = None,
                 skip: int = 0) -> None:
    """Renders scenes number `skip` .. `count` of one style into files of CHUNK scenes each, named by their first seed;
    existing files are kept.  init: the encoder's first weights, which see the regions of photographs
    (backends.train.initial)."""
    bank, first = load_bank(pictures, init), PHOTOGRAPHIC_SEED if photographic else 0
    cache.mkdir(parents=True, exist_ok=True)
    for start in range(first + skip, first + count, CHUNK):
        path = cache / f"{start:06d}.npz"
        if not path.exists():
            style = PHOTOGRAPHIC if photographic else PROCEDURAL
            scenes = [render(seed, bank, style) for seed in range(start, min(start + CHUNK, first + count))]
            stacked = {name: np.stack([getattr(s, name) for s in scenes])
                       for name in ("image", "ids", "parent", "group")}
            np.savez(path.with_suffix(".tmp.npz"), **stacked)
            path.with_suffix(".tmp.npz").rename(path)


def read_cache(cache: Path, known: dict[str, dict]) -> dict[str, dict]:
    """Adds the cache files that are new since the last look."""
    for path in sorted(cache.glob("[0-9]*[0-9].npz")):
        if path.name not in known:
            known[path.name] = dict(np.load(path))
    return known


def crop_of(rng: np.random.Generator, scene: dict, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A random square of the scene, side size/2..512, resized to `size`: picture (size, size, 3) float, leaf ids (size,
    size)."""
    side = int(rng.uniform(max(size / 1.6, 160), 512.99))
    y, x = rng.integers(513 - side, size=2)
    image = torch.from_numpy(scene["image"][y:y + side, x:x + side]).permute(2, 0, 1)[None].float()
    image = F.interpolate(image, (size, size), mode="bilinear", align_corners=False,
                          antialias=True)[0].permute(1, 2, 0).numpy()
    at = ((np.arange(size) + 0.5) * side / size).astype(int)
    return lit(rng, image, scene["ids"][y:y + side, x:x + side][np.ix_(at, at)])


def lit(rng: np.random.Generator, image: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Another contrast, brightness and tint, and mirrored half of the time: picture (n, n, 3) float, ids (n, n)."""
    image = (image - 128) * rng.uniform(0.75, 1.2) + 128 + rng.normal(0, 12) + rng.normal(0, 5, 3)
    if rng.random() < 0.5:
        image, ids = image[:, ::-1], ids[:, ::-1]
    return np.clip(image, 0, 255), ids
