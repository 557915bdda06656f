"""What the Memory tab takes: signals, memories, discretisations, recurrences, and the parameters of the page.  torch is
not imported here.

Letters: N state size, T samples, w window in samples, dt step size, lambda an eigenvalue of the recurrence.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from backends.settings import check, setting

MAX_TEXT = 40_000                     # bytes of a signal written as numbers
SAMPLES = 2000                        # most samples of a signal
SIGNALS = {"waves": "three waves: 3, 7 and 11 cycles", "chirp": "wave that gets faster", "steps": "steps",
           "spike": "one spike early on", "noise": "smooth noise"}
MEMORIES = {"legs": "HiPPO-LegS: the whole past", "legt": "HiPPO-LegT: a window", "fourier": "Fourier: a window",
            "s4": "LegS's A, time-invariant (S4)", "rnn": "random orthogonal RNN"}
RULES = {"bilinear": "bilinear (S4)", "zoh": "zero-order hold (S4D)", "backward": "backward Euler",
         "forward": "forward Euler"}
POLES = {"lin": "S4D-Lin", "inv": "S4D-Inv", "real": "S4D-Real", "lru": "LRU ring", "mamba": "Mamba"}
KINDS = {"retnet": "RetNet", "rwkv": "RWKV-4", "gla": "Gated linear attention", "lru": "LRU", "rglru": "RG-LRU",
         "mamba": "Mamba", "mamba2": "Mamba-2", "delta": "Delta rule"}
NOISE, LETTERS = ".", "abcdefgh"      # how a string of selective copying is typed
STRING = "155.b19.g36.d54.f116."
LONGEST_STRING = 1024                 # places
MOST, MAX_POLES = 128, 4000           # eigenvalues of the user's own, and characters that they may take


@dataclass(frozen=True)
class MemoryParams:
    """Settings of the Memory tab."""

    view: Literal["scope", "layer", "nplr", "poles", "selective", "lengths", "family"] = setting(
        "scope", "View", "what is worked out")
    signal: str = setting("waves", "Signal", "what is remembered", choices=tuple(SIGNALS))
    text: str = setting("", "Your own signal",
                        "2 numbers or more, stretched or shortened to T samples; empty: the chosen one",
                        kind="lines", max_length=MAX_TEXT)
    memories: tuple[str, ...] = setting(tuple(MEMORIES), "Memories", "each keeps N numbers", kind="json")
    rule: str = setting("bilinear", "Discretisation", "how the differential equation becomes steps",
                        choices=tuple(RULES))
    size: int = setting(64, "State size N", "numbers that are kept", (1, 128))
    length: int = setting(1000, "Length T", "samples of the signal", (2, SAMPLES))
    head: float = setting(1.0, "Play head", "share of the signal that has been seen", (0.0, 1.0), 0.01)
    window: int = setting(300, "Window w", "samples: LegT and Fourier; and the time constant of S4's use", (2, SAMPLES))
    longest: int = setting(1024, "Longest", "samples: the layer runs on 64 up to this many", (64, 4096), 64)
    start: str = setting("lin", "Eigenvalues", "how they are set", choices=tuple(POLES))
    dt: float = setting(0.02, "Step size dt", "S4D and Mamba: time from one sample to the next", (0.001, 1.0), 0.001)
    inner: float = setting(0.9, "Inner radius", "of the LRU ring", (0.0, 0.999), 0.001)
    outer: float = setting(0.99, "Outer radius", "of the LRU ring", (0.001, 0.999), 0.001)
    poles: str = setting("", "Your eigenvalues",
                         "such as 0.98+0.1i, 0.7; one of each conjugate pair; empty: those chosen",
                         max_length=MAX_POLES)
    string: str = setting(STRING, "String",
                          f"{NOISE} is noise, a to h are data, a number repeats what follows it; the models were "
                          "trained on 384 places with 4 data", max_length=LONGEST_STRING)
    layer: int = setting(2, "Layer", "of the two", (1, 2))
    channel: int = setting(2, "Head or channel", "whose matrix is drawn", (0, 3))
    samples: int = setting(64, "Strings", "for each length", (32, 512), 32)
    kind: str = setting("mamba2", "Recurrence", "whose matrix is drawn", choices=tuple(KINDS))
    tokens: int = setting(48, "Tokens", "of the family", (0, 64))
    seed: int = setting(0, "Seed", "of all that is drawn at random", (0, 9999))

    def __post_init__(self) -> None:
        check(self)
        for name, known in (("signal", SIGNALS), ("rule", RULES), ("start", POLES), ("kind", KINDS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{getattr(self, name)[:40]!r} is not known here; choose one of {', '.join(known)}.")
        if not self.memories or len(set(self.memories)) < len(self.memories) or set(self.memories) - set(MEMORIES):
            raise ValueError(f"Please choose at least one memory of {', '.join(MEMORIES)}, each once.")
        if len(self.text.encode("utf-8", "replace")) > MAX_TEXT:
            raise ValueError(f"The signal is longer than {MAX_TEXT} bytes.")
        if self.view in ("layer", "poles") and self.size % 2 and self.start != "mamba" and not self.poles.strip():
            raise ValueError("These eigenvalues come in conjugate pairs, so the state size N must be even.")
        if self.inner >= self.outer:
            raise ValueError("The inner radius of the ring must be smaller than the outer one.")
        eigenvalues(self.poles)
        spelled(self.string)


def eigenvalues(text: str) -> tuple[complex, ...]:
    """The user's own eigenvalues, one of each conjugate pair.  Raises ValueError, one sentence, unless there are at
    most MOST, all inside the unit circle."""
    words = [word for word in re.split(r"[\s,;]+", text) if word]
    if len(words) > MOST:
        raise ValueError(f"Please give at most {MOST} eigenvalues.")
    return tuple(map(_eigenvalue, words))


def _eigenvalue(word: str) -> complex:
    try:
        value = complex(word.replace("i", "j"))
        size = abs(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{word[:30]!r} is not an eigenvalue: write it as 0.7 or 0.98+0.1i, without spaces "
                         "inside.") from None
    if not size < 1:
        raise ValueError(f"The eigenvalue {word[:30]} has |lambda| = {size:.4g}: at 1 and above what is remembered "
                         "never fades or grows "
                         "without end, so it must lie inside the unit circle.")
    return value


def spelled(string: str) -> str:
    """The string of selective copying place by place: "3.a" is "...a".  Raises ValueError, one sentence, unless it can
    be copied."""
    parts = re.findall(rf"([0-9]{{0,4}})([{re.escape(NOISE)}{LETTERS}])", string)
    if "".join(many + one for many, one in parts) != string:
        raise ValueError(f"A string has only {NOISE} for noise and the letters a to h for data, and numbers before "
                         "what they repeat.")
    counts = [(int(many or 1), one) for many, one in parts]
    places, data = (sum(many for many, one in counts if one in kinds) for kinds in (NOISE + LETTERS, LETTERS))
    if not 1 <= data <= 16 or places > LONGEST_STRING:
        raise ValueError(f"A string needs 1 to 16 data letters among at most {LONGEST_STRING} places.")
    return "".join(many * one for many, one in counts)
