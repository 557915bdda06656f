"""Attention of many kinds on the same q, k, v: exact, kernel, sparse and low-rank forms, compared in `compare`, taught in `lessons`.

Letters: b batch, h heads, n tokens, d head dimension, e value channels, m random features, A the implicit matrix with A v = output.
"""
