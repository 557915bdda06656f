"""The Swin tab without a browser: scenes, figures, tables, payload, endpoint, link, own files, and what must not come
through."""

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
from backends.swin import answer, hub, own
from backends.swin.geometry import ORDERS
from backends.swin.params import ARCHITECTURES, OF_MODELS, SwinParams
from ui.core import export, permalink, prose
from ui.parts import markup, sources
from ui.tabs.swin import TAB, figures, scenes

LARGEST = SwinParams(view="bias", rows=24, columns=24, window=11)
VIEWS = tuple(view for view in TAB.views if view != "cost")
PLAIN = {"separators": (",", ":")}
READER = TAB.source("model")


def drawn(params, **given):
    return TAB.view(params).stage(params, answer(params, **given).body)


def unpacked(part):
    return part["bound"] * (np.frombuffer(base64.b64decode(part["data"]), np.uint8) / 255.0) ** 2


def shown(session, params):
    """What a visitor's page works out."""
    return answer(params, **sources.inputs(TAB, session, params))


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_has_a_scene_or_a_figure_and_rows_within_the_payload(view):
    params, parts = SwinParams(view=view), TAB.views[view]
    result = answer(params)
    table = parts.table(result.body)
    assert table.rows and all(len(row) == len(table.columns) for row in table.rows)
    assert parts.figure is None or parts.figure(result.body).data
    assert len(json.dumps(parts.stage(params, result.body), **PLAIN)) < (60_000 if view == "rollout" else 30_000)


def test_the_largest_answer_stays_within_the_payload():
    body = answer(LARGEST).body
    parts = TAB.view(LARGEST).stage(LARGEST, body), markup.table(TAB.view(LARGEST).table(body), "x")
    assert sum(len(json.dumps(part, **PLAIN)) for part in parts) < 200_000


def test_two_libraries_come_as_two_boards_with_the_chosen_window_s_attention():
    params = SwinParams(view="orders", rows=24, columns=23, window=11)
    result = answer(params)
    scene = scenes.board(params, result.body)
    assert (scene["order"], scene["other"]["order"]) == ("timm", "torchvision")
    assert scene["padded"] == scene["other"]["padded"] == [33, 33]
    for shown, board in ((scene, result.body.board), (scene["other"], result.body.lesson.other)):
        truth = board.weights[shown["held"]].ravel()
        assert np.abs(np.sqrt(unpacked(shown["weights"])) - np.sqrt(truth)).max() <= np.sqrt(truth.max()) / 255
        assert shown["source"] == board.layout.source.ravel().tolist()
    assert scene["overlay"]["largest"] == result.body.lesson.largest
    assert scene["overlay"]["scale"] == result.body.lesson.scale
    assert len(json.dumps(scene, **PLAIN)) < 100_000


def test_the_cost_of_a_picture_is_said_in_words_before_anything_is_timed():
    params = SwinParams(view="cost", pixels=224)
    first = next(answer.stream(params))
    said = figures.price_words(params, first.body)
    assert "3136 tokens" in said and "64.0 times less" in said and "1,888.2 M" in said
    assert not first.finished and figures.cost(first.body).data and TAB.views["cost"].streamed


def test_the_cost_of_padded_tokens_is_said():
    first = next(answer.stream(SwinParams(view="cost", pixels=200)))
    said = figures.price_words(SwinParams(view="cost", pixels=200), first.body)
    assert "92.2 M over the whole map, 115.6 M in windows, of the map padded to 56 x 56" in said


def test_factors_are_one_byte_of_a_logarithm_and_nothing_is_zero():
    levels = np.frombuffer(base64.b64decode(scenes.octaves([0.0, 1 / 99, 1 / 4, 1.0, 4.0, 99.0])), np.uint8)
    assert levels.tolist() == [0, 1, 64, 128, 192, 255]


def test_the_rollout_s_three_maps_are_those_of_the_mechanism():
    params = SwinParams(view="rollout", map_block=3, picture="horse", y=0.3, x=0.75)
    body, scene = answer(params).body.lesson, drawn(params)
    levels = [np.frombuffer(base64.b64decode(text), np.uint8).reshape(96, 128).astype(float) for text in scene["maps"]]
    factors = [np.where(each > 0, 2 ** ((each - 128) / 127 * scene["octaves"]), 0) for each in levels]
    truth = body.real * body.flows[2].reached, body.equal * body.flows[2].reached
    for found, wanted in zip(factors, truth, strict=False):
        inside = (wanted > 1 / 15) & (wanted < 15)
        assert np.abs(np.log2(found[inside] / wanted[inside])).max() < 0.02 and inside.sum() > 700
    assert ((factors[2] > 0) == (body.equal > 0)).all() and body.chosen == 2


def test_the_network_s_table_names_every_part():
    params = SwinParams(view="network")
    table = TAB.views["network"].table(answer(params).body)
    assert [row[0] for row in table.rows][:5] == ["patch embedding", "block 1·1", "block 1·2", "merging", "block 2·1"]
    assert len(drawn(params)["parts"]) == len(table.rows) == 11


def test_the_conventions_table_holds_all_three():
    params = SwinParams(view="orders", rows=7, order="microsoft")
    below = TAB.views["orders"].below(params, answer(params).body)
    assert all(name in below for name in ORDERS) and below.count("<tr>") == 4


def test_the_stage_carries_the_attention_and_the_places_of_the_mechanism():
    params = SwinParams(rows=9, columns=11, window=4, y=0.9, x=0.9)
    result, scene = answer(params), drawn(params)
    truth = result.body.board.weights.ravel()
    assert np.abs(np.sqrt(unpacked(scene["weights"])) - np.sqrt(truth)).max() <= np.sqrt(truth.max()) / 255
    assert scene["source"] == result.body.board.layout.source.ravel().tolist()
    assert scene["steps"] == list(result.body.board.steps)
    assert scene["padded"] == [12, 12] and "pad" in scene["steps"]


def test_the_bias_tables_are_exact_for_the_drawn_head_and_a_byte_for_the_others():
    params = SwinParams(view="bias", head=3, edits=((1, 0, -2.5),))
    body = answer(params).body
    board, scene = scenes.biased(params, body)
    tables = body.lesson.tables
    exact = np.frombuffer(base64.b64decode(scene["data"]), np.float32).reshape(13, 13)
    assert np.array_equal(exact, tables[2].astype(np.float32))
    assert exact[7, 6] == -2.5 and scene["edits"] == [[1, 0, -2.5]]
    levels = np.frombuffer(base64.b64decode(scene["small"]), np.uint8).reshape(8, 13, 13).astype(float) - 128
    scales = np.abs(tables).max((1, 2), keepdims=True)
    assert np.abs(levels / 127 * scales - tables).max() < scales.max() / 127 and board["kind"] == "board"


def test_what_a_view_does_not_show_changes_no_picture():
    params = SwinParams(view="leak", masked=False)
    assert scenes.board(params, answer(params).body)["masked"] is True


def test_a_model_without_weight_anywhere_is_still_drawn():
    empty = scenes.weights(np.zeros((2, 3)))
    assert empty["bound"] == 1.0 and unpacked(empty).max() == 0


def test_the_seed_of_a_preset_does_not_matter():
    preset = next(p for p in TAB.presets if p.name == "The norm after the branch")
    held = [preset.holds(answer(replace(preset.params, rows=7, columns=7, seed=seed))) for seed in range(10)]
    assert sum(held) >= 9


@pytest.mark.parametrize(("name", "change"), [
    ("A window as high as the picture", {"order": "torchvision"}), ("The norm after the branch", {"gain": 1.0}),
    ("Padding is computed too", {"pixels": 224}), ("The whole network", {"picture": "astronaut"}),
    ("Rollout is mostly geometry", {"y": 0.9, "x": 0.1}),
    ("14 is 2 x 7", {"rows": 16}),
])
def test_what_a_preset_observes_can_fail(name, change):
    preset = next(p for p in TAB.presets if p.name == name)
    assert not preset.holds(answer(replace(preset.params, **change)))


def test_the_region_is_told_in_the_numbers_that_its_presets_speak_of():
    table = next(p for p in TAB.presets if p.name == "The table, and some saucer")
    body = answer(table.params).body
    assert TAB.view(table.params).words(replace(table.params, region=False), body) == ""
    said = TAB.view(table.params).words(table.params, body)
    assert said.startswith("The model calls 35 % of the picture the clicked one's region. Of these places 79 % lie in")
    assert not table.holds(answer(replace(table.params, picture="chelsea")))


def test_the_first_sentences_stand_beside_a_drawing():
    head, opening = markup.head(TAB), prose.opening(TAB.slug).decode()
    assert head.index("gb-intro") < head.index("gb-presets") and 'class="gb-en"' in opening
    assert opening.count("<figcaption>") == opening.count("<svg") == 4


def test_every_widget_has_a_view():
    assert set(TAB.declared) - {"view", *TAB.held} <= set(TAB.uses)


@pytest.mark.parametrize("params", [
    SwinParams(view="bias", edits=((0, -1, -20.0), (3, 3, 0.0)), masked=False, y=0.0, x=1.0),
    SwinParams(view="model", map_block=8, map_head=2),
    SwinParams(rows=1, columns=24, window=12, shift=0, order="torchvision"),
])
def test_links_carry_everything(params):
    assert permalink.decode(SwinParams, permalink.encode("swin", params))[0] == params
    assert sources.caveat(TAB, params) == ""


def test_a_link_says_what_it_cannot_carry():
    params = SwinParams(view="model", model="own", picture="own-1")
    assert "picture and weights" in sources.caveat(TAB, params)
    assert sources.caveat(TAB, replace(params, picture="coffee", model="shipped")) == ""


@pytest.mark.parametrize("edits", [[["x", 0, 1]], [[0, 0, 1e9]], [[40, 0, 1]], [[0, 0]], 3, [[0, 0, 1]] * 65])
def test_edits_from_a_hostile_browser_are_one_sentence(edits):
    with pytest.raises(ValueError):
        permalink.changed(SwinParams(), {"edits": edits})


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
    assert "million" in sources.take(TAB, READER, session, file)[1]
    params = SwinParams(view="model", model="own", map_block=12)
    result = shown(session, params)
    assert len(result.body.lesson.blocks) == 12 and result.body.lesson.alike is None
    assert all(check.ok for check in result.checks)
    assert len(json.dumps(scenes.model(params, result.body), **PLAIN)) < 60_000
    for view in OF_MODELS:
        assert all(check.ok for check in shown(session, replace(params, view=view)).checks)
        with pytest.raises(sources.MissingError, match="choose a file with weights first"):
            shown("b", replace(params, view=view))
    with pytest.raises(ValueError, match="do not fit"):
        shown(session, replace(params, architecture="swinv2_cr_giant_384"))
    with pytest.raises(ValueError, match="no Swin architecture"):
        shown(session, replace(params, architecture="<b>resnet50"))
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\xff" * 64)
    with pytest.raises(ValueError, match="safetensors"):
        sources.take(TAB, READER, session, broken)


def test_weights_of_the_hub_are_offered_fetched_and_used_by_their_session(tmp_path, monkeypatch):
    name, params = "swin_tiny_patch4_window7_224", SwinParams(view="model", model="own")
    monkeypatch.setenv("GLASSBOX_HOME", str(tmp_path))
    assert own.offer(params) == (f"timm/{name}.ms_in1k: about 113 MB from huggingface.co; licence: mit.", True)

    def fetch(asked):
        yield Progress(1_000_000, 2_000_000)
        hub.place(asked).parent.mkdir()
        save_file(timm.create_model(asked).state_dict(), hub.place(asked))

    monkeypatch.setattr(hub, "fetch", fetch)
    assert list(sources.fetched(TAB, READER, "hub", params)) == ["1 of 2 MB", f"timm/{name}.ms_in1k is loaded."]
    assert "already" in own.offer(params)[0] and sources.offers(TAB, params) == {"1": own.offer(params)}
    assert all(check.ok for check in shown("hub", params).checks)
    giant = replace(params, architecture="swinv2_cr_giant_224")
    assert "no weights" in sources.offers(TAB, giant)["1"][0]
    assert sources.offers(TAB, replace(params, model="shipped")) == {}


def test_the_list_of_architectures_is_timm_s():
    assert set(ARCHITECTURES) == {name for name in timm.list_models() if name.startswith("swin")}


def test_the_endpoint_gives_the_mechanism_s_numbers_and_refuses_with_a_sentence(app_url):
    client = Client(app_url, verbose=False)
    given = client.predict(view="leak", rows=8, columns=8, window=4, api_name="/swin")
    wanted = numbers(answer(SwinParams(view="leak", rows=8, columns=8, window=4)))
    assert given.pop("seconds", 0) != wanted.pop("seconds", 1) and given == json.loads(json.dumps(wanted))
    assert len(json.dumps(client.predict(view="bias", rows=24, columns=24, window=11, api_name="/swin"))) < 200_000
    for bad, sentence in (({"picture": "../../etc/passwd"}, "not here"), ({"rows": 99}, "between 1 and 24"),
                          ({"view": "model", "model": "own"}, "choose a file with weights")):
        with pytest.raises(AppError, match=sentence):
            client.predict(**bad, api_name="/swin")


def test_the_script_reads_own_files_by_paths_to_fill_in():
    script = export.script(TAB, SwinParams(view="model", model="own", picture="own-7", architecture="x\"y"))
    assert 'images.load("my-picture.png")' in script and 'reader = load(Path("my-file.safetensors"), params)' in script
    assert "from backends.swin.own import load" in script and "answer(params, image=image, reader=reader)" in script
    compile(script, "script", "exec")


def test_the_tab_offers_what_it_should():
    assert TAB.slug == "swin" and len(TAB.presets) == 20 and {p.params.view for p in TAB.presets} == set(TAB.views)


def test_reach_without_shift_shows_the_window_that_is_used():
    params = SwinParams(view="reach", moving=False, y=0.5, x=0.5)
    body = TAB.run(params).body
    assert body.board.layout.shift == (0, 0) and not body.board.layout.strange.any()
    [line] = TAB.views["reach"].figure(body).data
    assert line.name == "no shift" and set(line.y) == {49}
