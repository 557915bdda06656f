"""The contract of a tab: frozen dataclasses without any page code.

A tab is one file that exports ``TAB = Tab(...)``. Widgets, the link, the endpoint, the exported script, the preset tests
and the README's table are derived from that one object (``ui/build.py``, ``ui/permalink.py``, ``ui/export.py``).

A parameter dataclass lives beside its mechanism in ``backends`` and must not know this package, so a field describes its
widget with plain metadata; a dataclass of ``ui`` may write ``Annotated[int, Control(...)]`` instead:

    heads: int = field(default=4, metadata={"range": (1, 16), "step": 1, "label": "Heads", "help": "parallel maps"})
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields, is_dataclass, replace
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

RESERVED = frozenset({"tab", "v"})
"""Query keys that belong to the page; no parameter may use them."""


class ParamError(ValueError):
    """A parameter that cannot be used. Its message is one sentence that a person can act on."""


@dataclass(frozen=True)
class Control:
    """How one parameter is shown and bounded.

    ``range`` is (lowest, highest), both allowed. ``kind`` is "slider", "number", "radio", "dropdown", "checkbox", "text",
    "lines" (a text of several lines), "json" or "hidden"; when empty it follows from the type. ``max_length`` caps texts.
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

    ``params`` is a complete parameter object, ``observation`` one sentence, and ``holds(result)`` says whether the sentence
    is true of the final result. A test evaluates it for every preset of every tab.
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
    """One figure: ``draw(result)`` gives a plotly figure (kind "plot"), a canvas scene (kind "scene") or a ``Table``.

    ``table(result)`` gives the rows behind it; without it they are read off a plotly figure's traces. ``alt`` says in one
    sentence what is drawn.
    """

    title: str
    draw: Callable[[Any], Any]
    kind: Literal["plot", "scene", "table"] = "plot"
    table: Callable[[Any], Table] | None = None
    alt: str = ""

    def __post_init__(self) -> None:
        if self.kind == "scene" and self.table is None:
            raise ValueError(f"the scene {self.title!r} needs a table: its picture holds rounded values only")


@dataclass(frozen=True)
class Tab:
    """One mechanism of the playground.

    ``run(params)`` returns a result, or yields growing results (a long run: it gets Run and Stop). ``figures`` holds views
    or bare functions ``result -> plotly figure``. ``first`` is what a visitor without a link sees (default: ``params()``).
    ``snippet(params)`` replaces the generated script, ``build(tab)`` replaces the generated page (see ``ui/build.py``).
    ``caveat(params)`` is a sentence on what a link cannot carry ("" when it carries everything), ``portable(params)`` what it does carry.
    """

    slug: str
    title: str
    question: str
    params: type
    run: Callable[[Any], Any]
    figures: tuple[Any, ...] = ()
    presets: tuple[Preset, ...] = ()
    explain: str = ""
    snippet: Callable[[Any], str] | None = None
    build: Callable[..., Any] | None = None
    caveat: Callable[[Any], str] | None = None
    portable: Callable[[Any], Any] | None = None
    first: Any = field(default=None)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.slug):
            raise ValueError(f"the slug {self.slug!r} must be a lower-case word")
        if not is_dataclass(self.params) or not self.params.__dataclass_params__.frozen:
            raise ValueError(f"the params of {self.slug} must be a frozen dataclass")
        clash = RESERVED & {f.name for f in fields(self.params)}
        if clash:
            raise ValueError(f"the params of {self.slug} use the reserved names {sorted(clash)}")

    @property
    def streams(self) -> bool:
        """Whether ``run`` is a generator, that is a long run which can be stopped."""
        return inspect.isgeneratorfunction(self.run)

    @property
    def opening(self) -> Any:
        """The parameters shown to a visitor without a link."""
        return self.params() if self.first is None else self.first

    @property
    def views(self) -> tuple[View, ...]:
        """``figures`` with bare functions wrapped into plot views."""
        return tuple(f if isinstance(f, View) else _view(f) for f in self.figures)

    def results(self, params: Any) -> Any:
        """An iterator over the results for ``params``: one, or all that a long run yields."""
        return self.run(params) if self.streams else iter((self.run(params),))


def _view(draw: Callable[[Any], Any]) -> View:
    name = draw.__name__.strip("_").replace("_", " ")
    return View(title=name[:1].upper() + name[1:], draw=draw, alt=(inspect.getdoc(draw) or "").split("\n")[0])


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
