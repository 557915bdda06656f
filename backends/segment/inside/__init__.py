"""What lies between a click and its mask: tensors of the real forward, shown step by step.

    image = images.sample("chelsea")
    steps = (interact.Step(((225, 150, 1),)),)
    inside(Asked("click"), segmenter=Segmenter("tiny"), image=image, steps=steps)    # -> backends.result.Result

Nothing is computed a second way: the tensors are taken by hooks from a run of the model's own modules (`capture`), and
every result carries the check that this run leads to the mask on screen.  VIEWS says what each view holds.
"""
from backends.result import Mechanism
from backends.segment.inside.asked import NAMES, Asked

__all__ = ["NAMES", "Asked", "inside"]

inside = Mechanism(__name__, "views")
