"""Measured numbers of the tabs' texts, each in one place: ``ui/measured.json``, and ``{{name.key}}`` in a text.

An entry has ``tab``, ``text`` (what was measured), ``command`` (which prints its values again, as one JSON object) and
``values``, written as they are to be read. ``python -m benchmarks.measured --refresh NAME`` runs the command and writes
what it prints.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent.parent / "measured.json"
HOLE = re.compile(r"\{\{([a-z0-9-]+)\.([a-z0-9_]+)\}\}")


@cache
def measured() -> dict[str, dict[str, Any]]:
    """All entries by name."""
    return json.loads(FILE.read_text("utf-8"))


def filled(text: str) -> str:
    """The text with every ``{{name.key}}`` replaced by its value. KeyError for one that was never measured."""
    return HOLE.sub(lambda hole: measured()[hole[1]]["values"][hole[2]], text)
