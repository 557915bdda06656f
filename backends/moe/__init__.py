"""Mixtures of experts: routers by their exact rules, and what two trained routers do with a text.

`routers.route` goes from logits to who computes what; `reading.read` takes a text through a shipped model with any
rule; `answer(MoeParams(...))` works out a view of the page.
"""
from backends.result import Mechanism

__all__ = ["answer"]
answer = Mechanism(__name__, "run")
