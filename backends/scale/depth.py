"""Signals and gradients through a stack of up to 64 layers at initialisation.

plain      x = f(W x)                                        one square matrix a layer
the rest   with a branch F(x) = W_2 f(W_1 x), D -> 4 D -> D:
sum        x + F(x)
post       norm(x + F(x))                                    Vaswani 2017
pre        x + F(norm(x))                                    Xiong et al. 2020 (arXiv 2002.04745)
deepnorm   norm(alpha x + F(x)), W_1 and W_2 times beta      Wang et al. 2022 (arXiv 2203.00555)
rezero     x + a F(x), a = 0                                 Bachlechner et al. 2020 (arXiv 2003.04887)
fixup      x + F(x), W_1 times L^(-1/2), W_2 = 0             Zhang et al. 2019 (arXiv 1901.09321)
DeepNorm: alpha = L^(1/4), beta = (4 L)^(-1/4) for L branches, that is (2 N)^(1/4), (8 N)^(-1/4) of an encoder, N = L/2.
Fixup: for two matrices a branch; its biases and multipliers start at 0 and 1 and change nothing here.
norm is RMSNorm.  Linear layers: E[y^2] = m E[w^2] E[x^2] with fan-in m.  NTK parametrisation (Jacot 2018, arXiv
1806.07572): W = s V with V ~ N(0, 1): the same function, other gradients and steps.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends import device
from backends.drawn import hosted, normal, seeded
from backends.scale.params import ScaleParams
from backends.scale.results import Depth

WIDTH, BATCH, WIDER, DEEPEST = 64, 64, 4, 64
STEP = 0.001                          # of Adam, for the jump
CUT = 0.7737413035760965              # variance of N(0, 1) cut at 2
ACTS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: x, "relu": F.relu, "gelu": F.gelu, "silu": F.silu, "tanh": torch.tanh, "sigmoid": torch.sigmoid,
    "selu": F.selu}


@lru_cache
@hosted
def moment(name: str) -> float:
    """E[f(x)^2] for x ~ N(0, 1), by the trapezoid rule on [-12, 12]: exact to about 1e-8, for kinks too."""
    x = torch.linspace(-12, 12, 240_001, dtype=torch.float64)
    density = torch.exp(-x.square() / 2) / math.sqrt(2 * math.pi)
    return torch.trapezoid(ACTS[name](x).square() * density, x).item()


def deviation(init: str, rows: int, columns: int) -> float:
    """Standard deviation of the entries of W (rows, columns), fan-in `columns`; of an orthogonal one, that of its
    larger side's."""
    variance = {"lecun": 1 / columns, "t5": 1 / columns, "he": 2 / columns, "xavier": 2 / (rows + columns),
                "small": 0.02**2,
                "orthogonal": 1 / max(rows, columns)}
    return variance[init] ** 0.5


@hosted
def cut(shape: tuple[int, ...], random: torch.Generator, corrected: bool) -> Tensor:
    """N(0, 1) cut at 2 sigma by inverting its distribution function; with `corrected` over sqrt(CUT), so that the
    variance is 1."""
    end = math.erf(2 / math.sqrt(2))
    made = torch.empty(shape).uniform_(-end, end, generator=random).erfinv_().mul_(math.sqrt(2)).clamp_(-2, 2)
    return made.div_(CUT**0.5) if corrected else made


@hosted
def orthogonal(rows: int, columns: int, random: torch.Generator) -> Tensor:
    """The matrix of `nn.init.orthogonal_`: the Q of a Gaussian draw.  By Cholesky where one side is at least twice the
    other: well conditioned, and faster."""
    if 2 * min(rows, columns) > max(rows, columns):
        return nn.init.orthogonal_(torch.empty(rows, columns), generator=random)
    made = normal(rows, columns, random=random)
    wide = made if rows < columns else made.T
    back = torch.linalg.solve_triangular(torch.linalg.cholesky(wide @ wide.T), torch.eye(len(wide)), upper=False)
    return back @ made if rows < columns else made @ back.T


def drawn(init: str, draw: str, rows: int, columns: int, random: torch.Generator) -> tuple[Tensor, float]:
    """(V, s) with W = s V: V (rows, columns) of entries with variance 1, on the host."""
    s = deviation(init, rows, columns)
    if init == "orthogonal":
        return orthogonal(rows, columns, random) / s, s
    if draw == "normal":
        return normal(rows, columns, random=random), s
    return cut((rows, columns), random, draw == "corrected"), s


@device.kept(4)
def pairs(init: str, draw: str, plain: bool, seed: int) -> tuple[tuple[tuple[Tensor, float], ...], ...]:
    """(V, s) of every matrix of a stack of DEEPEST layers, kept so that a moved setting draws nothing anew; fewer
    layers are its first."""
    random, shapes = (seeded(seed), ((WIDTH, WIDTH),) if plain
                      else ((WIDER * WIDTH, WIDTH), (WIDTH, WIDER * WIDTH)))
    made = ([drawn(init, draw, *shape, random) for shape in shapes] for _ in range(DEEPEST))
    at = device.exact()
    return tuple(tuple((v.to(at), s) for v, s in layer) for layer in made)


class Matrix:
    """W = s V times `gain`.  The parameter is V under NTK parametrisation, else W."""

    def __init__(self, v: Tensor, s: float, ntk: bool, gain: float = 1.0) -> None:
        self.factor = s * gain if ntk else 1.0
        self.weight = (v.detach() if ntk else v * (s * gain)).requires_grad_()

    def __call__(self, x: Tensor) -> Tensor:
        """x (b, columns) -> (b, rows)."""
        return self.factor * F.linear(x, self.weight)

    @property
    def jump(self) -> float:
        """Relative change of a step of Adam of STEP in every entry."""
        return STEP / self.weight.detach().square().mean().sqrt().item()


def rms_norm(x: Tensor) -> Tensor:
    """x over the root of its mean square along the last axis."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)


def stack(params: ScaleParams) -> tuple[list[Callable[[Tensor], Tensor]], list[tuple[Matrix, Matrix]]]:
    """The layers as functions (b, D) -> (b, D), and of each its first and last matrix."""
    count, plain = params.layers, params.norm == "plain"
    gain = moment(params.activation) ** -0.5 if params.tuned else 1.0
    act = ACTS[params.activation]
    first, second = {"deepnorm": ((4 * count) ** -0.25,) * 2, "fixup": (count**-0.5, 0.0)}.get(params.norm, (1.0, 1.0))
    layers, matrices = [], []
    for (v, s), *rest in pairs(params.init, params.draw, plain, params.seed)[:count]:
        one = two = Matrix(v, s, params.ntk, first)
        if plain:
            layers.append(lambda x, w=one: gain * act(w(x)))
        else:
            two = Matrix(*rest[0], params.ntk, second)
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
    """One forward and one backward pass; the loss is a random linear function of the last layer, coefficients N(0,
    1)."""
    layers, matrices = stack(params)
    x, coefficients = _inputs(params.seed)
    states = [x.requires_grad_()]
    for layer in layers:
        states.append(layer(states[-1]))
        states[-1].retain_grad()
    (states[-1] * coefficients).sum().backward()
    first, second = ([_size(pair[at].weight.grad) for pair in matrices] for at in (0, 1))
    sizes = [tuple(s.detach().double().square().mean().item() for s in states),
             tuple(s.grad.double().square().mean().item() for s in states)]
    known = moment(params.activation)
    return Depth(params.layers, params.norm, *sizes, tuple(first), tuple(second), known,
                 known**-0.5 if params.tuned else 1.0, matrices[0][0].jump)


@torch.no_grad()
def forward(params: ScaleParams) -> tuple[tuple[float, ...], float]:
    """(second moments from the input on, relative jump of the first matrix) of the same stack, without a backward
    pass."""
    layers, matrices = stack(params)
    states = [_inputs(params.seed)[0]]
    for layer in layers:
        states.append(layer(states[-1]))
    return tuple(s.double().square().mean().item() for s in states), matrices[0][0].jump


def _inputs(seed: int) -> tuple[Tensor, Tensor]:
    random, at = seeded(seed + 1), device.exact()
    return normal(BATCH, WIDTH, random=random).to(at), normal(BATCH, WIDTH, random=random).to(at)


def _size(gradient: Tensor) -> float:
    return gradient.double().square().mean().sqrt().item()
