"""HiPPO: what a state of N numbers keeps of a signal (arXiv 2008.07669), beside S4's LegS and a random orthogonal RNN.

    LegS     x' = (A x + B u) / t      whole past, evenly       u(s) ~ sum x_n sqrt(2n+1) P_n(2 s/t - 1)
    LegT     x' = A x + B u            last w                   u(s) ~ sum x_n sqrt(2n+1) P_n(2 (s - t)/w + 1)
    Fourier  x' = A x + B u            last w                   u(s) ~ sum x_n exp(2 pi i n (s - t)/w)
    S4       x' = (A x + B u) / w      LegS's A with constant steps: past seen through exp((s - t)/w), so it fades

The last line follows from the first by t = exp(tau) (kexue.fm/archives/10162).  Everything is float64.  T samples, N
state size, w window.
"""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import blas, expm

SOLVE = 1e8                           # a state beyond this has diverged
BLOCK = 32                            # steps of a time-invariant recurrence that are taken at once; a power of two


def legs(n: int) -> tuple[np.ndarray, np.ndarray]:
    """LegS A (n, n) and B (n,): A_nk = -sqrt((2n+1)(2k+1)) below the diagonal, -(n+1) on it (HiPPO, theorem 2)."""
    v = np.sqrt(2 * np.arange(n) + 1)
    return -np.tril(np.outer(v, v), -1) - np.diag(np.arange(n) + 1.0), v


def legt(n: int, window: float) -> tuple[np.ndarray, np.ndarray]:
    """LegT A (n, n) and B (n,), per sample, for a window in samples (HiPPO, theorem 1)."""
    v, i = np.sqrt(2 * np.arange(n) + 1), np.arange(n)
    sign = np.where(i[:, None] > i, 1.0, (-1.0) ** (i[:, None] - i))
    return -np.outer(v, v) * sign / window, v / window


def fourier(n: int, window: float) -> tuple[np.ndarray, np.ndarray]:
    """Fourier window A (m, m) and B (m,), complex, for the waves -k..k with m = 2k + 1 <= n
    (kexue.fm/archives/10114)."""
    k = (n - 1) // 2
    return (np.diag(2j * np.pi * np.arange(-k, k + 1)) - 1) / window, np.ones(2 * k + 1, complex) / window


def discretised(a: np.ndarray, b: np.ndarray, rule: str, dt: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """One step of x' = a x + b u with u constant over dt: x <- first x + second u.  rule: a name of `params.RULES`."""
    one = np.eye(len(a))
    if rule == "forward":
        return one + dt * a, dt * b
    if rule == "backward":
        return np.linalg.inv(one - dt * a), np.linalg.solve(one - dt * a, dt * b)
    if rule == "bilinear":
        back = one - dt / 2 * a
        return np.linalg.solve(back, one + dt / 2 * a), np.linalg.solve(back, dt * b)
    both = np.zeros((len(a) + 1,) * 2, np.result_type(a, b))
    both[:-1, :-1], both[:-1, -1] = dt * a, dt * b
    whole = expm(both)                # also where a cannot be inverted
    return whole[:-1, :-1], whole[:-1, -1]


def writes(first: np.ndarray, second: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(what each of the last `count` samples has left in the state, (n, count), oldest first; first^m for the m >=
    count it took)."""
    kept, power = second[:, None], first
    while kept.shape[1] < count:
        kept, power = np.concatenate([power @ kept, kept], 1), power @ power
    return kept[:, -count:], power


def steady(first: np.ndarray, second: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """The last state of the time-invariant recurrence x <- first x + second u, BLOCK steps at once; the loop is its
    oracle in the tests."""
    x, ahead = np.zeros(len(second), np.result_type(first, second)), -len(signal) % BLOCK
    columns, power = writes(first, second, BLOCK)
    with np.errstate(over="ignore", invalid="ignore"):
        for block in np.pad(signal, (ahead, 0)).reshape(-1, BLOCK):
            x = power @ x + columns @ block
    return x


def scaled(signal: np.ndarray, n: int, rule: str) -> np.ndarray:
    """The last state of LegS, step by step; sample k reaches from time k to k + 1.

    The first sample is known exactly, x = (u_0, 0, ..).  Zero-order hold keeps exactly the projection on Legendre
    polynomials, so that is what is worked out (`projected`)."""
    if rule == "zoh":
        return projected(signal, n)
    a, b = legs(n)
    x, back, ends = np.eye(1, n)[0] * signal[0], np.asfortranarray(-a), np.arange(n) * (n + 1)
    corner, own = back.ravel("K"), np.arange(n) + 1.0          # a view: the diagonal of `back` is -diag(a) + 1/h
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(1, len(signal)):
            if rule == "forward":
                x = x + (a @ x + b * signal[k]) / k
                continue
            ahead = x + b * signal[k] / (k + 1) if rule == "backward" else x + (a @ x) / (2 * k) + b * signal[k] / k
            inverse = k + 1 if rule == "backward" else 2 * (k + 1)
            corner[ends] = own + inverse
            x = blas.dtrsv(back, ahead * inverse, lower=1)     # (I - A / inverse) x = ahead
    return x


def projected(signal: np.ndarray, n: int) -> np.ndarray:
    """Coefficients (n,) of the signal, constant over each sample, on sqrt(2n+1) P_n over its whole length: exact
    integrals."""
    edges = np.linspace(-1, 1, len(signal) + 1)
    p = legendre(n + 1, edges)
    k = np.arange(1, n)
    areas = np.concatenate([[edges], (p[2:] - p[:-2])[: n - 1] / (2 * k + 1)[:, None]]) if n > 1 else edges[None]
    return np.diff(areas, axis=1) @ signal / 2 * np.sqrt(2 * np.arange(n) + 1)


def legendre(n: int, z: np.ndarray) -> np.ndarray:
    """P_0 .. P_{n-1} at z: (n, len(z)), by Bonnet's recursion."""
    rows = [np.ones_like(z), z]
    for k in range(1, n - 1):
        rows.append(((2 * k + 1) * z * rows[k] - k * rows[k - 1]) / (k + 1))
    return np.stack(rows[:n])


def orthogonal(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random rotation (n, n) and a random unit vector (n,)."""
    random = np.random.default_rng(seed)
    q, r = np.linalg.qr(random.standard_normal((n, n)))
    b = random.standard_normal(n)
    return q * np.sign(np.diag(r)), b / np.linalg.norm(b)


def _polynomial(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    return (x * np.sqrt(2 * np.arange(len(x)) + 1)) @ legendre(len(x), z)


def _legs(u: np.ndarray, n: int, w: int, rule: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    x = scaled(u, n, rule)
    return x, _polynomial(x, 2 * (np.arange(len(u)) + 0.5) / len(u) - 1)


def _ages(t: int) -> np.ndarray:
    """s - t for the middles of all samples, up to the play head t: -t + 1/2 .. -1/2."""
    return np.arange(t) + 0.5 - t


def _legt(u: np.ndarray, n: int, w: int, rule: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    x = steady(*discretised(*legt(n, w), rule), u)
    z = 2 * _ages(len(u)) / w + 1
    return x, np.where(z >= -1, _polynomial(x, np.maximum(z, -1)), np.nan)


def _fourier(u: np.ndarray, n: int, w: int, rule: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    x = steady(*discretised(*fourier(n, w), rule), u)
    k, z = len(x) // 2, _ages(len(u)) / w
    values = np.full(len(u), np.nan)
    values[z >= -1] = (x @ np.exp(2j * np.pi * np.outer(np.arange(-k, k + 1), z[z >= -1]))).real
    return x, values


def _s4(u: np.ndarray, n: int, w: int, rule: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    x = steady(*discretised(*legs(n), rule, 1 / w), u)
    return x, _polynomial(x, 2 * np.exp(_ages(len(u)) / w) - 1)


def _rnn(u: np.ndarray, n: int, w: int, rule: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The shortest signal that leaves the same state: the best linear guess without knowing the signal."""
    left, _ = writes(*orthogonal(n, seed), len(u))
    # left = r^T q^T: of the long side, only an orthonormal basis
    x, (q, r) = left @ u, np.linalg.qr(left.T)
    return x, q @ np.linalg.lstsq(r.T, x, rcond=1e-10)[0]


RECALL: dict[str, Callable[[np.ndarray, int, int, str, int], tuple[np.ndarray, np.ndarray]]] = {
    "legs": _legs, "legt": _legt, "fourier": _fourier, "s4": _s4, "rnn": _rnn}


def recall(name: str, signal: np.ndarray, n: int, window: int, rule: str, seed: int = 0) -> np.ndarray | None:
    """What memory `name` of `n` numbers makes of every sample of `signal` (T,); NaN outside its window; None when it
    has diverged."""
    state, values = RECALL[name](signal, n, window, rule, seed)
    kept = np.abs(state).max() <= SOLVE * max(1.0, np.abs(signal).max())
    return values if kept else None
