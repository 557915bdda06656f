"""How much of what the layers that learned on photographs read lies on the clicked region, on labelled photographs.

    python -m benchmarks.looks FOLDER                the shipped networks
    python -m benchmarks.looks FOLDER --runs run     every seed of a training's folder
    git show 1b08e1d:weights/swin-regions.safetensors > OLD.safetensors
    python -m benchmarks.looks --draw OUT --former OLD.safetensors
        instead, six sample photographs before and after: OUT/swin.png and OUT/deformable.png (`benchmarks.beside`)

FOLDER as in `benchmarks.clicks`, the regions too; one click each, the point farthest from the region's border.  A JSON
line for each network: shares as in `backends.deform.followed`.
"""
from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from backends.deform import followed, frozen, seek
from backends.train.clicks import next_click
from benchmarks import beside
from benchmarks.clicks import regions

Case = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def cases(folder: Path) -> Iterator[Case]:
    """Frozen maps, the click (1, 2) in cells of 8 px, and the region's mask (1, H, W) of every region."""
    net = frozen.load()
    for image, truth in regions(folder):
        shown = frozen.fitted(image)
        mask = followed.thinned(truth, shown.shape[:2])
        x, y, _ = next_click(np.zeros_like(mask), mask)
        click = (torch.tensor([[float(y), float(x)]]) + 0.5) / followed.STRIDE - 0.5
        yield *frozen.maps(net, shown[None]), click, torch.from_numpy(mask)[None]


def networks(runs: Path | None) -> Iterator[tuple[str, seek.Seeker]]:
    """The shipped ones, or those of a training's folder."""
    if runs is None:
        yield from ((kind, seek.load(kind)) for kind in seek.KINDS)
        return
    for file in sorted(runs.glob("*-*.pt")):
        model = seek.Seeker(file.stem.split("-")[0])
        model.load_state_dict(torch.load(file, weights_only=True))
        yield file.stem, model.eval()


@torch.no_grad()
def main() -> None:
    """Prints the lines."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path, nargs="?")
    p.add_argument("--runs", type=Path)
    p.add_argument("--draw", type=Path, help="folder for the pictures")
    p.add_argument("--former", type=Path, help="weights of the Swin that shipped before")
    a = p.parse_args()
    if bool(a.draw) != bool(a.former) or bool(a.draw) == bool(a.folder):
        p.error("FOLDER, or --draw OUT with --former FILE")
    if a.draw:
        beside.write(a.draw, a.former)
        return
    found = list(cases(a.folder))
    for name, model in networks(a.runs):
        each = [followed.shares(model, model.maps(fine, coarse), click, mask) for fine, coarse, click, mask in found]
        print(json.dumps({"network": name, "regions": len(each)} | followed.joined(each).means()), flush=True)


if __name__ == "__main__":
    main()
