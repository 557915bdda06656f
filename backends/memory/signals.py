"""Signals to remember: made here, written as numbers, or read from a WAV or CSV file.  numpy and scipy only."""
from __future__ import annotations

import io
import re
import warnings
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import fftconvolve, firwin

from backends.memory.params import SAMPLES, MemoryParams

MAX_FILE = 8_000_000                  # bytes
MOST_KEPT = 0.95                      # share of a signal's variance that thinning must leave
A_WAVE = 8                            # samples that are left of the fastest wave within that share
QUIET = 0.01                          # of its loudest channel: a mix below this has cancelled


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


def fitted(values: np.ndarray, length: int) -> tuple[np.ndarray, str]:
    """(the signal on `length` samples, scaled to a largest value of 1; how it was shortened, "" if it was not).

    A longer one is thinned behind a low-pass filter, but by no more than leaves A_WAVE samples of each of its waves;
    of what is still too long the loudest stretch is kept.  A shorter one is joined by straight lines."""
    values, whole = values / max(np.abs(values).max(), 1e-300), len(values)       # sums could overflow
    said = ""
    if whole > length:
        step = min(whole / length, max(1.0, 1 / (A_WAVE * band(values))))
        values = thinned(values, step) if step > 1 else values
        start = loudest(values, length)
        said = _shortened(whole, step, start, length)
        values = values[start : start + length]
    if len(values) < length:
        values = np.interp(np.linspace(0, len(values) - 1, length), np.arange(len(values)), values)
    top = np.abs(values).max()
    return (values / top if top > 0 else values), said


def band(values: np.ndarray) -> float:
    """The frequency, in cycles per sample, below which MOST_KEPT of the variance lies, without the line from the first
    sample to the last; 1e-9 for a line itself."""
    rest = values - np.linspace(values[0], values[-1], len(values))
    if np.var(rest) <= 1e-8 * np.var(values):
        return 1e-9
    power = np.abs(np.fft.rfft(rest - rest.mean())) ** 2
    at = int(np.searchsorted(np.cumsum(power), MOST_KEPT * power.sum()))
    return max(1, at) / len(values)


def thinned(values: np.ndarray, step: float) -> np.ndarray:
    """One of every `step` samples, behind a filter that lets nothing through that would come out as another wave: a
    windowed sinc with its edge 20 % below the new Nyquist frequency.  A straight line stays one."""
    half = 8 * int(np.ceil(step))
    padded = np.pad(values, half, mode="reflect", reflect_type="odd")
    low = fftconvolve(padded, firwin(2 * half + 1, 0.8 / step), "valid")
    count = round(len(values) / step)
    return np.interp((np.arange(count) + 0.5) * len(values) / count - 0.5, np.arange(len(values)), low)


def loudest(values: np.ndarray, length: int) -> int:
    """Where the stretch of `length` samples with the largest energy begins; the first of equals."""
    sums = np.concatenate([[0.0], np.cumsum(np.square(values))])
    if len(values) <= length:
        return 0
    energy = sums[length:] - sums[:-length]
    return int(np.argmax(energy >= energy.max() * (1 - 1e-6)))


def _shortened(whole: int, step: float, start: int, length: int) -> str:
    thin = f"filtered and thinned to one in {step:.3g}" if step > 1 else "not thinned"
    if round(whole / step) <= length:
        return f"They were {thin}."
    first, last = round(start * step), round((start + length) * step)
    return (f"They were {thin}, since its fastest waves need {A_WAVE} samples each; kept is the loudest stretch, "
            f"samples {first} to {min(last, whole)}.")


def source(params: MemoryParams) -> tuple[np.ndarray, str]:
    """(the signal of the Memory tab, `params.length` samples, the user's own where there is one; how that was
    shortened)."""
    if params.text.strip():
        values, said = fitted(parsed(params.text), params.length)
        return checked(values), said
    return made(params.signal, params.length, params.seed), ""


def read(path: Path, most: int = SAMPLES) -> tuple[np.ndarray, str]:
    """(signal of at most `most` samples, a sentence on what was read) of a WAV or CSV file.  Raises ValueError, one
    sentence."""
    if path.stat().st_size > MAX_FILE:
        raise ValueError(f"The file is larger than {MAX_FILE // 1_000_000} MB.")
    data = path.read_bytes()
    values, said = _wav(data) if data[:4] in (b"RIFF", b"RIFX", b"RF64") else _csv(data)
    kept, cut = fitted(checked(values), min(most, len(values)))
    return checked(kept), f"{len(values)} samples{said}, scaled to a largest value of 1. {cut}".strip()


def _wav(data: bytes) -> tuple[np.ndarray, str]:
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always", wavfile.WavFileWarning)
            rate, values = wavfile.read(io.BytesIO(data))
    except Exception as error:                      # scipy raises many kinds on broken files
        raise ValueError("This WAV file cannot be read: only uncompressed PCM or float WAV files are.") from error
    centred = values.astype(np.float64) - (128 if values.dtype == np.uint8 else 0)
    mixed, how = _mixed(centred)
    ends = ", where the file breaks off" if any("EOF" in str(one.message) for one in heard) else ""
    return mixed, f" at {rate} Hz{how}{ends}"


def _mixed(values: np.ndarray) -> tuple[np.ndarray, str]:
    """(one signal of all channels, how): their mean, or the loudest where they cancel."""
    if values.ndim == 1 or values.shape[1] == 1:
        return values.reshape(-1), ""
    mean, count = values.mean(1), values.shape[1]
    loudness = np.sqrt(np.mean(np.square(values), 0)) if len(values) else np.zeros(count)
    if len(values) and 0 < loudness.max() and np.sqrt(np.mean(np.square(mean))) < QUIET * loudness.max():
        return values[:, int(loudness.argmax())], f", the loudest of {count} channels, which cancel when mixed"
    return mean, f", {count} channels mixed into one"


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
