"""What a visitor brings to a tab, as its sources declare it: texts, pictures, numbers and model files."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from backends import models
from ui.core.tab import ParamError, Source, Tab
from ui.parts import pictures, texts
from ui.parts.uploads import MODELS, uploaded

PAINTED = 1600
"""Pixels of the longer side of a picture on a stage."""


class MissingError(ParamError):
    """A file, or a model of the shelf, that the settings ask for is not here. ``source``: the number of the source that
    could fetch it."""

    def __init__(self, sentence: str, source: int | None = None) -> None:
        super().__init__(sentence)
        self.source = source


def inputs(tab: Tab, session: str, params: Any) -> dict[str, Any]:
    """The keyword arguments that the mechanism gets besides ``params``. ValueError, one sentence, for what is not
    there."""
    found: dict[str, Any] = {}
    for number, source in enumerate(tab.sources):
        if source.kind == "picture" and _used(tab, source, params):
            found["image"] = pictures.seen(session, getattr(params, source.field), source.most)
        if source.kind == "shelf" and source.wanted(params) and (offer := source.offer(params))[1]:
            title = models.titles()[getattr(params, source.field)]
            raise MissingError(f"{title} is not on this machine yet; please download it first. {offer[0]}", number)
        if source.kind == "model" and source.wanted(params):
            path = MODELS.get(session, _id(tab, source))
            if path is None:
                raise MissingError(f"Please choose a file with {source.name} first; a link cannot carry one.")
            found[source.field] = _loaded(source.load, path, params)
    return found


def _used(tab: Tab, source: Source, params: Any) -> bool:
    """Whether the source matters in the view that is on screen."""
    return getattr(params, tab.chooser) in tab.uses.get(source.field, tab.views)


def _id(tab: Tab, source: Source) -> str:
    return f"{tab.slug} {source.field}"


@lru_cache(4)
def _loaded(load: Any, path: Path, params: Any) -> Any:
    return load(path, params)


def take(tab: Tab, source: Source, session: str, path: Any) -> tuple[dict[str, Any], str]:
    """An uploaded file for a source: the parameters that it sets, and a sentence. ValueError when it is of no use."""
    if source.kind == "picture":
        return {source.field: pictures.add(session, path)}, ""
    if source.kind == "shelf":
        raise ValueError("Models are taken from the shelf of this server, not from the browser.")
    found = uploaded(path)
    if source.kind == "text":
        text, said = (source.read or texts.read_text)(found, source.most)
        return {source.field: text}, said
    if source.kind == "numbers":
        return source.read(found)
    said = source.read(found)
    MODELS.put(session, _id(tab, source), found)
    return {}, said


def fetched(tab: Tab, source: Source, session: str, params: Any) -> Iterator[str]:
    """Download what a source offers for ``params`` and remember it; sentences on how far it is."""
    for step in source.fetch(params):
        if isinstance(step, Path):
            MODELS.put(session, _id(tab, source), step)
        else:
            yield step


def offers(tab: Tab, params: Any) -> dict[str, tuple[str, bool]]:
    """What could be fetched for the sources that matter now, by their number, and whether it still is to be; the reason
    where there is nothing."""
    found = {}
    for index, source in enumerate(tab.sources):
        if source.offer and source.wanted(params):
            try:
                found[str(index)] = source.offer(params)
            except ValueError as error:
                found[str(index)] = str(error), False
    return found


def lacking(tab: Tab) -> dict[str, str]:
    """What is to be fetched before a preset can be shown, in a sentence, by the preset's number."""
    found = {}
    for number, preset in enumerate(tab.presets):
        for source in tab.sources:
            if source.offer and source.wanted(preset.params) and (offer := source.offer(preset.params))[1]:
                found[str(number)] = offer[0]
    return found


def pictured(tab: Tab, session: str, params: Any, folder: str) -> dict[str, Any]:
    """The picture's file and shape for the stage, where the view has a picture."""
    source = tab.source("picture")
    if source is None or not _used(tab, source, params):
        return {}
    name = getattr(params, source.field)
    image = pictures.seen(session, name, source.most)
    return {"image": _file(session, name, folder, source.most or PAINTED), "picture": name,
            "aspect": image.shape[1] / image.shape[0]}


@lru_cache(64)
def _file(session: str, name: str, folder: str, most: int) -> str:
    return pictures.shown(name, pictures.seen(session, name, most), folder)


def caveat(tab: Tab, params: Any) -> str:
    """What a copied link cannot carry, in one sentence; empty when it carries everything."""
    lost = [s.name or "picture" for s in tab.sources if s.kind == "picture"
            and getattr(params, s.field).startswith(pictures.OWN)]
    lost += [s.name for s in tab.sources if s.kind == "model" and s.wanted(params)]
    if lost:
        return f"Your own {' and '.join(lost)} cannot travel in a link; the settings do."
    text = tab.source("text")
    return texts.caveat(params, text.field) if text else ""
