"""The model picker: which models there are, their facts from the manifest, downloads, and checkpoints of the user's
own.

A model id is a name of ``backends.segment.MODELS`` or, for an own checkpoint, ``own-<digest>``, which only the session
that uploaded the file knows. A model becomes the active one only after its weights were read; a refusal changes
nothing. Modules of named models are kept by ``backends.segment``; a session has one own checkpoint in memory, until it
leaves.
"""

import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from html import escape
from typing import Any

from backends import machine, stop, weights
from backends.cache import ByteLRU
from backends.segment import MODELS, Segmenter, work
from ui.parts import markup
from ui.parts.uploads import MODELS as UPLOADS
from ui.parts.uploads import uploaded

OWN = "own-"
SHARE = 0.17
LOADED = ByteLRU(machine.share(SHARE, 4 << 30), trims=True)
"""Own checkpoints in memory, by (session, model id)."""


def segmenter(session: str, model: str) -> Segmenter:
    """The Segmenter of a model id. WeightsError (one sentence) when an own checkpoint is not there any more."""
    if model in MODELS:
        return Segmenter(model)
    path = UPLOADS.get(session, model)
    if path is None:
        raise weights.WeightsError("This checkpoint is not here any more; please load it again.")
    return LOADED.get_or_compute((session, model), partial(_read, path))[0]


def _read(path: Any) -> tuple[Segmenter, int]:
    """A checkpoint of one's own and its bytes; nobody else holds it."""
    found = Segmenter(path, alone=True)
    return found, work.read(found)


def forget(session: str, but: str = "") -> None:
    """Free the own checkpoints of a session, all ``but`` one."""
    LOADED.drop(lambda key: key[0] == session and key[1] != but)


def activate(session: str, model: str) -> str:
    """Read the weights of a model id, so that a refusal comes now; gives the id back. WeightsError or SegmentError."""
    if must_download(model):
        raise weights.WeightsError(f"{MODELS[model].title} is not on this machine yet: download it first.")
    work.read(segmenter(session, model))
    forget(session, model)
    return model


def add_checkpoint(session: str, path: Any) -> str:
    """Accept an uploaded .safetensors checkpoint for this session; its model id. WeightsError or SegmentError."""
    found = uploaded(path)
    if found.suffix != ".safetensors":
        raise weights.WeightsError("Please load a .safetensors file; other formats can run code.")
    model = OWN + weights.digest_of(found)[:16]
    UPLOADS.put(session, model, found)
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


def fetching(model: str, running: bool) -> str:
    """HTML: the button that downloads ``model``, or, while that runs, the one that stops it."""
    name = f"Download {MODELS[model].title} ({megabytes(entry(model).bytes)})"
    says = markup.says({"kind": "fetch", "model": model})
    stops = ('<button type="button" id="segment-stop-download" class="gb-quiet" data-long="stop">Stop the '
             'download</button>')
    return (f'<div class="gb-run"><button type="button" id="segment-download" class="gb-primary" '
            f'{says}{" disabled" * running}>'
            f"{escape(name)}</button>{stops if running else ''}</div>")


def choices(session: str, model: str) -> list[tuple[str, str]]:
    """The picker's (label, id) pairs; an own checkpoint appears while it is active."""
    own = [("My checkpoint", model)] if model.startswith(OWN) and UPLOADS.get(session, model) else []
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
    return markup.note(f"{megabytes(part.stat().st_size)} of {megabytes(entry(model).bytes)} are here; the "
                       "download resumes.")


def megabytes(count: float) -> str:
    """Bytes as a short text."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def facts(session: str, model: str) -> str:
    """HTML: what the model is, its size and licence, and how good it is when the manifest says so."""
    if model not in MODELS:
        segmenter(session, model)
        return markup.note("Your own checkpoint. It stays with this browser session, so a link cannot carry it.")
    m = MODELS[model]
    try:
        found = entry(model)
    except weights.WeightsError:
        return markup.note("The weights of this model are not part of this checkout.")
    size = (f"{m.parameters:g} M parameters · {m.encoder} · {m.side} px input · {megabytes(found.bytes)} · "
            f"{found.licence}")
    waits = markup.note("Until it is here, the current model goes on answering.") if must_download(model) else ""
    return markup.note(size) + _metric(found) + waits


def _metric(entry: weights.Entry) -> str:
    """How good a shipped model is, as its manifest says; nothing for others."""
    if not entry.metric:
        return ""
    trained = markup.note("Trained on rendered scenes and free photographs; load MobileSAM or SAM for more.")
    figures = markup.note(f"Measured: {entry.metric['name']} {entry.metric['value']:.2f}.")
    if entry.measured:
        one, three, five = (f"{entry.measured[f'miou@{k}']:.2f}" for k in (1, 3, 5))
        figures = markup.note(f"Mean IoU {one} after 1 click, {three} after 3 and {five} after 5 on "
                              f"{entry.measured['set']}.") + figures
    return trained + figures


def download(model: str) -> Iterator[str]:
    """Fetch the weights of ``model``; yields HTML with a progress bar. Stopping it keeps what has arrived."""
    shown = 0.0
    with closing(weights.download(MODELS[model].entry)) as arriving:
        for progress in arriving:
            stop.check()
            if time.monotonic() - shown > 0.25 or progress.done == progress.total:
                shown = time.monotonic()
                yield progress_bar(progress.done, progress.total)


def progress_bar(done: int, total: int) -> str:
    """HTML of a labelled bar."""
    share = 100 * done / total if total else 0
    return (
        f'<div class="gb-progress" role="progressbar" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{share:.0f}">'
        f'<progress max="100" value="{share:.1f}"></progress> {megabytes(done)} of {megabytes(total)}</div>'
    )
