"""For how many seeds each preset's observation holds: the table behind "nine of ten".

    python -m benchmarks.presets                     every preset, seeds 0 to 9
    python -m benchmarks.presets --tab moe --seeds 20 --name "Collapse, now"
    python -m benchmarks.presets --limit 5           what needs more than 5 s of processor time is run for its own seed
    python -m benchmarks.presets --typical --tab deformable --name "729 places" --seeds 60

A row is tab / preset / seeds that hold / seeds run / seconds of one run / note. Where nothing is drawn at random one
run says all ("no seed"). Presets on a model that is downloaded first are run if it is here. The exit status is 1 if a
preset holds for fewer than nine of ten of its seeds.

--typical ranks the seeds: how far each figure of a seed's result (each single number of its body) is from the middle
of the seeds, in ranks, as a mean over the figures; 0 is the middle, 0.5 the end. Seeds whose result lacks a figure
that the preset's own has are left out.
"""
from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from backends.plain import numbers
from ui import TABS
from ui.core.tab import Preset, Tab
from ui.parts import sources

ENOUGH = 0.9
WIDTHS = (11, 42, 6, 5, 8)


@dataclass(frozen=True)
class Row:
    """One preset: seeds for which it holds, seeds run, seconds of processor time of one run, and what is to be said."""

    tab: str
    preset: str
    held: int
    run: int
    seconds: float
    note: str = ""

    @property
    def enough(self) -> bool:
        """Whether it holds for nine of ten of the seeds that were run."""
        return self.held >= ENOUGH * self.run


def seeds(tab: Tab, preset: Preset, count: int) -> list[int | None]:
    """The seeds that matter to a preset, its own first; [None] where nothing is drawn."""
    if "seed" not in tab.reads(preset.params):
        return [None]
    own = preset.params.seed
    return [own, *(seed for seed in range(count + 1) if seed != own)][:count]


def result(tab: Tab, preset: Preset, seed: int | None) -> Any:
    """The finished result for this seed."""
    params = preset.params if seed is None else replace(preset.params, seed=seed)
    given = sources.inputs(tab, "", params) if tab.views else {}
    return deque(tab.run.stream(params, **given), 1)[0] if hasattr(tab.run, "stream") else tab.run(params)


def held(tab: Tab, preset: Preset, seed: int | None) -> bool:
    """Whether the observation is true for this seed."""
    return bool(preset.holds(result(tab, preset, seed)))


def figures(value: Any, name: str = "") -> dict[str, float]:
    """The single numbers of a result as plain JSON, by their path; arrays are left out."""
    if isinstance(value, int | float):
        return {name: float(value)}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    plain = isinstance(value, list) and not all(isinstance(one, dict) for one in value)
    return {} if plain else {k: v for key, one in items for k, v in figures(one, f"{name}.{key}").items()}


def typical(tab: Tab, preset: Preset, count: int) -> list[tuple[float, int]]:
    """(distance from the middle, seed), the most typical seed first."""
    found = {seed: figures(numbers(result(tab, preset, seed).body)) for seed in seeds(tab, preset, count)}
    own = found[preset.params.seed]
    known = {seed: one for seed, one in found.items() if one.keys() == own.keys()}
    far = dict.fromkeys(known, 0.0)
    for name in own:
        values = [one[name] for one in known.values()]
        for seed, one in known.items():
            below, same = sum(v < one[name] for v in values), sum(v == one[name] for v in values)
            far[seed] += abs((below + same / 2) / len(values) - 0.5) / len(own)
    return sorted((distance, seed) for seed, distance in far.items())


def row(tab: Tab, preset: Preset, count: int, limit: float) -> Row:
    """One preset over its seeds."""
    todo, good, done, spent = seeds(tab, preset, count), 0, 0, 0.0
    note = "no seed" if todo == [None] else ""
    for seed in todo:
        began = time.process_time()
        try:
            good += held(tab, preset, seed)
        except sources.MissingError:
            return Row(tab.slug, preset.name, 0, 0, 0.0, "not run: its model is not on this machine")
        done, spent = done + 1, max(spent, time.process_time() - began)
        if spent > limit and len(todo) > 1:
            return Row(tab.slug, preset.name, good, done, spent, f"slow: seed {seed} alone")
    return Row(tab.slug, preset.name, good, done, spent, note)


def rows(slug: str, name: str, count: int, limit: float) -> Iterator[Row]:
    """All presets that are asked for."""
    for tab in TABS:
        if slug in ("", tab.slug):
            yield from (row(tab, preset, count, limit) for preset in tab.presets if name in ("", preset.name))


def line(*cells: Any) -> str:
    """One line of the table."""
    return "  ".join([*(f"{c!s:<{w}}" for c, w in zip(cells, WIDTHS, strict=False)), *map(str, cells[len(WIDTHS):])])


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--tab", default="")
    p.add_argument("--name", default="")
    p.add_argument("--seeds", type=int, default=10)
    p.add_argument("--limit", type=float, default=float("inf"))
    p.add_argument("--typical", action="store_true")
    a = p.parse_args()
    if a.typical:
        [found] = [(tab, p) for tab in TABS for p in tab.presets if (tab.slug, p.name) == (a.tab, a.name)]
        print(*(f"seed {seed}: {far:.3f}" for far, seed in typical(*found, a.seeds)), sep="\n")
        return
    print(line("tab", "preset", "holds", "of", "seconds", "note"), flush=True)
    short = 0
    for one in rows(a.tab, a.name, a.seeds, a.limit):
        print(line(one.tab, one.preset, one.held, one.run, f"{one.seconds:.1f}", one.note), flush=True)
        short += not one.enough
    sys.exit(int(short > 0))


if __name__ == "__main__":
    main()
