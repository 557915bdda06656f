"""Every visible text goes through the catalogue: the built page is walked, and nothing is found past it."""

import json

import pytest

from tests.ui.words import texts_of
from ui import TABS
from ui.core import language
from ui.core.prose import LANGUAGES, prose


def visible(config):
    """All texts that the page's components show, with the component that shows each."""
    for one in config["components"]:
        props = one["props"]
        if set(props.get("elem_classes")
               or ()) & {"gb-en", "gb-zh"} or one["type"] in ("state", "api") or props.get("visible") is False:
            continue
        for name in ("label", "info", "placeholder"):
            if props.get(name) and props.get("show_label", True):
                yield one, props[name]
        for choice in props.get("choices") or ():
            yield one, str(choice[0])
        if one["type"] in ("html", "wire", "aside", "stage"):
            yield from ((one, text) for part in ("value", "html_template")
                        for text in texts_of(str(props.get(part) or "")))
        if one["type"] == "button":
            yield one, props["value"]


def test_no_literal_string_reaches_the_page_past_the_catalogue(config):
    missing = sorted({f"{one['props'].get('elem_id')}: {text}" for one, text in visible(config)
                      if not language.known(text)})
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.slug)
def test_presets_and_their_observations_are_in_the_catalogue(tab):
    texts = [text for preset in tab.presets for text in (preset.name, preset.observation)]
    assert not [text for text in texts if not language.known(text)]


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.slug)
def test_each_tab_is_explained_in_two_languages_with_what_to_look_at_first(tab):
    english, chinese = (prose(tab.slug, one) for one in LANGUAGES)
    assert english.text.startswith("### ") and chinese.text.startswith("### ") and english.text != chinese.text
    assert english.views.keys() == chinese.views.keys() <= {*tab.views}


def test_values_fill_in_what_their_keys_leave_open():
    for key, value in language.catalogue().items():
        holes = key.count("{}")
        used = {int(part[0]) for part in (value or "").split("{")[1:] if part[0].isdigit()}
        assert used <= set(range(1, holes + 1)), key


def test_the_served_catalogue_holds_what_is_translated():
    served = json.loads(language.served())
    assert served["Copy link"] == "复制链接" and "CSV" not in served


def test_texts_with_something_filled_in_are_known_and_others_are_not():
    assert language.known("12 of 48 bytes") and language.known("0.5 ≤ 3") and language.known(" Run ")
    assert not language.known("A sentence that nobody has translated.")
