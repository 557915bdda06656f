"""One catalogue of every visible text: English keys, Chinese values. The browser applies it
(``assets/js/language.js``).

The page is made in English alone. In Chinese the browser replaces each text, label and title by its entry, at once and
without a reload. A key may hold ``{}`` where something is filled in: "{} bytes of {}" also matches "12 bytes of 48",
and the value says with ``{1}`` and ``{2}`` where they go. Of several keys that match the longest counts; sentences that
stand together may have entries of their own. ``null`` marks names, of methods and models, that stay as they are; an
empty text is still to be translated, so English shows. User text stands in elements with ``translate="no"`` and is left
alone.

Each room has its own ``zh.json``.
"""

import json
import re
from functools import cache
from pathlib import Path

UI = Path(__file__).resolve().parent.parent
PLAIN = re.compile(r"[^A-Za-z]*|[-+.\d]+e[-+]\d+")
"""A number, or another text without letters, needs no translation."""
SENTENCES = re.compile(r"(?<=[.?!]) ")


@cache
def catalogue() -> dict[str, str | None]:
    """All entries of all rooms."""
    found: dict[str, str | None] = {}
    for path in (UI / "core" / "zh.json", UI / "parts" / "zh.json", *sorted((UI / "tabs").glob("*/zh.json"))):
        if path.is_file():
            found |= json.loads(path.read_text("utf-8"))
    return found


@cache
def _patterns() -> re.Pattern[str]:
    keys = [".+?".join(map(re.escape, key.split("{}"))) for key in catalogue() if "{}" in key]
    return re.compile("|".join(keys) or r"(?!)", re.DOTALL)


def known(text: str) -> bool:
    """Whether a visible text is in the catalogue, as a whole or sentence by sentence, or needs no entry."""
    return _entry(text.strip()) or all(map(_entry, SENTENCES.split(text.strip())))


def _entry(text: str) -> bool:
    return bool(PLAIN.fullmatch(text)) or text in catalogue() or bool(_patterns().fullmatch(text))


def served() -> bytes:
    """The catalogue as the browser reads it: what has a translation."""
    return json.dumps({k: v for k, v in catalogue().items() if v}, ensure_ascii=False, separators=(",", ":")).encode()
