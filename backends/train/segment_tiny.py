"""Recipe of `weights/segment-tiny.safetensors`: click segmentation learned from procedural scenes with exact masks.

    python -m backends.train.segment_tiny --cache scenes --render 2400 --pictures FOLDER     render scenes once
    python -m backends.train.segment_tiny --cache scenes --render 1200 --photographic --pictures FOLDER
    python -m backends.train.segment_tiny --cache scenes --out run --steps 4050              train, resume from run/last.pt
    python -m backends.train.segment_tiny --out run --export weights/segment-tiny.safetensors

Clicks are iterative (Sofiiuk et al., RITM, arXiv 2102.06583): the first one lies in the target, each next one in the largest error of
the mask that the model rates best, whose logits are fed back half of the time; only the last round carries gradient. Loss per SAM
(arXiv 2304.02643): focal x 20 + dice on the single mask and on the best of the three, squared error on predicted IoU; beside them
binary cross-entropy on region boundaries, which are what the geodesic prompts need. fp32 weights, bf16 autocast, AdamW, one cycle.
"""
import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from backends.segment.tiny import STRIDE, build_tiny
from backends.train import command, loop
from backends.train.shelf import PHOTOGRAPHIC_SEED, crop_of, read_cache, render_cache

PHOTOGRAPHIC_FROM = 2800        # step from which photographic scenes are used
CROPS = {256: 0.7, 384: 0.2, 512: 0.1}         # side of a training crop in pixels: probability
FINISH_FROM = 3400              # from here on: larger crops, a loss nearer to IoU, more single clicks, a second cosine
FINISH_CROPS = {256: 0.3, 384: 0.3, 512: 0.4}
FOCAL_AND_DICE = {False: (20.0, 1.0), True: (5.0, 3.0)}    # weights before and while finishing


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters; a step takes `batch` pictures of 256 px (or as many pixels in larger crops), `prompts` targets in each."""
    seed: int = 0
    steps: int = 4050
    batch: int = 6
    prompts: int = 4
    rate: float = 1.5e-3
    finish_rate: float = 6e-4
    decay: float = 0.02
    warmup: int = 200
    ema: float = 0.995
    save_every: int = 200
    threads: int = 1


@dataclass(frozen=True)
class Focus:
    """What is asked for: leaves of at least `smallest` of the crop, drawn with probability ~ area ** `power`; with probability `whole`
    the object that owns the leaf; a first click in the very middle with probability `centre`."""
    power: float
    smallest: float
    whole: float
    centre: float


EARLY, LATE, LATE_FROM = Focus(0.5, 0.004, 0.6, 0.5), Focus(0.7, 0.008, 0.75, 0.65), 1000


# ---- targets and clicks, all on the stride-4 grid ----

def choose_targets(rng: np.random.Generator, ids: np.ndarray, parent: np.ndarray, count: int, focus: Focus) -> list[np.ndarray]:
    """`count` float masks (n, n) at stride 4, the fraction of each cell that is covered; none where the crop has no target."""
    leaves, areas = np.unique(ids[ids > 0], return_counts=True)
    big = areas > focus.smallest * ids.size
    leaves, areas = leaves[big], areas[big]
    if not len(leaves):
        return []
    targets = []
    for leaf in rng.choice(leaves, count, p=areas**focus.power / (areas**focus.power).sum()):
        same = parent[ids] == parent[leaf] if rng.random() < focus.whole else ids == leaf
        targets.append(cover(same))
    return targets


def cover(mask: np.ndarray) -> np.ndarray:
    """bool (s, s) -> float32 (s/4, s/4), the covered fraction of each 4 x 4 cell."""
    n = mask.shape[0] // 4
    return mask.reshape(n, 4, n, 4).mean((1, 3), dtype=np.float32)


def depth(mask: np.ndarray) -> np.ndarray:
    """Distance in cells to the nearest cell outside of the mask; the frame counts as outside."""
    return distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]


def click_in(rng: np.random.Generator, mask: np.ndarray, centre: float) -> tuple[float, float]:
    """A point (x, y) in pixels inside the mask (n, n) bool: its deepest cell with probability `centre`, else any inner cell."""
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


# ---- loss ----

def mask_loss(logits: Tensor, target: Tensor, weights: tuple[float, float] = FOCAL_AND_DICE[False]) -> Tensor:
    """Weighted focal (gamma 2, soft targets) and dice loss per mask: logits (b, k, n, n), target (b, 1, n, n) -> (b, k)."""
    target = target.expand_as(logits)
    p = logits.sigmoid()
    focal = (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * (p - target).square()).mean((2, 3))
    dice = 1 - (2 * (p * target).sum((2, 3)) + 1) / ((p + target).sum((2, 3)) + 1)
    return weights[0] * focal + weights[1] * dice


def iou_of(logits: Tensor, target: Tensor) -> Tensor:
    """Intersection over union at the threshold: logits (b, k, n, n), target (b, 1, n, n) -> (b, k)."""
    a, b = logits > 0, (target > 0.5).expand_as(logits)
    return (a & b).sum((2, 3)) / (a | b).sum((2, 3)).clamp(min=1)


def boundary_loss(logits: Tensor, ids: Tensor) -> Tensor:
    """Cross-entropy of the stride-8 boundary map (m, 1, g, g) with 'this cell sees two leaves', ids (m, H, W)."""
    seen = ids[:, None].float()
    mixed = (F.max_pool2d(seen, 10, 8, 1) != -F.max_pool2d(-seen, 10, 8, 1)).float()
    return F.binary_cross_entropy_with_logits(logits, mixed, pos_weight=torch.tensor(2.0))


# ---- training ----

def cosine(part: float) -> float:
    """Half a cosine from 1 at 0 down to a hundredth at 1."""
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1, part)))


class Trainer:
    """Model, its moving average, optimiser, and the random state; `step` is one update."""

    def __init__(self, recipe: Recipe, cache: Path):
        torch.manual_seed(recipe.seed)
        self.recipe, self.cache, self.done = recipe, cache, 0
        self.sam = build_tiny().to(memory_format=torch.channels_last)
        self.mean = AveragedModel(self.sam, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)
        decayed = [p for p in self.sam.parameters() if p.ndim > 1]
        plain = [p for p in self.sam.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": recipe.decay}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=recipe.rate)
        self.scenes: dict[str, dict] = {}

    @property
    def focus(self) -> Focus:
        """What is asked for at this step."""
        return EARLY if self.done < LATE_FROM else LATE

    @property
    def finishing(self) -> bool:
        """Whether this step belongs to the last part."""
        return self.done >= FINISH_FROM

    def file(self, rng: np.random.Generator) -> str:
        """The cache file of the next scene: photographic ones, where there are any, get most of the late steps."""
        late = self.done >= PHOTOGRAPHIC_FROM and rng.random() < 0.65
        names = [name for name in self.scenes if (int(name[:6]) >= PHOTOGRAPHIC_SEED) == late]
        return rng.choice(names or list(self.scenes))

    def pictures(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, list[np.ndarray]]:
        """Normalised pictures (m, 3, s, s), leaf ids (m, s, s) and m x prompts targets."""
        images, leaves, targets = [], [], []
        crops = FINISH_CROPS if self.finishing else CROPS
        size = int(rng.choice(list(crops), p=list(crops.values())))
        while len(images) < max(1, round(self.recipe.batch * (256 / size) ** 2)):
            chunk = self.scenes[self.file(rng)]
            scene = {k: v[i] for i in [rng.integers(len(chunk["image"]))] for k, v in chunk.items()}
            image, ids = crop_of(rng, scene, size)
            found = choose_targets(rng, ids, scene["parent"], self.recipe.prompts, self.focus)
            if found:
                images.append(image), leaves.append(ids.astype(np.int64)), targets.extend(found)
        x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
        x = (x - self.sam.pixel_mean) / self.sam.pixel_std
        keep = int(size * rng.uniform(0.6, 1)) // 8 * 8 if rng.random() < 0.3 else size
        x[:, :, keep:] = 0                                                           # the zero padding of `Sam.preprocess`, seen early
        for t in targets:
            t[keep // 4:] = 0
        ids = torch.from_numpy(np.stack(leaves))
        ids[:, keep:] = 0
        return x.contiguous(memory_format=torch.channels_last), ids, targets

    def step(self) -> dict[str, float]:
        """One update; the losses and IoUs of its batch."""
        rng = np.random.default_rng((self.recipe.seed, self.done))
        if self.done % 100 == 0:
            read_cache(self.cache, self.scenes)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        x, ids, targets = self.pictures(rng)
        with torch.autocast(x.device.type, torch.bfloat16):
            embedding = self.sam.image_encoder.features(x)
        truth = torch.from_numpy(np.stack(targets))[:, None]
        logits, rating = self.clicks(rng, embedding, targets)
        each = mask_loss(logits, truth, FOCAL_AND_DICE[self.finishing])
        exact = iou_of(logits.detach(), truth)
        usable = (truth.sum((1, 2, 3)) > 3).float()
        parts = {"single": (each[:, 0] * usable).mean(), "best": (each[:, 1:].amin(1) * usable).mean() + 0.02 * each[:, 1:].mean(),
                 "iou": (rating - exact).square().mean(), "edge": boundary_loss(embedding[:, -1:], ids)}
        loss = parts["single"] + parts["best"] + parts["iou"] + 0.5 * parts["edge"]
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.sam.parameters(), 2.0)
        self.optimizer.step()
        self.mean.update_parameters(self.sam)
        self.done += 1
        picked = exact.gather(1, 1 + rating[:, 1:].argmax(1, keepdim=True))
        reported = parts | {"miou": exact[:, 0], "picked": picked, "oracle": exact[:, 1:].amax(1)}
        return {name: value.detach().mean().item() for name, value in reported.items()}

    def clicks(self, rng: np.random.Generator, embedding: Tensor, targets: list[np.ndarray]) -> tuple[Tensor, Tensor]:
        """Plays 1..6 rounds of clicks, the last one with gradient: logits (b, 4, n, n), predicted IoU (b, 4)."""
        size, decoder = embedding.shape[-1] * STRIDE, self.sam.mask_decoder
        prompts = [first_prompt(rng, t, self.focus) if t.any() else [(1.0, 1.0, 1)] for t in targets]
        dense = torch.zeros(len(targets), 2, size // 4, size // 4)
        with torch.no_grad(), torch.autocast(embedding.device.type, torch.bfloat16):
            frozen = embedding.detach()
            for _ in range(int(rng.choice([0, 1, 2, 3, 5], p=[.6, .12, .1, .1, .08] if self.finishing else [.42, .2, .16, .12, .1]))):
                logits, rating = decoder.predict_all(frozen, sparse_of(prompts, size), dense)
                best = logits[torch.arange(len(logits)), rating.argmax(1)]
                for p, guess, target in zip(prompts, best.numpy(), targets):
                    new = error_click(rng, guess, target)
                    p += [new] if new else []
                feed = torch.from_numpy(rng.random(len(targets)) < 0.5).float()[:, None, None]
                dense = torch.stack([best.clamp(-10, 10) / 10 * feed, torch.ones_like(best) * feed], 1)
        with torch.autocast(embedding.device.type, torch.bfloat16):
            return decoder.predict_all(embedding, sparse_of(prompts, size), dense)

    def rate(self) -> float:
        """Learning rate of the coming step: linear warm-up, half a cosine down, and a smaller half cosine to finish."""
        r = self.recipe
        if self.finishing:
            return r.finish_rate * cosine((self.done - FINISH_FROM) / max(1, r.steps - FINISH_FROM))
        return r.rate * min(1, (self.done + 1) / r.warmup) * cosine(self.done / 3800)

    def save(self, out: Path) -> None:
        """Writes out/last.pt, atomically."""
        state = {"sam": self.sam.state_dict(), "mean": self.mean.state_dict(), "optimizer": self.optimizer.state_dict(), "done": self.done}
        loop.write(state, out / "last.pt")

    def resume(self, out: Path) -> None:
        """Continues from out/last.pt where there is one; the random state follows from seed and step."""
        if (out / "last.pt").exists():
            state = torch.load(out / "last.pt", weights_only=True)
            self.sam.load_state_dict(state["sam"])
            self.mean.load_state_dict(state["mean"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.done = state["done"]


def train(recipe: Recipe, cache: Path, out: Path) -> None:
    """Runs or resumes up to `recipe.steps`; one JSON line of means every 50 steps in out/log.jsonl."""
    torch.set_num_threads(recipe.threads)
    out.mkdir(parents=True, exist_ok=True)
    trainer, rows, began = Trainer(recipe, cache), [], time.time()
    trainer.resume(out)
    read_cache(cache, trainer.scenes)
    trainer.sam.train()
    while trainer.done < recipe.steps:
        rows.append(trainer.step())
        if trainer.done % 50 == 0:
            means = {k: round(float(np.mean([r[k] for r in rows])), 4) for k in rows[0]}
            line = {"step": trainer.done, "seconds": round(time.time() - began)} | means
            with open(out / "log.jsonl", "a") as log:
                log.write(json.dumps(line) + "\n")
            rows.clear()
        if trainer.done % recipe.save_every == 0 or trainer.done == recipe.steps:
            trainer.save(out)


def export(out: Path, target: Path) -> None:
    """The moving average of the last checkpoint as fp16 safetensors, keys of `build_tiny()`."""
    mean = torch.load(out / "last.pt", weights_only=True)["mean"]
    state = {k.removeprefix("module."): v for k, v in mean.items() if k.startswith("module.")}
    save_file({k: v.half().contiguous() if v.is_floating_point() else v for k, v in state.items()}, target)


def main() -> None:
    """Command line; every field of Recipe is a flag."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_flags(p, Recipe)
    p.add_argument("--cache", type=Path, default=Path("scenes"))
    p.add_argument("--out", type=Path, default=Path("run"))
    p.add_argument("--pictures", help="folder with the unpacked free pictures (backends/train/pictures.py)")
    p.add_argument("--render", type=int, help="only render this many scenes into the cache")
    p.add_argument("--photographic", action="store_true", help="render scenes of photographs, cut-outs and photographs' own regions")
    p.add_argument("--export", type=Path, help="only write the trained weights to this file")
    a = p.parse_args()
    recipe = command.recipe_of(Recipe, a)
    if a.render:
        render_cache(a.cache, a.render, a.pictures, a.photographic)
    elif a.export:
        export(a.out, a.export)
    else:
        print(json.dumps(asdict(recipe)))
        train(recipe, a.cache, a.out)


if __name__ == "__main__":
    main()
