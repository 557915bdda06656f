"""What a visitor set that cannot be used.

It stays in its box, which is marked and says why; the value that was accepted last counts in its place, in the figure,
the link and the script. Whether a value can be used may hang on another one, so with each change what was refused is
tried again.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any

from ui.core import permalink
from ui.core.tab import ParamError, Tab
from ui.parts.widgets import NUMBERS, from_widget, to_widget


class Refused:
    """By visitor: the parameters that were accepted last, and of each refused widget its value and a sentence."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self._accepted: dict[str, Any] = {}
        self._held: dict[str, dict[str, tuple[Any, str]]] = {}

    def last(self, session: str) -> Any:
        """The parameters that this visitor's tab goes by."""
        return self._accepted.get(session, self.tab.opening)

    def read(self, session: str, given: Sequence[Any]) -> Any:
        """The parameters from the widgets' values; of a refused one, the value that was accepted last. ParamError when
        they do not fit together."""
        good = self._good(session, given)
        return self._made(session, good, self._held[session])

    def attempts(self, session: str, given: Sequence[Any], hand: str) -> Iterator[Callable[[], Any]]:
        """What to try, in turn, after ``hand`` was changed: with what was refused before, and without. Each makes
        parameters; ParamError when they do not fit together."""
        good = self._good(session, given)
        held = self._held[session].keys()
        yield partial(self._made, session, good, held - good.keys())
        if held & good.keys() - {hand}:
            yield partial(self._made, session, good, held - {hand} | held - good.keys())

    def refuse(self, session: str, given: Sequence[Any], hand: str, sentence: str) -> None:
        """No attempt was of use: what ``hand`` names is refused."""
        value = dict(zip(self.tab.declared, given, strict=True))[hand]
        self._held.setdefault(session, {}).setdefault(hand, (value, sentence))

    def took(self, session: str, params: Any, written: Collection[str] = ()) -> None:
        """These parameters are accepted: what they use, and what the server has ``written``, is not refused."""
        self._accepted[session] = params
        for name, (value, _) in list(self._held.get(session, {}).items()):
            if name in written or self._value(name, value)[0] == getattr(params, name):
                del self._held[session][name]

    def names(self, session: str) -> Collection[str]:
        """The parameters whose boxes hold something refused."""
        return self._held.get(session, {}).keys()

    def sentences(self, session: str) -> dict[str, str]:
        """What stands beside each refused box, by its parameter."""
        return {name: said + self._still(session, name) for name, (_, said) in self._held.get(session, {}).items()}

    def drop(self, session: str) -> None:
        """Forget a visitor."""
        self._accepted.pop(session, None)
        self._held.pop(session, None)

    def _good(self, session: str, given: Sequence[Any]) -> dict[str, Any]:
        """The values that can be read, by parameter; the others are refused, and what was changed is not any more."""
        held, good = self._held.setdefault(session, {}), {}
        for name, value in zip(self.tab.declared, given, strict=True):
            if name in held and held[name][0] != value:
                del held[name]
            read, sentence = self._value(name, value)
            if sentence:
                held[name] = value, sentence
            else:
                good[name] = read
        return good

    def _value(self, name: str, value: Any) -> tuple[Any, str]:
        """A widget's value as its parameter's, or why it is none."""
        param = self.tab.declared[name]
        try:
            return permalink.accept(param, from_widget(self.tab, param, value)), ""
        except ParamError as error:
            return None, str(error)

    def _made(self, session: str, good: dict[str, Any], without: Collection[str]) -> Any:
        last = self.last(session)
        return permalink.make(self.tab.params, good | {name: getattr(last, name) for name in without})

    def _still(self, session: str, name: str) -> str:
        """Which number, or that the text before it, counts in place of the refused one."""
        param = self.tab.declared[name]
        if param.control.kind == "lines":
            return " The text before it is still in use."
        if param.type not in (int, float, NUMBERS) or name in self.tab.titles:
            return ""
        value = to_widget(self.tab, param, getattr(self.last(session), name))
        return f" Still in use: {value}." if value != "" else ""
