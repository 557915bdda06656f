"""From a ``Tab`` to its page: widgets, events, downloads, the link and the exported script.

All goes through the tab's ``Wire``. Three events are heard: ``said`` (a preset, a stage, a button, a file) and changes
of widgets, which are answered at once, and ``begin``, which starts a long run. Each answer fills the same outputs;
what changes and runs tell the browser comes on elements of their own, since they can meet a message's answer.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from ui.core import layout, permalink
from ui.core.again import again, without
from ui.core.echoes import Echoes
from ui.core.endpoint import publish
from ui.core.frame import Frame
from ui.core.gate import visitor_of
from ui.core.lanes import Place
from ui.core.messages import ACTS, Answer, Said
from ui.core.problems import problems, sentence, warn
from ui.core.refused import Refused
from ui.core.tab import Tab
from ui.parts import hiding, markup, sources, texts
from ui.parts.canvas import Aside, Stage, Wire, piece
from ui.parts.widgets import event_of, menu, to_widget

FREE = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
"""Events wait in our own lanes, never in gradio's queue."""


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
    """A drawn tab. ``write`` goes from parameters to the widgets' values; ``begun``: what each visitor's long run was
    started with; ``wrote``: what the server wrote into their widgets; ``refused``: what they set that cannot be used;
    ``inputs`` gives what the mechanism gets besides its parameters."""

    tab: Tab
    frame: Frame
    parts: Parts
    begun: dict[str, Any] = field(default_factory=dict)
    wrote: Echoes = field(default_factory=Echoes)
    inputs: Callable[[Tab, str, Any], dict[str, Any]] = sources.inputs
    refused: Refused = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "refused", Refused(self.tab))

    @property
    def values(self) -> list[Any]:
        """The components that hold the state."""
        return list(self.parts.widgets.values())

    def outputs(self, told: Wire | Aside) -> list[Any]:
        """What every answer of an event fills; ``told`` brings the browser what ``out`` says."""
        return [*self.values, *self.parts.shown, told]

    def write(self, params: Any) -> list[Any]:
        """New values of all widgets: the inverse of ``Refused.read``."""
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
        """What the browser remembers of the parameters: the whole link, which the address bar keeps, so that nothing is
        lost when the page is loaded again; the short one; the view; and which of the marked buttons is pressed."""
        marks = {s.field: getattr(params, s.field) for s in self.tab.sources if s.kind == "picture"}
        link = permalink.encode(self.tab.slug, self.portable(params))
        return {"link": link, "short": self.link(params), "view": getattr(params, self.tab.chooser), "marks": marks}

    def link(self, params: Any) -> str:
        """The query that is copied: what the shown view reads."""
        return permalink.short(self.tab, self.portable(params))

    async def lacking(self) -> dict[str, Any]:
        """Which presets need something that is to be fetched first, for the browser; a look at the disk."""
        looks = any(source.offer for source in self.tab.sources)
        return {"lacking": await self.frame.lanes.one(partial(sources.lacking, self.tab))} if looks else {}

    def noted(self, text: str) -> list[Any]:
        """A sentence above what is on screen, which stays."""
        return [markup.note(text), *[gr.skip()] * (len(self.parts.shown) - 1)]

    def blank(self, told: str, turn: int | None) -> list[Any]:
        """New values of what is shown: nothing but this HTML."""
        return [told, {"turn": turn, "scenes": []}, None, "", "", ""]

    def portable(self, params: Any) -> Any:
        """What a link carries: everything but a long text."""
        text = self.tab.source("text")
        return texts.portable(params, text.field) if text else params

    # --- answers ---

    async def changed(self, request: gr.Request, event: gr.EventData, *given: Any) -> Answer:
        """A widget was changed. What cannot be used stays in its box and is marked; everything else goes on. Every
        answer says what is refused, since of two in one flush the browser sees the last."""
        session, hand, failed = request.session_hash, event.target.elem_id.removeprefix(f"{self.tab.slug}-"), None
        if self.echoes(session, event.target, given):
            yield self.out()                              # an answer without any would empty every component
            return
        with problems():
            for make in self.refused.attempts(session, given, hand):
                try:
                    async for out in self.moved(request, make()):
                        yield out
                    failed = None
                    break
                except ValueError as error:
                    failed = error
            if failed:
                self.refused.refuse(session, given, hand, sentence(failed))
                yield self.out(refused=self.refused.sentences(session))
            if hand in self.refused.names(session):
                warn(self.refused.sentences(session)[hand])
            return
        yield self.out()

    async def moved(self, request: gr.Request, params: Any) -> Answer:
        """The settings are these now. What is on screen already is not computed again."""
        session = request.session_hash
        shown = self.frame.kept.get(session, self.tab.slug)
        if (plan := await self.plan(params))["streamed"]:
            self.refused.took(session, params)
            stale = self.begun.get(session) != params
            yield self.out(refused=self.refused.sentences(session), **self.state(params), **plan, stale=stale)
        elif shown is None or shown.params != params:
            async for out in self.answered(request, params):
                yield out
        else:
            self.refused.took(session, params)
            yield self.out(refused=self.refused.sentences(session))

    async def said(self, request: gr.Request, event: gr.EventData, *given: Any) -> Answer:
        """A message from the browser; its answer carries its number."""
        message = event._data
        with problems():
            act = ACTS.get(message["kind"])
            if act is None:
                raise ValueError("The page and the server do not understand each other; please reload the page.")
            async for out in act(Said(self, request, message, given)):
                if isinstance(out[-1], dict) and "turn" in message:
                    out[-1].setdefault("turn", message["turn"])
                yield out
            for rest in without(out, range(len(self.values))):
                yield rest
            return
        yield self.out(turn=message.get("turn"))

    async def answered(self, request: gr.Request, params: Any, names: Collection[str] = (), anew: bool = False,
                       **wire: Any) -> Answer:
        """What the parameters show, and new values of these widgets; a streamed view is begun by the browser. ``anew``:
        a link or a preset, beside which nothing of what was on screen may stand while its run waits."""
        session = request.session_hash
        new = self.written(session, params, names) if names else None
        wire |= self.state(params)
        # in the same answer as what is shown: of two in one flush the browser sees the last
        if any(source.offer and source.wanted(params) for source in self.tab.sources):
            wire["offers"] = await self.frame.lanes.one(partial(sources.offers, self.tab, params))
        if (plan := await self.plan(params))["streamed"]:
            self.refused.took(session, params, names)
            if anew:
                self.frame.kept.drop(session, self.tab.slug)
            yield self.out(new, self.blank("", wire.get("turn")) if anew else None, **plan, begin=True,
                           refused=self.refused.sentences(session), **wire)
            return
        shown = None
        self.begun.pop(session, None)                      # a long run has nothing to show here any more
        async for item in self.frame.lanes.now(partial(self.steps, session, params, wire.get("turn"))):
            if shown is None:
                self.refused.took(session, params, names)
            shown = again(shown, item)
            yield self.out(new, shown, refused=self.refused.sentences(session), **plan, **wire)
            new = None

    async def plan(self, params: Any) -> dict[str, Any]:
        """What the browser is told of how the view is worked out."""
        plan, looks = partial(self.tab.view(params).plan, params), self.tab.view(params).looks
        return await self.frame.lanes.one(plan) if looks else plan()

    def steps(self, session: str, params: Any, turn: int | None, long: bool = False) -> Iterator[list[Any]]:
        """Growing results, drawn and kept; nothing but a sentence where a file is missing. A ``long`` run ends when it
        is not the one that was begun last. ValueError, one sentence."""
        try:
            given = self.inputs(self.tab, session, params)
        except sources.MissingError as missing:
            told = markup.note(str(missing)) + (
                markup.fetching(self.tab.slug, missing.source, here=True) if missing.source is not None else "")
            self.frame.kept.drop(session, self.tab.slug)
            yield self.blank(told, turn)
            return
        for result in self.tab.run.stream(params, **given):
            if long and self.begun.get(session) is not params:
                return
            painted = self.painted(session, params, result, turn)
            self.frame.kept.put(session, self.tab.slug, params, result)
            yield painted

    def painted(self, session: str, params: Any, result: Any, turn: int | None) -> list[Any]:
        """New values of what is shown, for one result."""
        view, body = self.tab.view(params), result.body
        preset = self.tab.preset(params) if result.finished else None
        seen = markup.observed(preset, bool(preset.holds(result))) if preset else ""
        said = view.words(params, body) if view.words else ""
        words = f"<p>{escape(said)}</p>" if said else ""
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
            params = self.refused.read(session, given)
            if not (await self.plan(params))["streamed"]:
                yield self.out()
                return
            self.begun[session] = params
            kind = f"{self.tab.slug} {getattr(params, self.tab.chooser)}"
            make = partial(self.steps, session, params, None, True)
            yield self.out(running=True, stale=False, place=None)
            async for item in self.frame.lanes.long(session, visitor_of(request, session), kind, make):
                if self.begun.get(session) is not params:
                    break
                if isinstance(item, Place):
                    yield self.out(running=True, place={"ahead": item.ahead, "seconds": item.seconds})
                else:
                    shown = again(shown, item)
                    yield self.out(None, shown, running=True, place=None)
        now, kept = self.begun.get(session), self.frame.kept.get(session, self.tab.slug)
        if shown and kept and not kept.result.finished:
            shown = [shown[0] + markup.note("Stopped: what is drawn is all that was done."), *shown[1:]]
        elif not shown and not kept:
            shown = self.noted("Press Run to begin.")
        yield self.out(None, shown if now is params else None, running=now not in (None, params), place=None)

    def stop(self, request: gr.Request) -> None:
        """End the visitor's long runs."""
        self.frame.lanes.stop(visitor_of(request, request.session_hash))


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
    frame.forgets += [lambda session: page.begun.pop(session, None), page.wrote.drop, page.refused.drop]
    parts, values = page.parts, page.values
    # of a text's echo and a hand on a slider at the same time, both are heard
    for name in ("change", "input"):
        heard = [getattr(one, name) for one in values if event_of(one) == name]
        if heard:
            gr.on(heard, page.changed, values, page.outputs(parts.changes), trigger_mode="always_last",
                  show_progress_on=parts.changes, **FREE)
    for name in (name for name, param in tab.declared.items() if menu(tab, param)):
        made["widgets"][name].change(None, made["widgets"][name], None, js=hiding.told(tab, name), **FREE)
    parts.wire.said(page.said, values, page.outputs(parts.wire), trigger_mode="multiple",
                    show_progress_on=parts.wire, **FREE)
    parts.wire.begin(page.begin, values, page.outputs(parts.runs), trigger_mode="multiple",
                     show_progress_on=parts.runs, **FREE)
    parts.wire.stop(page.stop, None, None, queue=False, **FREE)
    return page
