"""The Memory tab without a browser: figures, tables, scenes, files, and what must not come through."""

import json
import wave
from dataclasses import replace

import numpy as np
import pytest

from backends.memory import answer
from backends.memory.params import KINDS, LETTERS, MAX_TEXT, POLES, RULES, SIGNALS, MemoryParams
from tests.ui.words import shown
from ui.core import permalink
from ui.core.language import known
from ui.core.page import Page
from ui.parts import sources
from ui.tabs.memory import TAB, figures, strips
from ui.tabs.memory.files import read_signal

SMALL = MemoryParams(longest=128, samples=32)
PAGE = Page(TAB, None, None)


@pytest.fixture(scope="module")
def results():
    """All steps of every view, worked out once."""
    return {view: list(answer.stream(replace(SMALL, view=view))) for view in TAB.views}


@pytest.mark.parametrize("name", TAB.views)
def test_every_step_of_every_view_is_drawn_tabled_and_checked(results, name):
    params, view = replace(SMALL, view=name), TAB.views[name]
    for result in results[name]:
        table = view.table(result.body)
        assert table.rows and all(len(row) == len(table.columns) for row in table.rows)
        figure = view.figure(result.body)
        assert figure.data and len(figure.to_json()) < 200_000
        assert view.stage is None or len(json.dumps(view.stage(params, result.body))) < 200_000
    last = results[name][-1]
    assert last.finished and all(check.ok for check in last.checks)
    assert view.words is None or view.words(params, last.body).endswith(".")


def test_views_that_stream_grow_and_the_others_answer_once(results):
    assert {name for name, steps in results.items() if len(steps) > 1} == {name for name, view in TAB.views.items()
                                                                           if view.streamed}


@pytest.mark.parametrize("change", [
    *({"signal": name} for name in SIGNALS), *({"rule": name} for name in RULES),
    *({"view": "poles", "start": name} for name in POLES),
    *({"view": "family", "kind": name} for name in KINDS), {"view": "family", "tokens": 0},
    {"view": "family", "tokens": 1},
    {"length": 2}, {"head": 0.0}, {"size": 1}, {"size": 127}, {"text": "1 1"},
    {"view": "selective", "string": "a"}, {"view": "selective", "string": "1023.h", "layer": 1, "channel": 0},
    {"view": "selective", "string": "1008.16a"},
    {"view": "selective", "string": "60.a60.b60.c60.d60.e60.f60.g60.h" * 2},
], ids=str)
def test_every_choice_and_every_edge_has_a_figure_a_table_and_true_checks(change):
    params = replace(SMALL, **change)
    result = answer(params)
    assert all(check.ok for check in result.checks)
    figure = TAB.views[result.view].figure(result.body)
    assert len(figure.to_json()) < 200_000 and TAB.views[result.view].table(result.body).columns


def test_pooling_keeps_the_largest_of_neighbours_and_says_which_places_they_are():
    values = np.array([[1.0, -5.0, 2.0, 0.0, 3.0], [0.0, 0.0, 0.0, -1.0, 0.5]])
    assert strips.pooled(values, 3).tolist() == [[-5.0, 2.0, 3.0], [0.0, -1.0, 0.5]]
    assert strips.pooled(values, 5) is not values and (strips.pooled(values, 5) == values).all()
    figure = strips.selective(answer(replace(SMALL, view="selective")).body)
    strip = figure.data[0]
    assert len(strip.x) == strip.z.shape[1] == 130 and (strip.x[0], strip.x[-1]) == (1.0, 387.0)
    assert (strip.z[[0, 2, 3]][:, [at // 3 for at in (155, 175, 212, 267)]] > 3).all()
    assert figure.layout.annotations[0].text.endswith("dt over its median") and not figure.data[3].z.any()
    assert figure.layout.annotations[1].text == "twin: dt, 1 everywhere"
    assert {map_.coloraxis: (bar.cmin, bar.cmax) for map_ in figure.data if (bar := figure.layout[map_.coloraxis])} == {
        "coloraxis": (-8, 8), "coloraxis2": (0, 1), "coloraxis3": (-1, 1)}


def test_only_the_maps_of_the_family_run_downwards():
    layout = figures.family(answer(replace(SMALL, view="family")).body).layout
    assert layout.yaxis.autorange == layout.yaxis2.autorange == "reversed" and layout.yaxis3.autorange is None


def test_words_say_what_is_lost_and_who_diverged():
    result = answer(replace(SMALL, rule="forward", memories=("legs", "legt")))
    assert "newest 1000 samples" in figures.scope_words(SMALL, result.body)
    assert "LegS 17.4 %" in figures.scope_words(SMALL, result.body)
    assert "diverges for HiPPO-LegT: the steps" in result.notice
    assert figures.scope_words(SMALL, replace(result.body, recalls=())).startswith("None")


def test_memories_are_compared_over_the_same_samples():
    """LegT keeps 300: what is said beside it of LegS is its error on these, not on all 1000."""
    body = answer(replace(SMALL, size=8, memories=("legs", "legt"))).body
    legs, legt = body.recalls
    alone = answer(replace(SMALL, size=8, memories=("legs",))).body.recalls[0]
    gap = np.asarray(alone.values)[700:] - np.asarray(body.truth)[700:]
    assert body.shared == legt.covered == 300 and legt.newest == legt.total and legs.covered == 1000
    assert legs.newest == pytest.approx(np.sqrt(np.mean(gap**2) / np.mean(np.square(body.truth))), rel=1e-6)
    said = figures.scope_words(SMALL, body)
    assert f"LegS {100 * legs.newest:.3g} %; HiPPO-LegT {100 * legt.total:.3g} %" in said
    assert f"Over all 1000 samples: HiPPO-LegS {100 * legs.total:.3g} %." in said


def test_widgets_round_trip_and_links_leave_out_long_signals():
    own = replace(SMALL, view="poles", text="1, 2, 3", poles="0.5+0.25i")
    assert PAGE.refused.read("me", PAGE.write(own)) == own
    assert permalink.decode(MemoryParams, permalink.encode("memory", own))[0] == own
    long = replace(SMALL, text="1, " * 1000)
    assert PAGE.portable(own) == own and PAGE.portable(long) == replace(long, text="")
    assert "cannot travel" in sources.caveat(TAB, long)


@pytest.mark.parametrize(("change", "sentence"), [
    ({"size": 0}, "between 1 and 128"), ({"view": "layer", "size": 7}, "must be even"),
    ({"view": "poles", "start": "lru", "size": 7}, "must be even"),
    ({"poles": "0.8+0.6i"}, "inside the unit circle"), ({"poles": "[[1]]"}, "not an eigenvalue"),
    ({"inner": 0.99}, "inner radius"),
    ({"memories": []}, "at least one"), ({"memories": ["nope"]}, "at least one"),
    ({"signal": "nope"}, "must be one of"),
    ({"string": "..x.."}, "only . for noise"), ({"string": "...."}, "1 to 16 data"),
    ({"text": "1" * (MAX_TEXT + 1)}, "at most 40000"),
    ({"length": 1}, "between 2 and 2000"), ({"head": 1.5}, "between 0.0 and 1.0"),
])
def test_what_cannot_be_is_one_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        permalink.make(MemoryParams, change)
    assert str(caught.value).count(". ") <= ("only" in sentence)


@pytest.mark.parametrize(("text", "sentence"), [
    ("5", "2 numbers"), ("1, two, 3", "number"), ("nan 1 2", "number"), ("<b>", "number"), ("0 0 0", "silent")])
def test_a_signal_that_is_none_is_one_sentence(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        answer(replace(SMALL, text=text))


def _wav(path, samples, width=2, channels=1):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())


def test_a_wav_file_becomes_the_signal(tmp_path):
    wanted = np.sin(np.linspace(0, 20, 400))
    _wav(tmp_path / "a.wav", (wanted * 32767).astype("<i2"))
    text, said = read_signal(tmp_path / "a.wav", MAX_TEXT)
    result = answer(replace(SMALL, text=text, length=400))
    assert np.abs(np.asarray(result.body.truth) - wanted[list(result.body.at)]).max() < 0.02 and "400" in said


def test_a_csv_file_becomes_the_signal_and_other_files_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("time,value\n0,1\n1,3\n2,2\n")
    text, _ = read_signal(tmp_path / "a.csv", MAX_TEXT)
    assert [float(v) for v in text.split(",")] == pytest.approx([1 / 3, 1, 2 / 3], abs=1e-3)
    (tmp_path / "b.wav").write_bytes(b"RIFF nothing of the kind")
    (tmp_path / "c.csv").write_text("no numbers")
    for bad in ("b.wav", "c.csv"):
        with pytest.raises(ValueError) as caught:
            read_signal(tmp_path / bad, MAX_TEXT)
        assert str(caught.value).endswith(".")


def test_every_text_of_every_view_is_in_the_catalogue(results):
    texts = {text for name in TAB.views for text in shown(TAB, replace(SMALL, view=name), results[name])}
    others = [answer(replace(SMALL, **one)) for one in (
        {"text": "1 2 3"}, {"rule": "forward"}, {"rule": "zoh", "size": 7}, {"view": "poles", "poles": "0.5, 0.2+0.3i"},
        {"view": "poles", "dt": 1.0}, {"view": "selective", "string": "9.a9.b"}, {"view": "selective", "string": "a"},
        *({"view": "family", "kind": kind, "tokens": 2} for kind in KINDS))]
    texts |= {text for one in others for text in shown(TAB, replace(SMALL, view=one.view), [one])}
    assert {text for text in texts if not known(text)} <= {*LETTERS}


def test_the_tab_teaches_every_view():
    assert {preset.params.view for preset in TAB.presets} == set(TAB.views)
