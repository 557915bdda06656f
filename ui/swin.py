"""The Swin tab: a picture's tokens in shifted windows, step by step, and what a trained Swin looks at.

Stepping, hovering and lighting up partners are the browser's (assets/js/swin*.js). A setting, a clicked token or an edited bias is worked
out on the server (tier B: the last of several wins), on the queries, keys and values of the shipped Swin.
"""

from collections.abc import Callable, Iterator
from html import escape
from typing import Any

import gradio as gr
from gradio.context import Context

from backends.swin.params import SwinParams
from ui import markup
from ui.build import LIVE, LONG, PRIVATE, TRIVIAL, Built, endpoint, told, touched
from ui.figures import swin
from ui.segmenting import pictures
from ui.swinning import answers
from ui.swinning.layout import Parts, draw
from ui.swinning.presets import PRESETS
from ui.swinning.state import PLOTTED, caveat, changed, edited, read, write
from ui.tab import Tab


def build(tab: Tab) -> Built:
    """Draw the tab, wire its events, and tell the frame what holds its state."""
    parts = draw(tab)
    values = list(parts.widgets.values())
    events = _computes(tab, parts, values)
    _loads(parts)
    _downloads(parts, values)
    endpoint(tab)
    Context.root_block.unload(forget)
    return Built(values, read, write, parts.run, events)


def forget(request: gr.Request) -> None:
    """A visitor has left: their weights are not found any more. (Their pictures are dropped by the Segment tab.)"""
    answers.OWN_WEIGHTS.drop(request.session_hash)


def _computes(tab: Tab, parts: Parts, values: list[Any]) -> tuple[Any, ...]:
    """Settings, and what the canvases say: each message changes some parameters, then everything is worked out from all of them."""
    shown = [parts.stage, parts.tables, parts.plot, parts.checks, parts.notice, parts.table]
    folder = parts.stage.GRADIO_CACHE

    def paint(request: gr.Request, *given: Any) -> Iterator[list[Any]]:
        with told():
            params = read(*given)
            for result in answers.steps(request.session_hash, params):
                yield _painted(tab, params, result, request.session_hash, folder)
            return
        yield [gr.skip()] * len(shown)

    def after(change: Callable[[SwinParams, Any, str], SwinParams]) -> Callable[..., list[Any]]:
        def inner(request: gr.Request, event: gr.EventData, *given: Any) -> list[Any]:
            with told():
                params = change(read(*given), event._data, request.session_hash)
                [result] = answers.steps(request.session_hash, params)
                return [*write(params), *_painted(tab, params, result, request.session_hash, folder)]
            return [gr.skip()] * (len(values) + len(shown))

        return inner

    live = [touched(widget) for name, widget in parts.widgets.items() if hasattr(widget, "input")]
    ran = gr.on([parts.run.click, *live], paint, values, shown, **LIVE)
    said = {"sample": _sampled, "picture": _opened, "pick": _picked, "choose": _chosen}
    messages = [*((parts.stage, *one) for one in said.items()), (parts.tables, "choose", _chosen), (parts.tables, "edit", _edits)]
    heard = [getattr(canvas, name)(after(change), values, [*values, *shown], **LIVE) for canvas, name, change in messages]
    stepped = parts.stage.stepped(_stepped, None, parts.widgets["step"], **TRIVIAL)
    return (ran, *heard, stepped)


def _stepped(event: gr.EventData) -> str:
    return event._data["step"]


def _sampled(params: SwinParams, message: Any, session: str) -> SwinParams:
    return changed(params, picture=message["id"])


def _opened(params: SwinParams, message: Any, session: str) -> SwinParams:
    return changed(params, picture=pictures.add(session, message["path"]))


def _picked(params: SwinParams, message: Any, session: str) -> SwinParams:
    return changed(params, y=message["y"], x=message["x"])


def _chosen(params: SwinParams, message: Any, session: str) -> SwinParams:
    names = {"block": "map_block", "head": "map_head"} if params.view == "model" else {"head": "head"}
    return changed(params, **{name: message[key] for key, name in names.items() if key in message})


def _edits(params: SwinParams, message: Any, session: str) -> SwinParams:
    return edited(params, message)


def _painted(tab: Tab, params: SwinParams, result: Any, session: str, folder: str) -> list[Any]:
    """New values of everything that is shown."""
    preset = next((p for p in tab.presets if p.params == params), None)
    cut = f'<p class="gb-note">{escape(result.notice)}</p>' if result.notice else ""
    finished = params.view != "cost" or all(p.window_seconds is not None for p in result.body.prices)
    seen = markup.checks((), preset, bool(preset.holds(result))) if preset and finished else ""
    if params.view == "cost":
        cut = f"<p>{markup.both(*swin.price_words(result.body))}</p>"
    tables = swin.tables(result.body) if params.view == "bias" else gr.skip()
    plot = swin.FIGURES[params.view](result.body) if params.view in PLOTTED else gr.skip()
    scene = answers.scene(session, params, result, folder)
    rows = markup.table(answers.table(result), "What is drawn")
    return [gr.skip() if scene is None else scene, tables, plot, markup.checks(result.checks), cut + seen, rows]


def _loads(parts: Parts) -> None:
    """Own weights, or timm's from the hub: what that would be is said when the choice appears, and the button asks for it."""
    architecture = parts.widgets["architecture"]

    def offer(name: str) -> str:
        with told():
            return f'<p class="gb-note">{escape(answers.offered(name))}</p>'
        return ""

    def fetch(name: str, request: gr.Request) -> Iterator[str]:
        with told():
            for words in answers.add_hub(request.session_hash, name):
                yield f'<p class="gb-note">{escape(words)}</p>'
            return
        yield ""

    def load(path: str, request: gr.Request) -> str:
        with told():
            return f'<p class="gb-note">{escape(answers.add_weights(request.session_hash, path))}</p>'
        return ""

    loaded = parts.upload.upload(load, parts.upload, parts.loaded, **PRIVATE)
    fetched = parts.hub.click(fetch, architecture, parts.loaded, **LONG)
    for event in (loaded, fetched):
        event.then(None, parts.loaded, None, js="(held) => { if (held) glassbox.run('swin'); }")
    gr.on([parts.widgets["model"].input, architecture.input], offer, architecture, parts.offer, trigger_mode="always_last", **PRIVATE)


def _downloads(parts: Parts, values: list[Any]) -> None:
    """The view's rows as CSV, worked out anew with all digits and saved by the browser."""

    def rows(request: gr.Request, *given: Any) -> Any:
        with told():
            return markup.csv_of(answers.table(list(answers.steps(request.session_hash, read(*given)))[-1]))
        return gr.skip()

    made = parts.csv.click(rows, values, parts.carrier, **PRIVATE)
    made.success(None, parts.carrier, None, js="(text) => glassbox.save('glassbox-swin.csv', text)")


TAB = Tab(
    slug="swin",
    title="Swin",
    question="Why may two neighbours in a window not see each other?",
    params=SwinParams,
    run=answers.run,
    presets=PRESETS,
    build=build,
    snippet=answers.script,
    caveat=caveat,
)
