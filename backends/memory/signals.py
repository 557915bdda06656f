"""Signals to remember: made here, written as numbers, or read from a WAV or CSV file.  numpy and scipy only."""
from __future__ import annotations

import io
import re
import warnings
from pathlib import Path

import numpy as np
from scipy.io import wavfile

from backends.memory.params import SAMPLES, MemoryParams

MAX_FILE = 8_000_000                  # bytes


def made(name: str, length: int, seed: int = 0) -> np.ndarray:
    """A signal (length,) float64 of the name in `params.SIGNALS`, largest value about 1."""
    t = np.arange(length) / max(length, 1)
    random = np.random.default_rng(seed)
    # amplitudes and phases were fitted to known errors of LegS: tests/backends/memory/test_hippo.py
    if name == "waves":
        return (np.sin(2 * np.pi * 3 * t + 0.4) + 0.5 * np.sin(2 * np.pi * 7 * t + 0.7)
                + 0.3 * np.cos(2 * np.pi * 11 * t)) / 1.8
    if name == "chirp":
        return np.sin(2 * np.pi * (2 * t + 12 * t**2))
    if name == "steps":
        return np.repeat(random.uniform(-1, 1, 12), -(-length // 12))[:length]
    if name == "spike":
        return np.exp(-0.5 * ((t - 0.15) / 0.015) ** 2)
    if name == "noise":
        spectrum = random.standard_normal(30) + 1j * random.standard_normal(30)
        waves = np.exp(2j * np.pi * np.outer(t, np.arange(30)))
        drawn = (waves @ (spectrum / (1 + np.arange(30) / 8))).real
        return drawn / np.abs(drawn).max()
    raise ValueError(f"There is no signal called {name!r}.")


def parsed(text: str) -> np.ndarray:
    """The numbers of a text, separated by commas, semicolons, spaces or lines.  Raises ValueError, one sentence."""
    words = [word for word in re.split(r"[\s,;]+", text.strip()) if word]
    try:
        values = np.array([float(word) for word in words], np.float64)
    except ValueError:
        bad = next(word for word in words if not _is_number(word))
        raise ValueError(f"{bad[:30]!r} is not a number; a signal is numbers separated by commas, spaces "
                         "or lines.") from None
    return checked(values)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def checked(values: np.ndarray) -> np.ndarray:
    """The signal itself.  Raises ValueError, one sentence, for one that nothing can be learned from."""
    if len(values) == 0:
        raise ValueError("There is no signal: give at least 2 numbers.")
    if len(values) == 1:
        raise ValueError("One sample is not a signal: give at least 2 numbers.")
    if not np.isfinite(values).all():
        raise ValueError("Every number of a signal must be finite.")
    if np.abs(values).max() < 1e-12:
        raise ValueError("The signal is silent: there is nothing to remember.")
    return values


def fitted(values: np.ndarray, length: int) -> np.ndarray:
    """The signal scaled to a largest value of 1 on `length` samples: averaged down to them, or joined by straight
    lines."""
    values = values / max(np.abs(values).max(), 1e-300)       # before sums, which could overflow
    if len(values) > length:
        edges = np.linspace(0, len(values), length + 1)
        sums = np.interp(edges, np.arange(len(values) + 1), np.concatenate([[0.0], np.cumsum(values)]))
        values = np.diff(sums) / np.diff(edges)
    elif len(values) < length:
        values = np.interp(np.linspace(0, len(values) - 1, length), np.arange(len(values)), values)
    top = np.abs(values).max()
    return values / top if top > 0 else values


def source(params: MemoryParams) -> np.ndarray:
    """The signal of the Memory tab, `params.length` samples: the user's own where there is one."""
    if params.text.strip():
        return checked(fitted(parsed(params.text), params.length))
    return made(params.signal, params.length, params.seed)


def read(path: Path, most: int = SAMPLES) -> tuple[np.ndarray, str]:
    """(signal of at most `most` samples, a sentence on what was read) of a WAV or CSV file.  Raises ValueError, one
    sentence."""
    if path.stat().st_size > MAX_FILE:
        raise ValueError(f"The file is larger than {MAX_FILE // 1_000_000} MB.")
    data = path.read_bytes()
    values, said = _wav(data) if data[:4] in (b"RIFF", b"RIFX", b"RF64") else _csv(data)
    kept = fitted(checked(values), min(most, len(values)))
    cut = f" They were averaged down to {most}." if len(values) > most else ""
    return checked(kept), f"{len(values)} samples{said}, scaled to a largest value of 1.{cut}"


def _wav(data: bytes) -> tuple[np.ndarray, str]:
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always", wavfile.WavFileWarning)
            rate, values = wavfile.read(io.BytesIO(data))
    except Exception as error:                      # scipy raises many kinds on broken files
        raise ValueError("This WAV file cannot be read: only uncompressed PCM or float WAV files are.") from error
    centred = values.astype(np.float64) - (128 if values.dtype == np.uint8 else 0)
    channels = 1 if centred.ndim == 1 else centred.shape[1]
    mixed = centred if channels == 1 and centred.ndim == 1 else centred.mean(1)
    ends = ", where the file breaks off" if any("EOF" in str(one.message) for one in heard) else ""
    return mixed, f" at {rate} Hz" + (f", {channels} channels mixed into one" if channels > 1 else "") + ends


def _csv(data: bytes) -> tuple[np.ndarray, str]:
    """(the last column of numbers, which one it was); one or two lines are a row.  A first line of words is a
    heading."""
    lines = [line.strip() for line in _text(data).splitlines() if line.strip()]
    mark = next((mark for mark in ";\t," if any(mark in line for line in lines)), None)
    rows = [[word.strip(' "') for word in line.rstrip(mark).split(mark)] for line in lines]
    headed = len(rows) > 1 and not any(map(_is_number, rows[0]))
    rows, columns = rows[headed:], max(map(len, rows), default=0)
    if len(rows) <= 2 and not headed:
        return parsed(" ".join(word for row in rows for word in row)), ""
    if any(len(row) != columns for row in rows):
        raise ValueError("The lines of this file do not all have the same number of columns.")
    decimal = (row[-1] if mark == "," else row[-1].replace(",", ".") for row in rows)
    return (parsed("\n".join(word or "missing" for word in decimal)), f" from the last of {columns} columns"
            if columns > 1 else "")


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ValueError("This file is neither a WAV file nor a text with numbers.")
    return text
