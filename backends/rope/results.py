"""What each view of the RoPE tab shows, as plain numbers: no torch, so that figures can be drawn from any of them.

Losses are nats per byte, accuracies shares of right next bytes, lengths and positions bytes.
A point that is not there yet is simply missing: lines grow while a run streams.
"""
from __future__ import annotations

from dataclasses import dataclass, field

from backends.settings import UNPRINTED


@dataclass(frozen=True)
class Line:
    """One method: at each of `lengths` the mean over texts.  `.._low` and `.._high`: the same mean, moved by as much as
    the text that is hit least and the one that is hit most differ from it; how hard each text is for the untouched
    model within L is taken out."""

    method: str
    label: str
    lengths: tuple[int, ...] = ()
    loss: tuple[float, ...] = ()
    loss_low: tuple[float, ...] = ()
    loss_high: tuple[float, ...] = ()
    accuracy: tuple[float, ...] = ()
    accuracy_low: tuple[float, ...] = ()
    accuracy_high: tuple[float, ...] = ()


@dataclass(frozen=True)
class Curve:
    """The same last `tail` bytes or tokens (`unit`) of `samples` texts, predicted from ever more context; `plan`: all
    lengths that are to come."""

    trained: int
    tail: int
    samples: int
    source: str
    plan: tuple[int, ...]
    lines: tuple[Line, ...]
    unit: str = "bytes"


@dataclass(frozen=True)
class Track:
    """One method along a text: mean loss and accuracy of the bytes or tokens around each position `at`; `tail`: the
    mean loss of the text's last ones, None until they are read and along texts of bytes."""

    method: str
    label: str
    at: tuple[float, ...] = ()
    loss: tuple[float, ...] = ()
    accuracy: tuple[float, ...] = ()
    tail: float | None = None


@dataclass(frozen=True)
class Live:
    """A whole text of `length` bytes or tokens (`unit`), all before as context; `smooth`: how many make a point;
    `tail`: how many last tokens are compared, 0 for none."""

    trained: int
    length: int
    smooth: int
    source: str
    tracks: tuple[Track, ...]
    unit: str = "bytes"
    tail: int = 0


@dataclass(frozen=True)
class Grid:
    """Passkey retrieval: `right[a][b]` of `samples` texts were answered with all digits at depths[a] and lengths[b];
    None: not run yet.  Of a real model: the share of the number's tokens that are right, `log`: the number's
    log-probability in nats, `seconds`: what the cell took."""

    method: str
    label: str
    right: tuple[tuple[float | None, ...], ...]
    log: tuple[tuple[float | None, ...], ...] = ()
    seconds: tuple[tuple[float | None, ...], ...] = field(default=(), metadata=UNPRINTED)


@dataclass(frozen=True)
class Passkey:
    """Two grids over the same texts.  `depths`: share of the text before the key, 0 at its start; `chance`: of guessing
    all digits."""

    trained: int
    depths: tuple[float, ...]
    lengths: tuple[int, ...]
    samples: int
    chance: float
    grids: tuple[Grid, Grid]


@dataclass(frozen=True)
class Regime:
    """What the cache of the sink toy held, and the mean loss of the tokens beyond the window, with its range over
    texts."""

    name: str
    label: str
    loss: float
    low: float
    high: float


@dataclass(frozen=True)
class Sinks:
    """The sink toy on `samples` texts of `length` tokens.  `idle` and `busy`: mean attention on the first token, from
    ordinary words and from triggers, over positions from `window` on; `uniform`: what equal weights would give;
    `drained`: length of the first token's value over the mean length of all words'; `weights[i][j]`: attention of one
    text's first tokens, `words` their numbers and `triggers` which of them are; `verdict`: one sentence, worked out
    from the figures."""

    trained: int
    length: int
    window: int
    samples: int
    idle: float
    busy: float
    uniform: float
    drained: float
    words: tuple[int, ...]
    triggers: tuple[bool, ...]
    weights: tuple[tuple[float, ...], ...] = field(metadata=UNPRINTED)
    regimes: tuple[Regime, ...] = ()
    verdict: str = ""


@dataclass(frozen=True)
class Price:
    """What a method costs on texts no longer than the trained length: mean loss over all bytes minus the untouched
    model's, nats."""

    method: str
    label: str
    loss: float
    tax: float
    low: float
    high: float


@dataclass(frozen=True)
class Tax:
    """Every method laid out for `scale` times the trained length, and what that costs at `length` <= `trained`."""

    trained: int
    length: int
    scale: float
    samples: int
    base_loss: float
    prices: tuple[Price, ...]
