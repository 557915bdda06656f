"""Axis letters bind across fields; a wrong field is named in one sentence."""
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pytest

from backends import shapes


@dataclass(frozen=True)
class Result:
    weights: Annotated[np.ndarray, "h n n"]
    values: Annotated[np.ndarray, "h n d"]
    colour: Annotated[np.ndarray | None, "3"] = None
    bias: Annotated[np.ndarray, "h"] | None = None
    name: str = ""


def test_a_consistent_result_is_returned_unchanged():
    result = Result(np.zeros((2, 5, 5)), np.zeros((2, 5, 4)), np.zeros(3), np.zeros(2))
    assert shapes.check(result) is result


@pytest.mark.parametrize("change, says", [
    ({"weights": np.zeros((2, 5, 6))}, r"weights should have axes \(h n n\) with n = 5 but has shape \(2, 5, 6\)"),
    ({"values": np.zeros((2, 6, 4))}, "values .* n = 5 as in weights"),
    ({"values": np.zeros((2, 5))}, "values should have axes"),
    ({"colour": np.zeros(4)}, "colour .* 3 = 3"),
    ({"bias": np.zeros(3)}, "bias .* h = 2 as in weights"),
], ids=lambda x: next(iter(x)) if isinstance(x, dict) else "")
def test_a_wrong_field_is_named_with_what_was_expected(change, says):
    good = {"weights": np.zeros((2, 5, 5)), "values": np.zeros((2, 5, 4))}
    with pytest.raises(shapes.ShapeError, match=says):
        shapes.check(Result(**(good | change)))
