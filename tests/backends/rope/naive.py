"""Every runnable method by scalar rules and loops in float64, pair by pair of tokens, sharing no code with
`backends.rope`: the oracle."""
import math

import numpy as np


def kept(name, i, r):
    """The keys that query i sees, in order."""
    if name == "window":
        return [j for j in range(i + 1) if i - j < r.window]
    if name in ("sinks", "sinks_text"):
        return [j for j in range(i + 1) if i - j < r.window or j < r.sinks]
    if name == "lminfinite":
        return [j for j in range(i + 1) if i - j < r.trained or j < r.sinks]
    return list(range(i + 1))


def distance(name, i, j, n, r):
    """Effective distance of query i and key j in a text of n tokens."""
    s, w, gap = max(1.0, n / r.trained), r.window, i - j
    if name in ("rerope", "rerope_logn", "logn_rerope"):
        return min(gap, w)
    if name == "leaky":
        return gap if gap < w else w + (gap - w) / (r.leak or 2 * s)
    if name == "selfextend":
        group = r.group or math.ceil(2 * s)
        return gap if gap < w else (i // group + w - w // group) - j // group
    if name == "lminfinite":
        return min(gap, r.trained)
    if name == "sinks":
        cache = kept(name, i, r)
        return len(cache) - 1 - cache.index(j)
    return gap


def theta(name, d, n, r):
    """Radians per token of each pair."""
    s, half = max(1.0, n / r.trained), d // 2
    plain = [r.base ** (-2 * p / d) for p in range(half)]
    turns = [t * r.trained / (2 * math.pi) for t in plain]
    if name == "pi":
        return [t / s for t in plain]
    if name in ("ntk", "ntk2", "dynamic"):
        k = {"ntk": s, "ntk2": 2 * s if s > 1 else 1, "dynamic": r.factor * s - (r.factor - 1)}[name] ** (d / (d - 2))
        return [(r.base * k) ** (-2 * p / d) for p in range(half)]
    if name == "ntk_mixed":
        a = math.log(s) / half ** r.mix
        return [t / math.exp(a * m ** r.mix) for m, t in enumerate(plain, 1)]
    if name in ("parts", "yarn"):
        g = [min(1.0, max(0.0, (x - 1) / (r.tau - 1))) for x in turns]
        return [t * (x + (1 - x) / s) for t, x in zip(plain, g)]
    if name == "yarn_hf":
        low = max(0, math.floor(d * math.log(r.trained / (2 * math.pi * r.beta_fast)) / (2 * math.log(r.base))))
        high = min(d - 1, math.ceil(d * math.log(r.trained / (2 * math.pi * r.beta_slow)) / (2 * math.log(r.base))))
        share = [min(1.0, max(0.0, (p - low) / (high - low if high != low else 0.001))) for p in range(half)]
        return [t * (1 - x) + t / s * x for t, x in zip(plain, share)]
    return plain


def logit(name, i, n, r):
    """Factor on the logits of query i."""
    if name in ("logn", "rerope_logn"):
        return max(1.0, math.log(i + 1) / math.log(r.trained))
    return (0.1 * math.log(max(1.0, n / r.trained)) + 1) ** 2 if name.startswith("yarn") else 1.0


def attend(name, q, k, v, r):
    """y (n, d) of one head, q, k, v (n, d) float64."""
    n, d = q.shape
    t, out, half = np.array(theta(name, d, n, r)), np.zeros_like(q), d // 2
    for i in range(n):
        keys, scores = kept(name, i, r), []
        for j in keys:
            turned = (q[i, :half] + 1j * q[i, half:]) * np.exp(1j * distance(name, i, j, n, r) * t)
            dot = turned.real @ k[j, :half] + turned.imag @ k[j, half:]
            scores.append(dot * logit(name, i, n, r) / math.sqrt(d))
        weights = np.exp(np.array(scores) - max(scores))
        out[i] = (weights / weights.sum()) @ v[keys]
    return out
