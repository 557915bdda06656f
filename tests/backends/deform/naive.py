"""Oracles in plain Python, float64: own bilinear reading, one loop for each sum of the papers. Nothing is shared with
the package."""

import math


def read(plane, y, x):
    """Bilinear value of a list of rows at (y, x), cell i centred at i, zeros outside."""
    top, left, found = math.floor(y), math.floor(x), 0.0
    for row in (top, top + 1):
        for column in (left, left + 1):
            if 0 <= row < len(plane) and 0 <= column < len(plane[0]):
                found += (1 - abs(y - row)) * (1 - abs(x - column)) * plane[row][column]
    return found


def dcnv3(x, offset, logits, kernel, stride, padding, dilation, groups, scale, remove_center):
    """x (C, H, W), offset (Ho, Wo, 2 G K), logits (Ho, Wo, G K), all nested lists -> (C, Ho, Wo). Taps column by
    column, offsets (x, y)."""
    channels, wide = len(x), len(x) // groups
    taps = [(ix, iy) for ix in range(kernel[1]) for iy in range(kernel[0])]
    middle = ((kernel[1] - 1) / 2, (kernel[0] - 1) / 2)
    if remove_center:
        taps = [t for t in taps if t != middle]
    out = [[[0.0] * len(offset[0]) for _ in offset] for _ in range(channels)]
    for oy, row in enumerate(offset):
        for ox, moves in enumerate(row):
            cy = oy * stride[0] - padding[0] + dilation[0] * middle[1]
            cx = ox * stride[1] - padding[1] + dilation[1] * middle[0]
            for g in range(groups):
                raw = logits[oy][ox][g * len(taps) : (g + 1) * len(taps)]
                total = sum(math.exp(v) for v in raw)
                for k, (ix, iy) in enumerate(taps):
                    dx, dy = moves[2 * (g * len(taps) + k) : 2 * (g * len(taps) + k) + 2]
                    y = cy + scale * (dilation[0] * (iy - middle[1]) + dy)
                    px = cx + scale * (dilation[1] * (ix - middle[0]) + dx)
                    for c in range(g * wide, (g + 1) * wide):
                        out[c][oy][ox] += math.exp(raw[k]) / total * read(x[c], y, px)
    return out


def msda(levels, reference, offset, weights):
    """levels: maps [M][D][H][W] each; reference [N][L][2 or 4], offset [N][M][L][P][2], weights [N][M][L][P] ->
    [N][M][D]."""
    queries, heads, points = len(offset), len(offset[0]), len(offset[0][0][0])
    depth = len(levels[0][0])
    out = [[[0.0] * depth for _ in range(heads)] for _ in range(queries)]
    for n in range(queries):
        for m in range(heads):
            for at, level in enumerate(levels):
                height, width = len(level[0][0]), len(level[0][0][0])
                ref = reference[n][at]
                for p in range(points):
                    dx, dy = offset[n][m][at][p]
                    if len(ref) == 2:
                        x, y = ref[0] + dx / width, ref[1] + dy / height
                    else:
                        x, y = ref[0] + dx / points * ref[2] / 2, ref[1] + dy / points * ref[3] / 2
                    for d in range(depth):
                        out[n][m][d] += weights[n][m][at][p] * read(level[m][d], y * height - 0.5, x * width - 0.5)
    return out


def dat(x, q, k, v, places, table, heads, groups):
    """x [C][H][W], projections [C][C], places [G][S][2] as (y, x) in [-1, 1] with -1 at the first cell's centre, table
    [M][2H-1][2W-1] -> output [C][H][W]."""
    channels, height, width = len(x), len(x[0]), len(x[0][0])
    count, part, wide = len(places[0]), channels // groups, channels // heads
    taken = [[read(x[c], (y + 1) / 2 * (height - 1), (px + 1) / 2 * (width - 1)) for y, px in places[c // part]]
             for c in range(channels)]
    keys, values = ([[sum(w[o][c] * taken[c][s] for c in range(channels)) for s in range(count)]
                     for o in range(channels)] for w in (k, v))
    out = [[[0.0] * width for _ in range(height)] for _ in range(channels)]
    for row in range(height):
        for column in range(width):
            query = [sum(q[o][c] * x[c][row][column] for c in range(channels)) for o in range(channels)]
            at = (2 * row / (height - 1) - 1, 2 * column / (width - 1) - 1)
            for m in range(heads):
                own = range(m * wide, (m + 1) * wide)
                scores = []
                for s in range(count):
                    y, px = places[m * groups // heads][s]
                    apart = (at[0] - y) / 2, (at[1] - px) / 2
                    cells = len(table[m]), len(table[m][0])
                    bias = read(table[m], *((a + 1) / 2 * (n - 1) for a, n in zip(apart, cells, strict=True)))
                    scores.append(sum(query[c] * keys[c][s] for c in own) / wide**0.5 + bias)
                top = max(scores)
                total = sum(math.exp(a - top) for a in scores)
                for c in own:
                    out[c][row][column] = sum(math.exp(a - top) / total * values[c][s] for s, a in enumerate(scores))
    return out


def dcnv4(x, given, kernel, stride, padding, dilation, groups, scale, remove_center):
    """x (C, H, W), given (Ho, Wo, 3 G K and padding), nested lists -> (C, Ho, Wo), as the authors' kernel does it: for
    each group 2 K offsets (x, y), then K modulations; taps column by column; no softmax."""
    channels, wide = len(x), len(x) // groups
    middle = kernel[1] // 2, kernel[0] // 2
    taps = [(i, j) for i in range(kernel[1]) for j in range(kernel[0]) if not (remove_center and (i, j) == middle)]
    half = [d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True)]
    out = [[[0.0] * len(given[0]) for _ in given] for _ in range(channels)]
    for oy, row in enumerate(given):
        for ox, numbers in enumerate(row):
            corner = [half[a] - padding[a] + o * stride[a] - half[a] * scale for a, o in enumerate((oy, ox))]
            for g in range(groups):
                own = numbers[3 * g * len(taps):3 * (g + 1) * len(taps)]
                for k, (i, j) in enumerate(taps):
                    px = corner[1] + (i * dilation[1] + own[2 * k]) * scale
                    y = corner[0] + (j * dilation[0] + own[2 * k + 1]) * scale
                    for c in range(g * wide, (g + 1) * wide):
                        out[c][oy][ox] += own[2 * len(taps) + k] * read(x[c], y, px)
    return out
