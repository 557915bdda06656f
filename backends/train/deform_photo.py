"""Recipe of `weights/seek-*.safetensors`: layers over frozen features that learn on photographs what to read.

    python -m backends.train.segment_tiny --cache scenes --render 2400 --photographic --pictures FOLDER --init FILE
    python -m backends.train.segment_tiny --cache scenes --render 400 --pictures FOLDER --init FILE
    python -m backends.train.deform_photo --cache scenes --init FILE --out run --seeds 10        train, all three kinds
    python -m backends.train.deform_photo --init FILE --out run --export weights                 write what ships

Scenes are those of the click model: photographs and textures with pasted things, whose masks are exact.  The frozen
maps of a scene at 256 px are worked out once and kept in half precision.  A step takes `batch` scenes and `clicks`
random cells of their things; the loss is that of the thing's mask on the map's cells: balanced cross entropy and dice.
The first `held` files of each style are never trained on; every run is judged on them when it is done.
"""
from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from backends.deform import frozen, seek
from backends.deform.followed import STRIDE, Shares, joined, shares
from backends.deform.seek import KINDS, Seeker
from backends.train import command, initial, loop
from backends.train.pictures import Bank
from backends.train.scenes import render
from backends.train.shelf import PHOTOGRAPHIC_SEED

SIDE = 256                     # px of a scene
AREA = (0.012, 0.3)            # of the picture: what counts as a thing
NONE = 255                     # an id that no thing has
FRESH = 2_100_000              # seed of scenes that only `rendered` knows
JUDGED = 12                    # clicks on each held-out scene


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters.  `held`: files of each style that are kept out."""

    seed: int = 0
    seeds: int = 1
    steps: int = 350
    batch: int = 8
    clicks: int = 8
    rate: float = 2e-3
    decay: float = 0.01
    warmup: int = 40
    held: int = 2


@dataclass(frozen=True)
class Pool:
    """Frozen maps (n, 40, 32, 32) and (n, 112, 16, 16) in half precision, and the thing at each pixel, (n, 256, 256),
    0 where there is none."""

    fine: Tensor
    coarse: Tensor
    things: Tensor


def things(ids: np.ndarray, parent: np.ndarray) -> np.ndarray:
    """Leaves (H, W) and their owners -> the pasted thing at each pixel, 0 for none.

    Regions of a photograph are whole squares of 2 x 2 pixels and were there first, so the lowest leaf that ever shares
    a square with a lower one was pasted, and all above it.  What is too small or large, or cut by two sides of the
    picture, is left out.
    """
    squares = ids.reshape(ids.shape[0] // 2, 2, ids.shape[1] // 2, 2)
    high, low = squares.max((1, 3)), squares.min((1, 3))
    mixed = high[(high != low) & (low > 0)]
    first = int(mixed.min()) if mixed.size else NONE
    owner = np.where(ids >= first, parent[ids], 0)
    owner[owner < first] = 0
    for one in np.unique(owner)[1:]:
        mask = owner == one
        sides = sum(bool(edge.any()) for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
        if not AREA[0] <= mask.mean() <= AREA[1] or sides > 1:
            owner[mask] = 0
    return owner


def featured(net: torch.nn.Module, file: Path, out: Path) -> None:
    """One file of scenes -> the maps and things of those that have a thing, kept in `out`."""
    if out.exists():
        return
    with np.load(file) as scenes:
        owners = [things(ids, parent) for ids, parent in zip(scenes["ids"], scenes["parent"], strict=True)]
        kept = [k for k, owner in enumerate(owners) if owner.any()]
        images = F.interpolate(torch.from_numpy(scenes["image"][kept]).permute(0, 3, 1, 2).float(), (SIDE, SIDE),
                               mode="area").round().byte().permute(0, 2, 3, 1).numpy()
    maps = [frozen.maps(net, part) for part in np.array_split(images, -(-len(images) // 10))]
    fine, coarse = (torch.cat(part).half().numpy() for part in zip(*maps, strict=True))
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(out.with_suffix(".tmp.npz"), f8=fine, f16=coarse, obj=np.stack([owners[k][1::2, 1::2] for k in kept]))
    out.with_suffix(".tmp.npz").rename(out)


def stages(init: str) -> torch.nn.Module:
    """The frozen stages from the package's file."""
    net = frozen.network()
    full = initial.read(init)
    net.load_state_dict({name: full[name] for name in net.state_dict()})
    return net


def pool(files: list[Path]) -> Pool:
    """What `featured` kept."""
    loaded = [np.load(file) for file in files]
    return Pool(*(torch.from_numpy(np.concatenate([one[name] for one in loaded])) for name in ("f8", "f16", "obj")))


def parted(files: list[Path], held: int) -> tuple[list[Path], list[Path]]:
    """(files to train on, files held out: the first `held` of each style)."""
    files = sorted(files)
    styles = [[f for f in files if (int(f.stem) >= PHOTOGRAPHIC_SEED) == photo] for photo in (False, True)]
    kept = [f for style in styles for f in style[:held]]
    return [f for f in files if f not in kept], kept


def drawn(rng: np.random.Generator, cells: np.ndarray, clicks: int) -> tuple[np.ndarray, np.ndarray]:
    """Clicks (clicks, 2) on random cells of random things of a scene with things at its cells (h, w), and which
    things."""
    known = np.unique(cells[cells > 0])
    if not len(known):
        return np.zeros((clicks, 2)), np.full(clicks, NONE)
    own = rng.choice(known, clicks)
    at = [rng.choice(np.argwhere(cells == one)) for one in own]
    return np.array(at), own


def batch_of(rng: np.random.Generator, data: Pool, recipe: Recipe) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Maps of `batch` scenes, clicks (batch, clicks, 2), and their things on the map's cells (batch, clicks, h, w)."""
    which = torch.from_numpy(rng.choice(len(data.things), recipe.batch))
    cells = data.things[which, STRIDE // 2::STRIDE, STRIDE // 2::STRIDE]
    at, own = zip(*(drawn(rng, one, recipe.clicks) for one in cells.numpy()), strict=True)
    target = cells[:, None] == torch.from_numpy(np.stack(own))[..., None, None]
    return (data.fine[which].float(), data.coarse[which].float(), torch.from_numpy(np.stack(at)).float(), target)


def loss_of(logits: Tensor, target: Tensor) -> Tensor:
    """Cross entropy, thing and rest alike in sum, and dice, over clicks that mean a thing."""
    known = target.flatten(2).any(-1)
    x, t = logits[known].flatten(1), target[known].flatten(1).float()
    ce = F.binary_cross_entropy_with_logits(x, t, reduction="none")
    inside, outside = (ce * t).sum(1) / t.sum(1), (ce * (1 - t)).sum(1) / (1 - t).sum(1).clamp_min(1)
    p = x.sigmoid()
    dice = 1 - (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)
    return (0.5 * (inside + outside) + dice).mean()


def train(kind: str, recipe: Recipe, data: Pool) -> tuple[Seeker, list[float]]:
    """One network, and its losses."""
    torch.manual_seed(recipe.seed)
    rng, model, losses = np.random.default_rng(recipe.seed), Seeker(kind), []
    optimizer = torch.optim.AdamW(model.parameters(), recipe.rate, weight_decay=recipe.decay)
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = loop.warm_cosine(recipe.rate, step, recipe.warmup, recipe.steps)
        fine, coarse, click, target = batch_of(rng, data, recipe)
        loss = loss_of(model(model.maps(fine, coarse), click)[0], target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return model.eval(), losses


@torch.no_grad()
def judged(model: Seeker, data: Pool) -> Shares:
    """Its shares on JUDGED clicks on each of the held-out scenes."""
    rng, found = np.random.default_rng(0), []
    for fine, coarse, owner in zip(data.fine, data.coarse, data.things, strict=True):
        at, own = drawn(rng, owner.numpy()[STRIDE // 2::STRIDE, STRIDE // 2::STRIDE], JUDGED)
        if own[0] != NONE:
            maps = model.maps(fine[None].float(), coarse[None].float())
            masks = owner == torch.from_numpy(own)[:, None, None]
            found.append(shares(model, maps, torch.from_numpy(at).float(), masks))
    return joined(found)


def rendered(count: int) -> dict[str, dict[str, float]]:
    """The shipped networks on `count` scenes rendered now, without photographs, from seed FRESH on: mean shares."""
    scenes = [render(FRESH + k, Bank()) for k in range(count)]
    images = np.stack([np.asarray(Image.fromarray(s.image).resize((SIDE, SIDE), Image.Resampling.BOX)) for s in scenes])
    owners = np.stack([things(s.ids, s.parent)[1::2, 1::2] for s in scenes])
    data = Pool(*frozen.maps(frozen.load(), images), torch.from_numpy(owners))
    return {kind: judged(seek.load(kind), data).means() for kind in KINDS}


def run(recipe: Recipe, kinds: list[str], cache: Path, init: str, out: Path) -> None:
    """Features, then every kind with every seed that is not there yet; a JSON line each in out/runs.jsonl."""
    net = stages(init)
    files = sorted(cache.glob("[0-9]*[0-9].npz"))
    for file in files:
        featured(net, file, out / "features" / file.name)
    learned, held = (pool([out / "features" / f.name for f in part]) for part in parted(files, recipe.held))
    for seed in range(recipe.seed, recipe.seed + recipe.seeds):
        for kind in kinds:
            file = out / f"{kind}-{seed}.pt"
            if file.exists():
                continue
            began = time.process_time()
            model, losses = train(kind, replace(recipe, seed=seed), learned)
            spent = round(time.process_time() - began)
            loop.write(model.state_dict(), file)
            line = {"kind": kind, "seed": seed, "steps": recipe.steps, "cpu_seconds": spent,
                    "loss": round(float(np.mean(losses[-50:])), 4), "held": judged(model, held).means()}
            with open(out / "runs.jsonl", "a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")


def export(out: Path, init: str, folder: Path, seed: int) -> None:
    """The networks of one seed and the frozen stages as float16 safetensors, and every run's line as seek.json."""
    for kind in KINDS:
        state = torch.load(out / f"{kind}-{seed}.pt", weights_only=True)
        save_file({k: v.half().contiguous() for k, v in state.items()}, folder / f"{seek.NAMES[kind]}.safetensors")
    kept = {k: v.half().contiguous() for k, v in stages(init).state_dict().items() if v.is_floating_point()}
    save_file(kept, folder / f"{frozen.NAME}.safetensors")
    lines = [json.loads(line) for line in (out / "runs.jsonl").read_text("utf-8").splitlines()]
    lines.sort(key=lambda one: (KINDS.index(one["kind"]), one["seed"]))
    (folder / "seek.json").write_text("[\n" + ",\n".join(json.dumps(one) for one in lines) + "\n]\n", "utf-8")


def main() -> None:
    """Command line; every field of Recipe is a flag."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_flags(p, Recipe)
    p.add_argument("--kinds", default=",".join(KINDS))
    p.add_argument("--cache", type=Path, default=Path("scenes"))
    p.add_argument("--init", help="the package's file: backends.train.initial")
    p.add_argument("--out", type=Path, default=Path("run-seek"))
    p.add_argument("--export", type=Path, help="only write what ships into this folder")
    p.add_argument("--measure", type=int, default=0, help="only judge what ships on so many scenes rendered now")
    a = p.parse_args()
    torch.set_num_threads(1)
    recipe = command.recipe_of(Recipe, a)
    if a.measure:
        print(json.dumps(rendered(a.measure)))
    elif a.export:
        export(a.out, a.init, a.export, recipe.seed)
    else:
        run(recipe, a.kinds.split(","), a.cache, a.init, a.out)


if __name__ == "__main__":
    main()
