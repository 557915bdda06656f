"""S4's trick: LegS is badly conditioned to diagonalise, but normal plus rank one, and that diagonalises perfectly
(arXiv 2111.00396).

    A = S - I/2 - v v^T / 2,  v_n = sqrt(2n+1),  S skew-symmetric
    A = U (Lambda - p p*) U*,  p = U* v / sqrt(2),  U unitary
    K_k = C Abar^k Bbar  (bilinear);   its generating function at the roots of unity z, with C~ = C (I - Abar^L):
    G(z) = 2/(1+z) C~ [(2/dt) (1-z)/(1+z) I - A]^-1 B      (Woodbury: one diagonal and one rank-one term)

N state size, L length of the kernel.  float64.
"""
from __future__ import annotations

import numpy as np

from backends.memory.hippo import discretised, legs


def parts(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(Lambda (n,), p (n,), U (n, n)), complex, with A = U (diag(Lambda) - p p*) U*."""
    a, v = legs(n)
    skew = a + np.outer(v, v) / 2 + np.eye(n) / 2
    turns, u = np.linalg.eigh(-1j * skew)         # hermitian: real turns, unitary U
    return 1j * turns - 0.5, u.conj().T @ v / np.sqrt(2), u


def skewness(n: int) -> float:
    """Largest entry of the symmetric part of A + v v^T / 2 + I / 2: 0 but for rounding."""
    a, v = legs(n)
    rest = a + np.outer(v, v) / 2 + np.eye(n) / 2
    return float(np.abs(rest + rest.T).max())


def powers(n: int, dt: float, length: int, c: np.ndarray) -> np.ndarray:
    """The kernel (L,) by multiplying: the oracle."""
    first, x = discretised(*legs(n), "bilinear", dt)
    out = np.empty(length)
    for k in range(length):
        out[k], x = c @ x, first @ x
    return out


def direct(n: int, dt: float, length: int, c: np.ndarray) -> tuple[float, np.ndarray]:
    """(condition number of the eigenvectors, kernel (L,)) by diagonalising A itself."""
    a, b = legs(n)
    values, vectors = np.linalg.eig(a)
    step = (1 + dt / 2 * values) / (1 - dt / 2 * values)
    start = np.linalg.solve(vectors, b) * dt / (1 - dt / 2 * values)
    rows = step[:, None] ** np.arange(length)
    return float(np.linalg.cond(vectors)), ((c @ vectors) * start @ rows).real


def generated(n: int, dt: float, length: int, c: np.ndarray) -> tuple[float, np.ndarray]:
    """(condition number of U, kernel (L,)) by the generating function on Lambda and p, an inverse FFT at the end."""
    values, p, u = parts(n)
    b, first = u.conj().T @ legs(n)[1], discretised(*legs(n), "bilinear", dt)[0]
    ended = (c - c @ np.linalg.matrix_power(first, length)) @ u
    z = np.exp(-2j * np.pi * np.arange(length) / length)
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = 2 / dt * (1 - z) / (1 + z)
        cauchy = 1 / (shift[:, None] - values)
        cb, cp, pb, pp = (cauchy @ (left * right) for left in (ended, p.conj()) for right in (b, p))
        g = 2 / (1 + z) * (cb - cp * pb / (1 + pp))
    half = np.abs(1 + z) < 1e-9                   # z = -1: the limit, dt/2 C~ B
    g[half] = dt / 2 * ended @ b
    return float(np.linalg.cond(u)), np.fft.ifft(g).real
