"""Attention by scalar loops in float64, written from the formulas, sharing no code with `backends.attention`: the
oracle of its tests."""
import math

import numpy as np


def softmax(x):
    """Of a list; -inf allowed; all -inf gives zeros."""
    top = max(x)
    if top == -math.inf:
        return [0.0] * len(x)
    e = [math.exp(a - top) for a in x]
    return [a / sum(e) for a in e]


def allowed(kind, i, j, p, drawn=None):
    """Whether query i may see key j under a sparse kind, before the causal cut; `drawn`: BigBird's mask."""
    rules = {
        "diag": lambda: i // p.block == j // p.block,
        "local": lambda: abs(i - j) <= p.window,
        "strided": lambda: abs(i - j) <= p.stride or (i - j) % p.stride == 0,
        "fixed": lambda: i // p.stride == j // p.stride or j % p.stride >= p.stride - p.globals,
        "longformer": lambda: abs(i - j) <= p.window or i < p.globals or j < p.globals,
        "bigbird": lambda: bool(drawn[i, j]),
    }
    return rules.get(kind, lambda: True)()


def elu1(x):
    """elu(x) + 1 of one number."""
    return x + 1 if x > 0 else math.exp(x)


def kernel(kind, q, k, i, j, n, w=None):
    """The unnormalised similarity of query i and key j; w: random directions (m, d)."""
    d = len(q)
    if kind in ("elu1", "norm"):
        return sum(elu1(a) * elu1(b) for a, b in zip(q, k))
    if kind == "relu":
        return sum(max(a, 0) * max(b, 0) for a, b in zip(q, k))
    if kind == "taylor":
        return 1 + np.dot(q, k) / (np.linalg.norm(q) * np.linalg.norm(k))
    if kind == "cosformer":
        return kernel("relu", q, k, i, j, n) * math.cos(math.pi * (i - j) / (2 * n))
    q, k = q / d ** 0.25, k / d ** 0.25
    size = (np.dot(q, q) + np.dot(k, k)) / 2
    if kind == "performer":
        return sum(math.exp(np.dot(x, q + k) - size) for x in w) / len(w)
    if kind == "performer_hyp":
        return sum(math.cosh(np.dot(x, q + k)) * math.exp(-size) for x in w) / len(w)
    return sum(math.cos(np.dot(x, q - k)) * math.exp(size) for x in w) / len(w)


def matrix(kind, q, k, v, p, w=None, drawn=None):
    """A (n, n) of one head, q, k, v (n, d) float64; w: directions (m, d), or Linformer's E (r, n)."""
    n, d = q.shape
    see = [[(j <= i or not p.causal or kind == "linformer") and allowed(kind, i, j, p, drawn) for j in range(n)]
           for i in range(n)]
    if kind == "linformer":
        rows = [softmax([np.dot(q[i], w[r] @ k) / math.sqrt(d) for r in range(len(w))]) for i in range(n)]
        return np.array([[sum(rows[i][r] * w[r, j] for r in range(len(w))) for j in range(n)] for i in range(n)])
    if kind == "efficient":
        return np.array([[_efficient(q, k, i, j, see) for j in range(n)] for i in range(n)])
    if kind in ("elu1", "relu", "taylor", "cosformer", "norm") or kind.startswith("performer"):
        s = np.array([[kernel(kind, q[i], k[j], i, j, n, w) if see[i][j] else 0.0 for j in range(n)] for i in range(n)])
        if kind == "norm":
            return np.array([s[i] / math.sqrt(np.mean(sum(s[i, j] * v[j] for j in range(n)) ** 2) + 1e-6)
                             for i in range(n)])
        with np.errstate(invalid="ignore", divide="ignore"):
            return s / s.sum(1, keepdims=True)
    scale = 1.0 if kind == "unscaled" else 1 / math.sqrt(d)
    return np.array([softmax([np.dot(q[i], k[j]) * scale if see[i][j] else -math.inf for j in range(n)])
                     for i in range(n)])


def _efficient(q, k, i, j, see):
    if not see[i][j]:
        return 0.0
    share = softmax(list(q[i]))

    def score(t):
        return sum(share[c] * math.exp(k[t, c]) for c in range(q.shape[1]))

    if all(map(all, see)):                      # nothing is hidden: a softmax over the tokens, channel by channel
        return sum(share[c] * math.exp(k[j, c]) / sum(math.exp(row[c]) for row in k) for c in range(q.shape[1]))
    return score(j) / sum(score(t) for t in range(len(k)) if see[i][t])
