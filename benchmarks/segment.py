"""Milliseconds to embed a picture and to answer a click, on this machine: `python -m benchmarks.segment --model tiny`.

Medians over --repeats; compare ratios inside one run, machines and neighbours differ.
"""
import argparse
import json
import statistics

import torch

from backends import images
from backends.segment import Segmenter


def measure(model: str, picture: str, repeats: int) -> dict[str, float | int | str]:
    """Median milliseconds of the encoder (cache off), and of a first and a third click on a sample picture."""
    segmenter, image = Segmenter(model), images.sample(picture)
    h, w = image.shape[:2]
    points = [(w // 2, h // 2), (w // 3, h // 3), (w // 5, h // 5)]
    rows = []
    for _ in range(repeats + 1):
        e = segmenter.encode(image, (segmenter.name, segmenter.digest, picture))
        first = segmenter.predict(e, points[:1], [1])
        third = segmenter.predict(e, points, [1, 0, 1], mask=first.logits[0])
        rows.append((e.milliseconds, first.milliseconds, third.milliseconds))
    embed, click, third_click = (round(statistics.median(column), 1) for column in zip(*rows[1:]))
    return {"model": model, "threads": torch.get_num_threads(), "embed_ms": embed, "click_ms": click,
            "third_click_ms": third_click}


def main() -> None:
    """Command line: prints one JSON object."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", default="tiny")
    p.add_argument("--picture", default="chelsea")
    p.add_argument("--repeats", type=int, default=9)
    a = p.parse_args()
    print(json.dumps(measure(a.model, a.picture, a.repeats)))


if __name__ == "__main__":
    main()
