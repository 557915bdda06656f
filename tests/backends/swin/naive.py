"""Shifted windows told without rolling, slicing or tables, token by token in float64: the oracle."""
import math

import numpy as np


def fit(length, window, shift, order):
    """(window, shift) as the library uses them along one axis."""
    if length > window:
        return window, shift
    return (length, 0) if order == "timm" else (window, 0)


def place(i, length, window, shift, order):
    """Where token i of an axis stands after rolling and padding."""
    if order == "timm":
        return (i - shift) % length
    return (i - shift) % (-(-length // window) * window)


def standing(at, length, window, shift, order):
    """The token that stands at a place of the padded axis, or None."""
    return next((i for i in range(length) if place(i, length, window, shift, order) == at), None)


def blocked(a, b, lengths, windows, shifts, order):
    """Whether the libraries block the places a and b of one window: they lie in different slices of the padded map,
    along some axis."""
    def slice_of(at, length, window, shift):
        full = -(-length // window) * window
        return 0 if not shift or at < full - window else 1 if at < full - shift else 2
    return any(slice_of(x, *axis) != slice_of(y, *axis) for x, y, *axis in zip(a, b, lengths, windows, shifts))


def partners(token, size, window, shift, order):
    """The tokens that a token may look at under the mask, by brute force over all tokens: same window, same slices."""
    fitted = [fit(*axis, order) for axis in zip(size, window, shift)]
    windows, shifts = zip(*fitted)
    def where(t):
        return tuple(place(*axis, order) for axis in zip(t, size, windows, shifts))
    here, found = where(token), set()
    for other in np.ndindex(*size):
        there = where(other)
        same = all(x // m == y // m for x, y, m in zip(here, there, windows))
        if same and not blocked(here, there, size, windows, shifts, order):
            found.add(other)
    return found


def attend(x, qkv, qkv_bias, out, out_bias, bias_of, heads, window, shift, order, masked=True):
    """The attention of one block: x (H, W, C) float64; `bias_of(head, dy, dx)`.  Returns (H, W, C) and, for every
    token, its weights as {(head, other token or None): weight}."""
    size, channels = x.shape[:2], x.shape[2]
    fitted = [fit(*axis, order) for axis in zip(size, window, shift)]
    windows, shifts = zip(*fitted)
    d = channels // heads
    def project(token):
        vector = np.zeros(channels) if token is None else x[token]
        return (qkv @ vector + qkv_bias).reshape(3, heads, d)
    y, weights = np.zeros_like(x), {}
    for token in np.ndindex(*size):
        here = tuple(place(*axis, order) for axis in zip(token, size, windows, shifts))
        corner = tuple(p // m * m for p, m in zip(here, windows))
        q, mixed = project(token)[0], np.zeros((heads, d))
        row = {}
        for head in range(heads):
            logits, values, others = [], [], []
            for step in np.ndindex(*windows):
                there = tuple(c + s for c, s in zip(corner, step))
                axes = [standing(*axis, order) for axis in zip(there, size, windows, shifts)]
                other = None if None in axes else tuple(axes)
                k, v = project(other)[1:]
                logit = q[head] @ k[head] / math.sqrt(d) + bias_of(head, here[0] - there[0], here[1] - there[1])
                logits.append(logit - 100 * (masked and blocked(here, there, size, windows, shifts, order)))
                values.append(v[head])
                others.append(other)
            p = np.exp(np.array(logits) - max(logits))
            p /= p.sum()
            mixed[head] = p @ np.array(values)
            for other, w in zip(others, p):
                row[head, other] = row.get((head, other), 0) + w
        y[token], weights[token] = out @ mixed.reshape(-1) + out_bias, row
    return y, weights


def reach(token, size, window, shift, order, depth):
    """The tokens that the last of `depth` blocks lets one token depend on; every second block is shifted."""
    found = {token}
    for block in range(depth, 0, -1):
        used = shift if block % 2 == 0 else (0, 0)
        found = set().union(*(partners(t, size, window, used, order) for t in found))
    return found
