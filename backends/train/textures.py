"""Fields, patterns and fills of the procedural scenes: everything that covers an area (`backends.train.scenes` puts
them together)."""
import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from backends.train.pictures import Bank

SIZE = 512


def smooth_field(rng: np.random.Generator, size: int, cells: float, stretch: float = 1.0) -> np.ndarray:
    """Unit-variance smooth noise (size, size), about `cells` bumps per side; stretch > 1 makes bumps wider than
    high."""
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
    """A square of a photograph, side low..high of its short side, resized to (size, size, 3) float 0..255, maybe
    mirrored."""
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
            photo: float = 0.5) -> np.ndarray:
    """A fill (size, size, 3) float 0..255 around the colour `base` (random when None), a photograph with probability
    `photo`."""
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
        grain = (smooth_field(rng, size, rng.uniform(1, 4))[..., None] * rng.normal(0.5, 0.3, 3)
                 + rng.standard_normal((size, size, 1)) * 0.1)
    return base + contrast * grain
