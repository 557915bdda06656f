"""Axis letters bind across fields; a wrong field is named in one sentence."""
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pytest
import torch
from torch import Tensor

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
    ({"values": [[1.0]]}, r"values should be a tensor with axes \(h n d\) but is a list"),
    ({"weights": None, "values": np.zeros((2, 6, 4)), "bias": np.zeros(3)}, "bias .* h = 2 as in values"),
], ids=lambda x: next(iter(x)) if isinstance(x, dict) else "")
def test_a_wrong_field_is_named_with_what_was_expected(change, says):
    good = {"weights": np.zeros((2, 5, 5)), "values": np.zeros((2, 5, 4))}
    with pytest.raises(shapes.ShapeError, match=says):
        shapes.check(Result(**(good | change)))


@dataclass(frozen=True)
class Picture:
    pixels: Annotated[Tensor, "3 y x"]
    mask: Annotated[Tensor | None, "m y x"]
    loss: Annotated[Tensor, ""]
    note: Annotated[str, 7] = ""


def test_tensors_literal_lengths_and_numbers_without_axes_are_checked():
    good = Picture(torch.zeros(3, 4, 5), torch.zeros(0, 4, 5), torch.tensor(1.0))
    assert shapes.check(good) is good
    with pytest.raises(shapes.ShapeError, match=r"pixels .* 3 = 3 but has shape \(4, 4, 5\)"):
        shapes.check(Picture(torch.zeros(4, 4, 5), None, torch.tensor(1.0)))
    with pytest.raises(shapes.ShapeError, match=r"loss should have axes \(\) but has shape \(1,\)"):
        shapes.check(Picture(torch.zeros(3, 4, 5), None, torch.zeros(1)))


def test_letters_are_bound_anew_for_every_result():
    shapes.check(Picture(torch.zeros(3, 4, 5), None, torch.tensor(1.0)))
    shapes.check(Picture(torch.zeros(3, 6, 7), None, torch.tensor(1.0)))
