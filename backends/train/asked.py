"""What is asked of a click model and how: targets at three levels, first clicks, boxes, and clicks on errors; all on
the stride-4 grid."""
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

LARGEST = 0.85                 # of a crop; where more is covered, the level below is asked for


@dataclass(frozen=True)
class Focus:
    """What is asked for: leaves of at least `smallest` of the crop, drawn with probability ~ area ** `power`; with
    probability `whole` the object that owns the leaf, with probability `group` all that it belongs to; a first click in
    the very middle with probability `centre`."""
    power: float
    smallest: float
    whole: float
    group: float
    centre: float


EARLY, LATE, FINISH = Focus(0.5, 0.004, 0.7, 0.1, 0.5), Focus(0.7, 0.008, 0.75, 0.1,
                                                              0.65), Focus(0.8, 0.008, 0.78, 0.1, 0.65)


def choose_targets(rng: np.random.Generator, ids: np.ndarray, scene: dict, count: int,
                   focus: Focus) -> list[np.ndarray]:
    """`count` times what is asked for, then part, object and group at the same place: float masks (4, n, n) at stride
    4, the fraction of each cell that is covered; none where the crop ids (s, s) has no target."""
    leaves, areas = np.unique(ids[ids > 0], return_counts=True)
    big = areas > focus.smallest * ids.size
    leaves, areas = leaves[big], areas[big]
    if not len(leaves):
        return []
    targets = []
    for leaf in rng.choice(leaves, count, p=areas**focus.power / (areas**focus.power).sum()):
        levels = [ids == leaf] + [table[ids] == table[leaf] for table in (scene["parent"], scene["group"])]
        level = rng.choice(3, p=[1 - focus.whole - focus.group, focus.whole, focus.group])
        while level and levels[level].mean() > LARGEST:
            level -= 1
        targets.append(np.stack([cover(mask) for mask in (levels[level], *levels)]))
    return targets


def cover(mask: np.ndarray) -> np.ndarray:
    """bool (s, s) -> float32 (s/4, s/4), the covered fraction of each 4 x 4 cell."""
    n = mask.shape[0] // 4
    return mask.reshape(n, 4, n, 4).mean((1, 3), dtype=np.float32)


def depth(mask: np.ndarray) -> np.ndarray:
    """Distance in cells to the nearest cell outside of the mask; the frame counts as outside."""
    return distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]


def click_in(rng: np.random.Generator, mask: np.ndarray, centre: float) -> tuple[float, float]:
    """A point (x, y) in pixels inside the mask (n, n) bool: its deepest cell with probability `centre`, else any inner
    cell."""
    d = depth(mask)
    cells = np.argwhere(d >= d.max()) if rng.random() < centre else np.argwhere(d > min(1.5, d.max() * 0.5))
    y, x = cells[rng.integers(len(cells))]
    return float(x * 4 + rng.uniform(0, 4)), float(y * 4 + rng.uniform(0, 4))


def first_prompt(rng: np.random.Generator, target: np.ndarray, focus: Focus) -> list[tuple[float, float, int]]:
    """A click in the target, or (one in eight) its box with corners moved by up to a tenth."""
    solid = target > 0.5 if (target > 0.5).any() else target == target.max()
    if rng.random() > 0.125:
        return [(*click_in(rng, solid, focus.centre), 1)]
    ys, xs = np.nonzero(solid)
    low, high = np.array([xs.min(), ys.min()]) * 4.0, np.array([xs.max() + 1, ys.max() + 1]) * 4.0
    jitter = (high - low) * 0.1
    a, b = low + rng.uniform(-1, 1, 2) * jitter, high + rng.uniform(-1, 1, 2) * jitter
    return [(*a, 2), (*b, 3)]


def error_click(rng: np.random.Generator, logits: np.ndarray, target: np.ndarray) -> tuple[float, float, int] | None:
    """A click in the deeper of missed and added area; None where the mask is right."""
    pred, truth = logits > 0, target > 0.5
    missed, added = truth & ~pred, pred & ~truth
    if not (missed | added).any():
        return None
    positive = depth(missed).max() >= depth(added).max()
    return (*click_in(rng, missed if positive else added, 0.6), int(positive))


def sparse_of(prompts: list[list[tuple]], size: int) -> Tensor:
    """Prompts as rows (x, y, label) of equal length, float32 (b, n, 3); padding has label -1."""
    longest = max(map(len, prompts))
    rows = [p + [(size / 2, size / 2, -1)] * (longest - len(p)) for p in prompts]
    return torch.tensor(rows, dtype=torch.float32)
