"""A click on a photograph: which places does the shipped Swin call the clicked one's region?

    python -m benchmarks.swin_regions FOLDER
    python -m benchmarks.swin_regions FOLDER --before OLD.safetensors --teacher efficientnet-lite0-57934424.pth
        also the weights that shipped before (git show COMMIT:weights/swin-regions.safetensors > OLD.safetensors), and
        the features of the network that the Swin learned from

FOLDER holds NAME.jpg and NAME.png, the index of a region for every pixel: the three largest regions of 2 to 45 % of
each picture are clicked where they are deepest (`benchmarks.clicks`).  Places are cells of 4 x 4 px of the picture as
the model sees it.  Two places are of one region where their features are nearer than a threshold: for each way of
seeing the one that is best on held-out procedural scenes, which need no pictures.  Printed: mean IoU with the regions
there, on the photographs, and what a threshold chosen on the photographs themselves would give.
"""
from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.nn import functional as F

from backends.swin import small
from backends.swin.small import STRIDE
from backends.train import distil
from backends.train.clicks import next_click
from backends.train.swin_figures import answers, colours, scene, targets
from benchmarks.clicks import interval, regions

SCENES, THRESHOLDS = 24, 40
Case = tuple[np.ndarray, list[tuple[int, np.ndarray]]]
"""A picture (H, W, 3) as the model sees it, and its regions: flat index of the clicked place, places (h, w) bool."""
Features = Callable[[np.ndarray], np.ndarray]


def held(count: int) -> Iterator[Case]:
    """Held-out procedural scenes."""
    for image, ids in map(scene, range(count)):
        yield image, targets(ids[STRIDE // 2::STRIDE, STRIDE // 2::STRIDE])


def photographs(folder: Path) -> Iterator[Case]:
    """The labelled photographs of a folder, resized as the model wants them."""
    for _, same in groupby(regions(folder), key=lambda found: found[0].tobytes()):
        found = list(same)
        height, width = small.fitting(*found[0][0].shape[:2])
        yield (np.asarray(Image.fromarray(found[0][0]).resize((width, height), Image.Resampling.BILINEAR)),
               [clicked(truth, (height // STRIDE, width // STRIDE)) for _, truth in found])


def clicked(truth: np.ndarray, size: tuple[int, int]) -> tuple[int, np.ndarray]:
    """Where a region (H, W) is clicked, and its places, on a grid of `size`."""
    x, y, _ = next_click(np.zeros_like(truth), truth)
    rows, columns = (((np.arange(n) + 0.5) * full / n).astype(int) for n, full in zip(size, truth.shape))
    at = y * size[0] // truth.shape[0] * size[1] + x * size[1] // truth.shape[1]
    return at, truth[np.ix_(rows, columns)]


def overlaps(features: Features, cases: Iterable[Case], limits: np.ndarray) -> np.ndarray:
    """IoU of every click at every threshold, (clicks, thresholds)."""
    each = []
    for image, asked in cases:
        found = features(image)
        for at, mask in asked:
            rank = np.searchsorted(limits, np.linalg.norm(found - found[at], axis=1), side="right")
            inside, outside = (np.bincount(rank[part], minlength=len(limits) + 1)[:-1].cumsum()
                               for part in (mask.ravel(), ~mask.ravel()))
            each.append(inside / (mask.sum() + outside))
    return np.array(each)


def figures(features: Features, scenes: list[Case], pictures: list[Case]) -> dict[str, object]:
    """Mean IoU at the threshold that is best on the scenes."""
    found = features(scenes[0][0])
    limits = np.linalg.norm(found - found.mean(0), axis=1).mean() * np.geomspace(0.05, 5, THRESHOLDS)
    there, here = (overlaps(features, cases, limits) for cases in (scenes, pictures))
    best = there.mean(0).argmax()
    return {"threshold": round(float(limits[best]), 3), "scenes": round(float(there[:, best].mean()), 4),
            "photographs": round(float(here[:, best].mean()), 4), "95 %": interval(here[:, best]),
            "best threshold there": round(float(here.mean(0).max()), 4), "clicks": len(here)}


def seen_by(model: small.Regions) -> Features:
    """The vectors of a model."""
    return lambda image: answers(model, image).numpy()


def taught(file: Path, strides: tuple[int, ...]) -> Features:
    """The pretrained network's features at these strides, each of length 1, side by side."""
    teacher = distil.Teacher(file)

    def features(image: np.ndarray) -> np.ndarray:
        size = [n // STRIDE for n in image.shape[:2]]
        maps = [F.interpolate(F.normalize(one, dim=1), size, mode="bilinear", align_corners=False)[0]
                for one, stride in zip(teacher(small.normalised(image)), (8, 16, 32)) if stride in strides]
        return torch.cat(maps).flatten(1).T.numpy()
    return features


def main() -> None:
    """One JSON line for each way of seeing."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--before", type=Path, help="earlier weights")
    p.add_argument("--after", type=Path, help="weights instead of the shipped ones")
    p.add_argument("--teacher", type=Path, help="file of the pretrained network")
    p.add_argument("--scenes", type=int, default=SCENES)
    a = p.parse_args()
    ways: dict[str, Features] = {"colour alone": colours}
    if a.before:
        ways["before"] = seen_by(small.of(load_file(a.before)))
    ways["now"] = seen_by(small.of(load_file(a.after)) if a.after else small.load())
    if a.teacher:
        ways |= {f"teacher, strides {strides}": taught(a.teacher, strides) for strides in ((8, 16, 32), (32,))}
    scenes, pictures = list(held(a.scenes)), list(photographs(a.folder))
    for name, features in ways.items():
        print(json.dumps({"of": name} | figures(features, scenes, pictures)), flush=True)


if __name__ == "__main__":
    main()
