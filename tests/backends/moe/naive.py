"""Routing by loops over tokens and experts, as the papers write it down."""

import math


def softmax(row):
    top = max(row)
    parts = [math.exp(v - top) for v in row]
    return [v / sum(parts) for v in parts]


def best(row, k):
    return sorted(range(len(row)), key=lambda i: -row[i])[:k]


def top_k(logits, k):
    """gates by token: {expert: weight}, Mixtral's rule as softmax over the kept logits."""
    found = []
    for row in logits:
        chosen = best(row, k)
        weights = softmax([row[i] for i in chosen])
        found.append(dict(zip(chosen, weights)))
    return found


def limited(asked, strength, capacity, priority):
    """Kept (token, expert) pairs: all first choices before all second ones; -1 asks for none."""
    turn = sorted(range(len(asked)), key=lambda t: -strength[t]) if priority else range(len(asked))
    taken, kept = {}, set()
    for rank in range(max(len(a) for a in asked)):
        for t in turn:
            e = asked[t][rank]
            if e < 0:
                continue
            taken[e] = taken.get(e, 0) + 1
            if taken[e] <= capacity:
                kept.add((t, e))
    return kept


def smooth_load(logits, noise, k, deviation):
    """Shazeer, appendix A: the probability that an expert is among the k best if its own noise alone is drawn anew,
    summed over tokens."""
    loads = [0.0] * len(logits[0])
    for row, drawn, spread in zip(logits, noise, deviation):
        h = [v + s * n for v, s, n in zip(row, spread, drawn)]
        for i in range(len(row)):
            bar = sorted((v for j, v in enumerate(h) if j != i), reverse=True)[k - 1]
            loads[i] += 0.5 * (1 + math.erf((row[i] - bar) / spread[i] / math.sqrt(2)))
    return loads


def varied(values):
    """Squared coefficient of variation."""
    mean = sum(values) / len(values)
    return sum((v - mean) ** 2 for v in values) / len(values) / mean**2


def expert_choice(logits, each):
    """Kept pairs with their weights."""
    p = [softmax(row) for row in logits]
    kept = {}
    for e in range(len(logits[0])):
        for t in sorted(range(len(p)), key=lambda t: -p[t][e])[:each]:
            kept[t, e] = p[t][e]
    return kept
