"""Presets of the Memory tab. Each teaches one thing, and a test holds it to the observation that it promises."""

from typing import Any

from backends.memory.params import MemoryParams
from ui.core.tab import Preset

LONG = "150.b200.a180.h100.e134."
"""Twice as many places as the models were trained on, with four data: 150 of noise, b, 200 of noise, and so on."""


def _old(result: Any, name: str) -> float:
    """Mean error of a memory on the older half of what it has seen."""
    one, head = next(r for r in result.body.recalls if r.name == name), result.body.head
    errors = [error for age, error in zip(one.ages, one.error, strict=True) if age > head / 2]
    return sum(errors) / len(errors)


def _total(result: Any) -> dict[str, float]:
    return {one.name: one.total for one in result.body.recalls}


def _newest(result: Any, name: str) -> float:
    one = next(r for r in result.body.recalls if r.name == name)
    return min(zip(one.ages, one.error, strict=True))[1]


def _fades(result: Any) -> bool:
    return _old(result, "legs") < 0.05 and _old(result, "s4") > 0.4 and _newest(result, "s4") < 0.05


def _blurs(result: Any) -> bool:
    newest = {one.name: one.newest for one in result.body.recalls}
    return result.body.shared == 300 and newest["legs"] > 1.5 * newest["legt"] and _total(result)["legs"] > 0.6


def _diverges(result: Any) -> bool:
    found = _total(result)
    return {"legt", "fourier"}.isdisjoint(found) and "diverges" in result.notice and found["legs"] < 0.3


def _unreadable(result: Any) -> bool:
    return _total(result)["rnn"] > 0.9 > 0.05 > _total(result)["legs"]


def _agrees(result: Any) -> bool:
    body = result.body
    return len(body.courses) == 3 and all(max(one.gaps) < 1e-5 * max(1.0, body.largest) for one in body.courses)


def _hopeless(result: Any) -> bool:
    at = result.body.sizes.index(16)
    body = result.body
    return body.direct[at] > 1e10 and max(body.nplr) < 1.001 and body.direct_error[-1] > 1 > max(body.nplr_error)


def _never_swings(result: Any) -> bool:
    return min(result.body.kernel) >= 0 and max(map(abs, result.body.imaginary)) == 0


def _loses(result: Any) -> bool:
    first, twin = result.body.readers
    return first.right == 4 and twin.right <= 2


def _reaches(result: Any) -> bool:
    first, twin, fixed = (one.accuracy for one in result.body.reaches)
    chosen = first[0] > 0.99 and first[2] > 0.95 and twin[0] < 0.7 and twin[2] < 0.3
    return chosen and max(fixed[1:]) < 0.25 < 0.99 < fixed[0]


def _replaces(result: Any) -> bool:
    last = {one.name: one.norms[-1] for one in result.body.members}
    return result.body.kind == "delta" and last["delta"] < last["retnet"] and bool(result.body.residual < 1e-10)


PRESETS = (
    Preset("S4 fades, LegS does not", MemoryParams(window=100, rule="zoh", memories=("legs", "s4")),
           "On the older half LegS is off by less than 5 % of the signal, the same matrix with constant steps by "
           "more than 40 %, though it is off by less than 5 % on the newest samples.", _fades),
    Preset("Eight numbers", MemoryParams(size=8, rule="zoh", memories=("legs", "legt")),
           "With 8 numbers LegS, which keeps everything, is off by more than 60 %. On the newest 300 samples, which "
           "LegT keeps alone, it is off by at least half as much again as LegT.", _blurs),
    Preset("Forward Euler explodes", MemoryParams(rule="forward", memories=("legs", "legt", "fourier")),
           "With 64 numbers forward Euler diverges for both windows; LegS survives it.", _diverges),
    Preset("A random RNN", MemoryParams(rule="zoh", memories=("legs", "rnn")),
           "A random rotation of 64 numbers loses nothing of its state, yet what can be read back is off by more "
           "than 90 %; LegS is off by less than 5 %.", _unreadable),
    Preset("One layer, three ways", MemoryParams(view="layer"),
           "Recurrence, FFT convolution and matrix give the same float32 output to 1e-5 of its size.", _agrees),
    Preset("Why S4 needs its trick", MemoryParams(view="nplr"),
           "At N = 16 the eigenvectors of LegS have a condition number above 1e10, and at N = 64 the kernel is all "
           "wrong; split into normal plus rank one, the number is 1 and the kernel right.", _hopeless),
    Preset("Mamba never swings", MemoryParams(view="poles", start="mamba", size=16),
           "Mamba's eigenvalues are real and positive, so its kernel never changes sign.", _never_swings),
    Preset("Twice the length", MemoryParams(view="selective", string=LONG),
           "On a string twice as long as trained the selective model gets all four right, its time-invariant twin at "
           "most two.", _loses),
    Preset("When, or what", MemoryParams(view="lengths"),
           "At 384 places, as trained, the selective model is above 99 % and its twin below 70 %; at four times as "
           "many above 95 % and below 30 %. The one that only knows fixed places is above 99 % there, and below 25 % "
           "at any other length.", _reaches),
    Preset("Replace, do not add", MemoryParams(view="family", kind="delta"),
           "Under the delta rule a new value takes the old one's place, so its state ends smaller than RetNet's, "
           "which adds and slowly forgets.", _replaces),
)
