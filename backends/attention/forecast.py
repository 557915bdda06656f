"""How long a model of the shelf takes for a view of the Attention tab, which decides whether the answer is instant.

torch is not imported before a model has to be looked at.
"""
from __future__ import annotations

from backends import models, pace
from backends.attention.params import KINDS, MAX_TOKENS, REPEATED, AttentionParams

PATIENCE = 10.0                 # seconds: what takes longer is a long run, which can be stopped
LARGE = 2e9                     # numbers of a model that take long to load


def seconds(params: AttentionParams) -> float:
    """What is still to be worked out for the view; 0 for the small model, and for one that is not here."""
    size = pace.size(params.model) if params.source == "model" else None
    if size is None:
        return 0.0
    n = min(MAX_TOKENS, len(params.text))
    if params.lesson == "heads":
        return pace.seconds(size, n, 3) + 2 * pace.seconds(size, 2 * REPEATED, 3)
    if params.lesson == "cost":
        return pace.seconds(size, n) * (2 + sum(KINDS[name].causal for name in params.kinds))
    return 0.0 if _read(params) else pace.seconds(size, n)


def long(params: AttentionParams) -> bool:
    """Whether the view is a long run."""
    if params.source != "model":
        return False
    size = pace.size(params.model)
    slow = size is not None and size.numbers > LARGE and not models.loaded(params.model)
    return slow or seconds(params) > PATIENCE


def _read(params: AttentionParams) -> bool:
    """Whether q, k, v of this text are kept from an answer before."""
    if not params.text or not models.loaded(params.model):
        return False
    from backends.attention import readers
    model = readers.reader(params)
    return readers.KEPT.get(readers.key(model, model.read(params.text)[0])) is not None


def sentence(params: AttentionParams) -> str:
    """What is known of a long run before it begins."""
    return pace.worded(seconds(params))
