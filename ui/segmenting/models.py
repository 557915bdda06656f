"""The model picker: which models there are, their facts from the manifest, downloads, and checkpoints of the user's own.

A model id is a name of ``backends.segment.MODELS`` or, for an own checkpoint, ``own-<digest>``, which only the session
that uploaded the file knows. A model becomes the active one only after its weights were read; a refusal changes nothing.
"""

import time
from collections.abc import Iterator
from functools import cache
from html import escape
from typing import Any

from backends import weights
from backends.segment import MODELS, Segmenter
from ui.segmenting.pictures import OWN_CHECKPOINTS, uploaded

OWN = "own-"


@cache
def _segmenter(name: str) -> Segmenter:
    return Segmenter(name)


def segmenter(session: str, model: str) -> Segmenter:
    """The Segmenter of a model id. WeightsError (one sentence) when an own checkpoint is not there any more."""
    if model in MODELS:
        return _segmenter(model)
    path = OWN_CHECKPOINTS.get(session, model)
    if path is None:
        raise weights.WeightsError("This checkpoint is not here any more; please load it again.")
    return _segmenter(str(path))


def activate(session: str, model: str) -> str:
    """Read the weights of a model id, so that a refusal comes now; gives the id back. WeightsError or SegmentError."""
    if must_download(model):
        raise weights.WeightsError(f"{MODELS[model].title} is not on this machine yet: download it first.")
    _ = segmenter(session, model).sam
    return model


def add_checkpoint(session: str, path: Any) -> str:
    """Accept an uploaded .safetensors checkpoint for this session; its model id. WeightsError or SegmentError."""
    found = uploaded(path)
    if found.suffix != ".safetensors":
        raise weights.WeightsError("Please load a .safetensors file; other formats can run code.")
    model = OWN + weights.digest_of(found)[:16]
    OWN_CHECKPOINTS.put(session, model, found)
    return activate(session, model)


def available(model: str) -> bool:
    """Whether the weights are on this machine."""
    try:
        return weights.available(MODELS[model].entry)
    except weights.WeightsError:
        return False


def must_download(model: str) -> bool:
    """Whether ``model`` is a named one whose weights are not on this machine."""
    return model in MODELS and not available(model) and entry(model).url is not None


def offer(model: str) -> str:
    """The text of the download button."""
    return f"Download {MODELS[model].title} ({megabytes(entry(model).bytes)})"


def choices(session: str, model: str) -> list[tuple[str, str]]:
    """The picker's (label, id) pairs; an own checkpoint appears while it is active."""
    own = [("My checkpoint", model)] if model.startswith(OWN) and OWN_CHECKPOINTS.get(session, model) else []
    return [(m.title if available(name) else f"{m.title} (not here)", name) for name, m in MODELS.items()] + own


def entry(model: str) -> weights.Entry:
    """The manifest's entry of a named model. WeightsError when there is none."""
    return weights.entry(MODELS[model].entry)


def kept_part(model: str) -> str:
    """HTML: how much of an interrupted download is kept; empty when nothing is."""
    path = weights.path(MODELS[model].entry)
    part = path.with_name(path.name + ".part")
    if not part.is_file():
        return ""
    return f'<p class="gb-note">{megabytes(part.stat().st_size)} of {megabytes(entry(model).bytes)} are here; the download resumes.</p>'


def megabytes(count: float) -> str:
    """Bytes as a short text."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def facts(session: str, model: str) -> str:
    """HTML: what the model is, its size and licence, and how good it is when the manifest says so."""
    if model not in MODELS:
        segmenter(session, model)
        return '<p class="gb-note">Your own checkpoint. It stays with this browser session, so a link cannot carry it.</p>'
    m = MODELS[model]
    try:
        found = entry(model)
    except weights.WeightsError:
        return '<p class="gb-note">The weights of this model are not part of this checkout.</p>'
    words = [f"{m.parameters:g} M parameters", f"{m.encoder}", f"{m.side} px input", megabytes(found.bytes), found.licence]
    return f'<p class="gb-note">{escape(" · ".join(words))}</p>{_metric(found)}'


def _metric(entry: weights.Entry) -> str:
    if not entry.metric:
        return ""
    figures = [f"{entry.metric['name']} {entry.metric['value']:.2f}"]
    if entry.measured:
        clicks = ", ".join(f"{entry.measured[f'miou@{k}']:.2f} after {k}" for k in (1, 3, 5))
        figures.insert(0, f"mean IoU {clicks} clicks on {entry.measured['set']}")
    return (
        "<p class='gb-note'>Trained on synthetic pictures; load MobileSAM or SAM for more. "
        f"Measured: {escape('; '.join(figures))}.</p>"
    )


def download(model: str) -> Iterator[str]:
    """Fetch the weights of ``model``; yields HTML with a progress bar. Closing the generator keeps what has arrived."""
    shown = 0.0
    for progress in weights.download(MODELS[model].entry):
        if time.monotonic() - shown > 0.25 or progress.done == progress.total:
            shown = time.monotonic()
            yield progress_bar(progress.done, progress.total)


def progress_bar(done: int, total: int) -> str:
    """HTML of a labelled bar."""
    share = 100 * done / total if total else 0
    return (
        f'<div class="gb-progress" role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{share:.0f}">'
        f'<progress max="100" value="{share:.1f}"></progress> {megabytes(done)} of {megabytes(total)}</div>'
    )
