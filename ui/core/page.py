"""From a ``Tab`` to its page: widgets, events, downloads, the link and the exported script.

All goes through the tab's ``Wire``. Three events are heard: ``said`` (a preset, a stage, a button, a file) and changes
of widgets, which are answered at once, and ``begin``, which starts a long run. Each answer fills the same outputs;
what changes and runs tell the browser comes on elements of their own, since they can meet a message's answer.
"""

from collections.abc import AsyncIterator, Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from ui.core import export, layout, permalink
from ui.core.again import again
from ui.core.echoes import Echoes
from ui.core.endpoint import publish
from ui.core.frame import Frame
from ui.core.gate import visitor_of
from ui.core.lanes import Place
from ui.core.problems import linked_to, problems
from ui.core.tab import Tab
from ui.parts import hiding, markup, sources, texts
from ui.parts.canvas import Aside, Stage, Wire, piece
from ui.parts.widgets import event_of, from_widget, menu, to_widget

FREE = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
"""Events wait in our own lanes, never in gradio's queue."""
Answer = AsyncIterator[list[Any]]


@dataclass(frozen=True)
class Parts:
    """The components of a page: one widget for each parameter, by name, and what a result fills."""

    widgets: dict[str, Any]
    notice: gr.HTML
    stage: Stage
    plot: gr.Plot
    below: gr.HTML
    checks: gr.HTML
    table: gr.HTML
    wire: Wire
    changes: Aside
    runs: Aside

    @property
    def shown(self) -> list[Any]:
        """What a result fills, in the order of ``Page.painted``."""
        return [self.notice, self.stage, self.plot, self.below, self.checks, self.table]


@dataclass(frozen=True)
class Page:
    """A drawn tab. ``read`` and ``write`` go from the widgets' values to parameters and back; ``begun``: what each
    visitor's long run was started with; ``wrote``: what the server wrote into their widgets; ``inputs`` gives what the
    mechanism gets besides its parameters."""

    tab: Tab
    frame: Frame
    parts: Parts
    begun: dict[str, Any] = field(default_factory=dict)
    wrote: Echoes = field(default_factory=Echoes)
    inputs: Callable[[Tab, str, Any], dict[str, Any]] = sources.inputs

    @property
    def values(self) -> list[Any]:
        """The components that hold the state."""
        return list(self.parts.widgets.values())

    def outputs(self, told: Wire | Aside) -> list[Any]:
        """What every answer of an event fills; ``told`` brings the browser what ``out`` says."""
        return [*self.values, *self.parts.shown, told]

    def read(self, *values: Any) -> Any:
        """The parameters from the widgets' values. ParamError when one cannot be used."""
        pairs = zip(self.tab.declared.values(), values, strict=True)
        return permalink.make(self.tab.params, {p.name: from_widget(self.tab, p, v) for p, v in pairs})

    def write(self, params: Any) -> list[Any]:
        """New values of all widgets: the inverse of ``read``."""
        return [to_widget(self.tab, p, getattr(params, p.name)) for p in self.tab.declared.values()]

    def written(self, session: str, params: Any, names: Collection[str]) -> list[Any]:
        """New values of these widgets, remembered; the others stay."""
        new = dict(zip(self.tab.declared, self.write(params), strict=True))
        self.wrote.wrote(session, {name: new[name] for name in names if event_of(self.parts.widgets[name]) == "change"})
        return [value if name in names else gr.skip() for name, value in new.items()]

    def echoes(self, session: str, widget: Any, given: tuple[Any, ...]) -> bool:
        """Whether ``widget``, a text, only tells what the server wrote into it; an ``input`` is always a hand's."""
        name = widget.elem_id.removeprefix(f"{self.tab.slug}-")     # gradio hands out copies with other numbers
        return self.wrote.tells(session, name, given[list(self.tab.declared).index(name)])

    def out(self, values: list[Any] | None = None, shown: list[Any] | None = None, **told: Any) -> list[Any]:
        """One answer; what is not given stays as it is."""
        skips = [gr.skip()] * len(self.values), [gr.skip()] * len(self.parts.shown)
        return [*(values or skips[0]), *(shown or skips[1]), told or gr.skip()]

    def state(self, params: Any) -> dict[str, Any]:
        """What the browser remembers of the parameters: the link, the view, and which of the marked buttons is
        pressed."""
        marks = {s.field: getattr(params, s.field) for s in self.tab.sources if s.kind == "picture"}
        link = permalink.encode(self.tab.slug, self.portable(params))
        return {"link": link, "view": getattr(params, self.tab.chooser), "marks": marks}

    def portable(self, params: Any) -> Any:
        """What a link carries: everything but a long text."""
        text = self.tab.source("text")
        return texts.portable(params, text.field) if text else params

    # --- answers ---

    async def changed(self, request: gr.Request, event: gr.EventData, *given: Any) -> Answer:
        """A widget was changed. What is on screen already is not computed again."""
        with problems():
            if self.echoes(request.session_hash, event.target, given):
                yield self.out()                          # an answer without any would empty every component
                return
            params, shown = self.read(*given), self.frame.kept.get(request.session_hash, self.tab.slug)
            if (plan := await self.plan(params))["streamed"]:
                old = self.begun.get(request.session_hash) != params
                yield self.out(**self.state(params), **plan, stale=old)
            elif shown is None or shown.params != params:
                async for out in self.answered(request, params):
                    yield out
            else:
                yield self.out()
            return
        yield self.out()

    async def said(self, request: gr.Request, event: gr.EventData, *given: Any) -> Answer:
        """A message from the browser; its answer carries its number."""
        message = event._data
        with problems():
            act = ACTS.get(message["kind"])
            if act is None:
                raise ValueError("The page and the server do not understand each other; please reload the page.")
            async for out in act(self, request, message, given):
                if isinstance(out[-1], dict) and "turn" in message:
                    out[-1].setdefault("turn", message["turn"])
                yield out
            return
        yield self.out(turn=message.get("turn"))

    async def answered(self, request: gr.Request, params: Any, values: bool = False, **wire: Any) -> Answer:
        """What the parameters show; a streamed view is begun by the browser."""
        new = self.written(request.session_hash, params, self.tab.declared) if values else None
        wire |= self.state(params)
        # in the same answer as what is shown: of two in one flush the browser sees the last
        if any(source.offer and source.wanted(params) for source in self.tab.sources):
            wire["offers"] = await self.frame.lanes.one(partial(sources.offers, self.tab, params))
        if (plan := await self.plan(params))["streamed"]:
            yield self.out(new, **plan, begin=True, **wire)
            return
        shown = None
        async for item in self.frame.lanes.now(partial(self.steps, request.session_hash, params, wire.get("turn"))):
            shown = again(shown, item)
            yield self.out(new, shown, **plan, **wire)
            new = None

    async def plan(self, params: Any) -> dict[str, Any]:
        """What the browser is told of how the view is worked out."""
        plan, looks = partial(self.tab.view(params).plan, params), self.tab.view(params).looks
        return await self.frame.lanes.one(plan) if looks else plan()

    def steps(self, session: str, params: Any, turn: int | None) -> Iterator[list[Any]]:
        """Growing results, drawn and kept; nothing but a sentence where a file is missing. ValueError, one sentence."""
        try:
            given = self.inputs(self.tab, session, params)
        except sources.MissingError as missing:
            self.frame.kept.drop(session, self.tab.slug)
            yield [markup.note(str(missing)), {"turn": turn, "scenes": []}, None, "", "", ""]
            return
        for result in self.tab.run.stream(params, **given):
            painted = self.painted(session, params, result, turn)
            self.frame.kept.put(session, self.tab.slug, params, result)
            yield painted

    def painted(self, session: str, params: Any, result: Any, turn: int | None) -> list[Any]:
        """New values of what is shown, for one result."""
        view, body = self.tab.view(params), result.body
        preset = next((p for p in self.tab.presets if p.params == params), None) if result.finished else None
        seen = markup.observed(preset, bool(preset.holds(result))) if preset else ""
        words = f"<p>{escape(view.words(params, body))}</p>" if view.words else ""
        shown = self.frame.kept.get(session, self.tab.slug)
        other = shown is None or self.tab.view(shown.params) is not view
        scenes, stage = view.stage(params, body) if view.stage else None, gr.skip()
        if scenes is not None:
            stage = {"turn": turn, "scenes": scenes if isinstance(scenes, list) else [scenes]}
            stage |= sources.pictured(self.tab, session, params, self.parts.stage.GRADIO_CACHE)
        plot = view.figure(body) if view.figure else None
        plot = gr.skip() if plot is None and not other else plot
        below = view.below(params, body) if view.below else ""
        table = markup.table(view.table(body), "What is drawn")
        checks = markup.checks(result.checks) if result.finished or view.streamed is True else gr.skip()
        return [markup.note(result.notice) + words + seen, stage, plot, below, checks, table]

    # --- long runs ---

    async def begin(self, request: gr.Request, *given: Any) -> Answer:
        """The long run of a streamed view: its place while it waits, then its results."""
        session, shown = request.session_hash, None
        with problems():
            params = self.read(*given)
            if not (await self.plan(params))["streamed"]:
                yield self.out()
                return
            self.begun[session] = params
            kind = f"{self.tab.slug} {getattr(params, self.tab.chooser)}"
            make = partial(self.steps, session, params, None)
            yield self.out(running=True, stale=False, place=None)
            async for item in self.frame.lanes.long(session, visitor_of(request, session), kind, make):
                if isinstance(item, Place):
                    yield self.out(running=True, place={"ahead": item.ahead, "seconds": item.seconds})
                else:
                    shown = again(shown, item)
                    yield self.out(None, shown, running=True, place=None)
        yield self.out(None, shown, running=False, place=None)

    def stop(self, request: gr.Request) -> None:
        """End the visitor's long runs."""
        self.frame.lanes.stop(visitor_of(request, request.session_hash))

    # --- messages ---

    async def _open(self, request: gr.Request, message: dict[str, Any], given: tuple[Any, ...]) -> Answer:
        """The tab is seen for the first time; a long run starts by itself only when a link asked for it."""
        linked = message.get("link")
        params = linked_to(self.tab, linked) if linked else self.read(*given)
        if not linked and (plan := await self.plan(params))["streamed"]:
            yield self.out(**self.state(params), **plan)
            return
        async for out in self.answered(request, params, bool(linked), turn=message["turn"]):
            yield out

    async def _set(self, request: gr.Request, message: dict[str, Any], given: tuple[Any, ...]) -> Answer:
        """A stage or a button sets parameters."""
        params = permalink.changed(self.read(*given), message["values"])
        async for out in self.answered(request, params, True, turn=message["turn"]):
            yield out

    async def _note(self, request: gr.Request, message: dict[str, Any], given: tuple[Any, ...]) -> Answer:
        """The stage did by itself what held parameters say: they are set for the link, and nothing is computed."""
        before, shown = self.read(*given), self.frame.kept.get(request.session_hash, self.tab.slug)
        names = message["values"].keys() & set(self.tab.held)
        params = permalink.changed(before, {name: message["values"][name] for name in names})
        if shown is not None and shown.params == before:
            self.frame.kept.put(request.session_hash, self.tab.slug, params, shown.result)
        yield self.out(self.written(request.session_hash, params, names), **self.state(params))

    async def _preset(self, request: gr.Request, message: dict[str, Any], given: tuple[Any, ...]) -> Answer:
        params = self.tab.presets[int(message["index"])].params
        async for out in self.answered(request, params, True, turn=message["turn"]):
            yield out

    async def _file(self, request: gr.Request, message: dict[str, Any], given: tuple[Any, ...]) -> Answer:
        """An uploaded file; on an error everything stays as it was."""
        source, now = self.tab.sources[int(message["source"])], self.read(*given)
        took = partial(sources.take, self.tab, source, request.session_hash, message["path"])
        values, said = await self.frame.lanes.one(took)
        held = {str(message["source"]): said}
        async for out in self.answered(request, permalink.changed(now, values), True, turn=message["turn"], held=held):
            yield out

    async def _fetch(self, request: gr.Request, message: dict[str, Any], given: tuple[Any, ...]) -> Answer:
        """Weights from a hub, as a long run that can be stopped."""
        source, params, session = self.tab.sources[int(message["source"])], self.read(*given), request.session_hash
        make = partial(sources.fetched, self.tab, source, session, params)
        yield self.out(running=True)
        with problems():
            async for words in self.frame.lanes.long(session, visitor_of(request, session), "download", make):
                yield self.out(held={str(message["source"]): words}) if isinstance(words, str) else self.out()
            async for out in self.answered(request, params, turn=message["turn"], running=False):
                yield out
            return
        yield self.out(running=False)

    async def _link(self, request: gr.Request, message: dict[str, Any], given: tuple[Any, ...]) -> Answer:
        params = self.read(*given)
        lost = sources.caveat(self.tab, params)
        if lost:
            gr.Info(escape(lost), title="About this link")
        yield self.out(share="link", text=permalink.encode(self.tab.slug, self.portable(params)))

    async def _python(self, request: gr.Request, message: dict[str, Any], given: tuple[Any, ...]) -> Answer:
        yield self.out(share="python", text=export.script(self.tab, self.read(*given)))

    async def _pin(self, request: gr.Request, message: dict[str, Any], given: tuple[Any, ...]) -> Answer:
        """What is on screen, to stand beside what comes next."""
        shown = self.frame.kept.get(request.session_hash, self.tab.slug)
        if shown is None:
            raise ValueError("There is nothing on screen yet to pin.")
        yield self.out(pin=export.pin(self.tab, self.portable(shown.params), shown))

    async def _rows(self, request: gr.Request, message: dict[str, Any], given: tuple[Any, ...]) -> Answer:
        """The rows behind what is on screen, from the kept result: nothing is computed."""
        shown = self.frame.kept.get(request.session_hash, self.tab.slug)
        if shown is None:
            raise ValueError("There is nothing on screen yet to download.")
        view, of = self.tab.view(shown.params), message.get("of", "")
        rows = view.part(shown.result.body, of) if of and view.part else view.table(shown.result.body)
        kind = "json" if message.get("format") == "json" else "csv"
        text = markup.json_of(rows) if kind == "json" else markup.csv_of(rows)
        name = "-".join(filter(None, ("glassbox", self.tab.slug, of if view.part else "")))
        yield self.out(save=f"{name}.{kind}", text=text)


ACTS: dict[str, Callable[..., Answer]] = {
    "open": Page._open, "set": Page._set, "preset": Page._preset, "file": Page._file, "fetch": Page._fetch,
    "note": Page._note, "link": Page._link, "python": Page._python, "rows": Page._rows, "pin": Page._pin}


def draw(tab: Tab, frame: Frame) -> Page:
    """Draw ``tab`` in the current context and wire its events."""
    piece(markup.head(tab) + f"<style>{layout.style(tab)}</style>", elem_id=f"{tab.slug}-heading")
    made: dict[str, Any] = {"widgets": {}}
    with gr.Column(elem_classes=["gb-tab", f"gb-tab-{tab.slug}"]):
        if len(tab.views) > 1:
            made["widgets"][tab.chooser] = layout.chooser(tab)
        with gr.Row(elem_classes="gb-body"):
            with gr.Column(scale=3, min_width=260, elem_classes="gb-side"):
                layout.settings(tab, made["widgets"])
            with gr.Column(scale=7, min_width=300, elem_classes="gb-main"):
                made |= layout.shown(tab)
                layout.explanation(tab.slug)
    publish(tab, frame.lanes)
    return wired(tab, frame, made)


def wired(tab: Tab, frame: Frame, made: dict[str, Any], **more: Any) -> Page:
    """The page of components that are drawn, by the names of ``Parts``, with its events."""
    made["widgets"] = {name: made["widgets"][name] for name in tab.declared}
    spoken = {"wire": Wire(tab.slug), "changes": Aside(tab.slug, "changes"), "runs": Aside(tab.slug, "runs")}
    page = Page(tab, frame, Parts(**made, **spoken), **more)
    frame.forgets += [lambda session: page.begun.pop(session, None), page.wrote.drop]
    parts, values = page.parts, page.values
    # of a text's echo and a hand on a slider at the same time, both are heard
    for name in ("change", "input"):
        heard = [getattr(one, name) for one in values if event_of(one) == name]
        if heard:
            gr.on(heard, page.changed, values, page.outputs(parts.changes), trigger_mode="always_last", **FREE)
    for name in (name for name, param in tab.declared.items() if menu(tab, param)):
        made["widgets"][name].change(None, made["widgets"][name], None, js=hiding.told(tab, name), **FREE)
    parts.wire.said(page.said, values, page.outputs(parts.wire), trigger_mode="multiple", **FREE)
    parts.wire.begin(page.begin, values, page.outputs(parts.runs), trigger_mode="multiple", **FREE)
    parts.wire.stop(page.stop, None, None, queue=False, **FREE)
    return page
