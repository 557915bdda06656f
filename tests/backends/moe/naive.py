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


def expert_choice(logits, each):
    """Kept pairs with their weights."""
    p = [softmax(row) for row in logits]
    kept = {}
    for e in range(len(logits[0])):
        for t in sorted(range(len(p)), key=lambda t: -p[t][e])[:each]:
            kept[t, e] = p[t][e]
    return kept
