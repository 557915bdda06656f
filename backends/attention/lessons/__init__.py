"""Lessons beside the maps: each works one question out on the present input and settings, as a result in `params`.

bracket   the order of multiplication: time and memory against n                  streams
favor     error of random features against their number, and the closed forms     (arXiv 2009.14794, lemma 2)
gradient  d p / d s of softmax, linear and NormAttention as the scores shrink     (arXiv 2210.10340, section 3)
training  the race that the trained models ran                                    (backends.train.mixers)
dilution  how near the attention of the trained models stays                      (arXiv 2210.10340, section 3)
state     linear attention as a recurrent network, and the delta rule             (arXiv 2006.16236, 2102.11174)
mask      a sparse pattern, what it reaches over layers, and what it costs
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backends import shapes, threads
from backends.attention.inputs import Inputs
from backends.attention.lessons import bracket, dilution, favor, gradient, mask, state, training
from backends.attention.params import AttentionParams
from backends.result import Check, check

SINGLE = {lesson.__name__.rpartition(".")[2]: lesson.measure
          for lesson in (favor, gradient, training, dilution, state, mask)}


def steps(params: AttentionParams, given: Inputs) -> Iterator[Any]:
    """The lesson's result, growing if it streams; nothing without a lesson.  Raises ValueError."""
    if params.lesson == "bracket":
        yield from bracket.measure(params, given)
    elif params.lesson in SINGLE:
        yield shapes.check(threads.alone(SINGLE[params.lesson], params, given))


def checks(lesson: Any) -> tuple[Check, ...]:
    """What must hold of a lesson's result, whatever its input."""
    name = type(lesson).__name__
    if name == "Bracket":
        return (check("both orders agree", lesson.difference, 1e-4, "the two products, relative to their size"),)
    if name == "Favor":
        return (check("the stabiliser cancels", lesson.same, 1e-6,
                      "performer-pytorch's features with epsilon 0 against plain ones: change of the output"),)
    if name == "State":
        closed = "the closed form of the delta rule" if lesson.delta else "the chunked form"
        return (check("recurrent form", lesson.residual, 1e-5, f"its output against {closed}"),)
    if name == "Gradient":
        excess = max((lesson.weight / lesson.weight_bound).max().item(),
                     (lesson.output / lesson.output_bound).max().item())
        return (check("formulas agree with autograd", lesson.difference, 1e-4, "the largest gap, relative"),
                check("bounds hold", excess, 1 + 1e-5, "the largest ratio of a derivative to its bound"))
    return ()
