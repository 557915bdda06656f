"""The RoPE tab without a browser: figures, tables, scenes, files, endpoint, and what must not come through."""

import base64
import json
import re
from dataclasses import replace
from html import escape

import numpy as np
import pytest

from backends.rope import answer, distances
from backends.rope.methods import METHODS
from backends.rope.params import MAX_TEXT, RopeParams
from backends.rope.published import PUBLISHED
from backends.rope.run import run
from ui import permalink, texts
from ui.figures import rope
from ui.rope import TAB
from ui.roping import answers, beside, state
from ui.roping.layout import RULES

SMALL = RopeParams(methods=("none", "rerope"), longest=1, samples=2, window=32, target=512)
RESULTS = {view: list(run(replace(SMALL, view=view))) for view in state.VIEWS}


@pytest.mark.parametrize("view", state.VIEWS)
def test_every_step_of_every_view_has_a_figure_or_a_scene_and_a_table(view):
    for result in RESULTS[view]:
        table = answers.table(result)
        assert table.rows and all(len(row) == len(table.columns) for row in table.rows)
        if view in state.RUN:
            figure = rope.FIGURES[view](result.body)
            assert figure.data and len(figure.to_json()) < 200_000
        else:
            assert len(json.dumps(answers.scene(replace(SMALL, view=view), result))) < 200_000


def test_all_methods_at_once_stay_within_the_payload():
    body = tuple(distances.paint(name, 2048, 32, SMALL.rules) for name in METHODS)
    assert len(json.dumps(rope.distance(body))) < 200_000


def test_the_maps_carry_the_distances():
    body = RESULTS["distance"][-1].body
    scene = rope.distance(body)
    count, one = len(scene["at"]), scene["maps"][1]
    levels = np.frombuffer(base64.b64decode(one["data"]), "<u2")
    values = one["low"] + levels / 65535 * (one["high"] - one["low"])
    i, j = np.tril_indices(count)
    truth = np.minimum(np.asarray(scene["at"])[i] - np.asarray(scene["at"])[j], 32)
    assert one["label"] == METHODS["rerope"].label and levels.size == count * (count + 1) // 2
    assert np.abs(truth - values).max() < 0.01


def test_clock_faces_are_the_calculation_s():
    result = RESULTS["clocks"][-1]
    scene = rope.clocks(result.body)
    assert [pair["pair"] for pair in scene["pairs"]] == list(range(16)) and len(scene["rows"]) == 2
    assert scene["rows"][0]["faces"][15]["arc"] == pytest.approx(float(result.body.rows[0].arc[15]), abs=1e-4)
    many = answer(replace(SMALL, view="clocks", head_dim=128))
    shown = [pair["pair"] for pair in rope.clocks(many.body)["pairs"]]
    assert len(shown) == rope.FACES and shown[0] == 0 and shown[-1] == 63


def test_the_block_belongs_to_the_chosen_method():
    params = replace(SMALL, view="calculator", method="pi", partial=0.5)
    block = json.loads(answers.block(params, answer(params)))
    wanted = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0, "partial_rotary_factor": 0.5}
    assert block == {"max_position_embeddings": 512, "rope_parameters": wanted}
    long = replace(params, method="ntk_mixed")
    text, result = answers.block(long, answer(long)), answer(long)
    mixed = next(row for row in result.body.rows if row.name == "ntk_mixed")
    assert json.loads(text)["rope_parameters"] == mixed.block and len(text.splitlines()) < 16


def test_the_calculator_names_the_pairs_that_never_went_round_and_counts_the_states():
    params = replace(SMALL, view="calculator", method="parts")
    result = answer(params)
    html = beside.summary(params, result.body)
    assert "9 of 16 pairs never completed a turn within 256 tokens: pairs 7 to 15 of 0 to 15. NTK-by-parts: Llama 3" in html
    assert html.count("<tr>") == 1 + len(result.body.rows)
    assert "<td>RoPE, untouched</td><td>9</td><td>0</td><td>7</td><td>35333</td><td>1</td><td>default</td>" in html
    one = replace(params, head_dim=4, trained=256)
    assert "1 of 2 pairs never completed a turn within 256 tokens: pair 1 of" in beside.summary(one, answer(one).body)


def test_measured_and_published_figures_stand_apart_in_every_row():
    curve = RESULTS["curve"][-1].body
    html = beside.compare(curve).split("<details")[0]
    theirs = "".join(re.findall(r'<td class="gb-theirs">.*?</td>', html))
    ours = re.sub(r'<t[hd] class="gb-theirs".*?</t[hd]>', "", html)
    assert "24.17" in theirs and "24.17" not in ours and "RoPE, untouched" in ours and "kexue.fm" in html
    assert f"{100 * curve.lines[0].accuracy[-1]:.1f}" in ours and "ReRoPE, w 256" in theirs
    assert beside.compare(curve).count("<tr>") == 2 + 2 + (1 + len(PUBLISHED)) + (1 + 3)


def test_every_method_s_rule_and_source_is_on_the_page_and_large_models_losses_too():
    html = beside.rules()
    assert all(escape(method.note) in html for method in METHODS.values()) and html.count("drawn only") == 5
    assert "5158.07" in beside.streaming() and "8.8615" in beside.compare(RESULTS["curve"][-1].body)


def test_methods_with_the_same_frequencies_share_a_wavelength():
    scene = rope.clocks(answer(replace(SMALL, view="clocks", methods=("none", "pi", "rerope", "window"))).body)
    first, second = scene["waves"]
    assert first["labels"] == [METHODS[name].label for name in ("none", "rerope", "window")] and len(first["wave"]) == 16
    assert second["wave"] == pytest.approx([2 * wave for wave in first["wave"]], rel=1e-3)
    assert first["wave"][0] == pytest.approx(2 * np.pi, rel=1e-3)


def test_links_leave_out_long_texts_and_say_so():
    short, long = replace(SMALL, text="x" * 100), replace(SMALL, text="x" * 5000)
    assert texts.portable(short) == short and not texts.caveat(short)
    assert texts.portable(long) == replace(long, text="") and "cannot travel" in texts.caveat(long)
    assert permalink.decode(RopeParams, permalink.encode("rope", short))[0] == short


def test_widgets_round_trip_and_every_widget_has_a_place():
    assert state.read(*state.write(SMALL)) == SMALL
    assert set(state.PARAMS) - {"view", "text"} <= set(state.USES) and set(RULES) <= set(state.USES)


@pytest.mark.parametrize(("change", "sentence"), [
    ({"head_dim": 7}, "even number"), ({"window": 0}, "between 1 and 4096"), ({"tau": 1.0}, "between 1.05"),
    ({"base": 1.0}, "larger than 1"),
    ({"scale": 0.5}, "at least 1"), ({"target": 10}, "at least the trained length"), ({"methods": []}, "at least one"),
    ({"methods": ["nope"]}, "no method called"), ({"left": "alibi"}, "must be one of"), ({"method": "rerope"}, "must be one of"),
    ({"text": "é" * 40_000}, "longer than"), ({"view": "nope"}, "must be one of"),
])
def test_what_cannot_be_is_one_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        permalink.make(RopeParams, change)
    assert str(caught.value).count(". ") <= 1


def test_ntk_needs_more_than_one_pair():
    with pytest.raises(ValueError, match="above 2"):
        answer(replace(SMALL, view="calculator", head_dim=2))


def test_files_of_text_are_cut_and_others_refused(tmp_path):
    good, long, bad = tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "c.bin"
    good.write_text("héllo\n" * 10)
    long.write_text("é" * MAX_TEXT)
    bad.write_bytes(b"\x7fELF\0\0")
    assert texts.read_text(good, MAX_TEXT) == ("héllo\n" * 10, "70 bytes.")
    text, said = texts.read_text(long, MAX_TEXT)
    assert len(text.encode()) == MAX_TEXT and "Only the first" in said
    with pytest.raises(ValueError, match="not a text"):
        texts.read_text(bad, MAX_TEXT)


def test_hostile_texts_stay_texts():
    result = answer(replace(SMALL, view="live", text="<img src=x onerror=alert(1)>" * 10))
    assert "<img" not in json.dumps(answers.table(result).rows) and "<img" not in rope.live(result.body).to_json()


@pytest.mark.parametrize(("name", "change"), [
    ("Worse than doing nothing", {"right": "ntk2"}), ("What lies far back", {"repeat": 0}), ("A window forgets", {"right": "rerope_logn"}),
    ("ReRoPE needs log n", {"right": "none"}), ("Clocks that never went round", {"target": 256}), ("LLaMA, 4k to 32k", {"base": 500_000.0}),
    ("What distance a query sees", {"target": 256, "trained": 256}), ("What it costs inside", {"longest": 1}),
])
def test_an_observation_can_fail(name, change):
    preset = next(p for p in TAB.presets if p.name == name)
    less = {"samples": 2} if preset.params.view in state.RUN else {}
    assert not preset.holds(answer(replace(preset.params, **less, **change)))


def test_the_tab_offers_what_it_should():
    assert TAB.slug == "rope" and not TAB.streams and len(TAB.presets) == 11
