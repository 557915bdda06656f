"""Signals and gradients through a stack of up to 64 layers at initialisation.

plain      x = f(W x)                                        one square matrix a layer
the rest   with a branch F(x) = W_2 f(W_1 x), D -> 4 D -> D:
sum        x + F(x)
post       norm(x + F(x))                                    Vaswani 2017
pre        x + F(norm(x))                                    Xiong et al. 2020 (arXiv 2002.04745)
deepnorm   norm(alpha x + F(x)), W_1 and W_2 times beta      Wang et al. 2022 (arXiv 2203.00555): alpha = L^(1/4), beta = (4 L)^(-1/4)
                                                             for L branches: (2 N)^(1/4), (8 N)^(-1/4) of an encoder, N = L / 2
rezero     x + a F(x), a = 0                                 Bachlechner et al. 2020 (arXiv 2003.04887)
fixup      x + F(x), W_1 times L^(-1/2), W_2 = 0             Zhang et al. 2019 (arXiv 1901.09321) for two matrices a branch; its biases and
                                                             multipliers start at 0 and 1 and change nothing here
norm is RMSNorm.  Linear layers: E[y^2] = m E[w^2] E[x^2] with fan-in m.  NTK parametrisation (Jacot 2018, arXiv 1806.07572): W = s V with
V ~ N(0, 1): the same function, other gradients and steps.
"""
from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.scale.params import ScaleParams
from backends.scale.results import Depth

WIDTH, BATCH, WIDER = 64, 64, 4
STEP = 0.001                          # of Adam, for the jump
CUT = 0.7737413035760965              # variance of N(0, 1) cut at 2
ACTS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: x, "relu": F.relu, "gelu": F.gelu, "silu": F.silu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "selu": F.selu}


def moment(name: str) -> float:
    """E[f(x)^2] for x ~ N(0, 1), by the trapezoid rule on [-12, 12]: exact to about 1e-8, for kinks too."""
    x = torch.linspace(-12, 12, 240_001, dtype=torch.float64)
    density = torch.exp(-x.square() / 2) / math.sqrt(2 * math.pi)
    return torch.trapezoid(ACTS[name](x).square() * density, x).item()


def deviation(init: str, rows: int, columns: int) -> float:
    """Standard deviation of the entries of W (rows, columns), fan-in `columns`; of an orthogonal one, that of its larger side's."""
    variance = {"lecun": 1 / columns, "t5": 1 / columns, "he": 2 / columns, "xavier": 2 / (rows + columns), "small": 0.02**2,
                "orthogonal": 1 / max(rows, columns)}
    return variance[init] ** 0.5


def cut(shape: tuple[int, ...], random: torch.Generator, corrected: bool) -> Tensor:
    """N(0, 1) cut at 2 sigma by inverting its distribution function; with `corrected` over sqrt(CUT), so that the variance is 1."""
    low = 0.5 * math.erfc(2 / math.sqrt(2))
    u = low + (1 - 2 * low) * torch.rand(shape, generator=random, dtype=torch.float64)
    return torch.special.ndtri(u).float() / (CUT**0.5 if corrected else 1.0)


def drawn(init: str, draw: str, rows: int, columns: int, random: torch.Generator) -> tuple[Tensor, float]:
    """(V, s) with W = s V: V (rows, columns) of entries with variance 1."""
    s = deviation(init, rows, columns)
    if init == "orthogonal":
        return nn.init.orthogonal_(torch.empty(rows, columns), generator=random) / s, s
    if draw == "normal":
        return torch.randn(rows, columns, generator=random), s
    return cut((rows, columns), random, draw == "corrected"), s


class Matrix:
    """W = s V times `gain`.  The parameter is V under NTK parametrisation, else W."""

    def __init__(self, params: ScaleParams, rows: int, columns: int, random: torch.Generator, gain: float = 1.0) -> None:
        v, s = drawn(params.init, params.draw, rows, columns, random)
        self.factor = s * gain if params.ntk else 1.0
        self.weight = (v if params.ntk else v * (s * gain)).requires_grad_()

    def __call__(self, x: Tensor) -> Tensor:
        """x (b, columns) -> (b, rows)."""
        return self.factor * F.linear(x, self.weight)


def rms_norm(x: Tensor) -> Tensor:
    """x over the root of its mean square along the last axis."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)


def stack(params: ScaleParams) -> tuple[list[Callable[[Tensor], Tensor]], list[tuple[Matrix, Matrix]]]:
    """The layers as functions (b, D) -> (b, D), and of each its first and last matrix."""
    random, count = torch.Generator().manual_seed(params.seed), params.layers
    gain = moment(params.activation) ** -0.5 if params.tuned else 1.0
    act = ACTS[params.activation]
    layers, matrices = [], []
    for _ in range(count):
        if params.norm == "plain":
            one = two = Matrix(params, WIDTH, WIDTH, random)
            layers.append(lambda x, w=one: gain * act(w(x)))
        else:
            beta = {"deepnorm": (4 * count) ** -0.25}.get(params.norm, 1.0)
            one = Matrix(params, WIDER * WIDTH, WIDTH, random, count**-0.5 if params.norm == "fixup" else beta)
            two = Matrix(params, WIDTH, WIDER * WIDTH, random, 0.0 if params.norm == "fixup" else beta)
            layers.append(_wired(params.norm, lambda x, a=one, b=two: b(gain * act(a(x))), count))
        matrices.append((one, two))
    return layers, matrices


def _wired(norm: str, branch: Callable[[Tensor], Tensor], count: int) -> Callable[[Tensor], Tensor]:
    """A branch with its shortcut and norm."""
    return {
        "sum": lambda x: x + branch(x), "fixup": lambda x: x + branch(x), "rezero": lambda x: x + 0.0 * branch(x),
        "post": lambda x: rms_norm(x + branch(x)), "pre": lambda x: x + branch(rms_norm(x)),
        "deepnorm": lambda x: rms_norm(count**0.25 * x + branch(x)),
    }[norm]


def depth(params: ScaleParams) -> Depth:
    """One forward and one backward pass; the loss is a random linear function of the last layer, coefficients N(0, 1)."""
    layers, matrices = stack(params)
    random = torch.Generator().manual_seed(params.seed + 1)
    x = torch.randn(BATCH, WIDTH, generator=random).requires_grad_()
    states = [x]
    for layer in layers:
        states.append(layer(states[-1]))
        states[-1].retain_grad()
    (states[-1] * torch.randn(BATCH, WIDTH, generator=random)).sum().backward()
    first, second = ([_size(pair[at].weight.grad) for pair in matrices] for at in (0, 1))
    sizes = [tuple(s.detach().double().square().mean().item() for s in states),
             tuple(s.grad.double().square().mean().item() for s in states)]
    weight, known = matrices[0][0].weight, moment(params.activation)
    jump = STEP / weight.detach().square().mean().sqrt().item()
    return Depth(params.layers, params.norm, *sizes, tuple(first), tuple(second), known, known**-0.5 if params.tuned else 1.0, jump)


def _size(gradient: Tensor) -> float:
    return gradient.double().square().mean().sqrt().item()
