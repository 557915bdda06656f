"""One S4D layer run three ways (arXiv 2206.11893): as a recurrence, as an FFT convolution, as a lower-triangular
matrix.

    lambda_n = exp(dt A_n),  b_n = (lambda_n - 1) / A_n         zero-order hold with B = 1
    x_k = lambda x_{k-1} + b u_k,  y_k = 2 Re sum C_n x_kn + D u_k        N/2 of the N conjugate eigenvalues are kept
    K_l = 2 Re sum C_n b_n lambda_n^l,   y = K * u + D u

A: S4D-Lin -1/2 + i pi n;  S4D-Inv -1/2 + i (N/pi) (N/(2n+1) - 1);  S4D-Real -(n+1).  L samples.
"""
from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from backends import stop
from backends.drawn import hosted, seeded


@dataclass(frozen=True)
class Diagonal:
    """A layer of one channel: eigenvalues `lam`, inputs `b`, outputs `c`, each (N/2,) complex, and the direct term
    `d`."""

    lam: Tensor
    b: Tensor
    c: Tensor
    d: float

    def to(self, like: torch.device | torch.dtype) -> Diagonal:
        """The same layer on a device, or of another precision."""
        return Diagonal(self.lam.to(like), self.b.to(like), self.c.to(like), self.d)


@hosted
def eigenvalues(start: str, size: int) -> Tensor:
    """A (N/2,) complex128 of S4D-"lin", "inv" or "real".  Raises ValueError for an odd N."""
    if size % 2 or size < 2:
        raise ValueError("S4D needs an even state size N of at least 2: its eigenvalues come in conjugate pairs.")
    n = torch.arange(size // 2, dtype=torch.float64)
    if start == "real":
        return torch.complex(-(n + 1), torch.zeros_like(n))
    turn = math.pi * n if start == "lin" else size / math.pi * (size / (2 * n + 1) - 1)
    return torch.complex(torch.full_like(n, -0.5), turn)


def layer(start: str, size: int, dt: float, seed: int = 0) -> Diagonal:
    """An S4D layer as it starts; complex128."""
    a = eigenvalues(start, size)
    return read_out((dt * a).exp(), torch.expm1(dt * a) / a, seed)


@hosted
def read_out(lam: Tensor, b: Tensor, seed: int) -> Diagonal:
    """Eigenvalues on the host with outputs as S4D draws them: C standard normal (complex), D normal."""
    random = seeded(seed)
    c = torch.randn(len(lam), 2, generator=random, dtype=torch.float64) * 0.5**0.5
    return Diagonal(lam, b, torch.view_as_complex(c), torch.randn((), generator=random, dtype=torch.float64).item())


def rounded(exact: Diagonal) -> Diagonal:
    """The same layer in complex64."""
    return exact.to(torch.complex64)


def kernel(one: Diagonal, length: int) -> Tensor:
    """K (L,) real: the powers of lambda from its logarithm, so that none is divided or multiplied up."""
    steps = torch.arange(length, dtype=one.lam.real.dtype, device=one.lam.device)
    powers = (one.lam.log()[:, None] * steps).exp()
    return 2 * ((one.c * one.b) @ powers).real


def recurrence(one: Diagonal, signal: Tensor) -> Tensor:
    """y (L,) of u (L,), sample by sample."""
    x, out = torch.zeros_like(one.lam), []
    for u in signal:
        stop.check()
        x = one.lam * x + one.b * u
        out.append(2 * (one.c * x).sum().real)
    return torch.stack(out) + one.d * signal if out else signal.clone()


def convolution(one: Diagonal, signal: Tensor) -> Tensor:
    """y (L,) by FFT, padded to 2 L so that the end does not wrap around into the beginning."""
    n = len(signal)
    if n == 0:
        return signal.clone()
    spectrum = torch.fft.rfft(kernel(one, n), n=2 * n) * torch.fft.rfft(signal, n=2 * n)
    return torch.fft.irfft(spectrum, n=2 * n)[:n] + one.d * signal


def toeplitz(one: Diagonal, length: int) -> Tensor:
    """The lower-triangular matrix (L, L) with y = M u: K_{i-j} below and on the diagonal, D added on it."""
    if length == 0:
        return one.lam.real.new_zeros(0, 0)
    padded = F.pad(kernel(one, length).flip(0), (0, length - 1))
    return padded.unfold(0, length, 1).flip(0) + one.d * torch.eye(length, dtype=padded.dtype, device=padded.device)


def matrix(one: Diagonal, signal: Tensor) -> Tensor:
    """y (L,) as one matrix times u."""
    return toeplitz(one, len(signal)) @ signal


WAYS = {"recurrence": ("recurrence, sample by sample", recurrence), "convolution": ("FFT convolution", convolution),
        "matrix": ("lower-triangular matrix", matrix)}
