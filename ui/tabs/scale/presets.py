"""Presets of the Scale tab. Each teaches one thing, and a test holds it to the observation that it promises."""

from math import log
from typing import Any

from backends.scale.params import ScaleParams
from ui.core.tab import Preset


def _below(result: Any) -> dict[str, int]:
    return {course.name: course.below for course in result.body.courses}


def _saturates(result: Any) -> bool:
    return (result.body.sweep[-1].saturated > 0.6 and result.body.rooted[-1].saturated == 0
            and result.body.here.top > 0.7)


def _median_is_no_witness(result: Any) -> bool:
    none, rooted = (next(r for r in rows if r.d == 64).jacobian for rows in (result.body.sweep, result.body.rooted))
    return none[2] > 0.9 * rooted[2] and none[0] < 0.02 < 0.15 < rooted[0]


def _flat(result: Any) -> bool:
    return result.body.here.entropy > 0.99 * log(result.body.n) and result.body.here.saturated == 0


def _rejoins(result: Any) -> bool:
    steps = _below(result)
    return 0 < steps["sqrt"] < steps["none"] and abs(steps["t5"] - steps["sqrt"]) <= 5


def _overtakes(result: Any) -> bool:
    steps = _below(result)
    return 0 < steps["t5"] < steps["sqrt"] < steps["none"]


def _dies(result: Any) -> bool:
    return result.body.forward[-1] < 1e-15 and result.body.backward[0] < 1e-15


def _lives(result: Any) -> bool:
    return 1e-3 < result.body.forward[-1] < 1e3 and 1e-3 < result.body.backward[0] < 1e3


def _fools(result: Any) -> bool:
    return 0.1 < result.body.forward[-1] < 10 and result.body.backward[0] < 1e-30


def _arrives(result: Any) -> bool:
    return 0.8 < result.body.backward[0] / result.body.backward[-1] < 1.25 and max(result.body.forward) < 1.1


def _grows(result: Any) -> bool:
    return 50 < result.body.forward[-1] / result.body.forward[0] < 80


def _keeps(result: Any) -> bool:
    curves = {curve.name: curve.entropy for curve in result.body.curves}
    return curves["cosine"][-1] - curves["cosine"][0] < 2 < 8 < curves["sqrt"][-1] - curves["sqrt"][0]


def _sharper(result: Any) -> bool:
    rows = {curve.name: curve.entropy for curve in result.body.curves}
    at = result.body.lengths.index(256)
    return rows["sqrt"][at] < 0.6 * log(256) and rows["keynorm"][at] - rows["sqrt"][at] > 0.15 * log(256)


def _transfers(result: Any) -> bool:
    standard, mup = result.body.slopes
    return min(standard) > 0.4 and max(mup) < 0.15


def _loses(result: Any) -> bool:
    return (abs(result.body.found[1] - 0.7737) < 0.015 and abs(result.body.found[2] - 1) < 0.015
            and result.body.found[3] > 0.98)


STACK = {"view": "depth", "init": "lecun", "activation": "gelu", "tuned": True}
PRESETS = (
    Preset("No scale", ScaleParams(),
           "At d = 64 the largest weight is above 0.7 on average; at d = 1024 more than 60 % of the rows are "
           "saturated without the scale, and none with 1/sqrt(d).", _saturates),
    Preset("The median is no witness", ScaleParams(seed=1), "At d = 64 the median Jacobian without the scale is at "
           "least 90 % of that with it, for most seeds larger; what differs is the tail: its 10 % quantile is below "
           "0.02, with 1/sqrt(d) "
           "above 0.15.", _median_is_no_witness),
    Preset("1/d is flat", ScaleParams(d=256, exponent=1.0),
           "With random q and k, 1/d leaves more than 99 % of the largest entropy: no key "
           "stands out.", _flat),
    Preset("T5 rejoins", ScaleParams(view="training", optimizer="relative"),
           "At a rate of 0.003 and with steps relative to each weight's "
           "size, T5's route falls below 1 nat within 5 steps of 1/sqrt(d); no scale at all is later.", _rejoins),
    Preset("T5 overtakes under Adam", ScaleParams(view="training"),
           "Adam moves T5's small W_q by the same absolute step: at a rate of "
           "0.003 T5's route does not rejoin but comes first, and no scale is behind 1/sqrt(d).", _overtakes),
    Preset("LeCun under ReLU", ScaleParams(view="depth", init="lecun"),
           "ReLU halves the second moment: after 64 layers signal and "
           "gradient are below 1e-15.", _dies),
    Preset("He under ReLU", ScaleParams(view="depth"),
           "Twice the variance brings signal and gradient through 64 layers within a factor "
           "of 1000: what is left is chance, at a width of 64.", _lives),
    Preset("A good signal, no gradient", ScaleParams(view="depth", init="lecun", activation="sigmoid", tuned=True),
           "A tuned sigmoid keeps "
           "the second moment between 0.1 and 10, and yet less than 1e-30 of the gradient arrives.", _fools),
    Preset("Pre-norm adds up", ScaleParams(**STACK, norm="pre"),
           "Each of 64 branches adds one: the second moment grows between 50- and "
           "80-fold.", _grows),
    Preset("DeepNorm", ScaleParams(**STACK, norm="deepnorm"),
           "The second moment stays below 1.1 and the gradient arrives within 25 % of "
           "what it was.", _arrives),
    Preset("Entropy and length", ScaleParams(view="entropy"),
           "From 16 to 65 536 keys the entropy under 1/sqrt(d) grows by more than 8 "
           "nats, that of cosine with 4 log n by less than 2.", _keeps),
    Preset("A trained head", ScaleParams(view="entropy", source="bytes"),
           "With its own q and k at 256 keys this head stays below "
           "60 % of log n; KeyNorm, for which it was not trained, blurs it by more than 15 % of log n.", _sharper),
    Preset("Width without tuning", ScaleParams(view="width"),
           "With one learning rate all changes grow faster than D^0.4 in the standard "
           "parametrisation; under muP none grows faster than D^0.15.", _transfers),
    Preset("The cut normal", ScaleParams(view="truncated"),
           "Cut at 2 sigma 0.774 of the variance is left, corrected all of it; torch's "
           "trunc_normal_ with std = 0.02 cuts nothing.", _loses),
)
