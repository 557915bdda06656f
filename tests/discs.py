"""A segmenter for tests whose masks are known: discs about the clicks, at three radii, minus discs of exclude clicks.

It is a real ``Segmenter`` with a cheap encoder and decoder, so that everything around the network runs as it is.
"""

from __future__ import annotations

import time
from functools import cache

import numpy as np
import torch
from segment_anything.utils.transforms import ResizeLongestSide

from backends.segment import Embedding, Segmenter
from backends.segment.tiny import build_tiny

SIDE, GRID = 512, 128
RADII = (12.0, 20.0, 30.0)
"""Radii of the three masks in cells of the low-resolution grid; a cell is 1/128 of the longer side."""
SCORES = (0.75, 0.95, 0.85)


class Discs(Segmenter):
    """Encodes by sleeping ``delay`` seconds; predicts discs."""

    delay = 0.05

    def encode(self, image: np.ndarray, key: tuple[str, str, str]) -> Embedding:
        time.sleep(self.delay)
        size = ResizeLongestSide.get_preprocess_shape(*image.shape[:2], SIDE)
        return Embedding(torch.zeros(1, 1, 1, 1), image.shape[:2], size, key, 1e3 * self.delay, False)

    def decode_batch(self, e, points, labels, boxes, masks, multimask):
        count = len(points) if points is not None else len(boxes)
        logits = torch.stack([self._logits(b, points, labels, boxes) for b in range(count)])
        keep = slice(None) if multimask else slice(1, 2)
        return logits[:, keep], torch.tensor(SCORES).repeat(count, 1)[:, keep]

    def _logits(self, b, points, labels, boxes):
        y, x = torch.meshgrid(torch.arange(GRID) + 0.5, torch.arange(GRID) + 0.5, indexing="ij")
        out = []
        for radius in RADII:
            value = torch.full((GRID, GRID), -10.0)
            if boxes is not None:
                x0, y0, x1, y1 = boxes[b] * GRID / SIDE
                value = torch.minimum(torch.minimum(x - x0, x1 - x), torch.minimum(y - y0, y1 - y)).clamp(-10, 10)
            for (px, py), label in zip(points[b] * GRID / SIDE, labels[b], strict=True) if points is not None else ():
                disc = radius - torch.hypot(x - px, y - py)
                value = torch.maximum(value, disc) if label == 1 else torch.minimum(value, -disc)
            out.append(value)
        return torch.stack(out)


@cache
def discs(name: str = "tiny") -> Discs:
    """The segmenter under the name of a real one."""
    return Discs.of(build_tiny().eval(), name, "discs")
