"""The lessons beneath the cards: their names, their texts (assets/explain/attention.lessons*.md), and what each of them draws."""

from functools import cache
from typing import Any

from ui.explain import FOLDER
from ui.figures import lessons, stages
from ui.tab import Table

TITLES = {
    "none": "None",
    "bracket": "Bracket the product",
    "favor": "FAVOR+ error",
    "gradient": "Gradient microscope",
    "training": "Training race",
    "dilution": "Dilution",
    "state": "An RNN",
    "mask": "Mask designer",
}
FIGURES = lessons.FIGURES
STAGED = {"state": stages.state, "mask": stages.mask}


@cache
def prose(language: str) -> dict[str, str]:
    """The text of every lesson in "en" or "zh": the sections of one file, by their headings ``## <lesson>``."""
    text = (FOLDER / f"attention.lessons{'' if language == 'en' else '.zh'}.md").read_text("utf-8")
    sections = (part.partition("\n") for part in text.split("## ")[1:])
    return {name.strip(): body.strip() for name, _, body in sections}


def figure(name: str, lesson: Any) -> Any:
    """The plotly figure of a lesson's result, None for one that is drawn on the stage."""
    return FIGURES[name](lesson) if name in FIGURES else None


def scene(name: str, lesson: Any, labels: tuple[str, ...]) -> dict[str, Any] | None:
    """The stage's scene of a lesson's result, None for one that is a plotly figure."""
    return STAGED[name](lesson, labels) if name in STAGED else None


def table(name: str, lesson: Any) -> Table:
    """The rows behind a lesson's figure."""
    return lessons.TABLES[name](lesson)
