"""Attention of many kinds on the same q, k, v: exact, kernel, sparse and low-rank forms, and lessons on what is seen
there.

Letters: b batch, h heads, n tokens, d head dimension, e value channels, m random features, A the implicit matrix with
A v = output.  `answer(AttentionParams(...), tensors=...)` compares them and works out the lesson; `tensors`: q, k, v of
a file (`inputs.read_tensors`), where the settings ask for it.
"""
from backends.result import Mechanism

__all__ = ["answer"]
answer = Mechanism(__name__, "run", field="lesson")
