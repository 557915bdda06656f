"""SAM's ViT-B encoder here against segment_anything's own, float32, random weights: `python -m benchmarks.encoder`.

Prints one JSON object: seconds of both in turn in one process (ratios count, machines differ), the relative difference
of the features, the share of mask pixels that differ when logits are cut at their median, and the peak of memory above
the loaded model, each in a process of its own (Linux).
"""
import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from segment_anything import SamPredictor, sam_model_registry

from backends import images
from backends.segment import Segmenter
from backends.segment.models import assemble


def random_sam() -> Any:
    """segment_anything's vit_b with random weights, its positions too."""
    torch.manual_seed(0)
    sam = sam_model_registry["vit_b"]().eval().requires_grad_(False)
    for name, p in sam.image_encoder.named_parameters():
        if "pos" in name:
            p.normal_(std=0.02)
    return sam


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what `work` gave."""
    start = time.perf_counter()
    out = work()
    return time.perf_counter() - start, out


def compare(picture: str, rounds: int) -> dict[str, Any]:
    """Seconds and differences."""
    sam, image = random_sam(), images.sample(picture)
    s, predictor = Segmenter.of(assemble("vit_b", sam.state_dict()), "vit_b", "random"), SamPredictor(sam)
    ours, stock = [], []
    for _ in range(rounds):
        seconds, e = timed(lambda: s.encode(image, (s.name, s.digest, picture)))
        ours.append(seconds)
        stock.append(timed(lambda: predictor.set_image(image))[0])
    wanted = torch.as_tensor(predictor.predict(*POINT, return_logits=True)[2])
    got = s.decode(e, *POINT, multimask=True)[0]
    cut = wanted.median()
    gap = (e.features - predictor.features).norm() / predictor.features.norm()
    return {"ours_s": min(ours), "stock_s": min(stock), "ratio": round(min(stock) / min(ours), 2),
            "features differ": gap.item(), "pixels differ": ((got > cut) != (wanted > cut)).float().mean().item()}


def resident(name: str) -> int:
    """kB of this process: VmRSS now, VmHWM at its peak."""
    with open("/proc/self/status") as status:
        return int(re.search(rf"{name}:\s+(\d+)", status.read())[1])


def peak(whose: str, picture: str) -> float:
    """GB above the loaded model while a picture is encoded once, in this process."""
    sam, image = random_sam(), images.sample(picture)
    work = SamPredictor(sam).set_image
    if whose == "ours":
        s = Segmenter.of(assemble("vit_b", sam.state_dict()), "vit_b", "random")
        work = lambda image: s.encode(image, (s.name, s.digest, picture))      # noqa: E731
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")                                                        # the high-water mark starts anew
    low = resident("VmRSS")
    with torch.no_grad():
        work(image)
    return (resident("VmHWM") - low) / 1e6


POINT = (torch.tensor([[200, 150]]).numpy(), torch.tensor([1]).numpy())


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--picture", default="chelsea")
    p.add_argument("--rounds", type=int, default=2)
    p.add_argument("--threads", type=int, default=torch.get_num_threads(), help="fewer where other programs run")
    p.add_argument("--peak", choices=("ours", "stock"), help=argparse.SUPPRESS)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    if a.peak:
        print(peak(a.peak, a.picture))
        return
    command = [sys.executable, "-m", "benchmarks.encoder", "--picture", a.picture, "--peak"]
    peaks = {whose: float(subprocess.run([*command, whose], check=True, capture_output=True, text=True).stdout)
             for whose in ("ours", "stock")}
    print(json.dumps(compare(a.picture, a.rounds) | {"peak_gb": peaks}))


if __name__ == "__main__":
    main()
