"""The page of the Segment tab: the one declared exception, since a canvas and its masks are no figure that a result
fills.

What the user says is held in one state: picture, model, objects, and an *epoch* that names the choice of picture and
model. The wire brings one numbered message at a time, so a later one finds what an earlier one left. Masks have a line
of their own (``prompt``), because an encoder may take long and a link or a download must not wait for it; their numbers
are ``seq`` and epoch.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from ui.core import permalink
from ui.core.again import without
from ui.core.frame import Frame
from ui.core.gate import visitor_of
from ui.core.lanes import Place
from ui.core.page import FREE, Answer
from ui.core.problems import linked_to
from ui.core.tab import ParamError, Tab
from ui.parts import markup, pictures
from ui.tabs.segment import leaving
from ui.tabs.segment.layout import Parts, draw
from ui.tabs.segment.publish import publish
from ui.tabs.segment.shown import canvas_value, notice, picker, sentence, suited, usable, waits, with_objects
from ui.tabs.segment.state import SETTINGS, Params, State, new_state, settings


def free(session: str) -> None:
    """A visitor has left: a checkpoint of theirs is freed."""
    from ui.tabs.segment import models

    models.forget(session)


@dataclass(frozen=True)
class SegmentPage:
    """The drawn tab. ``values`` hold its state, ``read`` makes parameters of them."""

    tab: Tab
    frame: Frame
    parts: Parts

    @property
    def values(self) -> list[Any]:
        """The components that hold the state."""
        return [self.parts.state, *self.parts.settings.values()]

    @property
    def outputs(self) -> list[Any]:
        """What every answer of the wire fills."""
        return list(self.parts.filled.values())

    @property
    def folder(self) -> str:
        """Where files for the browser are put."""
        return self.parts.canvas.GRADIO_CACHE

    def read(self, state: State, *numbers: Any) -> Params:
        """The parameters from the components' values. ParamError when a setting is out of range."""
        held = {name: value for name, value in state.items() if name != "epoch"}
        given = dict(zip(SETTINGS, numbers, strict=True))
        given["smallest"] = given["smallest"] or 0                    # an emptied field is off
        return permalink.make(Params, held | given)

    def out(self, **filled: Any) -> list[Any]:
        """One answer; what is not named stays as it is."""
        return [filled.get(name, gr.skip()) for name in self.parts.filled]

    def link(self, state: State, *numbers: Any) -> dict[str, Any]:
        """What the browser remembers of the parameters."""
        return {"link": permalink.encode(self.tab.slug, self.read(state, *numbers)), "marks": {}}

    # --- events ---

    async def said(self, request: gr.Request, event: gr.EventData, *given: Any) -> Answer:
        """A message from the browser. Its first answer carries its number; later ones leave the wire to other
        messages."""
        message, turn = event._data, {"turn": event._data.get("turn")}
        try:
            if message["kind"] not in ACTS:
                raise ParamError("The page and the server do not understand each other; please reload the page.")
            async for out in ACTS[message["kind"]](self, request.session_hash, request, message, given):
                if turn:
                    out[-1] = turn if "__type__" in out[-1] else out[-1] | turn
                    turn = {}
                yield out
            hands = {*self.parts.settings, "model"}
            for rest in without(out, [at for at, name in enumerate(self.parts.filled) if name in hands]):
                yield rest
        except Exception as error:
            yield self.out(notes=notice(error), **({"wire": turn} if turn else {}))

    async def prompt(self, request: gr.Request, event: gr.EventData, state: State, *numbers: Any) -> tuple[Any, Any]:
        """Masks for what the canvas shows; and, where that is a preset, whether its observation holds."""
        ask = event._data
        number = {"kind": "reply", "seq": ask["seq"], "epoch": ask["epoch"]}
        if ask["epoch"] != state["epoch"]:
            return gr.skip(), gr.skip()
        try:
            reply, seen = await self.frame.lanes.one(partial(self.masks, request.session_hash, ask, state, *numbers))
            return {**number, **reply}, seen
        except Exception as error:
            return {**number, "results": [], "times": None, "error": sentence(error)}, ""

    async def hover(self, request: gr.Request, event: gr.EventData, state: State, *numbers: Any) -> Any:
        """The mask that one more click would give; a wish that cannot be met has no mask, and no sentence."""
        from ui.tabs.segment import answers

        ask, found = event._data, None
        if ask["epoch"] == state["epoch"]:
            try:
                work = partial(answers.preview, request.session_hash, self.read(state, *numbers), ask)
                found = await self.frame.lanes.one(work)
            except ValueError:
                found = None
        return {"kind": "hover", "seq": ask["seq"], "epoch": ask["epoch"], "mask": found}

    def masks(self, session: str, ask: dict[str, Any], state: State, *numbers: Any) -> tuple[dict[str, Any], str]:
        """The work of ``prompt``."""
        from ui.tabs.segment import answers

        params = self.read(with_objects(state, ask), *numbers)
        reply = answers.reply(session, params, ask, self.frame.kept)
        preset = next((p for p in self.tab.presets if p.params == params), None)
        if preset is None:
            return reply, ""
        return reply, markup.observed(preset, bool(preset.holds(answers.result_for(session, params, self.frame.kept))))

    def settled(self, *given: Any) -> dict[str, Any]:
        """A setting was changed: the link says so, and the canvas asks for masks again where others are wanted. It may
        come beside an answer of the wire, so it has a feed of its own."""
        try:
            answer, smallest = self.link(*given) | {"refused": {}}, self.read(*given).smallest
        except ParamError as error:                 # only this one is typed freely; the others are sliders
            answer, smallest = {"refused": {"smallest": sentence(error)}}, None
        return {"kind": "settled", "answer": answer, "smallest": smallest, "nonce": secrets.token_hex(4)}

    def stop(self, request: gr.Request) -> None:
        """End the visitor's long runs."""
        self.frame.lanes.stop(visitor_of(request, request.session_hash))

    # --- messages of the wire ---

    async def _open(self, session: str, request: gr.Request, message: dict[str, Any], given: tuple[Any, ...]) -> Answer:
        """The tab is seen for the first time: the picture first, then what there is to know of the model."""
        numbers = {}
        if message.get("link"):
            params = linked_to(self.tab, message["link"])
            numbers = settings(params, SETTINGS)
            given = (new_state(params), *numbers.values())
        state, problem = await self.frame.lanes.one(lambda: usable(session, given[0]))
        scene = await self.frame.lanes.one(lambda: canvas_value(session, state, self.folder))
        said = {"notes": notice(problem)} if problem else {}
        yield self.out(state=state, canvas=scene, wire=self.link(state, *given[1:]), **numbers, **said)
        yield self.out(**await self.frame.lanes.one(lambda: picker(session, state["model"])))

    async def _set(self, session: str, request: gr.Request, message: dict[str, Any], given: tuple[Any, ...]) -> Answer:
        """The user changed objects on the canvas; what belongs to another picture comes too late."""
        state, values = given[0], message["values"]
        if values["epoch"] != state["epoch"]:
            yield self.out()
            return
        state = with_objects(state, values)
        yield self.out(state=state, wire=self.link(state, *given[1:]))

    async def _inside(self, session: str, request: gr.Request, message: dict[str, Any],
                      given: tuple[Any, ...]) -> Answer:
        """The box below the canvas was opened on a view, or closed: the link says so."""
        state = {**given[0], "inside": message["values"]["view"]}
        yield self.out(state=state, wire=self.link(state, *given[1:]))

    async def _preset(self, session: str, request: gr.Request, message: dict[str, Any],
                      given: tuple[Any, ...]) -> Answer:
        preset = self.tab.presets[int(message["index"])]
        state, numbers = new_state(preset.params), settings(preset.params, SETTINGS)
        scene = await self.frame.lanes.one(lambda: canvas_value(session, state, self.folder))
        shown = await self.frame.lanes.one(lambda: picker(session, state["model"]))
        yield self.out(state=state, **numbers, canvas=scene, wire=self.link(state, *numbers.values()), **shown)

    async def _sample(self, session: str, request: gr.Request, message: dict[str, Any],
                      given: tuple[Any, ...]) -> Answer:
        yield await self._picture_of(session, message["id"], given)

    async def _own(self, session: str, request: gr.Request, message: dict[str, Any],
                   given: tuple[Any, ...]) -> Answer:
        """A picture that this page has opened before; where it is not held any more the browser is told."""
        if pictures.known(session, str(message["id"])):
            yield await self._picture_of(session, str(message["id"]), given)
        else:
            yield self.out(notes={"kind": "absent", "id": str(message["id"]), "nonce": secrets.token_hex(4)})

    async def _add(self, session: str, request: gr.Request, message: dict[str, Any],
                   given: tuple[Any, ...]) -> Answer:
        """A picture that is not shown, for an export of many; its id, or the sentence that says why there is none."""
        said = {"kind": "added", "key": message["key"], "id": None, "text": "", "nonce": secrets.token_hex(4)}
        try:
            said["id"] = await self.frame.lanes.one(lambda: pictures.add(session, message["path"], message.get("name")))
        except ValueError as error:
            said["text"] = sentence(error)
        yield self.out(notes=said)

    async def _picture(self, session: str, request: gr.Request, message: dict[str, Any],
                       given: tuple[Any, ...]) -> Answer:
        name = await self.frame.lanes.one(lambda: pictures.add(session, message["path"], message.get("name")))
        yield await self._picture_of(session, name, given)

    async def _picture_of(self, session: str, name: str, given: tuple[Any, ...]) -> list[Any]:
        """Another picture, without objects."""
        state = new_state(Params(name, given[0]["model"], inside=given[0]["inside"]))
        scene = await self.frame.lanes.one(lambda: canvas_value(session, state, self.folder))
        return self.out(state=state, canvas=scene, wire=self.link(state, *given[1:]))

    async def _model(self, session: str, request: gr.Request, message: dict[str, Any],
                     given: tuple[Any, ...]) -> Answer:
        """Another model is picked. One that is not here offers its download, and the current one goes on answering."""
        from ui.tabs.segment import models

        model = message["model"]
        try:
            if models.must_download(model):
                facts, kept = models.facts(session, model), models.kept_part(model)
                yield self.out(facts=facts, offer=models.fetching(model, False), progress=kept)
            else:
                yield await self._used(session, model, given)
        except Exception as error:
            yield self.out(**await self.frame.lanes.one(
                lambda: picker(session, given[0]["model"])), notes=notice(error))

    async def _used(self, session: str, model: str, given: tuple[Any, ...]) -> list[Any]:
        """A model whose weights can be read is the active one from now on; what the user said stays, under a new
        epoch, and masks are as clean as suits it if they were as clean as suited the other."""
        from ui.tabs.segment import models

        await self.frame.lanes.one(lambda: models.activate(session, model))
        state = {**given[0], "model": model, "epoch": secrets.token_hex(4)}
        scene = await self.frame.lanes.one(lambda: canvas_value(session, state, self.folder))
        shown = await self.frame.lanes.one(lambda: picker(session, model))
        numbers = dict(zip(SETTINGS, given[1:], strict=True))
        fits = suited(numbers, given[0]["model"], model)
        link = self.link(state, *(numbers | fits).values())
        return self.out(state=state, canvas={**scene, "objects": None}, wire=link, **shown, **fits)

    async def _file(self, session: str, request: gr.Request, message: dict[str, Any], given: tuple[Any, ...]) -> Answer:
        """A checkpoint of the user's own."""
        from ui.tabs.segment import models

        model = await self.frame.lanes.one(lambda: models.add_checkpoint(session, message["path"]))
        yield await self._used(session, model, given)

    async def _find(self, session: str, request: gr.Request, message: dict[str, Any], given: tuple[Any, ...]) -> Answer:
        """Everything mode, a long run."""
        from ui.tabs.segment import answers

        where = {"image_id": given[0]["picture"], "epoch": given[0]["epoch"]}
        make = partial(answers.regions, session, self.read(*given), self.frame.kept)
        yield self.out(finding=markup.note("Looking at the picture"))
        try:
            async for item in self.long(request, "segment everything", make):
                if isinstance(item, Place):
                    yield self.out(finding=markup.note(waits(item)))
                elif item is None:
                    yield self.out()
                else:
                    yield self.out(records={**item, **where},
                                   finding=markup.note(f"{item['done']} of {item['total']} points"))
        except Exception as error:
            yield self.out(notes=notice(error), finding="")
            return
        yield self.out(finding="")

    async def _fetch(self, session: str, request: gr.Request, message: dict[str, Any],
                     given: tuple[Any, ...]) -> Answer:
        """The weights of a model, a long run. Stop keeps what has arrived, so that the next start resumes."""
        from ui.tabs.segment import models

        model, problem = message["model"], {}
        if not models.must_download(model):
            raise ParamError("There is nothing to download.")
        yield self.out(offer=models.fetching(model, True), progress="")
        try:
            async for item in self.long(request, "download", partial(models.download, model)):
                bar = markup.note(waits(item)) if isinstance(item, Place) else item
                yield self.out() if item is None else self.out(progress=bar)
        except Exception as error:
            problem = {"notes": notice(error)}
        if models.must_download(model):
            said = markup.note(problem["notes"]["text"]) if problem else models.kept_part(model)
            yield self.out(offer=models.fetching(model, False), progress=said, **problem)
            return
        then = {"kind": "next", "message": {"kind": "model", "model": model}, "nonce": secrets.token_hex(4)}
        yield self.out(offer="", progress="", notes=then)

    def long(self, request: gr.Request, kind: str, make: Callable[[], Iterator[Any]]) -> AsyncIterator[Any]:
        """A long run of this visitor."""
        return self.frame.lanes.long(request.session_hash, visitor_of(request, request.session_hash), kind, make)


ACTS: dict[str, Callable[..., Answer]] = {
    "open": SegmentPage._open, "set": SegmentPage._set, "inside": SegmentPage._inside, "preset": SegmentPage._preset,
    "sample": SegmentPage._sample, "picture": SegmentPage._picture, "own": SegmentPage._own, "add": SegmentPage._add,
    "model": SegmentPage._model, "file": SegmentPage._file, "find": SegmentPage._find, "fetch": SegmentPage._fetch,
    "export": leaving.take, "outline": leaving.outline, "link": leaving.share_link, "python": leaving.share_python,
    "import": leaving.bring, "pin": leaving.pin,
}


def drawn(tab: Tab, frame: Frame) -> SegmentPage:
    """Draw the tab in the current context and wire its events."""
    page = SegmentPage(tab, frame, draw(tab, frame))
    parts, values = page.parts, page.values
    frame.forgets.append(free)
    every = {"trigger_mode": "multiple", **FREE}
    parts.wire.said(page.said, values, page.outputs, **every)
    parts.wire.stop(page.stop, None, None, queue=False, **FREE)
    parts.canvas.prompt(page.prompt, values, [parts.replies, parts.notice], **every)
    parts.canvas.hover(page.hover, values, parts.hovers, **every)
    last = {**every, "trigger_mode": "always_last"}
    changed = [one.change if name == "smallest" else one.input for name, one in parts.settings.items()]
    gr.on(changed, page.settled, values, parts.settled, **last)
    publish(frame.lanes)
    return page
