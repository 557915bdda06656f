"""Only the files that the manifest names are loaded, and a file of one's own only if it is tensors and nothing else."""
import io
import json
import struct
import urllib.request
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from backends import download, weights
from backends.weights import WeightsError


class Answer(io.BytesIO):
    """A server's answer: bytes, status, no headers."""

    status = 200
    headers: dict[str, str] = {}  # noqa: RUF012


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A manifest of one shipped entry, `toy`, and the same file as a download, `far`, in folders of their own."""
    save_file({"w": torch.arange(6.0).reshape(2, 3)}, tmp_path / "toy.safetensors")
    row = {"name": "toy", "file": "toy.safetensors", "bytes": (tmp_path / "toy.safetensors").stat().st_size,
           "licence": "CC0", "sha256": weights.digest_of(tmp_path / "toy.safetensors"), "architecture": "toy"}
    far = {key: row[key] for key in row if key != "file"} | {"name": "far",
                                                             "url": "https://example.invalid/x/far.safetensors"}
    (tmp_path / "MANIFEST.json").write_text(json.dumps({"weights": [row, far]}))
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    monkeypatch.setenv("GLASSBOX_HOME", str(tmp_path / "home"))
    weights.manifest.cache_clear()
    yield tmp_path
    weights.manifest.cache_clear()


@pytest.mark.case("A byte of a weight has changed", "One sentence: its SHA-256 differs.")
def test_an_entry_loads_and_a_changed_byte_is_refused(shelf):
    assert torch.equal(weights.load("toy")["w"], torch.arange(6.0).reshape(2, 3)) and weights.available("toy")
    data = bytearray((shelf / "toy.safetensors").read_bytes())
    data[-1] ^= 1
    (shelf / "toy.safetensors").write_bytes(data)
    with pytest.raises(WeightsError, match="SHA-256 differs"):
        weights.load("toy")


def test_no_tensor_is_read_before_the_digest_is_checked(shelf, monkeypatch):
    monkeypatch.setattr(weights, "digest_of", lambda path: "0" * 64)
    monkeypatch.setattr(weights, "load_file", lambda *args: pytest.fail("read"))
    with pytest.raises(WeightsError, match="SHA-256 differs"):
        weights.load("toy")


def test_a_file_of_another_size_is_not_available_and_not_loaded(shelf):
    with (shelf / "toy.safetensors").open("ab") as file:
        file.write(b"more")
    assert not weights.available("toy")
    with pytest.raises(WeightsError, match="not the one in the manifest"):
        weights.load("toy")


def test_loading_never_downloads(shelf, monkeypatch):
    monkeypatch.setattr(urllib.request, "urlopen", lambda *args, **options: pytest.fail("asked the network"))
    assert not weights.available("far")
    with pytest.raises(WeightsError, match="please download them first"):
        weights.load("far")
    with pytest.raises(WeightsError, match="nothing to download"):
        weights.download("toy")


def test_what_was_downloaded_loads(shelf, monkeypatch):
    data = (shelf / "toy.safetensors").read_bytes()
    monkeypatch.setattr(download, "_open", lambda url, headers: Answer(data))
    assert [(p.done, p.total) for p in weights.download("far")] == [(0, len(data)), (len(data), len(data))]
    assert weights.path("far") == shelf / "home" / "far.safetensors" and weights.available("far")
    assert torch.equal(weights.load("far")["w"], weights.load("toy")["w"])


def test_downloads_lie_in_the_users_cache_unless_told_otherwise(monkeypatch):
    monkeypatch.delenv("GLASSBOX_HOME", raising=False)
    assert weights.path("vit_b") == Path.home() / ".cache" / "glassbox" / "weights" / "sam_vit_b_01ec64.pth"


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


@pytest.mark.case("A checkpoint with code in it", "One sentence, and the code does not run.")
def test_a_pickle_with_code_is_refused_and_the_code_does_not_run(tmp_path):
    torch.save({"w": Evil(tmp_path / "pwned")}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match="run code"):
        weights.load_file(tmp_path / "evil.pth")
    assert not (tmp_path / "pwned").exists()


BAD_FILES = {
    "empty.safetensors": b"", "short.safetensors": b"\x01\x02",
    "huge-header.safetensors": struct.pack("<Q", 1 << 40) + b"{}",
    "not-json.safetensors": struct.pack("<Q", 4) + b"{{{{", "list.safetensors": struct.pack("<Q", 2) + b"[]",
    "cut.safetensors": struct.pack("<Q", 61)
    + json.dumps({"w": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}).encode()[:61],
    "no-tensors.safetensors": struct.pack("<Q", 2) + b"{}", "deep.safetensors": struct.pack("<Q", 100_000)
    + b"[" * 100_000,
    "text.pth": b"hello", "empty.pth": b"",
}


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.case("A damaged or hostile safetensors header", "One sentence before any tensor is read.")
def test_a_damaged_checkpoint_is_one_sentence(tmp_path, name):
    (tmp_path / name).write_bytes(BAD_FILES[name])
    with pytest.raises(WeightsError) as caught:
        weights.load_file(tmp_path / name)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_a_pth_that_is_no_state_dict_is_refused(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="state dict"):
        weights.load_file(tmp_path / "a.pth")


@pytest.mark.parametrize("name", ["a.bin", "a.ckpt", "a.safetensors.pth", "A.SAFETENSORS"])
def test_an_upload_with_any_other_ending_is_refused(tmp_path, name):
    save_file({"w": torch.zeros(2)}, tmp_path / name)
    with pytest.raises(WeightsError, match="safetensors"):
        weights.load_file(tmp_path / name, trusted=False)


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
