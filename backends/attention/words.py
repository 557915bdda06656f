"""Tokens as people read them: every token of a text says what it stands for, whatever the script.

Where a character is cut into several tokens, as bytes are and rare characters of a tokenizer, each of them says the
character and which part it is, "注 1/3"; in the text itself the first one stands for all.  Letters: n tokens.
"""
from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SIGNS = {"\n": "↵", "\t": "⇥", "\r": "␍"}
PUT = "▁"                                    # a space of SentencePiece, which also puts one before a text
UNSEEN = ("Cc", "Cf", "Zl", "Zp")           # categories of characters that leave no mark


@dataclass(frozen=True)
class Words:
    """`labels`: what each of n tokens is called; `pieces`: what it adds to the text, "" where nothing can be seen."""

    labels: tuple[str, ...]
    pieces: tuple[str, ...]

    def first(self, n: int) -> Words:
        """Those of the first n tokens."""
        return Words(self.labels[:n], self.pieces[:n])


def of_bytes(text: str) -> Words:
    """One token a byte of UTF-8."""
    spans = [(at, at + 1) for at, char in enumerate(text) for _ in char.encode("utf-8")]
    return of_spans(text, spans)


def of_spans(text: str, spans: Sequence[tuple[int, int]], names: Sequence[str] = ()) -> Words:
    """Of tokens with the characters (from, to) that each comes from; tokens that end with the same one share it.
    `names`: what stands for a token that comes from none, such as one that begins every text."""
    shares = Counter(end for start, end in spans if end > start)
    labels, pieces, shown, part = [], [], 0, 0
    for at, (start, end) in enumerate(spans):
        if end <= start:
            labels.append(names[at] if names else "")
            pieces.append("")
            continue
        part = part + 1 if end == shown else 1
        word = text[min(start, shown) if part == 1 else start : end]
        labels.append(called(word) + (f" {part}/{shares[end]}" if shares[end] > 1 else ""))
        pieces.append(written(text[shown:end]))
        shown = max(shown, end)
    return Words(tuple(labels), tuple(pieces))


def called(word: str) -> str:
    """A token's text with signs for what cannot be seen; code points where nothing of it can."""
    seen = written(word)
    return seen or " ".join(f"U+{ord(char):04X}" for char in word)


def written(word: str) -> str:
    """The text with signs for line ends, tabs and control characters; "" where nothing of it can be seen."""
    signs = "".join(SIGNS.get(char, f"\\x{ord(char):02x}" if unicodedata.category(char) == "Cc" else char)
                    for char in word)
    return "" if all(unicodedata.category(char) in UNSEEN for char in signs) else signs


def of_tokens(tokenizer: Any, text: str) -> tuple[list[int], Words]:
    """(the tokens as the tokenizer cuts them, with those that it puts around a text; how they read)."""
    if not tokenizer.is_fast:
        ids = tokenizer(text)["input_ids"]
        found = [tokenizer.decode([one]) for one in ids]
        return ids, Words(tuple(map(called, found)), tuple(map(written, found)))
    cut = tokenizer(text, return_offsets_mapping=True)
    names = tokenizer.convert_ids_to_tokens(cut["input_ids"])
    spans = [(0, 0) if name == PUT and not text[start:end].isspace() else (start, end)
             for name, (start, end) in zip(names, cut["offset_mapping"])]
    return cut["input_ids"], of_spans(text, spans, names)
