"""What a real model has to read for each view of the RoPE tab.  Nothing here computes, and torch is not imported.

Letters: n tokens of a text, L trained length.
"""
from __future__ import annotations

from pathlib import Path

from backends.rope.params import METHODS, ON_ROPE, RopeParams

SHIPPED = Path(__file__).resolve().parents[2] / "assets" / "texts" / "licences.txt"
SHARES = (0.25, 0.5, 1, 1.5, 2)  # of the trained length: texts whose lengths nobody named
CACHED, ANEW = "dynamic_cached", "dynamic_anew"
GROWING = {CACHED: "Dynamic NTK, growing, keys kept under old clocks",
           ANEW: "Dynamic NTK, growing, all keys turned anew"}
"""Dynamic NTK whose base follows the text that is read so far: as libraries do it with a cache (transformers issue
25104), and as it is meant."""
CONFIGURED, REFERENCE = "configured", "reference"
DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)    # of a passkey
DEFAULT = "default"             # rope_type of a model whose RoPE is untouched
Job = tuple[int, str]
"""(tokens that are read at a stretch, method)."""


def named(params: RopeParams) -> list[str]:
    """The chosen methods that run on a model that was trained with RoPE.  ValueError when there is none."""
    found = [name for name in params.methods if name in ON_ROPE]
    if not found:
        raise ValueError("None of the chosen methods can be run on this model.")
    return found


def lengths(trained: int, given: tuple[int, ...], most: int = len(SHARES)) -> tuple[int, ...]:
    """Those named, short ones first; else the first `most` parts of the trained length."""
    return tuple(sorted(set(given))) or tuple(int(share * trained) for share in SHARES[:most])


def along(params: RopeParams, trained: int, kind: str, n: int) -> list[tuple[str, str, int]]:
    """(method, label, where it begins) of the view "live" on a model whose own rope_type is `kind`."""
    found = [(name, METHODS[name].label, 0) for name in named(params)]
    if "dynamic" in params.methods:
        found += [(name, label, 0) for name, label in GROWING.items()]
    if kind != DEFAULT:
        found.append((CONFIGURED, f"as configured: {kind}", 0))
    if n > trained:
        found.append((REFERENCE, f"untouched, {trained} tokens of context", n - trained))
    return found


def points(methods: tuple[str, ...], at: tuple[int, ...], samples: int) -> list[Job]:
    """Of the curve, short contexts first: with several texts the model itself first, by which they differ."""
    own = [(at[0], CONFIGURED)] if samples > 1 else []
    return own + [(n, name) for n in at for name in methods]
