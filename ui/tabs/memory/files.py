"""A signal from a file."""

from pathlib import Path


def read_signal(path: Path, most: int) -> tuple[str, str]:
    """(numbers, sentence) of a WAV or CSV file. ValueError, one sentence, for any other."""
    from backends.memory.signals import read

    values, said = read(path)
    return ", ".join(f"{v:.4g}" for v in values.tolist())[:most], said
