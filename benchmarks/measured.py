"""The measured numbers of the tabs' texts, and the commands that print them: ``ui/measured.json``.

    python -m benchmarks.measured                    the entries, with their commands
    python -m benchmarks.measured --show legs        measures one again and prints its values as one JSON object
    python -m benchmarks.measured --refresh legs     runs the entry's command and writes what it prints

"mixers", "copying" and "mixtures" read what was recorded while the shipped models were trained; "lengths" and "routes"
take long.
"""
from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from benchmarks import found
from ui.core.measured import FILE, measured

MEASURES: dict[str, Callable[[], dict[str, str]]] = {
    one.__name__: one for one in (found.mixers, found.epsilon, found.mixtures, found.classes, found.lengths, found.sink,
                                  found.legs, found.skew, found.copying, found.dial, found.entropy, found.routes,
                                  found.width, found.regions, found.outlined,
                                  found.bent, found.looks)}


def printed(command: str) -> dict[str, str]:
    """What a command of an entry prints last: one JSON object, text by key."""
    words = shlex.split(command)
    if not words:
        raise ValueError("This entry was measured once, and has no command that prints it again.")
    if words[0] == "python":
        words[0] = sys.executable
    out = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return json.loads(out.strip().splitlines()[-1])


def refreshed(entries: dict[str, dict[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    """The entries with the values of one measured again. ValueError if the command does not print the same keys."""
    entry = entries[name]
    values = printed(entry["command"])
    if entry["values"] and values.keys() != entry["values"].keys():
        raise ValueError(f"{name}: the command prints {sorted(values)}, the file has {sorted(entry['values'])}.")
    return entries | {name: entry | {"values": values}}


def written(entries: dict[str, dict[str, Any]]) -> str:
    """The file: an entry has a line for each field."""
    parts = (f' {json.dumps(name)}: {{\n' + ",\n".join(
        f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items()) + "\n }"
        for name, entry in entries.items())
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--show", choices=sorted(MEASURES))
    p.add_argument("--refresh", choices=sorted(measured()))
    a = p.parse_args()
    if a.show:
        print(json.dumps(MEASURES[a.show]()))
    elif a.refresh:
        FILE.write_text(written(refreshed(measured(), a.refresh)), "utf-8")
    else:
        for name, entry in measured().items():
            print(f"{name} ({entry['tab']}): {entry['text']}\n    {entry['command'] or 'measured once'}")


if __name__ == "__main__":
    main()
