"""The Attention tab without a browser: what travels to the cards, settings, own files, lessons, scripts."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backends.attention import answer as run
from backends.attention.params import KINDS, LESSONS, AttentionParams
from backends.plain import numbers
from tests.ui.conftest import asked
from ui.core import export, permalink
from ui.core.frame import Frame
from ui.core.page import Page
from ui.core.prose import prose
from ui.core.tab import pairs
from ui.parts import markup, packed, sources
from ui.parts.uploads import MODELS
from ui.tabs.attention import TAB, figures
from ui.tabs.attention.scenes import cards, maps

SMALL = AttentionParams(source="synthetic", n=24, dim=8)
PAGE = Page(TAB, None, None)
TENSORS = TAB.source("model")
EIGHT = ("softmax", "elu1", "cosformer", "performer", "performer_trig", "performer_hyp", "efficient", "linformer")


def unpacked(one, n):
    """The matrix (n, n) as the browser reads it."""
    levels = np.frombuffer(base64.b64decode(one["data"]), np.uint8)
    cells = one["bound"] * (levels / 255.0) ** 2
    if one["signs"]:
        bits = np.unpackbits(np.frombuffer(base64.b64decode(one["signs"]), np.uint8), count=len(cells))
        cells = np.where(bits, -cells, cells)
    data = np.zeros((n, n))
    data[np.tril_indices(n) if one["triangle"] else np.nonzero(np.ones((n, n)))] = cells
    data[one["void"]] = np.nan
    return data


@pytest.mark.parametrize("causal", [True, False])
def test_eight_kinds_at_128_tokens_travel_in_200_kilobytes(causal):
    params = AttentionParams(source="synthetic", kinds=EIGHT, causal=causal)
    scene = cards(params, run(params).body)
    assert scene["n"] == 128 and len(scene["cards"]) == 8
    assert len(json.dumps(scene)) <= 200_000


@pytest.mark.parametrize("reading", ["raw", "absolute", "row"])
def test_the_browser_reads_what_was_computed(reading):
    result = run(replace(SMALL, kinds=tuple(KINDS), reading=reading))
    scene = json.loads(json.dumps(cards(SMALL, result.body), allow_nan=False))
    for one, exact in zip(scene["cards"], maps(result.body), strict=True):
        found = unpacked(one, scene["n"])
        assert np.array_equal(np.isnan(found), np.isnan(exact).any(1, keepdims=True) | np.isnan(found))
        root = np.sqrt(np.abs(np.nan_to_num(exact)) / one["bound"])
        assert np.abs(np.sqrt(np.abs(np.nan_to_num(found)) / one["bound"]) - root).max() <= 0.5 / 255 + 1e-6
        large = root > 1 / 255
        assert np.array_equal(np.sign(np.nan_to_num(found))[large], np.sign(np.nan_to_num(exact))[large])


def test_a_weight_of_a_hundredth_keeps_25_levels_and_a_row_without_numbers_is_listed():
    values = np.array([[1.0, 0.0, 0.0], [0.01, 0.5, 0.0], [np.nan, 0.1, 0.2]])
    one = packed.matrix(values)
    assert one["triangle"] and one["signs"] == "" and one["void"] == [2]
    assert np.frombuffer(base64.b64decode(one["data"]), np.uint8).tolist() == [255, 26, 180, 0, 0, 0]
    signed = packed.matrix(np.array([[0.0, -4.0], [1.0, 2.0]]))
    assert not signed["triangle"] and unpacked(signed, 2)[0, 1] == -4.0
    assert packed.matrix(np.zeros((1, 1)))["bound"] == 1.0


def test_only_the_drawn_head_travels():
    result = run(replace(SMALL, head=3))
    assert np.array_equal(maps(result.body)[0], result.body.cards[0].weights[2].numpy())


def test_settings_survive_the_widgets_and_the_link():
    params = replace(SMALL, kinds=("relu", "softmax"), norm=0.0, causal=False, lesson="mask", text="早")
    assert PAGE.refused.read("me", PAGE.write(params)) == params
    assert permalink.decode(AttentionParams, permalink.encode("attention", params)) == (params, ())


def test_a_setting_belongs_to_choices_that_exist():
    found = TAB.needs
    assert {"typed", "n", "m", "window", "delta", "depth", "own-tensors"} <= found.keys() and "norm" not in found
    choices = {"source": {"text", "model", "synthetic", "file"}, "kinds": set(KINDS), "lesson": set(LESSONS),
               "scope": {"all", "layer"}}
    assert all(value.removeprefix("!") in choices[name] for owned in found.values() for name, value in pairs(owned))
    assert set(found) - {source.id for source in TAB.sources} < set(TAB.declared)
    assert set(TAB.views) == set(LESSONS) == set(TAB.declared["lesson"].control.choices)


@pytest.mark.parametrize("lesson", [name for name in LESSONS if name != "none"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_lesson_says_what_to_look_at_in_both_languages(lesson, language):
    assert len(prose(TAB.slug, language).views[lesson]) > 60


@pytest.mark.parametrize("lesson", ["none", "favor", "gradient", "state", "mask"])
def test_the_cards_come_first_and_each_lesson_is_drawn_with_its_rows_beside_it(lesson):
    params, view = replace(SMALL, lesson=lesson), TAB.views[lesson]
    *early, last = TAB.run.stream(params)
    assert len(early) == (lesson != "none") and not view.plan(params)["streamed"]
    for result in early:
        assert "cards" in json.dumps(view.stage(params, result.body), allow_nan=False) and not (
            view.figure and view.figure(result.body)
        )
        assert view.table(result.body) == view.part(result.body, "figures")
    scenes, figure = view.stage(params, last.body), view.figure and view.figure(last.body)
    assert (figure is None) == (scenes is not None)
    json.dumps(scenes, allow_nan=False)
    rows = view.table(last.body)
    assert rows.rows and all(len(row) == len(rows.columns) for row in rows.rows)
    if figure is not None:
        axes = [*figure.select_xaxes()][-1], figure.layout.yaxis
        assert all(axis.title.text for axis in axes) and len(figure.to_json()) < 200_000


@pytest.mark.parametrize("delta", [False, True])
def test_the_browser_can_add_the_state_up_from_its_writes(delta):
    params = replace(SMALL, lesson="state", delta=delta)
    result = run(params)
    scene = TAB.views["state"].stage(params, result.body)[1]
    n, rows, columns = scene["n"], scene["rows"], scene["columns"]
    keys, writes = (
        np.frombuffer(base64.b64decode(scene[name]), np.float32).reshape(n, -1) for name in ("keys", "writes")
    )
    states, exact = np.einsum("nd,ne->nde", keys, writes).cumsum(0), result.body.lesson.states.double().numpy()
    assert states.shape == (n, rows, columns) and np.abs(states - exact).max() <= 1e-4 * np.abs(exact).max()
    values = np.frombuffer(base64.b64decode(scene["values"]), np.float32).reshape(n, columns) if delta else writes
    scale = 1.0 if delta else (keys * keys.cumsum(0)).sum(1, keepdims=True)
    found = np.einsum("nd,nde->ne", keys, states) / scale
    fresh = np.linalg.norm(found - values, axis=1) / np.linalg.norm(values, axis=1)
    assert np.allclose(fresh, result.body.lesson.fresh.numpy(), atol=1e-4)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The upload folder of a page."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    (tmp_path / "gradio" / "abc").mkdir(parents=True)
    return tmp_path / "gradio" / "abc"


def saved(path: Path, **tensors) -> Path:
    """A safetensors file."""
    save_file(tensors, path)
    return path


def qkv(*shape):
    """Three random tensors of one shape."""
    return dict(zip("qkv", torch.randn(3, *shape), strict=True))


def took(session: str, path: Path) -> str:
    """What is said of an uploaded file."""
    return sources.take(TAB, TENSORS, session, path)[1]


def test_own_tensors_belong_to_their_session(folder):
    own = AttentionParams(source="file", kinds=("softmax", "elu1"))
    assert took("one", saved(folder / "a.safetensors", **qkv(2, 9, 4))) == "2 heads, 9 tokens, 4 channels"
    assert len(run(own, **sources.inputs(TAB, "one", own)).body.labels) == 9
    assert sources.inputs(TAB, "one", SMALL) == {}
    with pytest.raises(ValueError, match="choose a file with q, k and v"):
        sources.inputs(TAB, "two", own)
    MODELS.drop("one")
    with pytest.raises(ValueError, match="choose a file with q, k and v"):
        sources.inputs(TAB, "one", own)


def spoiled(folder: Path, how: str) -> Path:
    """A file that cannot be used."""
    good = qkv(5, 4)
    if how == "pickle":
        torch.save(good, folder / "a.safetensors")
        return folder / "a.safetensors"
    if how == "outside":
        return saved(folder.parents[1] / "a.safetensors", **good)
    change = {
        "nan": {"q": good["q"].index_fill(0, torch.tensor([1]), float("nan"))},
        "inf": {"v": good["v"] / 0},
        "shapes": {"k": torch.randn(6, 4)},
        "long": qkv(513, 4),
        "names": {"k": None, "key": good["k"]},
    }[how]
    return saved(
        folder / "a.safetensors", **{name: value for name, value in (good | change).items() if value is not None}
    )


@pytest.mark.parametrize("how", ["pickle", "outside", "nan", "inf", "shapes", "long", "names"])
def test_a_file_that_is_of_no_use_gives_one_sentence(folder, how):
    with pytest.raises(ValueError) as refused:
        took("one", spoiled(folder, how))
    text = str(refused.value)
    assert text.endswith(".") and "\n" not in text and len(text) < 250 and str(folder) not in text
    with pytest.raises(ValueError, match="choose a file"):
        sources.inputs(TAB, "one", AttentionParams(source="file"))


def test_the_link_of_own_tensors_says_what_it_cannot_carry():
    assert sources.caveat(TAB, AttentionParams()) == "" and "cannot travel" in sources.caveat(
        TAB, AttentionParams(source="file")
    )


def test_the_script_of_own_tensors_reads_a_file(folder, tmp_path, monkeypatch, capsys):
    params = AttentionParams(source="file", kinds=("softmax", "elu1"))
    tensors = qkv(2, 9, 4)
    saved(tmp_path / "my-file.safetensors", **tensors)
    monkeypatch.chdir(tmp_path)
    exec(compile(export.script(TAB, params), "script", "exec"), {})
    assert json.loads(capsys.readouterr().out) == numbers(run(params, tensors=tuple(tensors.values())))


@pytest.mark.parametrize("text", ["", "x", "x" * 1_000_000, "\ud800", "早" * 300])
def test_strange_texts_give_a_result_or_one_sentence(text):
    try:
        result = run(PAGE.refused.read("me", PAGE.write(replace(AttentionParams(), kinds=("softmax",), text=text))))
        assert 0 < len(result.body.labels) <= 512
    except ValueError as error:
        assert str(error).endswith(".") and len(str(error)) < 200


def test_the_printed_numbers_are_small_and_leave_large_tensors_out():
    printed = numbers(run(replace(SMALL, n=256, kinds=tuple(KINDS), lesson="state")))
    assert "weights" not in printed["body"]["cards"][0] and "states" not in printed["body"]["lesson"]
    assert len(json.dumps(printed)) < 200_000


def test_the_tables_hold_every_kind_and_the_exact_matrix():
    result = run(SMALL)
    assert [row[0] for row in TAB.views["none"].table(result.body).rows] == [card.label for card in result.body.cards]
    part = TAB.views["none"].part
    matrix = part(result.body, "elu1")
    weights = next(card for card in result.body.cards if card.kind == "elu1").weights[0]
    assert np.allclose([row[1:] for row in matrix.rows], weights.numpy())
    assert markup.csv_of(matrix).count("\n") == 25
    with pytest.raises(ValueError, match="no card"):
        part(result.body, "linformer")


def test_a_note_sets_the_step_for_the_link_and_nothing_else_and_computes_nothing():
    params = replace(SMALL, lesson="state")
    tab = replace(TAB, run=pytest.fail)
    page = Page(tab, Frame(), SimpleNamespace(widgets=tab.declared, shown=[None] * 6))
    out, _ = asked(page, {"kind": "note", "values": {"step": 9, "norm": 2.0}}, params)
    new = {name: value for name, value in zip(tab.declared, out, strict=False) if value != gr.skip()}
    assert new == {"step": 9} and out[-1]["turn"] == 5
    assert permalink.decode(AttentionParams, out[-1]["link"]) == (replace(params, step=9), ())


def test_random_features_are_drawn_and_tabled_by_their_true_number():
    """Sin/cos and hyperbolic features come in twos; a link's m is a number of directions."""
    result = run(replace(SMALL, kinds=("softmax",), lesson="favor"))
    lesson, m = result.body.lesson, result.body.lesson.m
    drawn = {trace.name: list(trace.x) for trace in figures.favor(lesson).data if trace.showlegend is not False}
    assert drawn["positive"] == list(m) and drawn["sin/cos"] == drawn["hyperbolic"] == [2 * one for one in m]
    rows = {row[:3] for row in figures.favor_table(lesson).rows}
    assert ("positive", 64, 64) in rows and ("sin/cos", 64, 128) in rows
    said = figures.favor_words(SMALL, result.body)
    assert "positive" in said and "(m = 512); sin/cos" in said and f"by {100 * lesson.moved:.2g} %." in said


def test_a_kind_has_one_name_in_the_menu_and_in_every_legend(answers):
    from backends.attention.params import KINDS

    assert figures.KINDS.items() <= {name: kind.label for name, kind in KINDS.items()}.items()
    for lesson in ("training", "dilution", "gradient"):
        body = answers(TAB.run, next(p.params for p in TAB.presets if p.params.lesson == lesson)).body
        shown = {str(row[0]) for row in TAB.views[lesson].table(body).rows}
        assert shown & {*figures.NAMES.values()} and not shown & {*figures.NAMES}, shown
