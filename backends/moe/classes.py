"""What kind of token each byte of a Python text belongs to, and how much of that the experts know.

Classes come from the standard library's own tokenizer; where it gives up (a text that is no Python, an open string),
the rest is sorted by characters.  Mutual information is in bits, over assignments of tokens to experts, against classes
that are shuffled (each token for itself) or moved along the text (their runs stay whole).
"""
from __future__ import annotations

import io
import keyword
import re
import tokenize
from collections.abc import Iterator
from functools import cache

import numpy as np

from backends.lm import corpus

CLASSES = ("identifier", "keyword", "digit", "indent", "operator", "comment", "string", "space")
SPACE = CLASSES.index("space")
KINDS = {tokenize.COMMENT: "comment", tokenize.STRING: "string", tokenize.NUMBER: "digit", tokenize.OP: "operator"}
ROUGH = re.compile(
    rb"(?P<indent>(?<![^\n])[ \t]+)|(?P<comment>#[^\n]*)|(?P<string>\"[^\"\n]*\"|'[^'\n]*')|(?P<digit>\d[\w.]*)"
    rb"|(?P<identifier>[^\W\d]\w*|[\x80-\xff]+)|(?P<operator>[^\w\s])")
SHUFFLES = 20


def classes(text: bytes) -> np.ndarray:
    """Class number of each byte, (t,) uint8."""
    out, rows = np.full(len(text), SPACE, np.uint8), text.split(b"\n")
    starts = np.cumsum([0, *(len(row) + 1 for row in rows)])
    done = 0
    try:
        for kind, (first, last) in _tokens(text, rows, starts):
            out[first:last] = CLASSES.index(kind)
            done = max(done, last)
    except (tokenize.TokenError, SyntaxError, ValueError):
        _roughly(text, out, done)
    return out


def _tokens(text: bytes, rows: list[bytes], starts: np.ndarray) -> Iterator[tuple[str, tuple[int, int]]]:
    """(class, (first byte, one past the last)) of what the tokenizer finds; columns are characters, so they are turned
    into bytes."""
    def place(row: int, column: int) -> int:
        return int(starts[row - 1]) + len(rows[row - 1].decode("utf-8")[:column].encode("utf-8"))

    seen = 0
    for token in tokenize.generate_tokens(io.StringIO(text.decode("utf-8"), newline="").readline):
        if token.type in (tokenize.ENCODING, tokenize.ENDMARKER, tokenize.NEWLINE, tokenize.NL, tokenize.INDENT,
                          tokenize.DEDENT):
            continue
        first, last = place(*token.start), place(*token.end)
        row = int(starts[token.start[0] - 1])
        if token.start[0] > seen and not text[row:first].strip():
            yield "indent", (row, first)
        seen = token.end[0]
        kind = KINDS.get(token.type, "operator")
        if token.type == tokenize.NAME:
            kind = "keyword" if keyword.iskeyword(token.string) else "identifier"
        yield kind, (first, last)


def _roughly(text: bytes, out: np.ndarray, start: int) -> None:
    """Classes of the rest by their characters alone."""
    out[start:] = SPACE
    for found in ROUGH.finditer(text, start):
        kind = found.lastgroup
        if kind == "identifier" and keyword.iskeyword(found[0].decode("utf-8", "replace")):
            kind = "keyword"
        out[found.start() : found.end()] = CLASSES.index(kind)


@cache
def held_out(most: int = 12_288) -> tuple[np.ndarray, np.ndarray]:
    """(bytes, classes) of whole held-out modules, in order, until there are `most`; the last one cut."""
    texts: list[bytes] = []
    for file in corpus.files():
        if corpus.held_out(file) and file.stat().st_size > 500:
            texts.append(file.read_bytes()[: most // 6])
        if sum(map(len, texts)) >= most:
            break
    joined = np.frombuffer(b"".join(texts), np.uint8)[:most]
    return joined, np.concatenate([classes(t) for t in texts])[:most]


def information(counts: np.ndarray) -> float:
    """Mutual information in bits of a table of counts (e, c)."""
    joint = counts / counts.sum()
    outer = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    seen = joint > 0
    return float((joint[seen] * np.log2(joint[seen] / outer[seen])).sum())


def table(kept: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Assignments (e, c) from who took what, kept (t, e), and classes (t,)."""
    return np.stack([np.bincount(kinds[column], minlength=len(CLASSES)) for column in kept.T])


def shuffled(kept: np.ndarray, kinds: np.ndarray, seed: int) -> np.ndarray:
    """Mutual information with the classes in SHUFFLES random orders."""
    random = np.random.default_rng(seed)
    return np.array([information(table(kept, random.permutation(kinds))) for _ in range(SHUFFLES)])


def shifted(kept: np.ndarray, kinds: np.ndarray, seed: int) -> np.ndarray:
    """Mutual information with the classes moved along the text, SHUFFLES times by a random way: what neighbours alone
    would give."""
    random, t = np.random.default_rng(seed), len(kinds)
    ways = random.integers(t // 20, t - t // 20, SHUFFLES) if t >= 40 else np.arange(1, SHUFFLES + 1)
    return np.array([information(table(kept, np.roll(kinds, way))) for way in ways])


def bytewise(kept: np.ndarray, text: np.ndarray, kinds: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Bits that a byte tells of its experts, bits that its class adds to that, and those that classes shuffled among
    equal bytes add."""
    random, own = np.random.default_rng(seed), text.astype(np.int64)
    told = information(crossed(kept, own))
    among = np.lexsort((random.random(len(own)), own))
    swapped = np.empty_like(kinds)
    swapped[np.argsort(own, kind="stable")] = kinds[among]
    beyond, within = (information(crossed(kept, own * len(CLASSES) + k)) - told for k in (kinds, swapped))
    return told, beyond, within


def crossed(kept: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Assignments (e, number of labels) from who took what, kept (t, e), and whole numbers (t,)."""
    return np.stack([np.bincount(labels[column], minlength=int(labels.max()) + 1) for column in kept.T])


def entropy(kinds: np.ndarray) -> float:
    """Of the classes, in bits."""
    share = np.bincount(kinds, minlength=len(CLASSES)) / len(kinds)
    return float(-(share[share > 0] * np.log2(share[share > 0])).sum())


def favourites(kept: np.ndarray, text: np.ndarray, most: int = 8) -> list[list[int]]:
    """By expert: the bytes with the largest n log(n / expected), that is which go there far more than their share."""
    counts = crossed(kept, text)
    expected = counts.sum(1, keepdims=True) * counts.sum(0, keepdims=True) / counts.sum()
    score = np.where(counts > 0, counts * np.log(np.maximum(counts, 1) / np.maximum(expected, 1e-9)), -np.inf)
    return [[int(b) for b in row.argsort()[::-1][:most] if row[b] > 0] for row in score]
