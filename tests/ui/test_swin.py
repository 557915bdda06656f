"""The Swin tab without a browser: scenes, figures, tables, payload, endpoint, link, own files, and what must not come through."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
import timm
from gradio_client import Client
from gradio_client.exceptions import AppError
from safetensors.torch import save_file

from backends.download import Progress
from backends.plain import numbers
from backends.swin import hub
from backends.swin.params import ARCHITECTURES, SwinParams
from ui import markup, permalink
from ui.figures import swin
from ui.swin import TAB
from ui.swinning import answers, state

LARGEST = SwinParams(view="bias", rows=24, columns=24, window=11)
VIEWS = tuple(view for view in state.VIEWS if view != "cost")
PLAIN = {"separators": (",", ":")}


def drawn(params):
    return answers._drawn(params, answers.run(params))


def unpacked(part):
    return part["bound"] * (np.frombuffer(base64.b64decode(part["data"]), np.uint8) / 255.0) ** 2


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_has_a_scene_or_a_figure_and_rows_within_the_payload(view):
    params = SwinParams(view=view)
    result = answers.run(params)
    table = answers.table(result)
    assert table.rows and all(len(row) == len(table.columns) for row in table.rows)
    figure = swin.FIGURES[view](result.body) if view in state.PLOTTED else None
    assert figure is None or figure.data
    assert len(json.dumps(answers._drawn(params, result), **PLAIN)) < 30_000


def test_the_largest_answer_stays_within_the_payload():
    result = answers.run(LARGEST)
    parts = answers._drawn(LARGEST, result), swin.tables(result.body), markup.table(answers.table(result), "x")
    assert sum(len(json.dumps(part, **PLAIN)) for part in parts) < 200_000


def test_two_libraries_come_as_two_boards_with_the_chosen_window_s_attention():
    params = SwinParams(view="orders", rows=24, columns=23, window=11)
    result = answers.run(params)
    scene = swin.board(result.board, params, result.body)
    assert (scene["order"], scene["other"]["order"]) == ("timm", "torchvision") and scene["padded"] == scene["other"]["padded"] == [33, 33]
    for shown, board in ((scene, result.board), (scene["other"], result.body.other)):
        truth = board.weights[shown["held"]].ravel()
        assert np.abs(np.sqrt(unpacked(shown["weights"])) - np.sqrt(truth)).max() <= np.sqrt(truth.max()) / 255
        assert shown["source"] == board.layout.source.ravel().tolist()
    assert scene["overlay"]["largest"] == result.body.largest and scene["overlay"]["scale"] == result.body.scale
    assert len(json.dumps(scene, **PLAIN)) < 100_000


def test_the_cost_of_a_picture_is_said_in_words():
    [result, *_] = answers.steps("", SwinParams(view="cost", pixels=224))
    english, chinese = swin.price_words(result.body)
    assert "3136 tokens" in english and "64.0 times less" in english and "1,888.2 M" in english and "64.0" in chinese


def test_the_stage_carries_the_attention_and_the_places_of_the_mechanism():
    params = SwinParams(rows=9, columns=11, window=4, y=0.9, x=0.9)
    result, scene = answers.run(params), drawn(params)
    truth = result.board.weights.ravel()
    assert np.abs(np.sqrt(unpacked(scene["weights"])) - np.sqrt(truth)).max() <= np.sqrt(truth.max()) / 255
    assert scene["source"] == result.board.layout.source.ravel().tolist() and scene["steps"] == list(result.board.steps)
    assert scene["padded"] == [12, 12] and "pad" in scene["steps"]


def test_the_bias_tables_are_exact_for_the_drawn_head_and_a_byte_for_the_others():
    body = answers.run(SwinParams(view="bias", head=3, edits=((1, 0, -2.5),))).body
    scene = swin.tables(body)
    exact = np.frombuffer(base64.b64decode(scene["data"]), np.float32).reshape(13, 13)
    assert np.array_equal(exact, body.tables[2].astype(np.float32)) and exact[7, 6] == -2.5 and scene["edited"] == [[1, 0]]
    levels = np.frombuffer(base64.b64decode(scene["small"]), np.uint8).reshape(8, 13, 13).astype(float) - 128
    scales = np.abs(body.tables).max((1, 2), keepdims=True)
    assert np.abs(levels / 127 * scales - body.tables).max() < scales.max() / 127


def test_a_model_without_weight_anywhere_is_still_drawn():
    assert swin.packed(np.zeros((2, 3)))["bound"] == 1.0 and unpacked(swin.packed(np.zeros((2, 3)))).max() == 0


def test_widgets_round_trip_and_every_widget_has_a_place():
    params = SwinParams(view="reach", rows=5, edits=((0, 1, 2.0),), y=0.0, masked=False, map_block=7)
    assert state.read(*state.write(params)) == params
    assert set(state.PARAMS) - {"view", "model", "architecture", *state.HELD} <= set(state.USES)


@pytest.mark.parametrize("params", [
    SwinParams(view="bias", edits=((0, -1, -20.0), (3, 3, 0.0)), masked=False, y=0.0, x=1.0),
    SwinParams(view="model", map_block=8, map_head=2),
    SwinParams(rows=1, columns=24, window=12, shift=0, order="torchvision"),
])
def test_links_carry_everything(params):
    assert permalink.decode(SwinParams, permalink.encode("swin", params))[0] == params and state.caveat(params) == ""


def test_a_link_says_what_it_cannot_carry():
    params = SwinParams(view="model", model="own", picture="own-1")
    assert "picture and weights" in state.caveat(params) and state.caveat(replace(params, picture="coffee", model="shipped")) == ""


def test_editing_sets_replaces_clears_one_and_all():
    once = state.edited(SwinParams(), {"dy": 0, "dx": 1, "value": 3.0})
    twice = state.edited(state.edited(once, {"dy": 2, "dx": 2, "value": 1.0}), {"dy": 0, "dx": 1, "value": 4.0})
    assert once.edits == ((0, 1, 3.0),) and set(twice.edits) == {(0, 1, 4.0), (2, 2, 1.0)}
    assert state.edited(twice, {"dy": 0, "dx": 1, "value": None}).edits == ((2, 2, 1.0),)
    assert state.edited(twice, {"all": True}).edits == ()


@pytest.mark.parametrize("message", [
    {}, {"dy": "x", "dx": 0, "value": 1}, {"dy": 0, "dx": 0, "value": 1e9}, {"dy": 40, "dx": 0, "value": 1},
])
def test_edits_from_a_hostile_browser_are_one_sentence(message):
    with pytest.raises(ValueError):
        state.edited(SwinParams(), {"value": 0, **message})


@pytest.mark.parametrize(("change", "sentence"), [
    ({"rows": 0}, "between 1 and 24"), ({"window": 13}, "between 1 and 12"), ({"shift": -2}, "between -1 and 11"),
    ({"view": "x"}, "one of"),
    ({"y": 2.0}, "between"), ({"architecture": "x" * 99}, "at most 80"), ({"edits": [[99, 0, 1]]}, "at most 11"),
    ({"order": "jax"}, "one of"),
])
def test_what_cannot_be_is_one_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        permalink.make(SwinParams, change)
    assert str(caught.value).count(". ") == 0


def test_own_weights_are_read_for_their_session_alone_and_others_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    file, session = tmp_path / "mine.safetensors", "a"
    model = timm.create_model("swin_tiny_patch4_window7_224", num_classes=0)
    save_file(model.state_dict(), file)
    assert "million" in answers.add_weights(session, file)
    params = SwinParams(view="model", model="own", map_block=12)
    [result] = answers.steps(session, params)
    assert len(result.body.blocks) == 12 and result.body.alike is None and all(check.ok for check in result.checks)
    assert len(json.dumps(answers._drawn(params, result), **PLAIN)) < 60_000
    with pytest.raises(ValueError, match="load your own weights first"):
        list(answers.steps("b", params))
    with pytest.raises(ValueError, match="do not fit"):
        list(answers.steps(session, replace(params, architecture="swinv2_cr_giant_384")))
    with pytest.raises(ValueError, match="no Swin architecture"):
        list(answers.steps(session, replace(params, architecture="<b>resnet50")))
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\xff" * 64)
    with pytest.raises(ValueError, match="safetensors"):
        answers.add_weights(session, broken)


def test_weights_of_the_hub_are_offered_fetched_and_used_by_their_session(tmp_path, monkeypatch):
    name = "swin_tiny_patch4_window7_224"
    monkeypatch.setenv("GLASSBOX_HOME", str(tmp_path))
    assert answers.offered(name) == f"timm/{name}.ms_in1k: about 113 MB from huggingface.co; licence: mit."

    def fetch(asked):
        yield Progress(1_000_000, 2_000_000)
        hub.place(asked).parent.mkdir()
        save_file(timm.create_model(asked).state_dict(), hub.place(asked))

    monkeypatch.setattr(hub, "fetch", fetch)
    assert list(answers.add_hub("hub", name)) == ["1 of 2 MB", f"timm/{name}.ms_in1k is loaded."]
    assert "already" in answers.offered(name)
    [result] = answers.steps("hub", SwinParams(view="model", model="own"))
    assert all(check.ok for check in result.checks)
    with pytest.raises(ValueError, match="no weights"):
        answers.offered("swinv2_cr_giant_224")


def test_the_list_of_architectures_is_timm_s():
    assert set(ARCHITECTURES) == {name for name in timm.list_models() if name.startswith("swin")}


def test_the_endpoint_gives_the_mechanism_s_numbers_and_refuses_with_a_sentence(app_url):
    client = Client(app_url, verbose=False)
    given = client.predict(view="leak", rows=8, columns=8, window=4, api_name="/swin")
    wanted = numbers(answers.run(SwinParams(view="leak", rows=8, columns=8, window=4)))
    assert given.pop("seconds", 0) != wanted.pop("seconds", 1) and given == json.loads(json.dumps(wanted))
    assert len(json.dumps(client.predict(view="bias", rows=24, columns=24, window=11, api_name="/swin"))) < 200_000
    for bad, sentence in (({"picture": "../../etc/passwd"}, "not here"), ({"rows": 99}, "between 1 and 24"),
                          ({"view": "model", "model": "own"}, "load your own weights")):
        with pytest.raises(AppError, match=sentence):
            client.predict(**bad, api_name="/swin")


def test_the_script_reads_own_files_by_paths_to_fill_in():
    script = answers.script(SwinParams(view="model", model="own", picture="own-7", architecture='x"y'))
    assert 'images.load("my-picture.png")' in script and 'capture.own(Path("my-weights.safetensors"), "x\\"y")' in script
    compile(script, "script", "exec")


def test_the_tab_offers_what_it_should():
    assert TAB.slug == "swin" and len(TAB.presets) == 12 and {p.params.view for p in TAB.presets} == set(state.VIEWS)
