"""The manifest is complete, shipped files are the ones it names, and nothing else is loaded."""
import json
import struct

import pytest
import torch
from safetensors.torch import save_file

from backends import weights
from backends.weights import WeightsError

SHIPPED = [e for e in weights.manifest() if e.file]


@pytest.mark.parametrize("e", weights.manifest(), ids=lambda e: e.name)
def test_every_entry_has_size_digest_licence_and_one_source(e):
    assert (e.file is None) != (e.url is None)
    assert e.bytes > 0 and len(e.sha256) == 64 and int(e.sha256, 16) and e.licence and e.architecture
    assert e.url is None or e.url.startswith("https://")


@pytest.mark.parametrize("e", SHIPPED, ids=lambda e: e.name)
def test_shipped_files_are_small_whole_and_have_a_recipe_and_a_metric(e):
    file = weights.path(e.name)
    assert file.stat().st_size == e.bytes <= 25_000_000 and weights.digest_of(file) == e.sha256
    assert e.recipe and e.recipe.startswith("backends.train.") and e.steps and e.hardware and e.data and e.seed is not None
    assert {"name", "value", "tolerance", "how"} <= e.metric.keys()


def test_no_file_lies_in_weights_without_an_entry():
    assert {p.name for p in weights.FOLDER.iterdir()} == {e.file for e in SHIPPED} | {"MANIFEST.json"}


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A manifest of one shipped entry, `toy`, in a folder of its own."""
    save_file({"w": torch.arange(6.0).reshape(2, 3)}, tmp_path / "toy.safetensors")
    row = {"name": "toy", "file": "toy.safetensors", "bytes": (tmp_path / "toy.safetensors").stat().st_size, "licence": "CC0",
           "sha256": weights.digest_of(tmp_path / "toy.safetensors"), "architecture": "toy"}
    (tmp_path / "MANIFEST.json").write_text(json.dumps({"weights": [row]}))
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    weights.manifest.cache_clear()
    yield tmp_path
    weights.manifest.cache_clear()


def test_an_entry_loads_and_a_changed_byte_is_refused(shelf):
    assert torch.equal(weights.load("toy")["w"], torch.arange(6.0).reshape(2, 3)) and weights.available("toy")
    data = bytearray((shelf / "toy.safetensors").read_bytes())
    data[-1] ^= 1
    (shelf / "toy.safetensors").write_bytes(data)
    with pytest.raises(WeightsError, match="SHA-256 differs"):
        weights.load("toy")


def test_a_missing_file_and_an_unknown_name_are_one_sentence_each(shelf):
    (shelf / "toy.safetensors").unlink()
    assert not weights.available("toy")
    with pytest.raises(WeightsError, match="not on this machine"):
        weights.load("toy")
    with pytest.raises(WeightsError, match="no weights called"):
        weights.entry("none")


class Evil:
    """Unpickling this writes a file."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (open, (str(self.target), "w"))


def test_a_pickle_with_code_is_refused_and_the_code_does_not_run(tmp_path):
    torch.save({"w": Evil(tmp_path / "pwned")}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match="run code"):
        weights.load_file(tmp_path / "evil.pth")
    assert not (tmp_path / "pwned").exists()


BAD_FILES = {
    "empty.safetensors": b"", "short.safetensors": b"\x01\x02", "huge-header.safetensors": struct.pack("<Q", 1 << 40) + b"{}",
    "not-json.safetensors": struct.pack("<Q", 4) + b"{{{{", "list.safetensors": struct.pack("<Q", 2) + b"[]",
    "cut.safetensors": struct.pack("<Q", 61) + json.dumps({"w": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}).encode()[:61],
    "text.pth": b"hello", "empty.pth": b"",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_damaged_checkpoint_is_one_sentence(tmp_path, name):
    (tmp_path / name).write_bytes(BAD_FILES[name])
    with pytest.raises(WeightsError) as caught:
        weights.load_file(tmp_path / name)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_a_pth_that_is_no_state_dict_is_refused(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="state dict"):
        weights.load_file(tmp_path / "a.pth")


def test_an_upload_may_only_be_safetensors(tmp_path):
    torch.save({"w": torch.zeros(2)}, tmp_path / "a.pth")
    assert torch.equal(weights.load_file(tmp_path / "a.pth")["w"], torch.zeros(2))
    with pytest.raises(WeightsError, match="safetensors"):
        weights.load_file(tmp_path / "a.pth", trusted=False)


def test_too_many_tensors_or_bytes_are_refused_from_the_header(tmp_path, monkeypatch):
    save_file({str(i): torch.zeros(1) for i in range(5)}, tmp_path / "a.safetensors")
    monkeypatch.setattr(weights, "MAX_TENSORS", 4)
    with pytest.raises(WeightsError, match="more than 4"):
        weights.load_file(tmp_path / "a.safetensors")
    monkeypatch.setattr(weights, "MAX_BYTES", 10)
    with pytest.raises(WeightsError, match="larger"):
        weights.load_file(tmp_path / "a.safetensors")
