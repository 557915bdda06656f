"""The race that the trained models ran: curves that were written while `backends.train.mixers` trained what ships."""
from __future__ import annotations

import torch
from torch import Tensor

from backends import weights
from backends.attention.inputs import Inputs
from backends.attention.params import AttentionParams
from backends.attention.results import Training
from backends.device import HOST


def measure(params: AttentionParams, given: Inputs) -> Training:
    """The curves of every trained model.  Raises ValueError if no model is there."""
    from backends.lm import shelf
    if not shelf.NAMES:
        raise ValueError("No trained model is on this machine.")
    curves = weights.curves("mixers.json")
    steps, loss = _stacked([curves[f"bytes-{name}"] for name in shelf.NAMES], "loss")
    recall_steps, recall = _stacked([curves[f"mqar-{name}"] for name in shelf.NAMES], "accuracy")
    return Training(shelf.NAMES, steps, loss[:, 0], recall_steps, recall)


def _stacked(models: list, figure: str) -> tuple[tuple[int, ...], Tensor]:
    """Steps (s), and `figure` of every model and seed at them (m, r, s), float64."""
    steps = tuple(point["step"] for point in models[0][0]["curve"])
    return steps, torch.tensor([[[point[figure] for point in run["curve"]] for run in runs] for runs in models],
                               dtype=torch.float64, device=HOST)
