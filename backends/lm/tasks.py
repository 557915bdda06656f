"""Procedural tasks with a seed: each returns tokens (b, n) and targets (b, n), both int64 and on the host; a target
of -1 is not scored.

The target at position i is the token that should follow position i.
"""
from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from backends.drawn import hosted, seeded

IGNORED = -1
MQAR_VOCAB = 128            # 0 filler, 1..63 keys, 64..127 values
COPY_VOCAB = 16             # 0 noise, 1 read-out, 2..9 data
INDUCTION_VOCAB = 16
PASSKEY_VOCAB = 40          # 0..9 digits, 10 "key", 11 "query", 12..39 words
DIGITS = 5
BACKCOPY_VOCAB = 64         # 0 start of text, 1..8 triggers, 9..63 words
TRIGGERS = 8
TRIGGERED = 0.2              # chance that the next word of `backcopy`'s chain is a trigger


@hosted
def mqar(batch: int, length: int = 64, pairs: int = 8, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Multi-query associative recall (Zoology, arXiv 2312.04927, section 3): `pairs` key-value pairs, then every key
    once more at a random place among fillers; the target there is its value.  Raises ValueError when the pairs and
    their queries do not fit."""
    if not 1 <= pairs <= 63 or 3 * pairs > length:
        raise ValueError(f"{pairs} pairs and their queries do not fit into {length} tokens.")
    random = seeded(seed)
    keys = 1 + _choose(batch, 63, pairs, random)
    values = torch.randint(64, 128, (batch, pairs), generator=random)
    places = 2 * pairs + _choose(batch, length - 2 * pairs, pairs, random)
    tokens = torch.zeros(batch, length, dtype=torch.long)
    tokens[:, : 2 * pairs] = torch.stack([keys, values], -1).flatten(1)
    targets = torch.full_like(tokens, IGNORED).scatter(1, places, values)
    return tokens.scatter(1, places, keys), targets


def _choose(batch: int, among: int, count: int, random: torch.Generator) -> Tensor:
    """`count` different numbers below `among` per row."""
    return torch.rand(batch, among, generator=random).argsort(1)[:, :count]


@hosted
def selective_copying(batch: int, length: int = 32, data: int = 4, fixed: bool = False,
                      seed: int = 0) -> tuple[Tensor, Tensor]:
    """Copy the data tokens that lie among noise, in order, at the end (Mamba, arXiv 2312.00752, section 4.1.1).

    `length` slots, `data` of them filled at random (or `fixed`, equal for every row and seed) places, then `data`
    read-out tokens."""
    if not 1 <= data <= length:
        raise ValueError(f"{data} data tokens do not fit into {length} slots.")
    random = seeded(seed)
    places = (_choose(1, length, data, seeded(1)).expand(batch, -1) if fixed
              else _choose(batch, length, data, random))
    words = torch.randint(2, 10, (batch, data), generator=random)
    slots = torch.zeros(batch, length, dtype=torch.long).scatter(1, places.sort(1).values, words)
    tokens = torch.cat([slots, torch.ones(batch, data, dtype=torch.long)], 1)
    targets = torch.full_like(tokens, IGNORED)
    targets[:, length:] = words
    return tokens, targets


@hosted
def induction(batch: int, length: int = 256, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random tokens with one trigger (token 0); at the end the trigger comes again and its former successor is asked
    (arXiv 2312.00752, section 4.1.2)."""
    if length < 4:
        raise ValueError(f"An induction task needs four tokens at least, not {length}.")
    random = seeded(seed)
    tokens = torch.randint(1, INDUCTION_VOCAB, (batch, length), generator=random)
    place = torch.randint(0, length - 2, (batch, 1), generator=random)
    answer = tokens.gather(1, place + 1)
    tokens = tokens.scatter(1, place, 0)
    tokens[:, -1] = 0
    targets = torch.full_like(tokens, IGNORED)
    targets[:, -1:] = answer
    return tokens, targets


@hosted
def passkey(batch: int, length: int = 256, seed: int = 0, depth: float | None = None) -> tuple[Tensor, Tensor]:
    """Words with "key d d d d d" somewhere, "query" near the end, and the five digits again (after Landmark Attention,
    arXiv 2305.16300).

    `depth` in [0, 1] places the key (0: at the start); None draws it uniformly per row."""
    room = length - 2 * (DIGITS + 1)
    if room < 0:
        raise ValueError(f"A passkey and its query do not fit into {length} tokens.")
    random = seeded(seed)
    tokens = torch.randint(12, PASSKEY_VOCAB, (batch, length), generator=random)
    at = (torch.randint(0, room + 1, (batch, 1), generator=random) if depth is None
          else torch.full((batch, 1), round(depth * room)))
    digits = torch.randint(0, 10, (batch, DIGITS), generator=random)
    tokens = tokens.scatter(1, at + torch.arange(DIGITS + 1), torch.cat([torch.full_like(at, 10), digits], 1))
    tokens[:, -DIGITS - 1] = 11
    tokens[:, -DIGITS:] = digits
    targets = torch.full_like(tokens, IGNORED)
    targets[:, -DIGITS - 1 : -1] = digits
    return tokens, targets


@cache
@hosted
def bigrams() -> Tensor:
    """The fixed language of `backcopy`: P(next | word), (64, 64) with rows that sum to 1; the start of text never
    follows anything.

    A trigger is as likely after one word as after another: a word that is never copied would be as good a place to idle
    as the start."""
    random = seeded(0)
    scores = 2.0 * torch.randn(BACKCOPY_VOCAB, BACKCOPY_VOCAB, generator=random)
    scores[:, 0] = -torch.inf
    triggers, words = scores[:, : TRIGGERS + 1].softmax(-1), scores[:, TRIGGERS + 1 :].softmax(-1)
    return torch.cat([TRIGGERED * triggers, (1 - TRIGGERED) * words], 1)


@hosted
def backcopy(batch: int, length: int = 128, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Bigram-backcopy (arXiv 2410.13835, section 2): a start token, then a Markov chain; but after a trigger comes the
    token before it.

    A head that copies has to look at one token after a trigger, and nowhere in particular after any other word."""
    if length < 3:
        raise ValueError(f"A text with a start and a trigger needs three tokens at least, not {length}.")
    random = seeded(seed)
    chain, text = bigrams(), torch.zeros(batch, length + 1, dtype=torch.long)
    for i in range(1, length + 1):
        drawn = torch.multinomial(chain[text[:, i - 1]], 1, generator=random)[:, 0]
        copies = (text[:, i - 1] > 0) & (text[:, i - 1] <= TRIGGERS) & (i > 2)
        text[:, i] = torch.where(copies, text[:, max(i - 2, 0)], drawn)
    return text[:, :-1], text[:, 1:]


@hosted
def repeats(windows: Tensor, period: int) -> Tensor:
    """Documents of one snippet over and over: each row of `windows` (b, n) becomes its first `period` tokens, repeated
    to length n."""
    n = windows.shape[1]
    if not 1 <= period <= n:
        raise ValueError(f"The period must lie between 1 and {n}, not {period}.")
    return windows[:, torch.arange(n) % period]
