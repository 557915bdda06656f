"""The prose of a tab: ``explain.md`` (English) and ``explain.zh.md`` (Chinese) in its room, both Markdown.

What follows the ``###`` heading says what to look at. A section ``## <view>`` at the end belongs to the view of that
name alone. The browser fetches the prose of a tab, in both languages, when the tab is opened, and shows one.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

TABS = Path(__file__).resolve().parent.parent / "tabs"
LANGUAGES = {"en": "explain.md", "zh": "explain.zh.md"}


@dataclass(frozen=True)
class Prose:
    """One language of a tab: the Markdown with what to look at first, and the texts of single views."""

    text: str = ""
    views: dict[str, str] = field(default_factory=dict)


@cache
def prose(slug: str, language: str) -> Prose:
    """The text of a tab in "en" or "zh"; nothing where there is no file."""
    path = TABS / slug / LANGUAGES[language]
    return parse(path.read_text("utf-8")) if path.is_file() else Prose()


def parse(text: str) -> Prose:
    """Split Markdown into the text, what to look at first, and its sections ``## <view>``."""
    main, *sections = re.split(r"^## ", text.strip() + "\n", flags=re.MULTILINE)
    body, mark, look = main.partition("### ")
    views = dict(section.split("\n", 1) for section in sections)
    return Prose("\n\n".join(filter(None, ((mark + look).strip(), body.strip()))),
                 {k.strip(): v.strip() for k, v in views.items()})


def html(slug: str, of_views: bool = False) -> bytes:
    """The prose of a tab as HTML, both languages; or the texts of its views, each in an element of the class
    ``<slug>-prose-<view>``."""
    from markdown_it import MarkdownIt

    parts = []
    for language in LANGUAGES:
        found = prose(slug, language)
        texts = {f" {slug}-prose-{view}": text for view, text in found.views.items()} if of_views else {"": found.text}
        parts += [f'<div class="gb-{language}{kind}">{MarkdownIt().render(text)}</div>' for kind, text in texts.items()]
    return "\n".join(parts).encode()
