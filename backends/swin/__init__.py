"""Shifted windows: geometry, attention, reach, leak, bias, cost, and real attention of Swin models.

Liu et al., "Swin Transformer" (arXiv 2103.14030); Liu et al., "Swin Transformer V2" (arXiv 2111.09883).
"""
