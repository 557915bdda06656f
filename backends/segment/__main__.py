"""Segment a folder of pictures: `python -m backends.segment FOLDER --prompt everything --out FOLDER`."""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from backends import tuned
from backends.segment import Segmenter, SegmentError, folder

FINDS = tuned.EVERYTHING


def arguments() -> argparse.ArgumentParser:
    """What can be said on the command line."""
    parser = argparse.ArgumentParser("python -m backends.segment", description="Segment every picture of a folder into "
                                     "COCO files and label maps. Run it again to go on where it stopped.")
    parser.add_argument("folder", type=Path, help="the pictures; folders in it count too")
    parser.add_argument("--prompt", default="everything", metavar="everything|BOXES.json",
                        help="everything (a grid of clicks), or a file with the boxes of each picture: "
                             '{"cat.png": [[x0, y0, x1, y1], {"box": [...], "label": "cat"}]}, or COCO')
    parser.add_argument("--out", type=Path, required=True, help="where the results go")
    parser.add_argument("--model", default="tiny", help="tiny, vit_b, vit_l, vit_h, mobile_sam, or a checkpoint's path")
    parser.add_argument("--device", default=None, help="cpu, cuda, mps or auto")
    for name, value in FINDS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value, metavar="N",
                            help=f"of everything mode; {value} if not given")
    return parser


def main(given: list[str] | None = None) -> int:
    """Run the command; 0 if every picture is finished, 1 if some are not, 2 if nothing could begin."""
    said = arguments().parse_args(given)
    try:
        boxes = None if said.prompt == "everything" else folder.boxes_of(Path(said.prompt))
        job = folder.Job(Segmenter(said.model, said.device), {name: getattr(said, name) for name in FINDS}, boxes)
        names = folder.pictures_in(said.folder, said.out)
        unknown = sorted(set(boxes or {}) - set(names))
        if boxes is not None:
            names = [name for name in names if name in boxes]
        job.segmenter.sam  # noqa: B018  a model that cannot be read is said before any picture
        said.out.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    bad = [folder.Done(name, problem="This picture is not in the folder.") for name in unknown]
    return _work(job, said.folder, said.out, names, bad)


def _work(job: folder.Job, source: Path, out: Path, names: list[str], bad: list[folder.Done]) -> int:
    before = 0
    with tqdm(folder.run(job, source, out, names), total=len(names), unit="picture") as bar:
        for done in bar:
            before += done.before
            bad += [done] if done.problem else []
            bar.set_postfix_str(f"{done.name[:40]}, {len(bad)} bad" if bad else done.name[:40])
    path = folder.gather(out, [name for name in names if name not in {done.name for done in bad}])
    print(f"{len(names) - len([d for d in bad if d.name in names])} of {len(names)} pictures, {before} of them "
          f"finished before: {path}")
    for done in bad:
        print(f"{done.name}: {done.problem}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (KeyboardInterrupt, SegmentError) as error:
        sys.exit("Stopped; run the command again to go on." if isinstance(error, KeyboardInterrupt) else str(error))
