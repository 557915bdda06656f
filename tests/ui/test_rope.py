"""The RoPE tab without a browser: figures, tables, scenes, files, words, and what must not come through."""

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
from tests.conftest import ROOT
from tests.ui.words import shown
from ui.core import export, permalink
from ui.core.language import known
from ui.core.layout import style
from ui.parts import sources, texts
from ui.parts.widgets import from_widget, to_widget
from ui.tabs.rope import INSTANT, RULES, RUN, TAB, beside, figures, model_of

REAL = json.loads((ROOT / "tests/backends/rope/configs.json").read_text("utf-8"))
SMALL = RopeParams(methods=("none", "rerope"), longest=1, samples=2, window=32, target=512)


def seen(view, **change):
    """Settings of a view."""
    return replace(SMALL, view=view, **change)


@pytest.fixture(scope="module")
def results():
    """Every step of every view."""
    return {view: list(answer.stream(seen(view))) for view in TAB.views}


def test_every_step_of_every_view_has_a_figure_or_a_scene_and_a_table(results):
    for name, view in TAB.views.items():
        for result in results[name]:
            table = view.table(result.body)
            assert table.rows and all(len(row) == len(table.columns) for row in table.rows)
            assert view.streamed == (name in RUN) == bool(view.figure) != bool(view.stage)
            if view.figure:
                figure = view.figure(result.body)
                assert figure.data and len(figure.to_json()) < 200_000
            else:
                assert len(json.dumps(view.stage(seen(name), result.body))) < 200_000
        assert results[name][-1].finished and all(check.ok for check in results[name][-1].checks)


def test_both_panels_share_their_lengths_and_the_second_shows_shares(results):
    layout = figures.curve(results["curve"][-1].body).layout
    assert layout.xaxis.range == layout.xaxis2.range and layout.yaxis2.tickformat == ".0%" != layout.yaxis.tickformat
    assert layout.xaxis2.title.text == "bytes of context" and not layout.xaxis.title.text


def test_all_methods_at_once_stay_within_the_payload():
    body = tuple(distances.paint(name, 2048, 32, SMALL.rules) for name in METHODS)
    assert len(json.dumps(figures.distance(SMALL, body))) < 200_000


def test_the_maps_carry_the_distances(results):
    body = results["distance"][-1].body
    scene = figures.distance(SMALL, body)
    count, one = len(scene["at"]), scene["maps"][1]
    levels = np.frombuffer(base64.b64decode(one["data"]), "<u2")
    values = one["low"] + levels / 65535 * (one["high"] - one["low"])
    i, j = np.tril_indices(count)
    truth = np.minimum(np.asarray(scene["at"])[i] - np.asarray(scene["at"])[j], 32)
    assert one["label"] == METHODS["rerope"].label and levels.size == count * (count + 1) // 2
    assert np.abs(truth - values).max() < 0.01


def test_clock_faces_are_the_calculation_s(results):
    result = results["clocks"][-1]
    scene = figures.clocks(seen("clocks"), result.body)
    assert [pair["pair"] for pair in scene["pairs"]] == list(range(16)) and len(scene["rows"]) == 2
    assert scene["rows"][0]["faces"][15]["arc"] == pytest.approx(float(result.body.rows[0].arc[15]), abs=1e-4)
    many = seen("clocks", head_dim=128)
    shown_pairs = [pair["pair"] for pair in figures.clocks(many, answer(many).body)["pairs"]]
    assert len(shown_pairs) == figures.FACES and shown_pairs[0] == 0 and shown_pairs[-1] == 63


def test_the_calculator_s_clocks_are_those_of_the_chosen_method(results):
    scene = figures.clocks(seen("calculator", method="pi"), results["calculator"][-1].body)
    assert [row["label"] for row in scene["rows"]] == [METHODS[name].label for name in ("none", "pi")]


def _row(params):
    """The calculation of the chosen method."""
    return next(row for row in answer(params).body.rows if row.name == params.method)


def test_the_block_belongs_to_the_chosen_method():
    params = seen("calculator", method="pi", partial=0.5)
    block = json.loads(beside.block(_row(params)))
    wanted = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0, "partial_rotary_factor": 0.5}
    assert block == {"max_position_embeddings": 512, "rope_parameters": wanted}
    assert escape(beside.block(_row(params))) in beside.calculator(params, answer(params).body)
    mixed = _row(replace(params, method="ntk_mixed"))
    text = beside.block(mixed)
    assert json.loads(text)["rope_parameters"] == mixed.block and len(text.splitlines()) < 16


def test_the_calculator_names_the_pairs_that_never_went_round_and_counts_the_states():
    params = seen("calculator", method="parts")
    result = answer(params)
    html = beside.calculator(params, result.body)
    assert "9 of 16 pairs never completed a turn within 256 tokens: pairs 7 to 15 of 0 to 15." in html
    assert "NTK-by-parts: Llama 3" in html
    assert html.split("<figure")[0].count("<tr>") == 1 + len(result.body.rows)
    numbers = "<td>9</td><td>0</td><td>7</td><td>35333</td><td>1</td><td>1</td>"
    assert f'<td>RoPE, untouched</td>{numbers}<td translate="no">default</td>' in html
    one = replace(params, head_dim=4, trained=256)
    assert "1 of 2 pairs never completed a turn within 256 tokens: pair 1 of" in beside.calculator(one,
                                                                                                   answer(one).body)


def test_measured_and_published_figures_stand_apart_in_every_row(results):
    curve = results["curve"][-1].body
    whole = beside.compare(SMALL, curve)
    html = whole.split("<details")[0]
    theirs = "".join(re.findall(r'<td class="gb-theirs">.*?</td>', html))
    ours = re.sub(r'<t[hd] class="gb-theirs".*?</t[hd]>', "", html)
    assert "24.17" in theirs and "24.17" not in ours and "RoPE, untouched" in ours and "kexue.fm" in html
    assert f"{100 * curve.lines[0].accuracy[-1]:.1f}" in ours and "ReRoPE, w 256" in theirs
    folded = whole.split("<details")[1]
    assert html.count("<tr>") == 2 + 2 and folded.count("<tr>") == (1 + len(PUBLISHED)) + (1 + 3)


def test_every_method_s_rule_and_source_stands_below_every_view_and_large_models_losses_too(results):
    for name, view in TAB.views.items():
        html = view.below(seen(name), results[name][-1].body)
        rules = html[html.index('data-fold="rope-rules"'):]
        assert all(escape(method.note) in rules for method in METHODS.values()) and rules.count("drawn only") == 5
        assert ("5158.07" in html) == (name == "sinks") and ("8.8615" in html) == (name == "curve")


def test_methods_with_the_same_frequencies_share_a_wavelength():
    params = seen("clocks", methods=("none", "pi", "rerope", "window"))
    scene = figures.clocks(params, answer(params).body)
    first, second = scene["waves"]
    assert first["labels"] == [METHODS[name].label for name in ("none", "rerope", "window")]
    assert len(first["wave"]) == 16
    assert second["wave"] == pytest.approx([2 * wave for wave in first["wave"]], rel=1e-3)
    assert first["wave"][0] == pytest.approx(2 * np.pi, rel=1e-3)


def test_links_leave_out_long_texts_and_say_so():
    short, long = replace(SMALL, text="x" * 100), replace(SMALL, text="x" * 5000)
    assert texts.portable(short) == short and not sources.caveat(TAB, short)
    assert texts.portable(long) == replace(long, text="") and "cannot travel" in sources.caveat(TAB, long)
    assert permalink.decode(RopeParams, permalink.encode("rope", short))[0] == short


def test_links_of_earlier_versions_open_the_same_view():
    old = "tab=rope&v=1&view=passkey&methods=%5B%22none%22%2C%22rerope%22%5D&window=32&samples=2&right=pi&seed=3"
    params, said = permalink.decode(RopeParams, old)
    assert params == RopeParams(view="passkey", methods=("none", "rerope"), window=32, tau=8.0, samples=2, right="pi",
                                seed=3)
    again = old.replace("v=1", "v=2").replace("&samples", "&tau=8.0&samples")
    assert said == () and permalink.encode("rope", params) == again


def test_widgets_round_trip_and_every_widget_has_its_views():
    for name, param in TAB.declared.items():
        value = getattr(SMALL, name)
        back = from_widget(TAB, param, to_widget(TAB, param, value))
        assert permalink.accept(param, back) == value
    assert set(TAB.declared) - {"view"} <= set(TAB.uses)
    assert set(TAB.folded) == set(RULES) and all(set(views) <= set(TAB.views) for views in TAB.uses.values())


def test_a_setting_is_seen_in_its_views_only():
    found = re.findall(r"^\.gb-tab-rope:not\(:has\((.*)\)\) :is\((.*)\) ", style(TAB), re.MULTILINE)
    views = {part: re.findall(r"value='?(\w+)'?", choices)
             for choices, parts in found for part in re.findall(r"#rope-([\w-]+)", parts)}
    assert set(views["own-config"]) == set(views["stage"]) == set(INSTANT) and set(views["going"]) == set(RUN)
    assert set(views["source"]) == {"curve", "live", "tax"} and set(views["folded"]) == set(TAB.views) - {"sinks"}


def test_a_config_fills_the_model_s_settings_and_says_what_it_found(tmp_path):
    good, bad = tmp_path / "config.json", tmp_path / "bad.json"
    good.write_text(json.dumps({"hidden_size": 4096, "num_attention_heads": 32, "rope_theta": 500000.0,
                                "max_position_embeddings": 8192}))
    bad.write_text('{"hidden_size": -3')
    values, said = model_of(good)
    own = json.loads(values.pop("own"))
    numbers = {"head_dim": 128, "base": 500000.0, "trained": 8192, "target": 8192, "partial": 1.0}
    assert values == numbers | {"method": "own"}
    assert own == json.loads(good.read_text()) and permalink.changed(SMALL, values).trained == 8192
    assert "As configured: default." in said and known(said)
    assert permalink.changed(SMALL, values).real.tau == 32 and SMALL.real.tau == 8
    with pytest.raises(ValueError, match="cannot be read as JSON") as caught:
        model_of(bad)
    assert known(str(caught.value))


def imported(tmp_path, config, **more):
    """(parameters after a config.json was loaded, what was said)."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    values, said = model_of(path)
    return permalink.changed(replace(SMALL, view="calculator", **more), values), said


@pytest.mark.parametrize("name", REAL)
def test_a_real_model_s_rule_stands_in_every_view_that_draws_frequencies_and_in_both_languages(name, tmp_path):
    config = REAL[name]["config"]
    params, said = imported(tmp_path, config)
    result = answer(params)
    html, label = beside.calculator(params, result.body), result.body.rows[0].label
    assert label.startswith("as configured: ") and f"<td>{label}</td>" in html and all(map(known, (label, said)))
    block = json.loads(beside.block(result.body.rows[0]))
    assert block.items() <= config.items() and block.get("rope_scaling") == config.get("rope_scaling")
    assert escape(beside.block(result.body.rows[0])) in html and params.real.tau == 32
    for view in INSTANT:
        params = replace(params, view=view, target=params.trained)
        result = answer(params)
        scene = TAB.views[view].stage(params, result.body)
        labels = [row["label"] for row in scene["maps" if view == "distance" else "rows"]]
        assert label in labels and not any("sliding" in one for one in labels)
        assert all(map(known, shown(TAB, params, [result])))


def test_a_link_and_a_script_carry_a_model_s_rule(tmp_path):
    params, _ = imported(tmp_path, REAL["phi-3-mini-128k-su"]["config"])
    query = permalink.encode("rope", params)
    assert permalink.decode(RopeParams, query) == (params, ()) and len(query) < 4000
    assert f"own={params.own!r}" in export.script(TAB, params)
    lost, said = permalink.decode(RopeParams, query.replace("long_factor", "longer_factor"))
    assert lost == RopeParams() and "one number per pair" in said[0] and all(map(known, said))


def test_hostile_keys_of_a_config_stay_texts(tmp_path):
    bad = "<img src=x onerror=alert(1)>"
    params, said = imported(tmp_path, {"head_dim": 64, "max_position_embeddings": 4096, "rope_scaling": {
        "type": "yarn", "factor": 2.0, "original_max_position_embeddings": 2048, bad: bad}})
    assert "<img" not in beside.calculator(params, answer(params).body) and bad[:20] in said


def test_an_unknown_rule_gives_way_to_a_method_s(tmp_path):
    config = {"head_dim": 64, "max_position_embeddings": 4096, "rope_scaling": {"type": "spiral"}}
    params, said = imported(tmp_path, config, method="own")
    assert (params.own, params.method) == ("", "yarn_hf") and known(said)
    assert "RoPE, untouched" in beside.calculator(replace(params, method="own"), answer(params).body)


def test_every_visible_text_is_in_the_catalogue(results):
    unknown = {text for name in TAB.views for text in shown(TAB, seen(name), results[name]) if not known(text)}
    assert unknown == set()


def test_the_script_runs_the_same_settings():
    text = export.script(TAB, SMALL)
    assert "from backends.rope import answer" in text and "result = answer(params)" in text and "longest=1" in text


@pytest.mark.parametrize(("change", "sentence"), [
    ({"head_dim": 7}, "even number"), ({"window": -1}, "between 0 and 4096"), ({"tau": 1.0}, "larger than 1"),
    ({"base": 1.0}, "larger than 1"),
    ({"scale": 0.5}, "at least 1"), ({"target": 10}, "at least the trained length"), ({"methods": []}, "at least one"),
    ({"methods": ["nope"]}, "no method called"), ({"left": "alibi"}, "must be one of"),
    ({"method": "rerope"}, "must be one of"),
    ({"text": "é" * 40_000}, "longer than"), ({"view": "nope"}, "must be one of"),
])
def test_what_cannot_be_is_one_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        permalink.make(RopeParams, change)
    assert str(caught.value).count(". ") <= 1


def test_methods_that_need_two_pairs_are_said_to_be_left_out():
    said = answer(replace(SMALL, view="calculator", head_dim=2)).notice
    assert said.endswith("by s: NTK-aware (s), NTK-aware (2s), Dynamic NTK.") and known(said)


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
    assert "<img" not in json.dumps(figures.live_table(result.body).rows)
    assert "<img" not in figures.live(result.body).to_json()


@pytest.mark.parametrize(("name", "change"), [
    ("Worse than doing nothing", {"right": "ntk2"}), ("What lies far back", {"repeat": 0}),
    ("A window forgets", {"right": "rerope_logn"}),
    ("ReRoPE needs log n", {"right": "none"}), ("Clocks that never went round", {"target": 256}),
    ("LLaMA, 4k to 32k", {"base": 500_000.0}), ("Llama 3.1, as configured", {"target": 65_536}),
    ("What distance a query sees", {"target": 256, "trained": 256}), ("What it costs inside", {"longest": 1}),
])
def test_an_observation_can_fail(name, change):
    preset = next(p for p in TAB.presets if p.name == name)
    less = {"samples": 2} if preset.params.view in RUN else {}
    assert not preset.holds(answer(replace(preset.params, **less, **change)))


@pytest.mark.timeout(1200)
def test_a_real_model_breaks_past_its_end_and_a_method_mends_it(smollm_home):
    """The preset with one of its two methods; `benchmarks.presets` runs the whole one."""
    preset = next(p for p in TAB.presets if p.params.view == "live")
    *grown, result = TAB.run.stream(replace(preset.params, methods=("none", "ntk")))
    assert preset.holds(result) and all(check.ok for check in result.checks)
    assert not grown[0].body.tracks[0].at and "on this machine: an estimate" in grown[0].notice
    assert len(grown[1].body.tracks[0].at) > 3 and " are left" in grown[1].notice and result.body.unit == "tokens"
    said = figures.last_tokens(preset.params, result.body)
    assert said.startswith("Nats per token over the last 1024 of 12288 tokens: RoPE, untouched 3.")
    for tails in ({"none": 2.3, "ntk": 2.3}, {"none": 3.7, "ntk": 2.5}):
        other = tuple(replace(t, tail=tails.get(t.method, 2.3)) for t in result.body.tracks)
        assert not preset.holds(replace(result, body=replace(result.body, tracks=other)))


@pytest.mark.timeout(600)
def test_a_real_model_finds_a_number_and_a_window_does_not(smollm_home):
    preset = next(p for p in TAB.presets if p.params.view == "passkey" and p.params.model != RopeParams.model)
    result = TAB.run(preset.params)
    assert preset.holds(result) and all(check.ok for check in result.checks)
    found, lost = result.body.grids
    assert found.log[0][0] > -3 > lost.log[0][0] and min(s for row in found.seconds for s in row) > 0
    table = figures.passkey_table(result.body)
    assert len(table.rows) == 10 and "Window: log-probability" in table.columns
    assert figures.passkey(result.body).data[1].text[0].startswith("100%<br>-")
    other = replace(result.body, grids=(lost, found))
    assert not preset.holds(replace(result, body=other))


def test_the_tab_offers_what_it_should():
    assert TAB.slug == "rope" and len(TAB.presets) == 14
    assert [s.kind for s in TAB.sources] == ["shelf", "text", "numbers"]
    assert {preset.params.view for preset in TAB.presets} <= set(TAB.views)
    assert [name for name, view in TAB.views.items() if not view.streamed] == [*INSTANT]
