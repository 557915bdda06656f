"""The prose of a tab: ``explain.md`` (English) and ``explain.zh.md`` (Chinese) in its room, both Markdown.

A first paragraph that is quoted (``>``) says why one should care: it stands under the tab's question. What follows the
``###`` heading says what to look at and comes before the rest. A section ``## <view>`` at the end belongs to the view
of that name alone. ``{{name.key}}`` is a measured number (``ui.core.measured``); ``[[word]]`` or ``[[words|word]]`` a
word of ``ui/glossary.json``, which opens its meaning; ``$$...$$`` on a line of its own a formula in LaTeX, shown as
MathML. The browser fetches the prose of a tab, in both languages, when the tab is opened, and shows one.
"""

import json
import re
from dataclasses import dataclass, field
from functools import cache
from html import escape
from itertools import count
from pathlib import Path

from ui.core.measured import filled

UI = Path(__file__).resolve().parent.parent
LANGUAGES = {"en": "explain.md", "zh": "explain.zh.md"}
TERM = re.compile(r"\[\[([^]|]+)(?:\|([^]|]+))?\]\]([,.;:!?)，。；：！？、）]?)")
FORMULA = re.compile(r"^\$\$(.+)\$\$$", re.MULTILINE)


@dataclass(frozen=True)
class Prose:
    """One language of a tab: the Markdown with what to look at first, the texts of single views, and the lead."""

    text: str = ""
    views: dict[str, str] = field(default_factory=dict)
    lead: str = ""


@cache
def glossary() -> dict[str, tuple[str, str]]:
    """What each word means, in one sentence: in English and in Chinese."""
    return {word: tuple(meaning) for word, meaning in json.loads((UI / "glossary.json").read_text("utf-8")).items()}


@cache
def prose(slug: str, language: str) -> Prose:
    """The text of a tab in "en" or "zh"; nothing where there is no file."""
    path = UI / "tabs" / slug / LANGUAGES[language]
    return parse(filled(path.read_text("utf-8"))) if path.is_file() else Prose()


def parse(text: str) -> Prose:
    """Split Markdown into its lead, the text with what to look at first, and its sections ``## <view>``."""
    main, *sections = re.split(r"^## ", text.strip() + "\n", flags=re.MULTILINE)
    body, mark, look = main.partition("### ")
    lead, _, rest = body.strip().partition("\n\n") if body.startswith(">") else ("", "", body)
    views = dict(section.split("\n", 1) for section in sections)
    return Prose("\n\n".join(filter(None, ((mark + look).strip(), rest.strip()))),
                 {k.strip(): v.strip() for k, v in views.items()}, re.sub(r"^> ?", "", lead, flags=re.MULTILINE))


@cache
def typeset(latex: str) -> str:
    """A formula as a block of HTML: MathML, which browsers draw by themselves."""
    from latex2mathml.converter import convert

    return f'<div class="gb-formula">{convert(latex, display="block")}</div>'


def rendered(text: str, language: str, name: str) -> str:
    """Markdown with tables, formulas and words of the glossary as HTML; ``name`` begins the ids of its meanings."""
    from markdown_it import MarkdownIt

    numbers = count()

    def term(found: re.Match[str]) -> str:
        shown, word = found[1], found[2] or found[1].lower()
        meaning, here = glossary()[word][language == "zh"], f"{name}-{next(numbers)}"
        button = f'<button type="button" class="gb-term" popovertarget="{here}">{escape(shown)}</button>'
        if found[3]:                                # a line does not begin with a comma
            button = f'<span class="gb-kept">{button}{found[3]}</span>'
        return f'{button}<span class="gb-meaning" id="{here}" popover role="note">{escape(meaning)}</span>'

    return MarkdownIt().enable("table").render(TERM.sub(term, FORMULA.sub(lambda found: typeset(found[1]), text)))


def leads(slug: str) -> str:
    """Why one should care, in both languages, as HTML; nothing where there is no lead."""
    found = {language: prose(slug, language).lead for language in LANGUAGES}
    return "".join(f'<div class="gb-{language}">{rendered(lead, language, f"{slug}-{language}-lead")}</div>'
                   for language, lead in found.items() if lead)


def opening(slug: str) -> bytes:
    """What a tab begins with, as HTML: why one should care, and the drawing beside it, ``intro.html``, where its room
    has one."""
    return f'<div class="gb-why">{leads(slug)}</div>{drawing(slug, "intro")}'.encode()


def drawing(slug: str, name: str) -> str:
    """The drawing of a tab's mechanism, ``<name>.html`` in its room: what a line of text says under each of its
    pictures goes through the catalogue. "intro" stands beside the first sentences, "explain" above the text."""
    path = UI / "tabs" / slug / f"{name}.html"
    label = 'role="group" tabindex="0" aria-label="The mechanism, drawn"'
    return f'<div class="gb-intro-drawing" {label}>{path.read_text("utf-8")}</div>' if path.is_file() else ""


def html(slug: str, of_views: bool = False) -> bytes:
    """The prose of a tab as HTML, both languages; or the texts of its views, each in an element of the class
    ``<slug>-prose-<view>``."""
    parts = [] if of_views else [drawing(slug, "explain")]
    for language in LANGUAGES:
        found = prose(slug, language)
        texts = {f" {slug}-prose-{view}": text for view, text in found.views.items()} if of_views else {"": found.text}
        parts += [f'<div class="gb-{language}{kind}">{rendered(text, language, f"{slug}-{language}{kind.strip()}")}'
                  "</div>" for kind, text in texts.items()]
    return "\n".join(parts).encode()
