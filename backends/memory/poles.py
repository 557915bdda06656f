"""Eigenvalues of diagonal recurrences on the unit disc, and what they remember: h_l = Re sum b_n lambda_n^l.

    S4D (Lin, Inv, Real)   lambda = exp(dt A), b = (lambda - 1) / A                                    2206.11893
    LRU                    |lambda| uniform in area on a ring, any phase, b = sqrt(1 - |lambda|^2)     2303.06349
    Mamba                  lambda = exp(-dt (n+1)), b = dt, as its code starts                         2312.00752
    the user's own         b = 1 - |lambda|

One of each conjugate pair is kept; the real part stands for both.  N state size.
"""
from __future__ import annotations

import numpy as np

from backends.memory.params import MemoryParams, eigenvalues

SHOWN = 256                           # samples of the kernel
BINS = 257                            # frequencies from 0 to 1/2 cycle per sample


def ring(size: int, inner: float, outer: float, seed: int) -> np.ndarray:
    """LRU's start: lambda = exp(-exp(nu) + i theta), exp(nu) = -ln(u (outer^2 - inner^2) + inner^2) / 2.  (size,)
    complex."""
    random = np.random.default_rng(seed)
    square = random.uniform(size=size) * (outer**2 - inner**2) + inner**2
    nu = np.log(-0.5 * np.log(square))
    return np.exp(-np.exp(nu) + 2j * np.pi * random.uniform(size=size))


def continuous(params: MemoryParams) -> np.ndarray:
    """A (N/2,) complex of S4D-Lin, Inv or Real, before it is taken to steps of dt."""
    n = np.arange(params.size // 2)
    if params.start == "real":
        return -(n + 1) + 0j
    return -0.5 + 1j * (np.pi * n if params.start == "lin" else params.size / np.pi * (params.size / (2 * n + 1) - 1))


def aliased(params: MemoryParams) -> int:
    """How many of S4D's eigenvalues turn by more than half a cycle from one sample to the next."""
    known = not params.poles.strip() and params.start in ("lin", "inv")
    return int((np.abs(params.dt * continuous(params).imag) > np.pi).sum()) if known else 0


def placed(params: MemoryParams) -> tuple[np.ndarray, np.ndarray]:
    """(lambda, b), complex, at most N/2 of them (N for Mamba's real ones)."""
    if params.poles.strip():
        lam = np.array(eigenvalues(params.poles))
        return lam, 1 - np.abs(lam) + 0j
    if params.start == "mamba":
        return np.exp(-params.dt * (np.arange(params.size) + 1)) + 0j, np.full(params.size, params.dt, complex)
    if params.start == "lru":
        lam = ring(params.size // 2, params.inner, params.outer, params.seed)
        return lam, np.sqrt(1 - np.abs(lam) ** 2) + 0j
    a = continuous(params)
    return np.exp(params.dt * a), (np.exp(params.dt * a) - 1) / a


def kernel(lam: np.ndarray, b: np.ndarray, length: int = SHOWN) -> np.ndarray:
    """h (L,) by the recurrence: what comes out after a single 1."""
    out, x = np.empty(length), b.astype(complex)
    for k in range(length):
        out[k], x = x.sum().real, x * lam
    return out


def gain(lam: np.ndarray, b: np.ndarray, bins: int = BINS) -> tuple[np.ndarray, np.ndarray]:
    """(frequencies in cycles per sample, |H|) in closed form: H(z) = sum of b / (1 - lambda / z) and its conjugate
    partner, halved."""
    f = np.linspace(0, 0.5, bins)
    back = np.exp(-2j * np.pi * f)[:, None]
    return f, np.abs((b / (1 - lam * back) + b.conj() / (1 - lam.conj() * back)).sum(1) / 2)


def spectrum_gap(lam: np.ndarray, b: np.ndarray) -> float:
    """Largest difference of |FFT| of the kernel's first 2 (BINS - 1) samples from the closed form of as many, b (1 -
    lambda^length)."""
    length = 2 * (BINS - 1)
    return float(np.abs(np.abs(np.fft.rfft(kernel(lam, b, length))) - gain(lam, b * (1 - lam**length))[1]).max())
