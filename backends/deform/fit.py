"""Offsets that learn, step by step: a filter that knows an upright texture is shown the same texture turned and grown.

One 3 x 3 kernel with FILTERS random outputs, fixed, reads the texture f at regular taps; the same kernel with nine free
offsets reads the turned texture g(A p) = f(p) at the places where the outputs went.  The offsets dp_k = A p_k - p_k
make both outputs equal, and descent on the squared difference (Adam) has to find them through bilinear reading.  In a
flat region what is read does not change with the place, so the gradient is zero and nothing moves, however large the
loss.  f is a sum of waves, so it is known between cells and nothing is resampled.
"""
from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from backends import device, stop
from backends.deform.params import DeformParams
from backends.deform.results import Fit
from backends.deform.sampling import Window, kernel_grid, sample
from backends.deform.taps import affine
from backends.drawn import normal, placed, seeded, uniform
from backends.result import Check, check

SIZE, MIDDLE = 48, (24, 24)
DILATION, FILTERS, WAVES = 4, 8, 24
LONGEST = 0.42                 # radians per cell: the shortest wave is 15 cells long
SPREAD = (-5.0, 0.0, 5.0)      # cells: where outputs lie about the middle, along both axes
FLAT = 17.0                    # radius of the flat region, cells
RATE, EVERY = 0.08, 5


class Texture:
    """f, a sum of WAVES plane waves of random direction and phase: values at places (..., 2) relative to the middle,
    about 0..1."""

    def __init__(self, seed: int) -> None:
        draw, at = seeded(seed), device.exact()
        turn, size, phase = (uniform(WAVES, random=draw, dtype=torch.float64) for _ in range(3))
        ways = torch.stack([(turn * 2 * torch.pi).sin(), (turn * 2 * torch.pi).cos()])
        self.waves = (ways * (LONGEST * (0.3 + 0.7 * size))).to(at)
        self.phases = (phase * 2 * torch.pi).to(at)

    def __call__(self, at: Tensor) -> Tensor:
        return 0.5 + (at @ self.waves + self.phases).cos().sum(-1) / (2.6 * WAVES**0.5)


def taps() -> Tensor:
    """The regular taps about an output, (9, 2), (y, x) in cells."""
    return (kernel_grid(Window()).to(device.exact()) - 1) * DILATION


@placed
def centres() -> Tensor:
    """The upright outputs about the middle, (9, 2)."""
    return torch.cartesian_prod(*(torch.tensor(SPREAD, dtype=torch.float64),) * 2)


@placed
def scene(params: DeformParams) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(g (48, 48), kernel (FILTERS, 9), goal outputs (9, FILTERS), matrix A (2, 2)); with start "flat" g is constant
    about the middle."""
    f, matrix = Texture(params.seed), affine(params.turn, params.grow, 0.0).to(device.exact())
    grid = (torch.stack(torch.meshgrid(*(torch.arange(SIZE, dtype=torch.float64),) * 2, indexing="ij"), -1)
            - torch.tensor(MIDDLE))
    g = f(grid @ torch.linalg.inv(matrix).T)
    if params.start == "flat":
        g = torch.where(grid.norm(dim=-1) < FLAT, 0.5, g)
    kernel = normal(FILTERS, 9, random=seeded(params.seed + 1), dtype=torch.float64).to(g.device)
    return g, kernel, f(centres()[:, None] + taps()) @ kernel.T, matrix


@placed
def loss_of(offsets: Tensor, params: DeformParams, made: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    """Mean squared difference of the outputs, for offsets (9, 2)."""
    g, kernel, goal, matrix = made
    where = torch.tensor(MIDDLE) + (centres() @ matrix.T)[:, None] + taps() + offsets
    return (sample(g[None, None], where[None])[0, 0] @ kernel.T - goal).square().mean()


def descent(params: DeformParams) -> Iterator[tuple[Tensor, float, float]]:
    """(offsets (9, 2), loss, norm of the gradient) before every step and after the last one."""
    made = scene(params)
    offsets = torch.zeros(9, 2, dtype=torch.float64, device=made[0].device, requires_grad=True)
    stop.imported("torch._dynamo")                      # as torch's first optimiser in a process does
    optimizer = torch.optim.Adam([offsets], RATE)
    for _ in range(params.steps + 1):
        optimizer.zero_grad()
        loss = loss_of(offsets, params, made)
        loss.backward()
        yield offsets.detach().clone(), loss.item(), offsets.grad.norm().item()
        optimizer.step()


def fit(params: DeformParams) -> Iterator[tuple[Fit, str, tuple[Check, ...] | None]]:
    """Growing results, one every few steps."""
    made = scene(params)
    goal = taps() @ made[3].T - taps()
    middle, at = goal.new_tensor(MIDDLE), taps()
    low, high = made[0].min(), made[0].max()
    shown = device.array((made[0] - low) / (high - low)).astype(np.float32)
    losses, gradients, errors = [], [], []
    for step, (offsets, loss, gradient) in enumerate(descent(params)):
        losses.append(loss)
        gradients.append(gradient)
        errors.append((offsets - goal).square().sum(1).mean().sqrt().item())
        done = step == params.steps
        if done or step % EVERY == 0:
            places = (tuple(map(tuple, (middle + at + moved).tolist())) for moved in (offsets, 0 * goal, goal))
            body = Fit(shown, MIDDLE, *places, params.steps, tuple(losses), tuple(gradients),
                       tuple(errors))
            yield body, "", _checks(params, made, goal, losses[0], gradients[0]) if done else None


@placed
def _checks(params: DeformParams, made: tuple[Tensor, ...], goal: Tensor, first: float,
            gradient: float) -> tuple[Check, ...]:
    """The gradient against central differences at a place between cells; and what the true offsets would leave of the
    loss."""
    if params.start == "flat":
        words = "where all is flat the loss does not change with the offsets: their gradient is zero, to rounding"
        return (check("dead gradient", gradient, 1e-12, words),)
    start = torch.full((9, 2), 0.3, dtype=torch.float64, requires_grad=True)
    loss_of(start, params, made).backward()
    gaps = []
    for k in range(9):
        step = torch.zeros(9, 2, dtype=torch.float64)
        step[k, 0] = 1e-5
        with torch.no_grad():
            slope = (loss_of(start + step, params, made) - loss_of(start - step, params, made)) / 2e-5
        gaps.append(abs(float(slope - start.grad[k, 0])))
    gap = max(gaps) / float(start.grad.abs().max().clamp_min(1e-12))
    left = float(loss_of(goal, params, made)) / max(first, 1e-12)
    return (check("central differences", gap, 1e-6, "the gradient of nine offsets equals central differences"),
            check("true offsets", left, 0.05, "the offsets of the true turn leave this share of the loss"))
