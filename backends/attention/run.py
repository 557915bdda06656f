"""The views of the Attention tab by name: the cards with a lesson, and what is seen of a whole model."""
from __future__ import annotations

from collections.abc import Callable

from backends.attention import compare, cost, sheet
from backends.attention.params import LESSONS
from backends.result import Work

VIEWS: dict[str, Callable[..., Work]] = dict.fromkeys(LESSONS, compare.view) | {"heads": sheet.view, "cost": cost.view}
