"""How good are the clicks?  The protocol of interactive segmentation, played on held-out procedural scenes.

    python -m backends.train.clicks --model tiny --scenes 24

The first click is the point of the object farthest from its border, each next one the centre of the deeper of the two
errors (missed or added area) of the mask that the model itself ranks first (Sofiiuk et al., RITM, arXiv 2102.06583).
Seeds are far from those of the training scenes and no pictures of others are used, so anyone gets the same figures.
"""
import argparse
import json
from collections.abc import Iterator

import numpy as np

from backends.segment import Segmenter
from backends.train.asked import depth
from backends.train.pictures import Bank
from backends.train.scenes import render

FIRST_SEED = 3_000_000
AREA = (0.02, 0.45)            # of the picture, what counts as a thing to click on


def cases(scenes: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Picture (512, 512, 3) and mask (512, 512) bool of the two largest objects within AREA, scene after scene."""
    for seed in range(FIRST_SEED, FIRST_SEED + scenes):
        scene = render(seed, Bank())
        owner = scene.parent[scene.ids]
        objects, areas = np.unique(owner[owner > 0], return_counts=True)
        fits = [o for a, o in sorted(zip(-areas, objects)) if AREA[0] <= -a / owner.size <= AREA[1]]
        for thing in fits[:2]:
            yield scene.image, owner == thing


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two bool masks; 1 where both are empty."""
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0


def next_click(mask: np.ndarray, truth: np.ndarray) -> tuple[int, int, int]:
    """(x, y, label): the centre of the deeper error, positive where area was missed."""
    missed, added = depth(truth & ~mask), depth(mask & ~truth)
    worse = missed if missed.max() >= added.max() else added
    y, x = np.unravel_index(worse.argmax(), worse.shape)
    return int(x), int(y), int(worse is missed)


def play(segmenter: Segmenter, image: np.ndarray, truth: np.ndarray, clicks: int) -> list[float]:
    """IoU after 1 .. `clicks` clicks of the mask that the model ranks first."""
    embedding, points, ious = segmenter.embed(image), [], []
    mask = np.zeros_like(truth)
    for _ in range(clicks):
        points.append(next_click(mask, truth))
        answer = segmenter.predict(embedding, [p[:2] for p in points], [p[2] for p in points])
        mask = answer.masks[answer.scores.argmax()]
        ious.append(overlap(mask, truth))
    return ious


def evaluate(segmenter: Segmenter, scenes: int, clicks: int = 5) -> dict[str, float]:
    """Mean IoU after 1, 3 and 5 clicks (as far as `clicks` goes) and the number of objects."""
    played = np.array([play(segmenter, image, truth, clicks) for image, truth in cases(scenes)])
    means = {f"miou@{k}": round(float(played[:, k - 1].mean()), 4) for k in (1, 3, 5) if k <= clicks}
    return {"objects": len(played)} | means


def main() -> None:
    """Command line: prints one JSON object."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", default="tiny")
    p.add_argument("--scenes", type=int, default=24)
    p.add_argument("--clicks", type=int, default=5)
    a = p.parse_args()
    print(json.dumps(evaluate(Segmenter(a.model), a.scenes, a.clicks)))


if __name__ == "__main__":
    main()
