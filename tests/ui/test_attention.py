"""The Attention tab without a browser: what travels to the cards, which settings are shown, own files, lessons, scripts."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backends.attention.compare import run
from backends.attention.params import KINDS, LESSONS, AttentionParams
from backends.plain import numbers
from ui import explain, markup, permalink
from ui.attending import answers, lessons, uploads
from ui.attending.state import PARAMS, owners, read, write
from ui.attention import TAB
from ui.figures import cards, stages

SMALL = AttentionParams(source="synthetic", n=24, dim=8)
EIGHT = ("softmax", "elu1", "cosformer", "performer", "performer_trig", "performer_hyp", "efficient", "linformer")


def unpacked(packed, n):
    """The matrix (n, n) as the browser reads it."""
    levels = np.frombuffer(base64.b64decode(packed["data"]), np.uint8)
    cells = packed["bound"] * (levels / 255.0) ** 2
    if packed["signs"]:
        bits = np.unpackbits(np.frombuffer(base64.b64decode(packed["signs"]), np.uint8), count=len(cells))
        cells = np.where(bits, -cells, cells)
    data = np.zeros((n, n))
    data[np.tril_indices(n) if packed["triangle"] else np.nonzero(np.ones((n, n)))] = cells
    data[packed["void"]] = np.nan
    return data


@pytest.mark.parametrize("causal", [True, False])
def test_eight_kinds_at_128_tokens_travel_in_200_kilobytes(causal):
    params = AttentionParams(source="synthetic", kinds=EIGHT, causal=causal)
    scene = answers.scene(params, run(params))
    assert scene["n"] == 128 and len(scene["cards"]) == 8
    assert len(json.dumps(scene)) <= 200_000


@pytest.mark.parametrize("reading", ["raw", "absolute", "row"])
def test_the_browser_reads_what_was_computed(reading):
    result = run(replace(SMALL, kinds=tuple(KINDS), reading=reading))
    scene = json.loads(json.dumps(answers.scene(SMALL, result), allow_nan=False))
    for one, exact in zip(scene["cards"], answers.maps(result), strict=True):
        found = unpacked(one, scene["n"])
        assert np.array_equal(np.isnan(found), np.isnan(exact).any(1, keepdims=True) | np.isnan(found))
        root = np.sqrt(np.abs(np.nan_to_num(exact)) / one["bound"])
        assert np.abs(np.sqrt(np.abs(np.nan_to_num(found)) / one["bound"]) - root).max() <= 0.5 / 255 + 1e-6
        large = root > 1 / 255
        assert np.array_equal(np.sign(np.nan_to_num(found))[large], np.sign(np.nan_to_num(exact))[large])


def test_a_weight_of_a_hundredth_keeps_25_levels_and_a_row_without_numbers_is_listed():
    values = np.array([[1.0, 0.0, 0.0], [0.01, 0.5, 0.0], [np.nan, 0.1, 0.2]])
    packed = cards.packed(values)
    assert packed["triangle"] and packed["signs"] == "" and packed["void"] == [2]
    assert np.frombuffer(base64.b64decode(packed["data"]), np.uint8).tolist() == [255, 26, 180, 0, 0, 0]
    signed = cards.packed(np.array([[0.0, -4.0], [1.0, 2.0]]))
    assert not signed["triangle"] and unpacked(signed, 2)[0, 1] == -4.0
    assert cards.packed(np.zeros((1, 1)))["bound"] == 1.0


def test_only_the_drawn_head_travels():
    result = run(replace(SMALL, head=3))
    assert np.array_equal(answers.maps(result)[0], result.cards[0].weights[2].numpy())


def test_settings_survive_the_widgets_and_the_link():
    params = replace(SMALL, kinds=("relu", "softmax"), norm=0.0, causal=False, lesson="mask", text="早")
    assert read(*write(params)) == params
    assert permalink.decode(AttentionParams, permalink.encode("attention", params)) == (params, ())


def test_a_setting_belongs_to_choices_that_exist():
    found = owners()
    assert {"text", "n", "m", "window", "step", "depth", "file", "count"} <= found.keys() and "norm" not in found
    choices = {"source": {"text", "synthetic", "file"}, "kinds": set(KINDS), "lesson": set(LESSONS)}
    assert all(value in choices[field] for owned in found.values() for field, value in owned)
    assert set(found) - {"file", "count"} < set(PARAMS)


@pytest.mark.parametrize("lesson", [name for name in LESSONS if name != "none"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_lesson_says_what_to_look_at_in_both_languages(lesson, language):
    assert len(lessons.prose(language)[lesson]) > 60 and lesson in lessons.TITLES


@pytest.mark.parametrize("lesson", ["favor", "gradient", "state", "mask"])
def test_each_lesson_is_drawn_with_its_rows_beside_it(lesson):
    params = replace(SMALL, lesson=lesson)
    result = run(params)
    figure, scene = lessons.figure(lesson, result.lesson), lessons.scene(lesson, result.lesson, result.labels)
    assert (figure is None) != (scene is None)
    json.dumps(scene, allow_nan=False)
    rows = lessons.table(lesson, result.lesson)
    assert rows.rows and all(len(row) == len(rows.columns) for row in rows.rows)
    if figure is not None:
        assert figure.layout.xaxis.title.text and figure.layout.yaxis.title.text and len(figure.to_json()) < 200_000


@pytest.mark.parametrize("delta", [False, True])
def test_the_browser_can_add_the_state_up_from_its_writes(delta):
    result = run(replace(SMALL, lesson="state", delta=delta))
    scene = stages.state(result.lesson, result.labels)
    n, rows, columns = scene["n"], scene["rows"], scene["columns"]
    keys, writes = (np.frombuffer(base64.b64decode(scene[name]), np.float32).reshape(n, -1) for name in ("keys", "writes"))
    states, exact = np.einsum("nd,ne->nde", keys, writes).cumsum(0), result.lesson.states.double().numpy()
    assert states.shape == (n, rows, columns) and np.abs(states - exact).max() <= 1e-4 * np.abs(exact).max()
    values = np.frombuffer(base64.b64decode(scene["values"]), np.float32).reshape(n, columns) if delta else writes
    scale = 1.0 if delta else (keys * keys.cumsum(0)).sum(1, keepdims=True)
    found = np.einsum("nd,nde->ne", keys, states) / scale
    fresh = np.linalg.norm(found - values, axis=1) / np.linalg.norm(values, axis=1)
    assert np.allclose(fresh, result.lesson.fresh.numpy(), atol=1e-4)


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


def test_own_tensors_belong_to_their_session(folder):
    own = AttentionParams(source="file", kinds=("softmax", "elu1"))
    assert uploads.add("one", saved(folder / "a.safetensors", **qkv(2, 9, 4))) == "2 heads, 9 tokens, 4 channels"
    assert len(answers.run(own, uploads.tensors("one", own)).labels) == 9
    assert uploads.tensors("one", SMALL) is None
    with pytest.raises(ValueError, match="choose a safetensors file"):
        uploads.tensors("two", own)
    uploads.OWN.drop("one")
    with pytest.raises(ValueError, match="choose a safetensors file"):
        uploads.tensors("one", own)


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
    return saved(folder / "a.safetensors", **{name: value for name, value in (good | change).items() if value is not None})


@pytest.mark.parametrize("how", ["pickle", "outside", "nan", "inf", "shapes", "long", "names"])
def test_a_file_that_is_of_no_use_gives_one_sentence(folder, how):
    with pytest.raises(ValueError) as refused:
        uploads.add("one", spoiled(folder, how))
    text = str(refused.value)
    assert text.endswith(".") and "\n" not in text and len(text) < 250 and str(folder) not in text
    assert uploads.OWN.get("one", uploads.NAME) is None


def test_the_link_of_own_tensors_says_what_it_cannot_carry():
    assert uploads.caveat(AttentionParams()) == "" and "cannot travel" in uploads.caveat(AttentionParams(source="file"))


def test_the_script_of_own_tensors_reads_a_file(folder, tmp_path, monkeypatch, capsys):
    params = AttentionParams(source="file", kinds=("softmax", "elu1"))
    tensors = qkv(2, 9, 4)
    saved(tmp_path / "my-qkv.safetensors", **tensors)
    monkeypatch.chdir(tmp_path)
    exec(compile(answers.script(params), "script", "exec"), {})
    assert json.loads(capsys.readouterr().out) == numbers(answers.run(params, tuple(tensors.values())))


@pytest.mark.parametrize("text", ["", "x", "x" * 1_000_000, "\ud800", "早" * 300])
def test_strange_texts_give_a_result_or_one_sentence(text):
    try:
        result = answers.run(read(*write(replace(AttentionParams(), kinds=("softmax",), text=text))))
        assert 0 < len(result.labels) <= 512
    except ValueError as error:
        assert str(error).endswith(".") and len(str(error)) < 200


def test_the_printed_numbers_are_small_and_leave_large_tensors_out():
    printed = numbers(run(replace(SMALL, n=256, kinds=tuple(KINDS), lesson="state")))
    assert "weights" not in printed["cards"][0] and "states" not in printed["lesson"]
    assert len(json.dumps(printed)) < 200_000


def test_the_tables_hold_every_kind_and_the_exact_matrix():
    result = run(SMALL)
    assert [row[0] for row in answers.table(result).rows] == [card.label for card in result.cards]
    matrix = answers.matrix(result, "elu1")
    weights = next(card for card in result.cards if card.kind == "elu1").weights[0]
    assert np.allclose([row[1:] for row in matrix.rows], weights.numpy())
    assert markup.csv_of(matrix).count("\n") == 25
    with pytest.raises(ValueError, match="no card"):
        answers.matrix(result, "linformer")


def test_the_tab_is_explained_in_two_languages():
    assert explain.prose(TAB, "en").body and explain.prose(TAB, "zh").title != TAB.title
