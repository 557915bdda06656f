"""Cut-outs: what lies inside a mask, transparent elsewhere."""
from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.special import expit

from backends.segment.errors import SegmentError
from backends.segment.formats import names
from backends.segment.formats.scene import Picture, box, png_bytes


def cutout(image: np.ndarray, mask: np.ndarray, soft: np.ndarray | None = None, crop: bool = False) -> np.ndarray:
    """uint8 (H, W, 4) with straight alpha: colours are those of `image` (H, W, 3), not multiplied by alpha.

    Alpha is 255 in `mask` (H, W) and 0 elsewhere, or, with `soft`, the sigmoid of these full-size logits (H, W), as
    from `Segmenter.upscale`.  Where alpha is 0 the colour is black, so that nothing hidden travels along.  `crop` keeps
    the smallest rectangle that holds all of alpha.  Raises SegmentError if shapes differ or nothing is left to crop to.
    """
    if np.shape(mask) != image.shape[:2]:
        raise SegmentError(f"The mask has shape {np.shape(mask)}, the picture {image.shape[:2]}.")
    if soft is not None and np.shape(soft) != image.shape[:2]:
        raise SegmentError(f"The logits have shape {np.shape(soft)}, the picture {image.shape[:2]}.")
    alpha = np.where(mask, 255, 0).astype(np.uint8) if soft is None else np.rint(255 * expit(soft)).astype(np.uint8)
    if crop and not alpha.any():
        raise SegmentError("The mask is empty, so there is nothing to crop to.")
    x0, y0, x1, y1 = box(alpha) if crop else (0, 0, *alpha.shape[::-1])
    alpha, colours = alpha[y0:y1, x0:x1], image[y0:y1, x0:x1]
    return np.dstack([np.where(alpha[..., None] > 0, colours, 0).astype(np.uint8), alpha])


def files(pictures: Sequence[Picture]) -> Iterator[tuple[str, bytes]]:
    """(name, PNG) of every object of every picture, RGBA, cropped; pictures bring their pixels along."""
    for picture in pictures:
        stem = names.stem(picture.file_name)
        called = names.distinct([names.safe(f"{stem}-{o.name}.png") for o in picture.objects], by_stem=True)
        for name, thing in zip(called, picture.objects, strict=True):
            yield (f"{stem}/{name}" if len(pictures) > 1 else name,
                   png_bytes(cutout(picture.pixels, thing.mask, crop=True)))
