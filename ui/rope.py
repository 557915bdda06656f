"""The RoPE tab: what a model that was trained on short texts makes of long ones, under every way to bend its positions.

Clock faces, distances and the calculator answer each move of a setting; the other views run on the trained models, stream point by point
and can be stopped. Choosing such a view, a link, a preset or the Run button start it; another setting only says that what is shown is old.
"""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from backends.rope import answer, stream
from backends.rope.params import MAX_TEXT, RopeParams
from ui import markup, panels, texts
from ui.build import LIVE, LONG, PRIVATE, TRIVIAL, Built, endpoint, told, touched
from ui.figures import rope
from ui.roping import answers, beside
from ui.roping.layout import Parts, draw
from ui.roping.presets import PRESETS
from ui.roping.state import INSTANT, read, write
from ui.segmenting.pictures import uploaded
from ui.stops import Stops
from ui.tab import Tab

STOPS = Stops()
USUAL = "YaRN's usual tau is 32 for such models; it is one of the settings of the methods."
MODEL = ("head_dim", "base", "trained", "target", "partial")


def build(tab: Tab) -> Built:
    """Draw the tab, wire its events, and tell the frame what holds its state."""
    parts = draw(tab)
    values = list(parts.widgets.values())
    ran = _answers(tab, parts, values)
    _runs(tab, parts, values)
    _loads(parts)
    _downloads(parts, values)
    parts.widgets["text"].change(None, parts.widgets["text"], None, js="(text) => glassbox.count('rope', text)")
    endpoint(tab)
    return Built(values, read, write, parts.run, (ran,))


def _answers(tab: Tab, parts: Parts, values: list[Any]) -> Any:
    """The views that answer at once; after any other setting of the others, a word that what is shown is old."""
    outputs = [parts.stage, parts.code, parts.remark, *_common(parts)]

    def paint(*given: Any) -> list[Any]:
        with told():
            params = read(*given)
            if params.view in INSTANT:
                result = answer(params)
                return [answers.scene(params, result), *_calculated(params, result), *_said(tab, params, result)]
        return [gr.skip()] * len(outputs)

    def stale(*given: Any) -> Any:
        with told():
            return gr.skip() if read(*given).view in INSTANT else panels.STALE
        return gr.skip()

    settings = [widget for name, widget in parts.widgets.items() if name != "view"]
    gr.on([widget.input for widget in settings], stale, values, parts.stale, trigger_mode="always_last", **TRIVIAL)
    return gr.on([parts.run.click, *(touched(widget) for widget in parts.widgets.values())], paint, values, outputs, **LIVE)


def _calculated(params: RopeParams, result: Any) -> list[Any]:
    """The block and what to know of it, in the calculator."""
    if params.view != "calculator":
        return [gr.skip(), gr.skip()]
    return [answers.block(params, result), beside.summary(params, result.body)]


def _common(parts: Parts) -> list[Any]:
    return [parts.notice, parts.checks, parts.table]


def _said(tab: Tab, params: RopeParams, result: Any) -> list[Any]:
    """Notice and the preset's observation, checks, table."""
    preset = next((p for p in tab.presets if p.params == params), None) if result.finished else None
    cut = f'<p class="gb-note">{escape(result.notice)}</p>' if result.notice else ""
    verdict = getattr(result.body, "verdict", "")
    words = f"<p>{escape(verdict)}</p>" if verdict else ""
    seen = markup.checks((), preset, bool(preset.holds(result))) if preset else ""
    return [cut + words + seen, markup.checks(result.checks), markup.table(answers.table(result), "What is drawn")]


def _runs(tab: Tab, parts: Parts, values: list[Any]) -> None:
    """The views that are run: streamed, stoppable; what is there stays when they are stopped."""
    outputs = [parts.plot, parts.beside, parts.stale, *_common(parts)]

    def follow(request: gr.Request, *given: Any) -> Iterator[list[Any]]:
        with told():
            params = read(*given)
            if params.view not in INSTANT:
                for k, result in enumerate(STOPS.until(request.session_hash, stream(params))):
                    apart = beside.compare(result.body) if params.view == "curve" else gr.skip()
                    old = gr.skip() if k else ""                                # a setting may have changed since the run began
                    yield [rope.FIGURES[params.view](result.body), apart, old, *_said(tab, params, result)]
                return
        yield [gr.skip()] * len(outputs)

    gr.on([parts.go.click, parts.begin.click, parts.widgets["view"].input], follow, values, outputs, **LONG)
    STOPS.heed(parts.stop)


def _loads(parts: Parts) -> None:
    """A text from a file, and the numbers of a model from its config.json; on an error everything stays as it was."""
    model = [parts.widgets[name] for name in MODEL]

    def text(path: str) -> list[Any]:
        with told():
            found, said = texts.read_text(uploaded(path), MAX_TEXT)
            return [found, f'<p class="gb-note">{escape(said)}</p>']
        return [gr.skip(), gr.skip()]

    def config(path: str) -> list[Any]:
        from backends.rope.config import read_config

        with told():
            found = read_config(Path(uploaded(path)))
            said = f"The config.json: {found.head_dim} rotated channels, trained on {found.trained} tokens. {found.notice} {USUAL}"
            return [*(getattr(found, name) for name in MODEL), f'<p class="gb-note">{escape(said)}</p>']
        return [gr.skip()] * (len(model) + 1)

    parts.upload.upload(text, parts.upload, [parts.widgets["text"], parts.held], **PRIVATE)
    read_in = parts.config.upload(config, parts.config, [*model, parts.loaded], **PRIVATE)
    read_in.success(None, None, None, js="() => glassbox.run('rope')")


def _downloads(parts: Parts, values: list[Any]) -> None:
    """The view's rows as CSV, worked out anew with all digits and saved by the browser."""

    def rows(*given: Any) -> Any:
        with told():
            return markup.csv_of(answers.table(answer(read(*given))))
        return gr.skip()

    made = parts.csv.click(rows, values, parts.carrier, **PRIVATE)
    made.success(None, parts.carrier, None, js="(text) => glassbox.save('glassbox-rope.csv', text)")


TAB = Tab(
    slug="rope",
    title="RoPE",
    question="What does a model trained on short texts make of long ones?",
    params=RopeParams,
    run=answer,
    presets=PRESETS,
    build=build,
    caveat=texts.caveat,
    portable=texts.portable,
)
