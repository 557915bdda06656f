"""The contract of a tab: frozen dataclasses without any page code.

A tab is one folder ``ui/tabs/<slug>/`` whose ``TAB = Tab(...)`` says what it is. Widgets, the link, the endpoint,
downloads, the exported script, the preset tests and the README's table are derived from that one object
(``ui/core/page.py``).

A parameter dataclass lives beside its mechanism in ``backends`` and must not know this package, so a field describes
its widget with plain metadata (``backends.settings.setting``); a dataclass of ``ui`` may write ``Annotated[int,
Control(...)]``.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

RESERVED = frozenset({"tab", "v", "pin", "embed", "lang"})
"""Query keys that belong to the page; no parameter may use them."""

Choice = tuple[str, str] | tuple[tuple[str, str], ...]
"""(parameter, value), or several such pairs together: see ``Tab.needs``."""


class ParamError(ValueError):
    """A parameter that cannot be used. Its message is one sentence that a person can act on."""


@dataclass(frozen=True)
class Control:
    """How one parameter is shown and bounded.

    ``range`` is (lowest, highest), both allowed. ``kind`` is "slider", "number", "radio", "dropdown", "checkbox",
    "text", "lines" (a text of several lines), "json" or "hidden"; when empty it follows from the type. ``max_length``
    caps texts.
    """

    label: str = ""
    range: tuple[float, float] | None = None
    step: float | None = None
    choices: tuple[Any, ...] = ()
    help: str = ""
    kind: str = ""
    max_length: int = 2000


@dataclass(frozen=True)
class Param:
    """One field of a parameter dataclass: its name, type without ``Annotated``, default value and control."""

    name: str
    type: Any
    default: Any
    control: Control


@dataclass(frozen=True)
class Preset:
    """Settings worth a look, with the observation that they must produce.

    ``params`` is a complete parameter object, ``observation`` one sentence, and ``holds(result)`` says whether the
    sentence is true of the final result. A test evaluates it for every preset of every tab.
    """

    name: str
    params: Any
    observation: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Table:
    """Rows behind a figure: column names and rows of numbers or short texts."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class View:
    """One view of a tab, drawn from the body of a ``backends.result.Result``.

    ``table(body)`` gives the rows behind what is drawn. ``figure(body)`` is a plotly figure, ``stage(params, body)``
    the scene of the room's own canvas, or a list of scenes one below the other. ``words(params, body)`` is a sentence
    above them, ``below(params, body)`` HTML under them, made by ``ui.parts.markup``. ``part(body, name)`` gives the
    rows of one thing on the stage, which offers them by a message {kind: "rows", format, of: name}. A figure or stage
    of None leaves what is on screen. A streamed view is a long run: it is started, grows and can be stopped; any other
    answers each move of a setting at once; ``streamed`` may also be a function of the params, where a model's size
    decides. ``forecast(params)`` says in a sentence, before a long run is begun, how long it may take, or nothing.
    """

    title: str
    table: Callable[[Any], Table]
    figure: Callable[[Any], Any] | None = None
    stage: Callable[[Any, Any], Any] | None = None
    words: Callable[[Any, Any], str] | None = None
    below: Callable[[Any, Any], str] | None = None
    part: Callable[[Any, str], Table] | None = None
    streamed: bool | Callable[[Any], bool] = False
    forecast: Callable[[Any], str] | None = None

    @property
    def looks(self) -> bool:
        """Whether its plan takes a look at files or at the machine."""
        return callable(self.streamed) or self.forecast is not None

    def plan(self, params: Any) -> dict[str, Any]:
        """Whether it is a long run with these params, and what is known before it of its time."""
        long = self.streamed(params) if callable(self.streamed) else self.streamed
        return {"streamed": long, "forecast": self.forecast(params) if long and self.forecast else ""}


@dataclass(frozen=True)
class Source:
    """Something that a visitor brings to a tab.

    * "text": the parameter ``field`` holds it, up to ``most`` bytes; ``read(path, most) -> (text, sentence)`` reads
      a file.
    * "picture": ``field`` names a sample or an own picture; the mechanism gets ``image``, uint8 (H, W, 3) RGB, its
      longer side at most ``most`` px (0: as it came).
    * "numbers": ``read(path) -> (values by parameter, sentence)`` fills settings from a file.
    * "model": a file that stays with the visitor. ``read(path) -> sentence`` accepts it; ``load(path, params)`` makes
      the keyword argument ``field`` of the mechanism where ``wanted(params)``.
    * "shelf": ``field`` names a model of ``backends.models``, which the mechanism loads by itself.

    For the last two, ``fetch(params)`` may download one: it yields sentences on how far it is, and for a "model" the
    path; ``offer(params)`` says what it would download, and whether there is anything to download.

    ``label`` is what its button says, ``accept`` the file's ending, ``name`` what a link cannot carry; ``place`` takes
    the place of "source" in the id of a text's element, where a parameter has that name.
    """

    kind: Literal["text", "picture", "numbers", "model", "shelf"]
    field: str
    label: str = ""
    accept: str = ""
    name: str = ""
    place: str = ""
    most: int = 0
    read: Callable[..., Any] | None = None
    load: Callable[[Path, Any], Any] | None = None
    wanted: Callable[[Any], bool] = lambda params: True
    fetch: Callable[[Any], Any] | None = None
    offer: Callable[[Any], tuple[str, bool]] | None = None

    @property
    def id(self) -> str:
        """The part of its elements' ids: ``<slug>-<id>``."""
        return self.place or {"text": "source", "picture": "pictures"}.get(self.kind, f"own-{self.field}")


@dataclass(frozen=True)
class Tab:
    """One mechanism of the playground.

    ``run`` is a ``backends.result.Mechanism``: called it gives the finished result, ``run.stream`` growing ones.
    ``views`` are chosen by the parameter ``chooser``. ``first`` is what a visitor without a link sees (default:
    ``params()``).

    By parameter: ``uses``, the views that it, or a source's field, matters in (all when it is not named); ``needs``,
    choices of which one must be made besides: (parameter, value), where "!value" is any other, or several such pairs
    that must be made together; ``titles``, its values' labels (a tuple of such values becomes boxes). ``held`` have
    no widget: the stage changes them. ``folded`` stand in a closed accordion. ``snippet(params)`` replaces the
    exported script; ``tour`` names the preset that the tour shows; ``page(tab)`` draws a page of its own,
    ``portable`` and ``caveat`` go with it (the Segment tab alone).
    """

    slug: str
    title: str
    question: str
    params: type
    run: Callable[[Any], Any]
    views: Mapping[str, View] = field(default_factory=dict)
    presets: tuple[Preset, ...] = ()
    sources: tuple[Source, ...] = ()
    chooser: str = "view"
    uses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needs: Mapping[str, tuple[Choice, ...]] = field(default_factory=dict)
    titles: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)
    held: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()
    first: Any = None
    tour: str = ""
    snippet: Callable[[Any], str] | None = None
    page: Callable[["Tab"], Any] | None = None
    caveat: Callable[[Any], str] | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.slug):
            raise ValueError(f"the slug {self.slug!r} must be a lower-case word")
        if not is_dataclass(self.params) or not self.params.__dataclass_params__.frozen:
            raise ValueError(f"the params of {self.slug} must be a frozen dataclass")
        names = {f.name for f in fields(self.params)}
        if names & RESERVED:
            raise ValueError(f"the params of {self.slug} use the reserved names {sorted(names & RESERVED)}")
        sources = {source.field for source in self.sources}
        unknown = ({*self.uses} - names - sources) | ({*self.titles, *self.held, *self.folded} - names)
        if unknown:
            raise ValueError(f"the params of {self.slug} have no {sorted(unknown)}")

    @property
    def opening(self) -> Any:
        """The parameters shown to a visitor without a link."""
        return self.params() if self.first is None else self.first

    @property
    def declared(self) -> dict[str, Param]:
        """The parameters by name."""
        return {p.name: p for p in declared(self.params)}

    def view(self, params: Any) -> View:
        """The view that ``params`` choose."""
        return self.views[getattr(params, self.chooser)]

    def source(self, kind: str) -> Source | None:
        """The first source of this kind."""
        return next((s for s in self.sources if s.kind == kind), None)

    def reads(self, params: Any) -> dict[str, Any]:
        """The settings that the shown view reads, by name: those that ``uses`` and ``needs`` do not hide."""
        ids, view = {s.field: s.id for s in self.sources}, getattr(params, self.chooser, "")
        found = {}
        for name in self.declared:
            needs = [self.needs[key] for key in {name, ids.get(name)} & self.needs.keys()]
            if view in self.uses.get(name, (view,)) and all(_met(params, choices) for choices in needs):
                found[name] = getattr(params, name)
        return found

    def preset(self, params: Any) -> Preset | None:
        """The preset whose settings are on screen."""
        shown = self.reads(params)
        return next((p for p in self.presets if self.reads(p.params) == shown), None)


def _met(params: Any, choices: Iterable[Choice]) -> bool:
    """Whether one of these choices is made."""
    return any(all(_made(getattr(params, name), value) for name, value in pairs([choice])) for choice in choices)


def _made(now: Any, value: str) -> bool:
    if isinstance(now, tuple):
        return value in now
    return (str(now) == value.removeprefix("!")) != value.startswith("!")


def pairs(choices: Iterable[Choice]) -> Iterator[tuple[str, str]]:
    """Every (parameter, value) that stands in some choices."""
    for choice in choices:
        yield from [choice] if isinstance(choice[0], str) else choice


@cache
def declared(params: type) -> tuple[Param, ...]:
    """The fields of a parameter dataclass, in order, with their types, defaults and controls."""
    hints = get_type_hints(params, include_extras=True)
    default = params()
    return tuple(_param(f, hints[f.name], getattr(default, f.name)) for f in fields(params) if f.init)


def _param(entry: Field, hint: Any, default: Any) -> Param:
    extras = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    plain = get_args(hint)[0] if extras else hint
    found = next((e for e in extras if isinstance(e, Control)), None)
    control = found or Control(**dict(entry.metadata))
    if get_origin(plain) is Literal and not control.choices:
        control = replace(control, choices=get_args(plain))
    label = control.label or entry.name.replace("_", " ").capitalize()
    return Param(entry.name, plain, default, replace(control, label=label, kind=control.kind or _kind(plain, control)))


def _kind(hint: Any, control: Control) -> str:
    if control.choices:
        return "radio" if len(control.choices) <= 4 else "dropdown"
    if hint in (int, float):
        return "slider" if control.range else "number"
    return {bool: "checkbox", str: "text"}.get(hint, "json")


def views(titles: Mapping[str, str], drawn: Any, streamed: Collection[str] = (),
          forecasts: Mapping[str, Callable[[Any], str]] | None = None) -> dict[str, View]:
    """Views by name, from a room's module of figures: its TABLES by view, and FIGURES, STAGES, WORDS, BELOW, PARTS
    where it has them. ``streamed``: names, or what decides by name."""
    parts = {"figure": "FIGURES", "stage": "STAGES", "words": "WORDS", "below": "BELOW", "part": "PARTS"}
    found = {part: getattr(drawn, name, {}) for part, name in parts.items()} | {"forecast": forecasts or {}}
    long = streamed if isinstance(streamed, Mapping) else dict.fromkeys(streamed, True)
    return {name: View(title, drawn.TABLES[name], streamed=long.get(name, False),
                       **{p: f.get(name) for p, f in found.items()})
            for name, title in titles.items()}
