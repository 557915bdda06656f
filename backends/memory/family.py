"""The linear recurrences of one family on the same q, k, v, each as a loop over tokens and as one lower-triangular
matrix.

    S_t = diag(a_t) S_{t-1} + w_t k_t v_t^T,   y_t = q_t S_t
    y = M v,   M_ij = w_j sum_s q_is k_js prod_{j<t<=i} a_ts

RetNet (arXiv 2307.08621, equation 5), gated linear attention (2312.06635, equation 4), LRU (2303.06349), RG-LRU
(2402.19427, eq. 1-4), Mamba (2312.00752, its code: a = exp(dt A), w = dt) and Mamba-2 (2405.21060, equation 16) are
this line.  RWKV-4 (2305.13048, equation 16) divides by the same sum without v; the delta rule (2406.06484, section 3)
first takes away what k_t reads.  Letters: n tokens, s numbers of a key, c value channels.  numpy, float64.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backends.memory.params import KINDS
from backends.memory.poles import ring
from backends.memory.results import Family, Member

KEY, VALUE = 8, 4


@dataclass(frozen=True)
class Inputs:
    """q, k (n, s), keys of length 1; v (n, c); raw gates `g` (n, s) and step sizes `dt` (n, c), drawn with the same
    seed."""

    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    g: np.ndarray
    dt: np.ndarray


@dataclass(frozen=True)
class Whole:
    """`y` (n, c) by the loop, `norms` (n,) of its state; `mask`, `matrix` (n, n) of one channel."""

    y: np.ndarray
    norms: np.ndarray
    mask: np.ndarray
    matrix: np.ndarray


def drawn(n: int, seed: int) -> Inputs:
    """Random inputs; step sizes log-uniform from 0.01 to 1."""
    random = np.random.default_rng(seed)
    q, k, g = (random.standard_normal((n, KEY)) for _ in range(3))
    v = random.standard_normal((n, VALUE))
    dt = np.exp(random.uniform(np.log(0.01), np.log(1.0), (n, VALUE)))
    return Inputs(q, k / np.linalg.norm(k, axis=1, keepdims=True), v, g, dt)


def between(log: np.ndarray) -> np.ndarray:
    """exp of the sum of log (n, s) over j < t <= i, as (n, n, s): 1 on the diagonal, 0 above it; no difference of large
    sums."""
    n = len(log)
    below = np.tril(np.ones((n, n), bool), -1)
    sums = np.cumsum(np.where(below[:, :, None], log[:, None, :], 0), axis=0)
    return np.where(np.tril(np.ones((n, n), bool))[:, :, None], np.exp(sums), 0)


def loop(q: np.ndarray, k: np.ndarray, v: np.ndarray, log: np.ndarray,
         write: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(outputs (n, c), states' norms (n,)) token by token: q, k, log (n, s), v (n, c), write (n,)."""
    state = np.zeros((k.shape[1], v.shape[1]), np.result_type(q, k, log))
    out, norms = np.zeros((len(v), v.shape[1])), np.zeros(len(v))
    for t in range(len(v)):
        state = np.exp(log[t])[:, None] * state + write[t] * np.outer(k[t], v[t])
        out[t], norms[t] = (q[t] @ state).real, np.linalg.norm(state)
    return out, norms


def matrix(q: np.ndarray, k: np.ndarray, log: np.ndarray, write: np.ndarray) -> np.ndarray:
    """M (n, n) with loop(..) = M v."""
    return np.einsum("is,js,ijs,j->ij", q, k, between(log), write).real


def _decayed(x: Inputs, q: np.ndarray, k: np.ndarray, log: np.ndarray, write: np.ndarray) -> Whole:
    y, norms = loop(q, k, x.v, log, write)
    return Whole(y, norms, np.abs(between(log)).mean(2), matrix(q, k, log, write))


def _by_channel(x: Inputs, channel: int, parts: Callable[[int], tuple[np.ndarray, ...]]) -> Whole:
    """A recurrence with a state of its own for each value channel; `parts(c)`: its q, k, log, write."""
    runs = [loop(*parts(c)[:2], x.v[:, c : c + 1], *parts(c)[2:]) for c in range(VALUE)]
    q, k, log, write = parts(channel)
    norms = np.sqrt(np.sum([norms**2 for _, norms in runs], axis=0))
    return Whole(np.concatenate([y for y, _ in runs], 1), norms, np.abs(between(log)).mean(2), matrix(q, k, log, write))


def retnet(x: Inputs, channel: int) -> Whole:
    """Decay 1 - 2^(-5-h) of head h."""
    n = len(x.v)
    log = np.full((n, KEY), np.log1p(-(2.0 ** (-5 - channel))))
    return _decayed(x, x.q / KEY**0.5, x.k, log, np.ones(n))


def gla(x: Inputs, channel: int) -> Whole:
    """Each number of the key has its own gate, sigmoid(g)^(1/16)."""
    return _decayed(x, x.q / KEY**0.5, x.k, -np.logaddexp(0, -x.g) / 16, np.ones(len(x.v)))


def mamba2(x: Inputs, channel: int) -> Whole:
    """B = k, C = q; one decay exp(-dt) for the whole state."""
    dt = x.dt[:, channel]
    return _decayed(x, x.q, x.k, np.repeat(-dt[:, None], KEY, 1), dt)


def mamba(x: Inputs, channel: int) -> Whole:
    """B = k, C = q; number s of channel c decays by exp(-dt_c (s+1))."""
    a = -(np.arange(KEY) + 1.0)
    return _by_channel(x, channel, lambda c: (x.q, x.k, x.dt[:, c : c + 1] * a, x.dt[:, c]))


def lru(x: Inputs, channel: int) -> Whole:
    """Constant complex eigenvalues on a ring."""
    n, lam = len(x.v), ring(KEY, 0.9, 0.99, 0)
    first = (z[:1] if n else np.zeros((1, KEY)) for z in (x.q, x.k))
    q, k = (np.repeat(z, n, 0) for z in first)
    return _decayed(x, q, k * np.sqrt(1 - np.abs(lam) ** 2), np.repeat(np.log(lam)[None], n, 0), np.ones(n))


def gated(r: np.ndarray, i: np.ndarray, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """RG-LRU's (log decay, write) of raw gates r, i and its parameter: -8 sigmoid(r) softplus(rest), sqrt(1 - a^2)
    sigmoid(i); the first token is written in full, as transformers' reset does."""
    log = -8 / (1 + np.exp(-r)) * np.logaddexp(0, rest)
    full = np.sqrt(-np.expm1(2 * log))
    full[:1] = 1
    return log, full / (1 + np.exp(-i))


def rglru(x: Inputs, channel: int) -> Whole:
    """One number for each channel; recurrence gate from g, input gate from q."""
    one = np.ones((len(x.v), 1))

    def parts(c: int) -> tuple[np.ndarray, ...]:
        log, write = gated(x.g[:, c], x.q[:, c], np.array(-3.0))
        return one, one, log[:, None], write

    return _by_channel(x, channel, parts)


def rwkv_decay(channel: int) -> float:
    """w = -exp(time_decay) of the channel, and the bonus u of the present token is 0.5: neither is trained here."""
    return -np.exp(-3.0 + channel)


def wkv(k: np.ndarray, v: np.ndarray, w: float, u: float) -> tuple[np.ndarray, np.ndarray]:
    """(outputs (n,), states (n, 2) of numerator and denominator) of one channel, keys and values (n,)."""
    state, out, states = np.zeros(2), np.zeros(len(v)), np.zeros((len(v), 2))
    for t in range(len(v)):
        both = np.exp(k[t]) * np.array([v[t], 1.0])
        top, below = state + np.exp(u) * both
        out[t], state = top / below, np.exp(w) * state + both
        states[t] = state
    return out, states


def wkv_mask(n: int, w: float, u: float) -> np.ndarray:
    """exp((i - 1 - j) w) below the diagonal, exp(u) on it."""
    i = np.arange(n)
    apart = np.tril(i[:, None] - 1 - i, -1)
    return np.where(apart >= 0, np.exp(apart * w), 0) * np.tril(np.ones((n, n)), -1) + np.exp(u) * np.eye(n)


def rwkv(x: Inputs, channel: int) -> Whole:
    """No q: a weighted mean of the values so far, each channel with its own decay."""
    runs = [wkv(x.k[:, c], x.v[:, c], rwkv_decay(c), 0.5) for c in range(VALUE)]
    mask = wkv_mask(len(x.v), rwkv_decay(channel), 0.5)
    weights = mask * np.exp(x.k[:, channel])
    norms = np.sqrt(np.sum([(states**2).sum(1) for _, states in runs], axis=0))
    return Whole(np.stack([y for y, _ in runs], 1), norms, mask, weights / weights.sum(1, keepdims=True))


def delta(x: Inputs, channel: int) -> Whole:
    """S_t = (I - b_t k_t k_t^T) S_{t-1} + b_t k_t v_t^T with b = sigmoid(g_0): what k_t read is replaced, not added
    to."""
    n, beta = len(x.v), 1 / (1 + np.exp(-x.g[:, 0]))
    state, out, norms = np.zeros((KEY, VALUE)), np.zeros((n, VALUE)), np.zeros(n)
    for t in range(n):
        state = state + beta[t] * np.outer(x.k[t], x.v[t] - x.k[t] @ state)
        out[t], norms[t] = x.q[t] @ state, np.linalg.norm(state)
    inner = np.eye(n) + np.tril(beta[:, None] * (x.k @ x.k.T), -1)
    return Whole(out, norms, _left(x.k, beta), np.tril(x.q @ x.k.T) @ np.linalg.solve(inner, np.diag(beta)))


def _left(k: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Of what was written under k_j, the part that k_j still reads at token i, (n, n)."""
    n, found = len(k), np.zeros((len(k),) * 2)
    for j in range(n):
        kept = k[j]
        for i in range(j, n):
            kept = kept - beta[i] * k[i] * (k[i] @ kept) if i > j else kept
            found[i, j] = k[j] @ kept
    return found


MEMBERS: dict[str, tuple[Callable[[Inputs, int], Whole], str]] = {
    "retnet": (retnet, "each head h forgets at one fixed rate, 1 - 2^(-5-h) (arXiv 2307.08621); its rotation and norm "
                       "are left out."),
    "rwkv": (rwkv, "each channel has a fixed decay and no query; the sum is divided by that of its weights (arXiv "
                   "2305.13048)."),
    "gla": (gla, "every number of the key has a gate of its own at every token (arXiv 2312.06635)."),
    "lru": (lru, "nothing depends on the token, so B and C are the first token's k and q; the mask shows |lambda| "
                 "(arXiv 2303.06349)."),
    "rglru": (rglru, "one number for each channel, no q and k: gates alone decide what is kept and written (arXiv "
                     "2402.19427)."),
    "mamba": (mamba,
              "B = k, C = q; every channel has its own step size dt, every number its own rate. As in its code, A is "
              "held, exp(dt A), and B is Euler's, dt B (arXiv 2312.00752, whose equation 4 holds both)."),
    "mamba2": (mamba2, "B = k, C = q; one decay exp(-dt) for the whole state of a head (arXiv 2405.21060)."),
    "delta": (delta, "no decay: a new value takes the old one's place under the same key (arXiv 2406.06484); the mask "
                     "shows what k_j "
              "still reads of its own write."),
}


def family(kind: str, n: int, channel: int, seed: int) -> Family:
    """All members on the same inputs, and the chosen one's mask, matrix and residual."""
    x = drawn(n, seed)
    made = {name: member(x, channel) for name, (member, _) in MEMBERS.items()}
    one, size = made[kind], np.abs(made[kind].y[:, channel]).max(initial=1e-300)
    residual = float(np.abs(one.matrix @ x.v[:, channel] - one.y[:, channel]).max(initial=0.0) / size)
    members = tuple(Member(name, KINDS[name], tuple(float(v) for v in whole.norms)) for name, whole in made.items())
    return Family(kind, KINDS[kind], MEMBERS[kind][1], n, channel, residual, members, one.mask, one.matrix)
