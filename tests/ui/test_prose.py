"""The tabs' texts: measured numbers have one home, words open their meaning, and each tab first says why."""

import re
from xml.etree import ElementTree

import pytest

from backends import weights
from benchmarks import found
from benchmarks import measured as bench
from ui import TABS
from ui.core import language as catalogues
from ui.core import measured, prose
from ui.core.prose import LANGUAGES, TERM, UI

SETTINGS = {"swin": {"95 %"}, "attention": {"1e-4", "1e-5"}, "moe": {"0.001", "0.01"},
            "scale": {"0.003", "0.01", "0.03", "0.5"}}
"""Numbers of the texts that look measured and are not: bounds, weights of losses, learning rates, an exponent."""
ONCE = {"copying-longer"}
"""Entries without a command: a training that nothing repeats in minutes."""
LOOKS = re.compile(r"\d+\.\d+|\d+ ?%|\d+e-?\d+")
SLUGS = [tab.slug for tab in TABS]


def raw(slug, language):
    """A text as it is written."""
    return (UI / "tabs" / slug / LANGUAGES[language]).read_text("utf-8")


def loose(text):
    """Numbers that look measured and stand in the text itself; code, formulas, arXiv and section numbers do not
    count."""
    other = r"`[^`]*`|\$\$.*\$\$|\d{4}\.\d{5}|(?:section|第) [\d.]+"
    return {one.strip() for one in LOOKS.findall(re.sub(other, "", measured.HOLE.sub("", text)))}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("slug", SLUGS)
def test_no_measured_number_stands_in_a_text_itself(slug, language):
    assert loose(raw(slug, language)) == SETTINGS.get(slug, set())
    assert loose("0.93 nats, 49 % right, 83e10; `0.5` (arXiv 2102.11174)") == {"0.93", "49 %", "83e10"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_measured_number_is_read_in_both_languages_and_every_hole_is_filled(language):
    wanted = {(entry["tab"], name, key) for name, entry in measured.measured().items() for key in entry["values"]}
    holes = {(slug, *hole) for slug in SLUGS for hole in measured.HOLE.findall(raw(slug, language))}
    assert holes == wanted
    for slug in SLUGS:
        text = prose.prose(slug, language)
        assert "{{" not in text.text + text.lead + "".join(text.views.values())
    with pytest.raises(KeyError):
        measured.filled("{{legs.n7}}")


def test_each_entry_names_the_command_that_prints_it():
    for name, entry in measured.measured().items():
        assert entry["text"] and entry["tab"] in SLUGS and all(isinstance(one, str) for one in entry["values"].values())
        assert entry["command"] == ("" if name in ONCE else f"python -m benchmarks.measured --show {name}")
    assert bench.MEASURES.keys() == measured.measured().keys() - ONCE


@pytest.mark.parametrize("name", ["mixers", "copying", "legs", "skew", "dial", "regions", "bent"])
def test_what_is_quick_to_measure_is_as_the_file_says(name):
    assert getattr(found, name)() == measured.measured()[name]["values"]


def test_refreshing_runs_the_command_and_writes_what_it_prints():
    entry = {"tab": "memory", "text": "x", "command": """python -c 'print("so"); print("{\\"a\\": \\"2.5\\"}")'""",
             "values": {"a": "1"}}
    new = bench.refreshed({"one": entry, "two": entry}, "one")
    assert new["one"]["values"] == {"a": "2.5"} and new["two"]["values"] == {"a": "1"}
    with pytest.raises(ValueError, match="prints"):
        bench.refreshed({"one": entry | {"values": {"b": "1"}}}, "one")
    with pytest.raises(ValueError, match="measured once"):
        bench.refreshed({"one": entry | {"command": ""}}, "one")
    assert bench.written(measured.measured()) == measured.FILE.read_text("utf-8")


def test_every_word_of_the_glossary_is_one_sentence_and_opens_in_both_languages():
    used = {language: {found[2] or found[1].lower() for slug in SLUGS for found in TERM.finditer(raw(slug, language))}
            for language in LANGUAGES}
    assert used["en"] == used["zh"] == prose.glossary().keys() and len(prose.glossary()) >= 25
    for english, chinese in prose.glossary().values():
        assert english.endswith(".") and ". " not in english and chinese.endswith("。") and chinese.count("。") == 1


@pytest.mark.parametrize("slug", SLUGS)
def test_a_button_opens_its_own_meaning(slug):
    page = prose.leads(slug) + prose.html(slug).decode() + prose.html(slug, True).decode()
    buttons = re.findall(r'<button type="button" class="gb-term" popovertarget="([^"]+)">', page)
    meanings = re.findall(r'<span class="gb-meaning" id="([^"]+)" popover', page)
    assert buttons == meanings and len({*buttons}) == len(buttons) >= 4 and "[[" not in page


@pytest.mark.parametrize("slug", SLUGS)
def test_each_tab_first_says_in_two_sentences_why_one_should_care(slug):
    english, chinese = (TERM.sub(r"\1\3", prose.prose(slug, language).lead) for language in LANGUAGES)
    assert len(re.findall(r"[.](?: |\n|$)", english)) == 2 and chinese.count("。") == 2
    assert not re.search(r"\d", english + chinese) or slug == "moe"


def test_segment_names_the_photographs_that_its_model_learned_from():
    entry = next(one for one in weights.manifest() if one.name == "segment-tiny")
    said = [*(prose.prose("segment", language).text for language in LANGUAGES), *catalogues.catalogue()]
    assert "photograph" in str(entry.data) and "Trained on rendered scenes and free photographs" in " ".join(said)
    assert not [text for text in said if re.search("trained on (synthetic|procedural)", text, re.I)]


@pytest.mark.parametrize("slug", SLUGS)
def test_each_mechanism_has_its_formula_which_is_the_same_in_both_languages_and_is_typeset(slug):
    english, chinese = (prose.FORMULA.findall(raw(slug, language)) for language in LANGUAGES)
    assert english == chinese and english
    page = prose.html(slug).decode() + prose.html(slug, True).decode()
    drawn = re.findall(r'<div class="gb-formula">(<math .*?</math>)</div>', page)
    assert len(drawn) == 2 * len(english) and "$" not in page
    for one in drawn:
        shown = "".join(ElementTree.fromstring(one).itertext())
        assert shown and "\\" not in shown, shown


@pytest.mark.parametrize("slug", SLUGS)
def test_each_tab_has_one_drawing_of_its_mechanism_in_both_languages(slug):
    drawn = [prose.drawing(slug, name) for name in ("intro", "explain")]
    assert [bool(one) for one in drawn] == [slug != "segment", slug == "segment"]
    page = ElementTree.fromstring("".join(drawn))
    pictures, captions = page.findall("figure/svg"), page.findall("figure/figcaption")
    words = [node for one in pictures for node in one.iter("text") if node.get("translate") != "no"]
    said = [*(one.text for one in captions + words), *(one.get("aria-label") for one in [page, *pictures])]
    assert len(pictures) == len(captions) == 4 and {one.get("role") for one in pictures} == {"img"}
    assert not [text for text in said if not catalogues.known(text)]
    assert "\n".join(drawn).count("\n") <= 60


def test_a_formula_stands_on_a_line_of_its_own():
    assert prose.FORMULA.findall("a $$b$$\n\n$$c$$\n") == ["c"] and "<msup>" in prose.typeset("c^2")


def test_tables_are_rendered():
    assert "<table>" in prose.html("rope").decode() and "<table>" in prose.html("attention", True).decode()


def test_no_mark_of_markdown_is_left_on_the_page():
    for slug in SLUGS:
        for language in LANGUAGES:
            html = prose.rendered(prose.prose(slug, language).text, language, "x")
            left = re.sub(r"(?s)<(code|math)[ >].*?</\1>|<[^>]+>", "", html)
            assert "*" not in left and "`" not in left, (slug, language, re.findall(r".{20}[*`].{20}", left))


def test_a_line_does_not_begin_with_the_comma_after_a_word_of_the_glossary():
    page = prose.rendered("Of [[logits|logit]], and [[softmax]] too.", "en", "x")
    assert re.search(r'<span class="gb-kept"><button[^>]*>logits</button>,</span>', page)
    assert page.count("gb-kept") == 1
