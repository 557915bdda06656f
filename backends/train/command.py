"""Command lines of the recipes: what they have in common."""
from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from backends import device
from backends.train import loop


def parser(doc: str, out: str, every: str = "all of them") -> argparse.ArgumentParser:
    """The flags of every recipe of small decoders.  `out`: folder of the checkpoints; `every`: what `--every`
    trains."""
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--every", action="store_true", help=every)
    p.add_argument("--seed", type=int, default=0, help="first seed")
    p.add_argument("--seeds", type=int, default=1, help="how many seeds")
    p.add_argument("--device", default="auto")
    p.add_argument("--out", type=Path, default=Path(out))
    p.add_argument("--export", type=Path, help="only write what ships into this folder")
    p.add_argument("--measure", action="store_true", help="only measure what ships")
    p.add_argument("--batches", type=int, default=loop.BATCHES, help="of held-out data, for --measure")
    return p


def carry_out(a: argparse.Namespace, plans: Iterable[loop.Plan], export: Callable[[Path, Path], None],
              figures: Iterable[tuple[str, Callable[[int], dict[str, Any]]]]) -> None:
    """What the flags ask for: `export(out, target)`, or print every named figure on so many batches, or train
    `plans`."""
    if a.export:
        export(a.out, a.export)
    elif a.measure:
        for name, found in figures:
            print(name, found(a.batches))
    else:
        loop.train(plans, range(a.seed, a.seed + a.seeds), a.out, device.resolve(a.device))


def run(doc: str, out: str, names: Iterable[str], plan: Callable[[str], loop.Plan],
        export: Callable[[Path, Path], None],
        figures: Callable[[str, int], dict[str, Any]]) -> None:
    """The command line of a recipe whose models have one name each; the first is the default."""
    known, p = tuple(names), parser(doc, out)
    p.add_argument("--model", choices=known, default=known[0])
    a = p.parse_args()
    carry_out(a, [plan(name) for name in (known if a.every else (a.model,))], export,
              [(name, partial(figures, name)) for name in known])


def add_flags(p: argparse.ArgumentParser, recipe: type) -> None:
    """Every field of the dataclass `recipe` becomes a flag."""
    for field in fields(recipe):
        p.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default)


def recipe_of(recipe: type, a: argparse.Namespace) -> Any:
    """The dataclass `recipe` from its flags."""
    return recipe(**{f.name: getattr(a, f.name) for f in fields(recipe)})
