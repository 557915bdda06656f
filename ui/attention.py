"""The Attention tab: one q, k, v through many kinds of attention, side by side, and lessons on what is seen there.

A change of any setting computes all cards anew (tier B: the last of several wins); hovering, locking, colours and the difference to
softmax are the browser's (assets/js/cards.js). The lesson is worked out after the cards are on screen; `bracket` measures, so it
streams and can be stopped.
"""

from collections.abc import Callable, Iterator
from html import escape
from typing import Any

import gradio as gr
from gradio.context import Context

from backends.attention.params import AttentionParams
from backends.plain import numbers
from ui import markup, permalink
from ui.attending import answers, lessons, uploads
from ui.attending.layout import Parts, draw
from ui.attending.presets import PRESETS
from ui.attending.state import PARAMS, read, write
from ui.build import LIVE, LONG, PRIVATE, Built, described, told, touched
from ui.tab import Tab


def build(tab: Tab) -> Built:
    """Draw the tab, wire its events, and tell the frame what holds its state."""
    parts = draw(tab)
    values = list(parts.widgets.values())
    ran = _computes(tab, parts, values)
    _measures(tab, parts, values)
    parts.widgets["text"].change(None, parts.widgets["text"], None, js="(text) => glassbox.count('attention', text)")
    _loads(parts)
    _downloads(parts, values)
    _endpoint(tab)
    Context.root_block.unload(forget)
    return Built(values, read, write, parts.run, (ran,))


def forget(request: gr.Request) -> None:
    """A visitor has left: their tensors are not found any more."""
    uploads.OWN.drop(request.session_hash)


def _computes(tab: Tab, parts: Parts, values: list[Any]) -> Any:
    """Cards at once, then the lesson. The step of the RNN lesson is the browser's, so it computes nothing."""
    top = [parts.cards, parts.checks, parts.notice, parts.table, parts.which]
    below = _lesson_outputs(parts)

    def paint(request: gr.Request, drawn: str, which: str, *given: Any) -> Iterator[list[Any]]:
        with told():
            params = read(*given)
            tensors = uploads.tensors(request.session_hash, params)
            result = answers.quick(params, tensors)
            yield [*_painted(tab, params, result, which), *_prepared(params, drawn)]
            if params.lesson in ("none", "bracket"):
                return
            for full in answers.taught(params, tensors, result):
                said = [markup.checks(full.checks), _notice(tab, params, full)]
                yield [gr.skip(), *said, gr.skip(), gr.skip(), *_taught(params, full.lesson, full.labels)]
            return
        yield [gr.skip()] * len(top + below)

    live = [touched(widget) for name, widget in parts.widgets.items() if name != "step"]
    parts.widgets["step"].input(None, parts.widgets["step"], None, js="(step) => glassbox.step(step)")
    return gr.on([parts.run.click, *live], paint, [parts.drawn, parts.which, *values], top + below, **LIVE)


def _lesson_outputs(parts: Parts) -> list[Any]:
    step = parts.widgets["step"]
    return [parts.lesson, *parts.prose, parts.measuring, step, parts.plot, parts.stage, parts.lesson_table, parts.drawn]


def _painted(tab: Tab, params: AttentionParams, result: Any, which: str) -> list[Any]:
    """New values of everything above the lesson; ``which`` card's matrix is on offer."""
    kinds = [(c.label, c.kind) for c in result.cards]
    chosen = gr.Dropdown(choices=kinds, value=which if which in params.kinds else kinds[0][1])
    rows = markup.table(answers.table(result), "Figures of each kind")
    return [answers.scene(params, result), markup.checks(result.checks), _notice(tab, params, result), rows, chosen]


def _notice(tab: Tab, params: AttentionParams, result: Any) -> str:
    """What was cut; and the observation of a preset that is on screen, once its lesson is there."""
    preset = next((p for p in tab.presets if p.params == params), None)
    ready = preset is not None and (params.lesson == "none" or result.lesson is not None)
    cut = f'<p class="gb-note">{escape(result.notice)}</p>' if result.notice else ""
    return cut + (markup.checks((), preset, bool(preset.holds(result))) if ready else "")


def _prepared(params: AttentionParams, drawn: str) -> list[Any]:
    """The lesson's place before its figure is there: its text at once; what is ``drawn`` there stays if it is this lesson's."""
    name = params.lesson
    texts = [lessons.prose(language).get(name, "") for language in ("en", "zh")]
    fresh = {} if drawn == name else {"value": None}
    plot = gr.update(visible=name in lessons.FIGURES, **fresh)
    stage = gr.update(visible=name in lessons.STAGED, **fresh)
    table = gr.skip() if drawn == name else ""
    return [gr.update(visible=name != "none"), *texts, gr.update(visible=name == "bracket"), gr.skip(), plot, stage, table, name]


def _taught(params: AttentionParams, lesson: Any, labels: tuple[str, ...]) -> list[Any]:
    """New values of the lesson's place."""
    n = len(labels)
    step = gr.Slider(maximum=n, value=min(params.step, n)) if params.lesson == "state" else gr.skip()
    return [*[gr.skip()] * 4, step, *_drawn(params.lesson, lesson, labels), gr.skip()]


def _drawn(name: str, lesson: Any, labels: tuple[str, ...] = ()) -> list[Any]:
    """Plot, stage and table of one lesson's result."""
    figure, scene = lessons.figure(name, lesson), lessons.scene(name, lesson, labels)
    rows = markup.table(lessons.table(name, lesson), lessons.TITLES[name])
    return [gr.skip() if figure is None else figure, gr.skip() if scene is None else scene, rows]


def _measures(tab: Tab, parts: Parts, values: list[Any]) -> None:
    """The measurement: started by its Run, by choosing it, by a link and by a preset; Stop keeps what is there."""
    outputs = [parts.plot, parts.stage, parts.lesson_table, parts.checks, parts.notice]

    def measure(request: gr.Request, *given: Any) -> Iterator[list[Any]]:
        with told():
            params = read(*given)
            if params.lesson == "bracket":
                tensors = uploads.tensors(request.session_hash, params)
                for result in answers.taught(params, tensors, answers.quick(params, tensors)):
                    notice = _notice(tab, params, result) if result.lesson.finished else gr.skip()
                    yield [*_drawn("bracket", result.lesson), markup.checks(result.checks), notice]
                return
        yield [gr.skip()] * len(outputs)

    start = [parts.measure.click, parts.begin.click, parts.widgets["lesson"].input]
    started = gr.on(start, measure, values, outputs, **LONG)
    parts.stop.click(None, None, None, cancels=[started], api_visibility="private")


def _loads(parts: Parts) -> None:
    """An own file."""

    def load(path: str, request: gr.Request) -> str:
        with told():
            return f'<p class="gb-note">{escape(uploads.add(request.session_hash, path))}</p>'
        return ""

    loaded = parts.file.upload(load, parts.file, parts.loaded, **PRIVATE)
    loaded.then(None, parts.loaded, None, js="(held) => { if (held) glassbox.run('attention'); }")


def _downloads(parts: Parts, values: list[Any]) -> None:
    """Tables as CSV, computed anew with all digits and saved by the browser."""

    def rows(make: Callable[[Any, AttentionParams, str], Any], full: bool) -> Callable[..., Any]:
        def inner(request: gr.Request, which: str, *given: Any) -> Any:
            with told():
                params = read(*given)
                result = (answers.run if full else answers.quick)(params, uploads.tensors(request.session_hash, params))
                return markup.csv_of(make(result, params, which))
            return gr.skip()

        return inner

    for button, name, full, make in (
        (parts.metrics_csv, "kinds", False, lambda result, params, which: answers.table(result)),
        (parts.matrix_csv, "matrix", False, lambda result, params, which: answers.matrix(result, which)),
        (parts.lesson_csv, "lesson", True, lambda result, params, which: lessons.table(params.lesson, result.lesson)),
    ):
        made = button.click(rows(make, full), [parts.which, *values], parts.carrier, **PRIVATE)
        made.success(None, parts.carrier, None, js=f"(text) => glassbox.save('glassbox-attention-{name}.csv', text)")


def _endpoint(tab: Tab) -> None:
    """Publish ``/attention``: the parameters by name, the result's numbers as JSON."""

    def call(*args: Any, **named: Any) -> dict:
        try:
            params = permalink.make(AttentionParams, dict(zip(PARAMS, args, strict=False)) | named)
            return numbers(answers.run(params, uploads.tensors("", params)))
        except ValueError as error:
            raise gr.Error(escape(str(error))) from error

    described(call, tab)
    gr.api(call, api_name=tab.slug, concurrency_id="live", concurrency_limit=4)


TAB = Tab(
    slug="attention",
    title="Attention",
    question="What does another kind of attention do with the same q, k and v?",
    params=AttentionParams,
    run=answers.run,
    presets=PRESETS,
    first=PRESETS[0].params,
    build=build,
    snippet=answers.script,
    caveat=uploads.caveat,
)
