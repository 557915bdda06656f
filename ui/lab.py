"""The page of a tab with several views over one parameter dataclass, described as data by a ``Lab``.

A radio on top chooses the view; settings stand on the left and hide themselves where they change nothing; on the right is one plot, one
stage, or both. A view in ``instant`` answers every move of a setting. The others stream and can be stopped: choosing such a view, a link, a
preset or Run start it, and another setting only says that what is shown is old.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from backends import images
from ui import hiding, markup, panels, permalink, texts
from ui.build import LIVE, LONG, PRIVATE, TRIVIAL, Built, endpoint, told, touched
from ui.cards import Stage
from ui.segmenting import pictures
from ui.segmenting.pictures import uploaded
from ui.stops import Stops
from ui.tab import Param, Tab, Table, declared


@dataclass(frozen=True)
class Lab:
    """What the page is made of.

    ``params`` has a field ``view``; ``stream(params)`` yields results with ``view``, ``body``, ``finished``, ``notice`` and ``checks``.
    By view: ``views`` titles, ``figures`` ``body -> plotly figure``, ``scenes`` ``(params, body) -> dict of a stage``, ``tables``
    ``body -> Table``, ``words`` ``(params, body) -> sentence`` above the figure. ``uses``: by field, the views it matters in (all when
    it is not named); ``needs``: by field, choices (radio, value) of which one must be made besides. ``titles``: by field, its values'
    labels; a tuple of such values becomes boxes. ``folded``: fields in a closed accordion. ``text``: the field, if any, that holds a text
    of the user, read up to ``most`` bytes; ``reader(path, most)`` makes (text, sentence) of a file, ``upload`` is what its button says.
    ``picture``: the field, if any, that names a sample or an uploaded picture; then it is ``stream(params, image)``, the image uint8
    (H, W, 3).
    """

    params: type
    views: Mapping[str, str]
    stream: Callable[..., Iterator[Any]]
    figures: Mapping[str, Callable[[Any], Any]]
    tables: Mapping[str, Callable[[Any], Table]]
    instant: tuple[str, ...] = ()
    scenes: Mapping[str, Callable[[Any, Any], dict[str, Any]]] = field(default_factory=dict)
    words: Mapping[str, Callable[[Any, Any], str]] = field(default_factory=dict)
    uses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    titles: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)
    needs: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    folded: tuple[str, ...] = ()
    text: str = ""
    most: int = 0
    reader: Callable[[Path, int], tuple[str, str]] | None = None
    upload: str = "Text from a file"
    picture: str = ""

    @property
    def declared(self) -> dict[str, Param]:
        """The parameters by name."""
        return {p.name: p for p in declared(self.params)}

    def boxes(self, param: Param) -> bool:
        """Whether the parameter is a choice of several."""
        return param.name in self.titles and param.control.kind == "json"

    def read(self, *values: Any) -> Any:
        """The parameters from the values of all widgets, in the order of the fields. ParamError when one cannot be used."""
        given = {p.name: v if self.boxes(p) else panels.from_widget(p, v) for p, v in zip(self.declared.values(), values, strict=True)}
        return permalink.make(self.params, given)

    def write(self, params: Any) -> list[Any]:
        """New values for all widgets: the inverse of ``read``."""
        pairs = ((p, getattr(params, p.name)) for p in self.declared.values())
        return [list(value) if self.boxes(p) else panels.to_widget(p, value) for p, value in pairs]

    def portable(self, params: Any) -> Any:
        """What a link carries: everything but a long text."""
        return texts.portable(params, self.text) if self.text else params

    def own(self, params: Any) -> bool:
        """Whether the picture is the user's own."""
        return bool(self.picture) and getattr(params, self.picture).startswith(pictures.OWN)

    def results(self, session: str, params: Any) -> Iterator[Any]:
        """Growing results of what ``session`` may see. ValueError, one sentence."""
        if not self.picture:
            return self.stream(params)
        return self.stream(params, pictures.seen(session, getattr(params, self.picture)))

    def caveat(self, params: Any) -> str:
        """What a copied link cannot carry, in one sentence; empty when it carries everything."""
        if self.own(params):
            return "Your own picture cannot travel in a link; the settings do."
        return texts.caveat(params, self.text) if self.text else ""

    def build(self, tab: Tab) -> Built:
        """Draw the tab, wire its events, and tell the frame what holds its state."""
        return build(self, tab)


@dataclass(frozen=True)
class Parts:
    """The tab's components. ``widgets``: one for each parameter, by name."""

    widgets: dict[str, Any]
    upload: gr.UploadButton | None
    open: gr.UploadButton | None
    held: gr.HTML | None
    go: gr.Button
    stop: gr.Button
    stale: gr.HTML
    notice: gr.HTML
    plot: gr.Plot
    stage: Stage
    checks: gr.HTML
    table: gr.HTML
    csv: gr.Button
    carrier: gr.Textbox
    run: gr.Button
    begin: gr.Button

    @property
    def shown(self) -> list[Any]:
        """What a result fills."""
        return [self.plot, self.stage, self.stale, self.notice, self.checks, self.table]


def build(lab: Lab, tab: Tab) -> Built:
    """Draw ``tab`` as ``lab`` says, and wire its events."""
    parts, stops = draw(lab, tab), Stops()
    values = list(parts.widgets.values())
    ran = _answers(lab, tab, parts, values)
    _runs(lab, tab, parts, values, stops)
    _downloads(lab, tab, parts, values)
    if lab.text:
        _reads(lab, tab, parts)
    if lab.picture:
        _opens(lab, tab, parts)
    endpoint(tab)
    return Built(values, lab.read, lab.write, parts.run, (ran,))


def draw(lab: Lab, tab: Tab) -> Parts:
    """Settings on the left, one view on the right."""
    settings, shown = partial(_settings, lab, tab), partial(_shown, tab)
    widgets, made = panels.views(tab, lab.views, style(lab, tab.slug), settings, shown)
    made["widgets"] = {name: widgets[name] for name in lab.declared}
    return Parts(**{f.name: made.get(f.name) for f in fields(Parts)})


def style(lab: Lab, slug: str) -> str:
    """Style rules that hide what does not belong to the view."""
    uses = dict(lab.uses)
    if lab.text in uses:
        uses["source"] = uses.pop(lab.text)
    if lab.picture in uses:
        uses["pictures"] = uses.pop(lab.picture)
    if any(name in uses for name in lab.folded):
        uses["folded"] = tuple({view for name in lab.folded for view in uses.get(name, lab.views)})
    uses |= {"going": tuple(view for view in lab.views if view not in lab.instant)}
    uses |= {"plot": tuple(lab.figures), "stage": tuple(lab.scenes)}
    shown = hiding.style(slug, {name: [("view", view) for view in views] or [("view", "none")] for name, views in uses.items()})
    return shown + "\n" + hiding.style(slug, lab.needs)


def _settings(lab: Lab, tab: Tab, widgets: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    plain = [name for name in lab.declared if name not in ("view", lab.text, lab.picture, *lab.folded)]
    if lab.text:
        with gr.Column(elem_id=f"{tab.slug}-source"):
            widgets[lab.text] = _widget(lab, tab, lab.text)
            panels.counter(tab, lab.most)
            made["upload"] = gr.UploadButton(lab.upload, elem_id=f"{tab.slug}-upload", size="sm", elem_classes="gb-quiet")
            made["held"] = gr.HTML(elem_id=f"{tab.slug}-held")
    if lab.picture:
        with gr.Column(elem_id=f"{tab.slug}-pictures"):
            label, name = lab.declared[lab.picture].control.label, f"{tab.slug}-{lab.picture}"
            value = getattr(tab.opening, lab.picture)
            widgets[lab.picture] = gr.Dropdown(_samples(), value=value, label=label, elem_id=name, allow_custom_value=True)
            made["open"] = gr.UploadButton("Open my picture", elem_id=f"{tab.slug}-open", size="sm", elem_classes="gb-quiet")
    widgets |= {name: _widget(lab, tab, name) for name in plain}
    if lab.folded:
        with gr.Accordion("More settings", open=False, elem_id=f"{tab.slug}-folded"):
            widgets |= {name: _widget(lab, tab, name) for name in lab.folded}
    return made


def _samples() -> list[tuple[str, str]]:
    return [(sample.title, name) for name, sample in images.SAMPLES.items()]


def _widget(lab: Lab, tab: Tab, name: str) -> Any:
    """The component of one parameter: with labels where the lab has some."""
    param, value = lab.declared[name], getattr(tab.opening, name)
    if name not in lab.titles:
        return panels.widget(tab, param, value)
    control = param.control
    common = {"label": control.label, "info": control.help or None, "elem_id": f"{tab.slug}-{name}"}
    options = [(title, choice) for choice, title in lab.titles[name].items()]
    if lab.boxes(param):
        return gr.CheckboxGroup(options, value=list(value), elem_classes="gb-kinds", **common)
    owner = any(name == radio for choices in lab.needs.values() for radio, _ in choices)
    return (gr.Radio if owner or len(options) <= 4 else gr.Dropdown)(options, value=value, **common)


def _shown(tab: Tab) -> dict[str, Any]:
    made: dict[str, Any] = panels.going(tab)
    made["notice"] = gr.HTML(elem_id=f"{tab.slug}-notice")
    made["stage"] = Stage(elem_id=f"{tab.slug}-stage")
    made["plot"] = panels.plot(tab)
    made["checks"] = gr.HTML(elem_id=f"{tab.slug}-checks")
    return made | panels.twin(tab)


def painted(lab: Lab, tab: Tab, params: Any, result: Any) -> list[Any]:
    """The values of ``Parts.shown`` for one result."""
    body, view = result.body, result.view
    plot = lab.figures[view](body) if view in lab.figures else gr.skip()
    scene = lab.scenes[view](params, body) if view in lab.scenes else gr.skip()
    preset = next((p for p in tab.presets if p.params == params), None) if result.finished else None
    seen = markup.checks((), preset, bool(preset.holds(result))) if preset else ""
    cut = f'<p class="gb-note">{escape(result.notice)}</p>' if result.notice else ""
    words = f"<p>{escape(lab.words[view](params, body))}</p>" if view in lab.words else ""
    return [plot, scene, "", cut + words + seen, markup.checks(result.checks), markup.table(lab.tables[view](body), "What is drawn")]


def _answers(lab: Lab, tab: Tab, parts: Parts, values: list[Any]) -> Any:
    """The views that answer at once; after any other setting of the others, a word that what is shown is old."""

    def paint(request: gr.Request, *given: Any) -> list[Any]:
        with told():
            params = lab.read(*given)
            if params.view in lab.instant:
                *_, result = lab.results(request.session_hash, params)
                return painted(lab, tab, params, result)
        return [gr.skip()] * len(parts.shown)

    def stale(*given: Any) -> Any:
        with told():
            return gr.skip() if lab.read(*given).view in lab.instant else panels.STALE
        return gr.skip()

    settings = [widget for name, widget in parts.widgets.items() if name != "view"]
    gr.on([widget.input for widget in settings], stale, values, parts.stale, trigger_mode="always_last", **TRIVIAL)
    return gr.on([parts.run.click, *(touched(widget) for widget in parts.widgets.values())], paint, values, parts.shown, **LIVE)


def _runs(lab: Lab, tab: Tab, parts: Parts, values: list[Any], stops: Stops) -> None:
    """The views that are run: streamed, stoppable; what is there stays when they are stopped."""

    def follow(request: gr.Request, *given: Any) -> Iterator[list[Any]]:
        with told():
            params = lab.read(*given)
            if params.view not in lab.instant:
                for k, result in enumerate(stops.until(request.session_hash, lab.results(request.session_hash, params))):
                    new = painted(lab, tab, params, result)
                    if k:
                        new[parts.shown.index(parts.stale)] = gr.skip()         # a setting may have changed since the run began
                    yield new
                return
        yield [gr.skip()] * len(parts.shown)

    gr.on([parts.go.click, parts.begin.click, parts.widgets["view"].input], follow, values, parts.shown, **LONG)
    stops.heed(parts.stop)


def _reads(lab: Lab, tab: Tab, parts: Parts) -> None:
    """A text from a file; on an error everything stays as it was."""
    widget = parts.widgets[lab.text]

    def text(path: str) -> list[Any]:
        with told():
            found, said = (lab.reader or texts.read_text)(uploaded(path), lab.most)
            return [found, f'<p class="gb-note">{escape(said)}</p>']
        return [gr.skip(), gr.skip()]

    parts.upload.upload(text, parts.upload, [widget, parts.held], **PRIVATE)
    widget.change(None, widget, None, js=f"(text) => glassbox.count('{tab.slug}', text)")


def _opens(lab: Lab, tab: Tab, parts: Parts) -> None:
    """The user's own picture; on an error everything stays as it was."""

    def opened(path: str, request: gr.Request) -> Any:
        with told():
            name = pictures.add(request.session_hash, path)
            return gr.Dropdown(choices=[*_samples(), ("Your picture", name)], value=name)
        return gr.skip()

    ran = parts.open.upload(opened, parts.open, parts.widgets[lab.picture], **PRIVATE)
    ran.success(None, None, None, js=f"() => glassbox.run('{tab.slug}')")


def _downloads(lab: Lab, tab: Tab, parts: Parts, values: list[Any]) -> None:
    """The view's rows as CSV, worked out anew with all digits and saved by the browser."""

    def rows(request: gr.Request, *given: Any) -> Any:
        with told():
            *_, result = lab.results(request.session_hash, lab.read(*given))
            return markup.csv_of(lab.tables[result.view](result.body))
        return gr.skip()

    made = parts.csv.click(rows, values, parts.carrier, **PRIVATE)
    made.success(None, parts.carrier, None, js=f"(text) => glassbox.save('glassbox-{tab.slug}.csv', text)")
