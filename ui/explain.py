"""The prose beside a tab: ``assets/explain/<slug>.md`` (English) and ``assets/explain/<slug>.zh.md`` (Chinese).

A file may open with ``# title`` and ``> question``; the Chinese file uses them to name the tab in Chinese. The rest is
Markdown; what follows its one ``###`` heading says what to look at. The browser shows one language at a time, so both travel with the page.
"""

from dataclasses import dataclass
from pathlib import Path

from ui.tab import Tab

FOLDER = Path(__file__).resolve().parent.parent / "assets" / "explain"


@dataclass(frozen=True)
class Prose:
    """One language of a tab: its title, its one-line question, the Markdown, and the part of it that says what to look at."""

    title: str
    question: str
    body: str
    look: str = ""


def prose(tab: Tab, language: str) -> Prose:
    """The text of ``tab`` in "en" or "zh"; a missing file falls back to English, a missing English one to nothing."""
    name = tab.explain or tab.slug
    for path in (FOLDER / f"{name}{'' if language == 'en' else '.' + language}.md", FOLDER / f"{name}.md"):
        if path.is_file():
            return parse(path.read_text("utf-8"), tab.title, tab.question)
    return Prose(tab.title, tab.question, "")


def parse(text: str, title: str, question: str) -> Prose:
    """Split Markdown into its leading ``# title``, its ``> question`` and the body; the arguments are the fallbacks."""
    lines = text.strip().split("\n")
    if lines[0].startswith("# "):
        title, lines = lines[0][2:].strip(), "\n".join(lines[1:]).strip().split("\n")
    if lines[0].startswith("> "):
        question, lines = lines[0][2:].strip(), lines[1:]
    body, mark, look = "\n".join(lines).partition("### ")
    return Prose(title, question, body.strip(), (mark + look).strip())
