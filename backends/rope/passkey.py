"""The passkey grid: five digits are hidden among words, at any depth of texts of any length, and have to be said at the
end.

Two methods read the same texts; the model was trained on 24 to 256 tokens (`backends.train.lengths`).  A text counts
when all five digits are guessed right, each after the true ones before it.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backends import threads
from backends.lm import shelf, tasks
from backends.rope.evaluate import last_losses, wanted
from backends.rope.jobs import DEPTHS
from backends.rope.params import METHODS, RopeParams
from backends.rope.results import Grid, Passkey

LENGTHS = (128, 256, 512, 1024, 2048, 4096)


def grids(params: RopeParams) -> Iterator[Passkey]:
    """The view "passkey", a cell of both grids more each time, short texts first."""
    lengths = wanted(params, LENGTHS)
    cells = [(a, b) for b in range(len(lengths)) for a in range(len(DEPTHS))]
    empty = tuple((None,) * len(lengths) for _ in DEPTHS)
    pair = tuple(Grid(name, METHODS[name].label, empty) for name in (params.left, params.right))
    shown = Passkey(params.rules.trained, DEPTHS, lengths, params.samples, 10.0 ** -tasks.DIGITS, pair)

    def cell(at: tuple[int, int]) -> tuple[int, ...]:
        return tuple(answered(grid.method, lengths[at[1]], DEPTHS[at[0]], params) for grid in pair)

    for at, found in zip(cells, threads.each(cell, cells)):
        shown = replace(shown, grids=tuple(filled(grid, at, right=count) for grid, count in zip(shown.grids, found)))
        yield shown


def answered(name: str, length: int, depth: float, params: RopeParams) -> int:
    """How many of `samples` texts of `length` tokens are answered with all digits, the key at `depth`."""
    tokens, _ = tasks.passkey(params.samples, length, (1 << 40) + params.seed, depth)
    _, right = last_losses(shelf.model("passkey"), tokens, name, params.rules, tasks.DIGITS)
    return int(right.all(1).sum())


def filled(grid: Grid, at: tuple[int, int], **cell: float) -> Grid:
    """The grid with the cell at (depth, length) filled: its part of each table that is named."""
    tables = {part: [list(row) for row in getattr(grid, part)] for part in cell}
    for part, value in cell.items():
        tables[part][at[0]][at[1]] = value
    return replace(grid, **{part: tuple(map(tuple, rows)) for part, rows in tables.items()})
