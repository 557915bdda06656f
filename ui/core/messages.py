"""What the browser's messages ask of a tab's page, by their kind.

Each answers with the values of all outputs (``Page.out``), and one of its answers carries the message's number.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import cached_property, partial
from html import escape
from typing import Any

import gradio as gr

from ui.core import export, permalink
from ui.core.gate import visitor_of
from ui.core.problems import linked_to, problems, sentence
from ui.parts import markup, sources

Answer = AsyncIterator[list[Any]]


@dataclass(frozen=True)
class Said:
    """One message: ``page`` is a ``ui.core.page.Page``, ``given`` its widgets' values."""

    page: Any
    request: gr.Request
    message: dict[str, Any]
    given: tuple[Any, ...]

    @property
    def session(self) -> str:
        """Whose it is."""
        return self.request.session_hash

    @cached_property
    def params(self) -> Any:
        """The parameters that the tab goes by. ParamError when they do not fit together."""
        return self.page.refused.read(self.session, self.given)

    def answered(self, params: Any, *names: str, **wire: Any) -> Answer:
        """What ``params`` show, which of the widgets only ``names`` were meant to change; a refused one keeps what it
        holds."""
        free = self.page.tab.declared.keys() - (self.page.refused.names(self.session) - set(names))
        return self.page.answered(self.request, params, free, turn=self.message["turn"], **wire)


async def _open(said: Said) -> Answer:
    """The tab is seen for the first time; a long run starts by itself only when a link asked for it."""
    page, linked = said.page, said.message.get("link")
    params = linked_to(page.tab, linked) if linked else said.params
    lacking = await page.lacking()
    if not linked and (plan := await page.plan(params))["streamed"]:
        yield page.out(None, page.noted("Press Run to begin."), **page.state(params), **plan, **lacking)
        return
    try:
        async for out in page.answered(said.request, params, page.tab.declared if linked else (), anew=bool(linked),
                                       turn=said.message["turn"], **lacking):
            yield out
    except ValueError as error:
        if linked:                                        # what the link asks for stands in the widgets, and why not
            new = page.written(said.session, params, page.tab.declared)
            yield page.out(new, page.noted(sentence(error)), **page.state(params), **await page.plan(params))
        raise


async def _set(said: Said) -> Answer:
    """A stage or a button sets parameters."""
    values = said.message["values"]
    async for out in said.answered(permalink.changed(said.params, values), *values):
        yield out


async def _note(said: Said) -> Answer:
    """The stage did by itself what held parameters say: they are set for the link, and nothing is computed."""
    page, kept = said.page, said.page.frame.kept
    shown = kept.get(said.session, page.tab.slug)
    names = said.message["values"].keys() & set(page.tab.held)
    params = permalink.changed(said.params, {name: said.message["values"][name] for name in names})
    if shown is not None and shown.params == said.params:
        kept.put(said.session, page.tab.slug, params, shown.result)
    page.refused.took(said.session, params, names)
    yield page.out(page.written(said.session, params, names), **page.state(params))


async def _preset(said: Said) -> Answer:
    page = said.page
    params = page.tab.presets[int(said.message["index"])].params
    async for out in page.answered(said.request, params, page.tab.declared, anew=True, turn=said.message["turn"]):
        yield out


async def _file(said: Said) -> Answer:
    """An uploaded file; on an error everything stays as it was."""
    number, now = str(said.message["source"]), said.params
    took = partial(sources.take, said.page.tab, said.page.tab.sources[int(number)], said.session, said.message["path"])
    values, words = await said.page.frame.lanes.one(took)
    async for out in said.answered(permalink.changed(now, values), *values, held={number: words}):
        yield out


async def _fetch(said: Said) -> Answer:
    """Weights from a hub, as a long run that can be stopped. What is long then waits for Run."""
    page, number, params, session = said.page, str(said.message["source"]), said.params, said.session
    make = partial(sources.fetched, page.tab, page.tab.sources[int(number)], session, params)
    yield page.out(running=True)
    with problems():
        async for words in page.frame.lanes.long(session, visitor_of(said.request, session), "download", make):
            yield page.out(held={number: words}) if isinstance(words, str) else page.out()
        lacking = await page.lacking()
        if (plan := await page.plan(params))["streamed"]:
            offers = await page.frame.lanes.one(partial(sources.offers, page.tab, params))
            told = page.noted(f"{words} Press Run to begin.") if not offers[number][1] else None
            yield page.out(None, told, **page.state(params), **plan, **lacking, offers=offers, running=False)
            return
        async for out in page.answered(said.request, params, turn=said.message["turn"], running=False, **lacking):
            yield out
        return
    yield page.out(running=False)


async def _link(said: Said) -> Answer:
    lost = sources.caveat(said.page.tab, said.params)
    if lost:
        gr.Info(escape(lost), title="About this link")
    yield said.page.out(share="link", text=said.page.link(said.params))


async def _python(said: Said) -> Answer:
    yield said.page.out(share="python", text=export.script(said.page.tab, said.params))


async def _pin(said: Said) -> Answer:
    """What is on screen, to stand beside what comes next."""
    page, shown = said.page, said.page.frame.kept.get(said.session, said.page.tab.slug)
    if shown is None:
        raise ValueError("There is nothing on screen yet to pin.")
    yield page.out(pin=export.pin(page.tab, page.portable(shown.params), shown))


async def _rows(said: Said) -> Answer:
    """The rows behind what is on screen, from the kept result: nothing is computed."""
    tab, message = said.page.tab, said.message
    shown = said.page.frame.kept.get(said.session, tab.slug)
    if shown is None:
        raise ValueError("There is nothing on screen yet to download.")
    view, of = tab.view(shown.params), message.get("of", "")
    rows = view.part(shown.result.body, of) if of and view.part else view.table(shown.result.body)
    kind = "json" if message.get("format") == "json" else "csv"
    text = markup.json_of(rows) if kind == "json" else markup.csv_of(rows)
    name = "-".join(filter(None, ("glassbox", tab.slug, of if view.part else "")))
    yield said.page.out(save=f"{name}.{kind}", text=text)


ACTS: dict[str, Callable[[Said], Answer]] = {
    "open": _open, "set": _set, "preset": _preset, "file": _file, "fetch": _fetch, "note": _note, "link": _link,
    "python": _python, "rows": _rows, "pin": _pin}
