"""The Segment tab: click on a thing, get the thing.

The canvas (``ui/canvas``) holds what the user says; Python answers from pure functions (``ui/segmenting/answers``). The
state on the server is two small dictionaries: the *scene* (picture, model, the objects it started with, and an epoch that
names this choice) and what was *said* since (objects, with the epoch they belong to), so that a late answer never mixes
two pictures.
"""

import functools
import logging
import os
import secrets
from collections.abc import Callable, Iterator
from html import escape
from typing import Any

import gradio as gr
from gradio.context import Context
from gradio.processing_utils import save_bytes_to_cache

from ui.build import PRIVATE, Built
from ui.segmenting import endpoints, pictures
from ui.segmenting.layout import Parts, draw
from ui.segmenting.presets import PRESETS
from ui.segmenting.state import EVERYTHING, Params, format_things, message_of, new_scene, settings, things_of
from ui.stops import Stops
from ui.tab import ParamError, Tab

log = logging.getLogger("glassbox")
HEAVY = {"concurrency_id": "segment", "concurrency_limit": 4}
QUIET = {**PRIVATE, "trigger_mode": "multiple"}


def sentence(error: Exception) -> str:
    """What to tell the user: the errors that this project defines are sentences already, others go to the log."""
    if type(error).__module__.partition(".")[0] in ("backends", "ui"):
        return str(error)
    log.error("segment failed", exc_info=error)
    return "This could not be computed; the server's log says why."


def notice(error: Exception) -> dict[str, Any]:
    """A message that the canvas shows over the picture; everything else stays."""
    return {"kind": "notice", "text": sentence(error), "nonce": secrets.token_hex(4)}


def read(scene: dict[str, Any], said: dict[str, Any], *numbers: Any) -> Params:
    """The tab's parameters from its components. ParamError when a setting is out of range."""
    now = {**scene, **said} if said and said["epoch"] == scene["epoch"] else scene
    values = dict(zip(EVERYTHING, numbers, strict=True))
    try:
        return Params(now["picture"], now["model"], now["objects"], now["active"], **values)
    except (TypeError, ValueError) as error:
        raise ParamError(str(error)) from error


def write(params: Params) -> list[Any]:
    """New values for the components: the inverse of ``read``."""
    return [new_scene(params), {}, *settings(params).values()]


def canvas_value(session: str, scene: dict[str, Any], folder: str) -> dict[str, Any]:
    """The scene as the canvas takes it. ImageError when the picture is not there."""
    image = pictures.pixels(session, scene["picture"])
    height, width = image.shape[:2]
    things = message_of(Params(objects=scene["objects"]).things)
    picture = {"image": pictures.shown(scene["picture"], image, folder), "image_id": scene["picture"], "width": width, "height": height}
    return {**picture, "objects": things, "active": scene["active"], "epoch": scene["epoch"]}


def build(tab: Tab) -> Built:
    """Draw the tab, wire its events, and tell the frame what holds its state."""
    parts = draw(tab, new_scene(tab.opening))
    values = [parts.scene, parts.said, *parts.settings]
    shown = _scenes(parts)
    said = _said(parts)
    _prompts(parts)
    _everything(parts, values)
    _exports(parts, values)
    _models(parts)
    _endpoints()
    Context.root_block.unload(forget)
    changed = [s.input for s in parts.settings]
    settled = gr.on(changed, lambda: None, None, None, **PRIVATE)
    return Built(values, read, write, parts.run, (shown, said, settled))


def forget(request: gr.Request) -> None:
    """A visitor has left: their pictures and checkpoints are not found any more."""
    pictures.OWN_PICTURES.drop(request.session_hash)
    pictures.OWN_CHECKPOINTS.drop(request.session_hash)


def _scenes(parts: Parts) -> Any:
    """The events that put a picture on the canvas: the frame's Run, a sample, an own picture."""
    folder = parts.canvas.GRADIO_CACHE

    def show(scene: dict[str, Any], request: gr.Request) -> tuple[Any, ...]:
        return show_scene(request.session_hash, scene, folder)

    def describe(scene: dict[str, Any], request: gr.Request) -> tuple[Any, str]:
        return _picker(request.session_hash, scene["model"])

    def put(request: gr.Request, scene: dict[str, Any], find: Callable[[], str]) -> tuple[Any, Any, Any]:
        try:
            scene = new_scene(Params(find(), scene["model"]))
            return scene, canvas_value(request.session_hash, scene, folder), gr.skip()
        except Exception as error:
            return gr.skip(), gr.skip(), notice(error)

    def sample(scene: dict[str, Any], event: gr.EventData, request: gr.Request) -> tuple[Any, Any, Any]:
        return put(request, scene, lambda: event._data["id"])

    def picture(scene: dict[str, Any], event: gr.EventData, request: gr.Request) -> tuple[Any, Any, Any]:
        return put(request, scene, lambda: pictures.add(request.session_hash, event._data["path"]))

    outputs = [parts.scene, parts.canvas, parts.notes]
    parts.canvas.sample(sample, parts.scene, outputs, **QUIET)
    parts.canvas.picture(picture, parts.scene, outputs, **QUIET)
    shown = parts.run.click(show, parts.scene, outputs, **QUIET)
    shown.then(describe, parts.scene, [parts.model, parts.facts], **QUIET)
    return shown


def show_scene(session: str, scene: dict[str, Any], folder: str) -> tuple[Any, ...]:
    """New scene, canvas and notice. What can be shown as it is stays untouched: meanwhile a preset may set another scene."""
    usable, problem = _usable(session, scene)
    kept = gr.skip() if usable is scene else usable
    return kept, canvas_value(session, usable, folder), notice(problem) if problem else gr.skip()


def _picker(session: str, model: str) -> tuple[Any, str]:
    """The model picker with ``model`` selected, and the facts about it."""
    from ui.segmenting import models

    return gr.Radio(choices=models.choices(session, model), value=model), models.facts(session, model)


def _usable(session: str, scene: dict[str, Any]) -> tuple[dict[str, Any], Exception | None]:
    """The scene, or the nearest one that this session can show, and why: an own picture or checkpoint cannot travel."""
    if not pictures.known(session, scene["picture"]):
        text = "This link was made with a picture that is not here; an own picture cannot travel in a link. Open it again."
        return new_scene(Params(model=scene["model"])), ParamError(text)
    if scene["model"] == "tiny":
        return scene, None
    from ui.segmenting import models

    try:
        models.activate(session, scene["model"])
        return scene, None
    except Exception as error:
        return {**scene, "model": "tiny", "epoch": secrets.token_hex(4)}, ParamError(f"{sentence(error)} The tiny model answers instead.")


def _said(parts: Parts) -> Any:
    """Remember what the user said. Unqueued requests can overtake each other, so the latest turn wins."""

    def remember(scene: dict[str, Any], said: dict[str, Any], event: gr.EventData) -> Any:
        told = event._data
        overtaken = said and said["epoch"] == told["epoch"] and said["turn"] > told["turn"]
        if overtaken or told["epoch"] != scene["epoch"]:
            return gr.skip()
        try:
            objects = format_things(things_of(told["objects"]))
            return {"epoch": told["epoch"], "turn": int(told["turn"]), "objects": objects, "active": int(told["active"])}
        except ValueError:
            return gr.skip()

    return parts.canvas.said(remember, [parts.scene, parts.said], parts.said, queue=False, **QUIET)


def _prompts(parts: Parts) -> None:
    """Answer with masks."""

    def prompt(scene: dict[str, Any], event: gr.EventData, request: gr.Request) -> Any:
        from ui.segmenting import answers

        ask = event._data
        frame = {"kind": "reply", "seq": ask["seq"], "epoch": ask["epoch"]}
        if ask["epoch"] != scene["epoch"]:
            return gr.skip()
        try:
            return {**frame, **answers.reply(request.session_hash, scene["model"], scene["picture"], ask)}
        except Exception as error:
            return {**frame, "results": [], "times": None, "error": sentence(error)}

    parts.canvas.prompt(prompt, parts.scene, parts.replies, **QUIET, **HEAVY)


def _everything(parts: Parts, values: list[Any]) -> None:
    """Find everything, streamed; Stop ends it at its next batch."""
    stops = Stops()

    def find(request: gr.Request, *given: Any) -> Iterator[tuple[Any, ...]]:
        from ui.segmenting import answers

        where = {"image_id": given[0]["picture"], "epoch": given[0]["epoch"]}
        yield gr.skip(), gr.skip(), *_finding("Looking at the picture")
        try:
            for message in stops.until(request.session_hash, answers.regions(request.session_hash, read(*given))):
                yield {**message, **where}, gr.skip(), *_finding(f"{message['done']} of {message['total']} points")
            yield gr.skip(), gr.skip(), *_finding("")
        except Exception as error:
            yield gr.skip(), notice(error), *_finding("")

    buttons = [parts.find, parts.stop]
    alone = {"concurrency_id": "everything", "concurrency_limit": 1}
    parts.find.click(find, values, [parts.records, parts.notes, *buttons], **QUIET, **alone)
    stops.heed(parts.stop)


def _finding(progress: str) -> tuple[gr.Button, gr.Button]:
    """Find and Stop while everything mode runs (``progress`` is a few words), or at rest (empty)."""
    return gr.Button(progress or "Find everything", interactive=not progress), gr.Button(interactive=bool(progress))


def _exports(parts: Parts, values: list[Any]) -> None:
    """A file for the browser to save."""
    folder = parts.files.GRADIO_CACHE

    def export(event: gr.EventData, request: gr.Request, *given: Any) -> tuple[Any, Any]:
        from ui.segmenting import downloads

        try:
            name, content = downloads.file_of(request.session_hash, read(*given), event._data["kind"])
        except Exception as error:
            return gr.skip(), notice(error)
        return {"kind": "file", "name": name, "file": save_bytes_to_cache(content, name, folder), "nonce": secrets.token_hex(4)}, gr.skip()

    parts.canvas.export(export, values, [parts.files, parts.notes], **QUIET, **HEAVY)


def _models(parts: Parts) -> None:
    """Picking, downloading and loading models. The active one changes only after its weights were read."""
    outputs = [parts.scene, parts.canvas, parts.facts, parts.download, parts.stop_download, parts.progress, parts.model, parts.notes]
    folder = parts.canvas.GRADIO_CACHE

    def use(scene: dict[str, Any], said: dict[str, Any], session: str, model: str) -> list[Any]:
        """Outputs for a model that can be used at once: the same objects under a new epoch."""
        from ui.segmenting import models

        models.activate(session, model)
        kept = said if said and said.get("epoch") == scene["epoch"] else scene
        scene = new_scene(Params(scene["picture"], model, kept["objects"], kept["active"]))
        hidden = gr.Button(visible=False)
        picker, facts = _picker(session, model)
        return [scene, canvas_value(session, scene, folder), facts, hidden, hidden, "", picker, gr.skip()]

    def pick(scene: dict[str, Any], said: dict[str, Any], model: str, request: gr.Request) -> list[Any]:
        from ui.segmenting import models

        session = request.session_hash
        try:
            if models.must_download(model):
                return [gr.skip(), gr.skip(), *_offer(session, model), gr.skip(), gr.skip()]
            return use(scene, said, session, model)
        except Exception as error:
            return _refused(session, scene, error)

    def load(scene: dict[str, Any], said: dict[str, Any], path: str, request: gr.Request) -> list[Any]:
        from ui.segmenting import models

        try:
            return use(scene, said, request.session_hash, models.add_checkpoint(request.session_hash, path))
        except Exception as error:
            return _refused(request.session_hash, scene, error)

    state = [parts.scene, parts.said]
    parts.model.input(pick, [*state, parts.model], outputs, **QUIET)
    parts.checkpoint.upload(load, [*state, parts.checkpoint], outputs, **QUIET)
    _downloads(parts).then(pick, [*state, parts.model], outputs, **QUIET)


def _refused(session: str, scene: dict[str, Any], error: Exception) -> list[Any]:
    """The previous model stays: picker and facts go back to it, and the canvas says why."""
    picker, facts = _picker(session, scene["model"])
    hidden = gr.Button(visible=False)
    return [gr.skip(), gr.skip(), facts, hidden, hidden, "", picker, notice(error)]


def _offer(session: str, model: str) -> list[Any]:
    """Facts and the download button of a model that is not on this machine."""
    from ui.segmenting import models

    button = gr.Button(models.offer(model), visible=True, interactive=True)
    text = '<p class="gb-note">Until it is here, the current model goes on answering.</p>'
    return [models.facts(session, model) + text, button, gr.Button(visible=False), models.kept_part(model)]


def _downloads(parts: Parts) -> Any:
    """Download with progress. Stop keeps what has arrived, so that the next start resumes."""

    stops = Stops()

    def fetch(model: str, request: gr.Request) -> Iterator[tuple[Any, Any, Any, Any]]:
        from ui.segmenting import models

        busy = gr.Button(interactive=False), gr.Button(visible=True)
        try:
            for bar in stops.until(request.session_hash, models.download(model)):
                yield bar, *busy, gr.skip()
            yield "", gr.Button(visible=False), gr.Button(visible=False), gr.skip()
        except Exception as error:
            yield f'<p class="gb-note">{escape(sentence(error))}</p>', gr.Button(interactive=True), gr.Button(visible=False), notice(error)

    outputs = [parts.progress, parts.download, parts.stop_download, parts.notes]
    fetching = parts.download.click(fetch, parts.model, outputs, **QUIET, concurrency_id="download", concurrency_limit=2)
    stops.heed(parts.stop_download)
    return fetching


def _endpoints() -> None:
    """The public functions ``/segment`` and ``/everything``; errors are one sentence."""
    if os.environ.get("SPACES_ZERO_GPU"):
        from ui.segmenting import answers  # noqa: F401  ZeroGPU wants to see the decorated functions at the start
    for function in (endpoints.segment, endpoints.everything):
        gr.api(_public(function), api_name=function.__name__, **HEAVY)


def _public(function: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> dict[str, Any]:
        try:
            return function(*args, **named)
        except Exception as error:
            raise gr.Error(escape(sentence(error))) from error

    return call


def caveat(params: Params) -> str:
    """What a copied link cannot carry, in one sentence; empty when it carries everything."""
    own = [word for word, value in (("picture", params.picture), ("checkpoint", params.model)) if value.startswith("own-")]
    return f"Your own {' and '.join(own)} cannot travel in a link; the clicks do." if own else ""


TAB = Tab(
    slug="segment",
    title="Segment",
    question="What lies between a click and the mask?",
    params=Params,
    run=endpoints.run,
    presets=PRESETS,
    build=build,
    snippet=endpoints.script,
    caveat=caveat,
)
