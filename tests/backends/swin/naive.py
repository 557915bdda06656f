"""Shifted windows told without rolling, slicing or tables, token by token in float64: the oracle."""
import math

import numpy as np


def fit(size, window, shift, order):
    """((window, shift) along each axis) as the library uses them."""
    if order == "microsoft" and any(length <= m for length in size for m in window[:1]):
        return ((min(size), 0),) * 2
    def one(length, m, s):
        return (m, s) if length > m else (length, 0) if order == "timm" else (m, 0)
    return tuple(one(*axis) for axis in zip(size, window, shift))


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
    windows, shifts = zip(*fit(size, window, shift, order))
    def where(t):
        return tuple(place(*axis, order) for axis in zip(t, size, windows, shifts))
    here, found = where(token), set()
    for other in np.ndindex(*size):
        there = where(other)
        same = all(x // m == y // m for x, y, m in zip(here, there, windows))
        if same and not blocked(here, there, size, windows, shifts, order):
            found.add(other)
    return found


def attend(x, qkv, qkv_bias, out, out_bias, bias_of, heads, window, shift, order, masked=True, scales=None):
    """The attention of one block: x (H, W, C) float64; `bias_of(head, dy, dx)`; `scales` by head: of the cosine.
    Returns (H, W, C) and, for every token, its weights as {(head, other token or None): weight}."""
    size, channels = x.shape[:2], x.shape[2]
    windows, shifts = zip(*fit(size, window, shift, order))
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
                like = (q[head] @ k[head] / math.sqrt(d) if scales is None
                        else scales[head] * (unit(q[head]) @ unit(k[head])))
                logit = like + bias_of(head, here[0] - there[0], here[1] - there[1])
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


def unit(vector):
    """Of length 1; zero stays zero, as the key of padding in Swin V2."""
    length = math.sqrt(vector @ vector)
    return vector / length if length else vector


def reach(token, size, window, shift, order, depth):
    """The tokens that the last of `depth` blocks lets one token depend on; every second block is shifted."""
    found = {token}
    for block in range(depth, 0, -1):
        used = shift if block % 2 == 0 else (0, 0)
        found = set().union(*(partners(t, size, window, used, order) for t in found))
    return found


def norm(vector, scale, offset):
    """LayerNorm of one token's channels."""
    centred = vector - sum(vector) / len(vector)
    return centred / math.sqrt(sum(centred**2) / len(centred) + 1e-5) * scale + offset


def mlp(vector, first, last):
    """Two layers with a GELU between them; each (weight, bias)."""
    inner = first[0] @ vector + first[1]
    return last[0] @ np.array([v * (1 + math.erf(v / math.sqrt(2))) / 2 for v in inner]) + last[1]


def position(dy, dx, window, inner, outer):
    """Swin V2's bias of one offset, by head: 16 sigmoid of two layers on log-spaced coordinates."""
    def log(d, m):
        scaled = 8 * d / max(m - 1, 1)
        return math.copysign(math.log2(abs(scaled) + 1) / math.log2(8), scaled) if scaled else 0.0
    at = np.array([log(dy, window[0]), log(dx, window[1])])
    return [16 / (1 + math.exp(-v)) for v in outer @ np.maximum(inner[0] @ at + inner[1], 0)]


def second(x, attended, norms, layers):
    """Swin V2's block: the norm after each branch; attended(x) -> (H, W, C)."""
    y, found = attended(x), np.empty_like(x)
    for token in np.ndindex(*x.shape[:2]):
        half = x[token] + norm(y[token], *norms[0])
        found[token] = half + norm(mlp(half, *layers), *norms[1])
    return found


def flow(weights, size, window, shift):
    """(A + I) / 2 of one block in timm's order, dense, (HW + 1, HW + 1): the last row and column are the padding, from
    which nothing comes back; weights (nW, heads, N, N) as the block applied them."""
    n, full = size[0] * size[1], [-(-length // m) * m for length, m in zip(size, window)]
    dense = np.zeros((n + 1, n + 1))
    dense[n, n] = 1
    for token in np.ndindex(*size):
        here = [place(*axis, "timm") for axis in zip(token, size, window, shift)]
        corner = [p // m * m for p, m in zip(here, window)]
        number = corner[0] // window[0] * (full[1] // window[1]) + corner[1] // window[1]
        query, row = (here[0] - corner[0]) * window[1] + here[1] - corner[1], token[0] * size[1] + token[1]
        dense[row, row] += 0.5
        for step in np.ndindex(*window):
            axes = [standing(c + s, *axis, "timm") for c, s, *axis in zip(corner, step, size, window, shift)]
            key = n if None in axes else axes[0] * size[1] + axes[1]
            dense[row, key] += 0.5 * weights[number, :, query, step[0] * window[1] + step[1]].mean()
    return dense


def merging(size):
    """(H'W' + 1, HW + 1): each token the mean of the tokens that it was made from; the last ones are the padding."""
    half = [-(-length // 2) for length in size]
    dense = np.zeros((half[0] * half[1] + 1, size[0] * size[1] + 1))
    dense[-1, -1] = 1
    for i, j in np.ndindex(*half):
        made = [(r, c) for r in (2 * i, 2 * i + 1) for c in (2 * j, 2 * j + 1) if r < size[0] and c < size[1]]
        for r, c in made:
            dense[i * half[1] + j, r * size[1] + c] = 1 / len(made)
    return dense
