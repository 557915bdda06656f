"""Recipe of `weights/segment-tiny.safetensors`: click segmentation learned from rendered scenes with exact masks and
from the regions of photographs, by a network that starts from ImageNet.

    python -m backends.train.segment_tiny --cache scenes --render 100 --pictures FOLDER --init FILE   render scenes once
    python -m backends.train.segment_tiny --cache scenes --render 600 --photographic --pictures FOLDER --init FILE
    python -m backends.train.segment_tiny --cache scenes --out run --init FILE          train, resume from run/last.pt
    python -m backends.train.segment_tiny --out run --export weights/segment-tiny.safetensors \\
        --calibrate 120 --pictures FOLDER --init FILE

Clicks are iterative (Sofiiuk et al., RITM, arXiv 2102.06583): the first one lies in the target, each next one in the
largest error of the mask that the model rates best, whose logits are fed back half of the time; only the last round
carries gradient. Loss per SAM (arXiv 2304.02643): focal x 20 + dice on the single mask and on the best of the three,
squared error on predicted IoU. Beside them: the three masks are drawn to part, object and group, and binary
cross-entropy on boundaries, which are what the geodesic prompts need.  In the end the model is trained as it is used: a
coarse view guesses, the fine one refines, the sum is judged.  The scenes of the shipped run are listed in
weights/README.md, with what else was tried.  fp32 weights, bf16 autocast, AdamW, three cosines.
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
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from backends.segment.tiny import STRIDE, build_tiny
from backends.train import command, initial, loop
from backends.train.asked import EARLY, FINISH, LATE, Focus, choose_targets, error_click, first_prompt, sparse_of
from backends.train.pictures import Bank, load_bank
from backends.train.rating import calibrate
from backends.train.shelf import PHOTOGRAPHIC_SEED, crop_of, read_cache, render_cache

CROPS = {256: 0.7, 384: 0.2, 512: 0.1}         # side of a training crop in pixels: probability
FINISH_CROPS = {256: 0.3, 384: 0.3, 512: 0.4}
POLISH_CROPS = {384: 0.25, 512: 0.75}
FOCAL_AND_DICE = {False: (20.0, 1.0), True: (5.0, 3.0)}    # weights before and while finishing
# probability of 0, 1, 2, 3, 5 clicks after the first
ROUNDS = {False: (.42, .2, .16, .12, .1), True: (.56, .14, .11, .1, .09)}
PHOTOGRAPHIC = {False: 0.7, True: 0.85}        # share of the photographic scenes, before and while finishing
# share of the steps that look twice, as the shipped model does, while finishing and while polishing
TWO_VIEWS = {False: 0.65, True: 0.9}
RATED = {False: 1.0, True: 4.0}                # weight of the predicted IoU's error, before and while polishing
RANKED, SHARP = 0.2, 12.0      # weight of: the best of one click's masks is rated best; what the ratings are scaled by
INNER = 0.5                    # how much of a boundary one inside of an object is
ORDERED = 0.3                  # weight of: the three masks are part, object and group


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters; a step takes `batch` pictures of 256 px (or as many pixels in larger crops), `prompts` targets
    in each.

    encoder_rate: the backbone's learning rate as a share of the others'.  `late_from` and `finish_from` are shares of
    `steps`: larger things are asked for from the one on; from the other on larger crops, a loss nearer to IoU, more
    single clicks, both views, whole objects, a second cosine, and batch norms that keep their statistics, since a batch
    is two pictures then.  After `steps` come `polish` more, with a third cosine, mostly of whole pictures as the app
    sees them, in which the predicted IoU counts more and has to rank the masks.
    """
    seed: int = 0
    steps: int = 3800
    batch: int = 6
    prompts: int = 4
    rate: float = 1.5e-3
    finish_rate: float = 6e-4
    encoder_rate: float = 0.15
    decay: float = 0.02
    warmup: int = 150
    ema: float = 0.996
    save_every: int = 100
    threads: int = 1
    late_from: float = 0.15
    finish_from: float = 0.62
    polish: int = 1500
    polish_rate: float = 4e-4


# ---- loss ----

def mask_loss(logits: Tensor, target: Tensor, weights: tuple[float, float] = FOCAL_AND_DICE[False]) -> Tensor:
    """Weighted focal (gamma 2, soft targets) and dice loss per mask: logits (b, k, n, n), target (b, 1, n, n) -> (b,
    k)."""
    target = target.expand_as(logits)
    p = logits.sigmoid()
    focal = (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * (p - target).square()).mean((2, 3))
    dice = 1 - (2 * (p * target).sum((2, 3)) + 1) / ((p + target).sum((2, 3)) + 1)
    return weights[0] * focal + weights[1] * dice


def iou_of(logits: Tensor, target: Tensor) -> Tensor:
    """Intersection over union at the threshold: logits (b, k, n, n), target (b, 1, n, n) -> (b, k)."""
    a, b = logits > 0, (target > 0.5).expand_as(logits)
    return (a & b).sum((2, 3)) / (a | b).sum((2, 3)).clamp(min=1)


def edges(ids: Tensor) -> Tensor:
    """Which stride-8 cells see two indices: ids (m, H, W) -> float (m, 1, g, g)."""
    seen = ids[:, None].float()
    return (F.max_pool2d(seen, 10, 8, 1) != -F.max_pool2d(-seen, 10, 8, 1)).float()


def boundary_loss(logits: Tensor, ids: Tensor, owners: Tensor) -> Tensor:
    """Cross-entropy of the stride-8 boundary map (m, 1, g, g) with 'this cell sees two objects', and a little with 'two
    leaves'."""
    mixed = torch.maximum(edges(owners), INNER * edges(ids))
    return F.binary_cross_entropy_with_logits(logits, mixed, pos_weight=torch.tensor(2.0))


def ordered_loss(logits: Tensor, levels: Tensor, weights: tuple[float, float]) -> Tensor:
    """Masks 1..3 against part, object and group (b, 3, n, n), where these differ from the object."""
    differs = ((levels - levels[:, 1:2]).abs().mean((2, 3)) > 0.005).float()
    differs[:, 1] = 1
    return (mask_loss(logits[:, 1:], levels, weights) * differs).sum() / differs.sum()


# ---- training ----

def cosine(part: float) -> float:
    """Half a cosine from 1 at 0 down to a hundredth at 1."""
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1, part)))


class Trainer:
    """Model, its moving average, optimiser, and the random state; `step` is one update.  init: the package's file for
    the backbone, whose batch norms then keep their statistics; without it everything starts at random."""

    def __init__(self, recipe: Recipe, cache: Path, init: str | Path | None = None):
        torch.manual_seed(recipe.seed)
        self.recipe, self.cache, self.done = recipe, cache, 0
        self.sam = build_tiny().to(memory_format=torch.channels_last).train()
        backbone = self.sam.image_encoder.backbone
        if init:
            initial.fill(backbone, init)
            initial.settle(backbone)
        self.mean = AveragedModel(self.sam, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)
        initial.quicken(backbone)
        mine = {id(p) for p in backbone.parameters()}
        others = [p for p in self.sam.parameters() if id(p) not in mine]
        groups = [{"params": [p for p in others if p.ndim > 1], "weight_decay": recipe.decay, "share": 1.0},
                  {"params": [p for p in others if p.ndim <= 1], "weight_decay": 0.0, "share": 1.0},
                  {"params": list(backbone.parameters()), "weight_decay": 0.0, "share": recipe.encoder_rate
                   if init else 1.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=recipe.rate)
        self.scenes: dict[str, dict] = read_cache(cache, {})

    def since(self, share: float) -> bool:
        """Whether this share of the steps is done."""
        return self.done >= share * self.recipe.steps

    @property
    def finishing(self) -> bool:
        """Whether this step belongs to the last part."""
        return self.since(self.recipe.finish_from)

    @property
    def polishing(self) -> bool:
        """Whether this step comes after `steps`."""
        return self.done >= self.recipe.steps

    @property
    def focus(self) -> Focus:
        """What is asked for at this step."""
        return FINISH if self.finishing else LATE if self.since(self.recipe.late_from) else EARLY

    def file(self, rng: np.random.Generator) -> str:
        """The cache file of the next scene: mostly a photographic one, where there are any."""
        wanted = rng.random() < PHOTOGRAPHIC[self.finishing]
        names = [name for name in self.scenes if (int(name[:6]) >= PHOTOGRAPHIC_SEED) == wanted]
        return rng.choice(names or list(self.scenes))

    def pictures(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, list[np.ndarray]]:
        """Normalised pictures (m, 3, s, s), leaf and object ids (m, s, s) and m x prompts targets (4, s/4, s/4)."""
        images, leaves, owners, targets = [], [], [], []
        crops = POLISH_CROPS if self.polishing else FINISH_CROPS if self.finishing else CROPS
        size = int(rng.choice(list(crops), p=list(crops.values())))
        while len(images) < max(1, round(self.recipe.batch * (256 / size) ** 2)):
            chunk = self.scenes[self.file(rng)]
            scene = {k: v[i] for i in [rng.integers(len(chunk["image"]))] for k, v in chunk.items()}
            image, ids = crop_of(rng, scene, size)
            found = choose_targets(rng, ids, scene, self.recipe.prompts, self.focus)
            if found:
                images.append(image), leaves.append(ids.astype(np.int64)), targets.extend(found)
                owners.append(scene["parent"][ids].astype(np.int64))
        x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
        x = (x - self.sam.pixel_mean) / self.sam.pixel_std
        keep = int(size * rng.uniform(0.6, 1)) // 8 * 8 if rng.random() < 0.3 else size
        # the zero padding of `Sam.preprocess`, seen early
        x[:, :, keep:] = 0
        for t in targets:
            t[:, keep // 4:] = 0
        ids, owner = torch.from_numpy(np.stack(leaves)), torch.from_numpy(np.stack(owners))
        ids[:, keep:], owner[:, keep:] = 0, 0
        return x.contiguous(memory_format=torch.channels_last), ids, owner, targets

    def step(self) -> dict[str, float]:
        """One update; the losses and IoUs of its batch."""
        rng = np.random.default_rng((self.recipe.seed, self.done))
        if self.finishing:
            initial.settle(self.sam)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate() * group["share"]
        x, ids, owners, targets = self.pictures(rng)
        with torch.autocast(x.device.type, torch.bfloat16):
            embedding = self.sam.image_encoder.features(x)
        levels = torch.from_numpy(np.stack(targets))
        truth, weights = levels[:, :1], FOCAL_AND_DICE[self.finishing]
        logits, rating, rounds = self.clicks(rng, x, embedding, [t[0] for t in targets])
        each = mask_loss(logits, truth, weights)
        exact = iou_of(logits.detach(), truth)
        usable = (truth.sum((1, 2, 3)) > 3).float()
        parts = {"single": (each[:, 0] * usable).mean(),
                 "best": (each[:, 1:].amin(1) * usable).mean() + 0.02 * each[:, 1:].mean(),
                 "iou": (rating - exact).square().mean(), "edge": boundary_loss(embedding[:, -1:], ids, owners)}
        loss = parts["single"] + parts["best"] + RATED[self.polishing] * parts["iou"] + 0.5 * parts["edge"]
        if not rounds:
            ranked = F.cross_entropy(SHARP * rating[:, 1:], (SHARP * exact[:, 1:]).softmax(1))
            loss = loss + ORDERED * ordered_loss(logits, levels[:, 1:], weights) + RANKED * self.polishing * ranked
        self.update(loss)
        picked = exact.gather(1, rating.argmax(1, keepdim=True))
        reported = parts | {"miou": exact[:, 0], "picked": picked, "oracle": exact.amax(1),
                            "off": (rating - exact).mean()}
        return {name: value.detach().mean().item() for name, value in reported.items()}

    def update(self, loss: Tensor) -> None:
        """One step down the gradient of `loss`, for the model and its moving average."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.sam.parameters(), 2.0)
        self.optimizer.step()
        self.mean.update_parameters(self.sam)
        self.done += 1

    def clicks(self, rng: np.random.Generator, x: Tensor, embedding: Tensor,
               targets: list[np.ndarray]) -> tuple[Tensor, Tensor, int]:
        """Plays 1..6 rounds of clicks, the last one with gradient: logits (b, 4, n, n), predicted IoU (b, 4), rounds
        before it."""
        size, decoder = embedding.shape[-1] * STRIDE, self.sam.mask_decoder
        prompts = [first_prompt(rng, t, self.focus) if t.any() else [(1.0, 1.0, 1)] for t in targets]
        dense = torch.zeros(len(targets), 2, size // 4, size // 4)
        rounds = int(rng.choice([0, 1, 2, 3, 5], p=ROUNDS[self.finishing]))
        with torch.no_grad(), torch.autocast(embedding.device.type, torch.bfloat16):
            frozen = embedding.detach()
            for _ in range(rounds):
                logits, rating = decoder.predict_all(frozen, sparse_of(prompts, size), dense)
                best = logits[torch.arange(len(logits)), rating.argmax(1)]
                for p, guess, target in zip(prompts, best.numpy(), targets):
                    new = error_click(rng, guess, target)
                    p += [new] if new else []
                feed = torch.from_numpy(rng.random(len(targets)) < 0.5).float()[:, None, None]
                dense = torch.stack([best.clamp(-10, 10) / 10 * feed, torch.ones_like(best) * feed], 1)
        sparse = sparse_of(prompts, size)
        with torch.autocast(embedding.device.type, torch.bfloat16):
            if not (self.finishing and rng.random() < TWO_VIEWS[self.polishing]):
                return *decoder.predict_all(embedding, sparse, dense), rounds
            with torch.no_grad():
                guess = decoder.coarse_guess(self.sam.image_encoder.coarse(x), sparse, dense)
            return *decoder.refined(embedding, guess, sparse, dense), rounds

    def rate(self) -> float:
        """Learning rate of the coming step: linear warm-up, half a cosine down, and two smaller ones to finish and to
        polish."""
        r = self.recipe
        if self.polishing:
            return r.polish_rate * cosine((self.done - r.steps) / r.polish)
        part, turn = self.done / r.steps, r.finish_from
        if self.finishing:
            return r.finish_rate * cosine((part - turn) / max(1e-9, 1 - turn))
        return r.rate * min(1, (self.done + 1) / r.warmup) * cosine(part / (1.25 * turn))

    def save(self, out: Path) -> None:
        """Writes out/last.pt, atomically."""
        state = {"sam": self.sam.state_dict(), "mean": self.mean.state_dict(), "optimizer": self.optimizer.state_dict(),
                 "done": self.done}
        loop.write(state, out / "last.pt")

    def resume(self, out: Path) -> None:
        """Continues from out/last.pt where there is one; the random state follows from seed and step."""
        if (out / "last.pt").exists():
            state = torch.load(out / "last.pt", weights_only=True)
            self.sam.load_state_dict(state["sam"])
            self.mean.load_state_dict(state["mean"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.done = state["done"]


def train(recipe: Recipe, cache: Path, out: Path, init: str | Path | None = None) -> None:
    """Runs or resumes all steps; one JSON line of means every 50 steps in out/log.jsonl."""
    torch.set_num_threads(recipe.threads)
    out.mkdir(parents=True, exist_ok=True)
    trainer, rows, began, last = Trainer(recipe, cache, init), [], time.perf_counter(), recipe.steps + recipe.polish
    trainer.resume(out)
    while trainer.done < last:
        rows.append(trainer.step())
        if trainer.done % 50 == 0:
            means = {k: round(float(np.mean([r[k] for r in rows])), 4) for k in rows[0]}
            line = {"step": trainer.done, "seconds": round(time.perf_counter() - began)} | means
            with open(out / "log.jsonl", "a") as log:
                log.write(json.dumps(line) + "\n")
            rows.clear()
        if trainer.done % recipe.save_every == 0 or trainer.done == last:
            trainer.save(out)


def export(out: Path, target: Path, scenes: int = 0, bank: Bank | None = None) -> None:
    """The moving average of the last checkpoint as fp16 safetensors, keys of `build_tiny()`; its ratings fitted on
    `scenes` new scenes."""
    mean = torch.load(out / "last.pt", weights_only=True)["mean"]
    sam = build_tiny()
    sam.load_state_dict({k.removeprefix("module."): v for k, v in mean.items() if k.startswith("module.")})
    if scenes:
        print(json.dumps([[round(v, 3) for v in row.tolist()] for row in calibrate(sam, scenes, bank or Bank())]))
    state = sam.state_dict()
    save_file({k: v.half().contiguous() if v.is_floating_point() else v for k, v in state.items()}, target)


def main() -> None:
    """Command line; every field of Recipe is a flag."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_flags(p, Recipe)
    p.add_argument("--cache", type=Path, default=Path("scenes"))
    p.add_argument("--out", type=Path, default=Path("run"))
    p.add_argument("--pictures", help="folder with the unpacked free pictures (backends/train/pictures.py)")
    p.add_argument("--init", help="file of the package with the backbone's first weights (backends/train/initial.py); "
                                  "without it random")
    p.add_argument("--skip", type=int, default=0,
                   help="with --render: leave out the first scenes (for another process)")
    p.add_argument("--render", type=int, help="only render this many scenes into the cache")
    p.add_argument("--photographic", action="store_true",
                   help="render scenes of photographs, cut-outs and photographs' own regions")
    p.add_argument("--export", type=Path, help="only write the trained weights to this file")
    p.add_argument("--calibrate", type=int, default=0,
                   help="with --export: fit the predicted IoU on this many new scenes")
    a = p.parse_args()
    recipe = command.recipe_of(Recipe, a)
    if a.render:
        render_cache(a.cache, a.render, a.pictures, a.photographic, a.init, a.skip)
    elif a.export:
        export(a.out, a.export, a.calibrate, load_bank(a.pictures, a.init))
    else:
        print(json.dumps(asdict(recipe)))
        train(recipe, a.cache, a.out, a.init)


if __name__ == "__main__":
    main()
