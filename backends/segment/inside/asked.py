"""What can be asked of the inside of a model.  Light: torch is not imported."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

View = Literal["encoder", "click", "logits", "band", "rating", "left"]
NAMES: tuple[View, ...] = ("encoder", "click", "logits", "band", "rating", "left")


@dataclass(frozen=True)
class Asked:
    """One view by its name: `encoder`, the picture through the encoder; `click`, what the click adds; `logits` and
    `band`, from scores to the mask; `rating`, predicted IoU against truth; `left`, one click left out."""

    view: View = "click"
