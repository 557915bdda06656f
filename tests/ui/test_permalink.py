"""The link codec: every state survives, and no link can break the page."""

import json
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import fetched
from tests.hostile import hostile
from tests.ui.test_tab import BUILT, TEXT, Wave
from ui import TABS
from ui.core import permalink
from ui.core.problems import linked_to
from ui.core.tab import ParamError, Tab, declared


@dataclass(frozen=True)
class Step:
    """A nested value, such as one click."""

    point: tuple[float, float] | None = None
    choice: int | None = None
    kept: bool = True


@dataclass(frozen=True)
class Mixed:
    """Every type that a link can carry."""

    whole: int = 3
    real: float = 0.5
    flag: bool = True
    text: str = "start"
    kind: Literal["left", "right"] = "left"
    maybe: float | None = 1.0
    pair: tuple[int, int] = (1, 2)
    many: tuple[float, ...] = ()
    steps: tuple[Step, ...] = ()
    bounded: int = field(default=2, metadata={"range": (0, 8)})


whole = st.integers(-permalink.MOST, permalink.MOST)
finite = st.floats(allow_nan=False, allow_infinity=False)
nested = st.builds(Step, st.none() | st.tuples(finite, finite), st.none() | whole, st.booleans())
states = st.builds(
    Mixed,
    whole=whole,
    real=finite,
    flag=st.booleans(),
    text=st.text(max_size=200),
    kind=st.sampled_from(["left", "right"]),
    maybe=st.none() | finite,
    pair=st.tuples(whole, whole),
    many=st.lists(finite, max_size=4).map(tuple),
    steps=st.lists(nested, max_size=3).map(tuple),
    bounded=st.integers(0, 8),
)


@settings(max_examples=50)
@given(states)
def test_every_state_survives_the_round_trip_exactly(state):
    again, sentences = permalink.decode(Mixed, permalink.encode("mixed", state))
    assert repr(again) == repr(state) and sentences == ()


@pytest.mark.case("Any text as a link", "Usable parameters and sentences.")
@given(st.text(max_size=300))
def test_any_text_as_a_query_gives_usable_parameters(query):
    state, sentences = permalink.decode(Mixed, query)
    assert isinstance(state, Mixed) and all(s.endswith(".") for s in sentences)


@given(st.sampled_from([p.name for p in declared(Mixed)]), st.text(max_size=60))
def test_any_value_of_a_known_key_gives_usable_parameters(name, text):
    state, sentences = permalink.decode(Mixed, {name: text})
    assert isinstance(state, Mixed) and len(sentences) <= 1


@pytest.mark.case("Any values in a link of any tab", "Usable parameters, and one sentence for each value that is not.")
@settings(max_examples=50)
@given(st.data())
def test_any_values_in_a_link_of_a_tab_give_parameters_that_survive(data):
    tab = data.draw(st.sampled_from(TABS))
    names = st.sampled_from([p.name for p in declared(tab.params)])
    values = hostile(["point", "labels", "0"]).map(json.dumps) | st.text(max_size=30)
    state, sentences = permalink.decode(tab.params, data.draw(st.dictionaries(names, values, max_size=4)))
    assert isinstance(state, tab.params) and all(s.endswith(".") and "\n" not in s for s in sentences)
    again, sentences = permalink.decode(tab.params, permalink.encode(tab.slug, state))
    assert repr(again) == repr(state) and sentences == ()


@pytest.mark.case("HTML, ${} and control characters in a link", "They come back as they went in.")
@pytest.mark.parametrize("text", ["", "0", "false", "你好 🐈", "${alert(1)}", "{{n}}", "\"'`<b>&amp;", "a\nb\r\nc",
                                  "a=1&b=2", "+%20 +"])
def test_awkward_texts_survive(text):
    assert permalink.decode(Mixed, permalink.encode("mixed", Mixed(text=text)))[0].text == text


@pytest.mark.parametrize("state", [Mixed(whole=0), Mixed(real=0.0), Mixed(real=-0.0), Mixed(flag=False), Mixed(text=""),
                                   Mixed(maybe=None)])
def test_zero_false_and_empty_are_written_and_read(state):
    assert repr(permalink.decode(Mixed, permalink.encode("mixed", state))[0]) == repr(state)


def test_the_link_of_every_preset_shows_that_preset():
    wrong = {(tab.slug, preset.name): sentences for tab in TABS for preset in tab.presets
             for found, sentences in [permalink.decode(tab.params, permalink.encode(tab.slug, preset.params))]
             if sentences or found != preset.params}
    assert wrong == {}


def test_defaults_are_left_out():
    assert permalink.encode("mixed", Mixed()) == "tab=mixed&v=1"
    assert parse_qs(permalink.encode("mixed", Mixed(whole=4))) == {"tab": ["mixed"], "v": ["1"], "whole": ["4"]}


def test_unknown_keys_are_ignored():
    assert permalink.decode(Mixed, "?tab=mixed&v=1&colour=red&__theme=dark") == (Mixed(), ())


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("whole=1.5", "Whole must be a whole number."),
        ("real=NaN", "Real must be a number."),
        ("flag=1", "Flag must be true or false."),
        ("kind=up", "Kind must be one of left, right."),
        ("pair=[1]", "Pair must be a list of 2."),
        ("bounded=9", "Bounded must lie between 0 and 8."),
        ("many=[[", "Many must be a list."),
        ('steps=[{"point":"x"}]', "Steps must be a list or empty."),
        ("text=" + "x" * 2001, "Text may have at most 2000 characters."),
    ],
)
def test_a_bad_value_costs_one_sentence_and_falls_back_to_the_default(query, part):
    state, sentences = permalink.decode(Mixed, query + "&whole=7" * (not query.startswith("whole")))
    assert sentences == (f"{part} The link's value was ignored.",)
    assert state == Mixed(whole=3 if query.startswith("whole") else 7)


def test_another_version_shows_the_defaults_and_says_so():
    state, sentences = permalink.decode(Mixed, "v=2&whole=7")
    assert state == Mixed() and "another version" in sentences[0]


def test_a_combination_that_the_dataclass_refuses_falls_back_with_its_sentence():
    state, sentences = permalink.decode(Wave, "terms=7&flip=true")
    assert state == Wave() and sentences == ("Seven harmonics cannot be flipped. The defaults are shown.",)


def test_a_page_value_that_cannot_be_used_is_refused_by_name():
    with pytest.raises(ParamError, match="Terms must lie between 0 and 12"):
        permalink.make(Wave, {"terms": 13})
    assert permalink.make(Wave, {"terms": 4.0, "note": TEXT}) == Wave(terms=4, note=TEXT)


def test_parameter_names_that_belong_to_the_page_are_refused():
    @dataclass(frozen=True)
    class Bad:
        v: int = 1

    with pytest.raises(ValueError, match="reserved"):
        Tab("bad", "Bad", "?", Bad, run=lambda p: p)


def test_a_link_may_lack_its_version_and_a_foreign_key_makes_none():
    """By hand people write ?tab=attention&norm=2; the codec takes it, and so does the page."""
    tab = next(one for one in TABS if one.slug == "attention")
    bare, full = (linked_to(tab, f"?tab=attention{version}&norm=2") for version in ("", "&v=1"))
    assert bare == full == tab.params(norm=2.0)
    assert linked_to(tab, "?tab=attention&utm_source=letter") == tab.opening != tab.params()


@pytest.mark.parametrize(("slug", "query", "before"), [
    ("rope", "trained=512", {"trained": 512, "window": 64, "tau": 8.0}),
    ("deformable", "view=stack", {"view": "stack", "seed": 14})])
def test_a_link_of_version_one_keeps_the_defaults_of_its_time(slug, query, before):
    params = next(tab.params for tab in TABS if tab.slug == slug)
    assert permalink.decode(params, f"v=1&{query}") == (params(**before), ())
    assert permalink.encode(slug, params()) == f"tab={slug}&v={1 + len(params.FORMER)}"


def other(param, value):
    """Another value that the parameter may have."""
    control = param.control
    if control.choices:
        return next((choice for choice in control.choices if choice != value), value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float) and control.range:
        return param.type(control.range[value == control.range[0]])
    return value


def moved(tab, params):
    """The same with every setting changed that its view does not show, as far as they fit together."""
    for name in tab.declared.keys() - tab.reads(params).keys():
        try:
            params = replace(params, **{name: other(tab.declared[name], getattr(params, name))})
        except ValueError:
            continue
    return params


def drawn(tab, params, body):
    """The rows and the words of what is on screen."""
    view = tab.view(params)
    return view.table(body), view.words(params, body) if view.words else ""


@pytest.mark.parametrize("tab", BUILT, ids=lambda tab: tab.slug)
def test_a_setting_that_is_not_shown_changes_nothing_so_a_link_can_do_without_it(tab, answers):
    views = {}
    for preset in tab.presets:
        if not tab.view(preset.params).streamed and not fetched(tab, preset.params):
            views.setdefault(getattr(preset.params, tab.chooser), preset.params)
    for view, params in views.items():
        changed, [link, whole] = moved(tab, params), (permalink.short(tab, params), permalink.encode(tab.slug, params))
        assert changed != params and permalink.short(tab, changed) == link and len(link) <= len(whole), view
        assert tab.preset(changed).params == tab.preset(permalink.decode(tab.params, link)[0]).params == params
        now, was = (drawn(tab, one, answers(tab.run, one).body) for one in (changed, params))
        assert now == was, view
