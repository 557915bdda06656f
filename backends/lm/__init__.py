"""One small causal decoder over bytes or task symbols, with many token mixers: what the Attention, RoPE, MoE and Memory
tabs run.

Letters: b batch, h heads, n tokens, d head dimension, e value channels, s state size, V vocabulary, D model width, E
experts.
"""
