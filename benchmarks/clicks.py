"""Mean IoU after 1, 3 and 5 clicks on the labelled photographs of a folder, with 95 % bootstrap intervals over regions.

    python -m benchmarks.clicks FOLDER

FOLDER holds NAME.jpg and NAME.png, the index of a region for every pixel.  Asked for: the three largest regions of 2 to
45 % of each picture.  Clicks as in `backends.train.clicks`; the mask that the model ranks first counts.
"""
import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from backends.segment import Segmenter
from backends.train.clicks import AREA, play

CLICKS, RESAMPLED, EACH = 5, 4000, 3


def regions(folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Picture (H, W, 3) and mask (H, W) bool of up to EACH regions within AREA, largest first."""
    for file in sorted(folder.glob("*.jpg")):
        labels = np.asarray(Image.open(file.with_suffix(".png")))
        found, counts = np.unique(labels, return_counts=True)
        fits = [i for n, i in sorted(zip(-counts, found, strict=True)) if AREA[0] <= -n / labels.size <= AREA[1]]
        for i in fits[:EACH]:
            yield np.asarray(Image.open(file).convert("RGB")), labels == i


def interval(values: np.ndarray) -> list[float]:
    """Between which values 95 % of the means of resampled `values` (n,) lie."""
    drawn = np.random.default_rng(0).integers(len(values), size=(RESAMPLED, len(values)))
    return [round(float(v), 4) for v in np.quantile(values[drawn].mean(1), (0.025, 0.975))]


def main() -> None:
    """Prints one JSON object."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--model", default="tiny")
    a = p.parse_args()
    segmenter = Segmenter(a.model)
    played = np.array([play(segmenter, image, truth, CLICKS) for image, truth in regions(a.folder)])
    figures = {f"miou@{k}": {"mean": round(float(played[:, k - 1].mean()), 4), "95 %": interval(played[:, k - 1])}
               for k in (1, 3, 5)}
    print(json.dumps({"regions": len(played)} | figures))


if __name__ == "__main__":
    main()
