"""Where q, k, v come from, and one sentence for everything that cannot be used."""
import pickle

import pytest
import torch
from safetensors.torch import save_file

from backends import weights
from backends.attention import inputs, readers
from backends.attention.params import TEXT, AttentionParams
from backends.lm import shelf
from backends.lm.pretrained import Heads


def layers(model, tokens):
    """Two layers of four heads of dimension 6: q holds the bytes, k the layer, v the positions."""
    n = len(tokens)
    q = tokens.float().expand(4, n).unsqueeze(-1).expand(4, n, 6)[None]
    v = torch.arange(float(n))[:, None].expand(1, 4, n, 6)
    return tuple(Heads(layer - 1, q, torch.full((1, 4, n, 6), float(layer)), v, 6**-0.5) for layer in (1, 2))


@pytest.fixture
def fake(monkeypatch):
    """Those in the place of what the trained model is given."""
    monkeypatch.setattr(readers, "caught", layers)


def read(**given):
    return inputs.load(AttentionParams(**given))


def test_text_gives_the_chosen_layer_on_its_bytes(fake):
    found = read(text="ab é\n", layer=2, norm=0.5)
    assert found.words.labels == ("a", "b", " ", "é 1/2", "é 2/2", "↵") and found.notice == ""
    assert found.q[0, :, 0].tolist() == [48.5, 49, 16, 97.5, 84.5, 5] and found.k.unique().item() == 1.0
    assert found.v[0, :, 0].tolist() == [0, 1, 2, 3, 4, 5] and (found.head, len(found.q)) == (0, 1)


@pytest.mark.parametrize("text, n, says", [
    ("x", 1, ""),
    ("a" * 512, 512, "longer than it ever saw"),
    ("a" * 513, 512, "first 512 bytes"),
    ("é" * 400, 512, "first 512 bytes"),
    ("a" + "é" * 400, 511, "first 511 bytes"),
    ("汉字" * 1_000_000, 510, "first 510 bytes"),
    ("\ud800 lone", 6, ""),
    ("\0\x07", 2, ""),
], ids=["one byte", "the most", "one too many", "two-byte", "odd cut", "a megabyte", "surrogate", "control"])
def test_long_and_odd_texts(fake, text, n, says):
    found = read(text=text)
    assert found.q.shape == (1, n, 6) and len(found.words.labels) == len(found.words.pieces) == n
    assert says in found.notice and bool(says) == bool(found.notice)


def test_what_a_text_cannot_be(fake):
    with pytest.raises(ValueError, match="text is empty"):
        read(text="")
    with pytest.raises(ValueError, match="has 2 layers"):
        read(text="x", layer=3)
    with pytest.raises(ValueError, match="has 4 heads"):
        read(text="x", head=5)


def test_a_missing_model_is_one_sentence(monkeypatch):
    def missing(name):
        raise weights.WeightsError("The weights are not there.")
    monkeypatch.setattr(shelf, "load", missing)
    with pytest.raises(ValueError, match=r"^The weights are not there\.$"):
        read(text="x")


def test_the_default_text_fits():
    assert 100 <= len(TEXT.encode()) <= 140


@pytest.mark.skipif("softmax" not in shelf.NAMES, reason="no trained softmax model in the manifest")
def test_the_trained_model_reads_the_default_text():
    readers.KEPT.clear()
    layer = shelf.load("softmax").trace(shelf.tokens(TEXT)).layers[2]
    found = read(layer=3, head=2)
    assert torch.allclose(found.q, layer.q[0, 1:2], atol=1e-5) and torch.equal(found.v, layer.v[0, 1:2])
    assert len(found.words.labels) == len(TEXT) and torch.allclose(found.map, layer.matrix[0, 1], atol=1e-6)


def test_synthetic_numbers_follow_the_seed_and_the_norm():
    one, same, sharp, other = (read(source="synthetic", n=9, dim=6, **x) for x in ({}, {}, {"norm": 2.0}, {"seed": 1}))
    assert torch.equal(one.q, same.q) and torch.equal(sharp.k, 2 * one.k) and torch.equal(sharp.v, one.v)
    assert not torch.equal(one.q, other.q) and one.q.shape == (4, 9, 6) and one.words.labels[:2] == ("q0", "q1")
    assert abs(read(source="synthetic", n=512).q.std().item() - 1) < 0.02


def test_a_file_must_be_given_and_hold_the_head():
    with pytest.raises(ValueError, match="Please choose a safetensors file"):
        read(source="file")
    tensors = tuple(torch.randn(3, 2, 5, 4))
    assert inputs.load(AttentionParams(source="file", head=2), tensors).q.shape == (2, 5, 4)
    with pytest.raises(ValueError, match="has 2 heads"):
        inputs.load(AttentionParams(source="file", head=3), tensors)


def saved(folder, q, k=None, v=None, **more):
    """A safetensors file of q, k, v; k and v are q unless given."""
    file = folder / "qkv.safetensors"
    save_file({"q": q, "k": q.clone() if k is None else k, "v": q.clone() if v is None else v} | more, file)
    return file


@pytest.mark.parametrize("shape", [(5, 4), (2, 5, 4), (1, 2, 5, 4), (1, 1), (64, 512, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_good_files(tmp_path, shape, dtype):
    x = torch.randn(shape).to(dtype)
    q, k, v = inputs.read_tensors(saved(tmp_path, x, v=2 * x, other=torch.zeros(3)))
    assert q.dtype == torch.float32 and q.shape == (1, *shape)[-3:] and torch.equal(q.reshape(shape), x.float())
    assert torch.equal(v, 2 * q) and torch.equal(k, q)


def test_fewer_heads_of_k_and_v_are_repeated_for_their_group(tmp_path):
    q, k, v = torch.randn(6, 5, 4), torch.randn(2, 5, 4), torch.randn(2, 5, 3)
    found = inputs.read_tensors(saved(tmp_path, q, k, v))
    assert torch.equal(found[0], q) and [tuple(x.shape) for x in found] == [(6, 5, 4), (6, 5, 4), (6, 5, 3)]
    assert all(torch.equal(found[1][h], k[h // 3]) and torch.equal(found[2][h], v[h // 3]) for h in range(6))
    drawn = inputs.load(AttentionParams(source="file", head=6), found)
    assert drawn.head == 5 and torch.equal(drawn.q[5], q[5])


GOOD = torch.ones(2, 5, 4)


@pytest.mark.parametrize("q, k, says", [
    (GOOD, torch.ones(2, 6, 4), r"the same tokens, .* but have \(2, 5, 4\), \(2, 6, 4\)"),
    (torch.ones(6, 5, 4), torch.ones(4, 5, 4), r"a number of heads that divides q's"),
    (GOOD, torch.ones(2, 5, 6), "q and k the same channels"),
    (torch.ones(5), None, r"q has shape \(5,\)"),
    (torch.ones(2, 2, 5, 4), None, "should be"),
    (torch.ones(2, 0, 4), None, "without an empty axis"),
    (torch.ones(513, 2), None, "at most 64 heads, 512 tokens"),
    (torch.ones(5, 257), None, "256 channels"),
    (torch.ones(65, 2, 2), None, "64 heads"),
    (torch.ones(5, 4, dtype=torch.int64), None, "int64 numbers"),
    (torch.ones(5, 4, dtype=torch.bool), None, "bool numbers"),
    (torch.full((5, 4), torch.nan), None, "not finite"),
    (GOOD, torch.full((2, 5, 4), torch.inf), "k holds values that are not finite"),
    (torch.full((5, 4), 1e300, dtype=torch.float64), None, "not finite"),
    (torch.full((5, 4), 1e7), None, "beyond"),
], ids=str)
def test_bad_tensors(tmp_path, q, k, says):
    with pytest.raises(ValueError, match=says) as error:
        inputs.read_tensors(saved(tmp_path, q, k))
    assert "\n" not in str(error.value)


def test_bad_files(tmp_path):
    def refused(name, data, says):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=says) as error:
            inputs.read_tensors(tmp_path / name)
        assert "\n" not in str(error.value) and str(error.value).endswith(".")
    good = saved(tmp_path, GOOD).read_bytes()
    refused("renamed.safetensors", pickle.dumps({"q": [1.0]}), "not a safetensors file")
    refused("model.pt", good, "Please load a .safetensors file")
    refused("empty.safetensors", b"", "not a safetensors file")
    refused("cut.safetensors", good[:-9], "damaged|not a safetensors")
    refused("text.safetensors", b"q,k,v\n" * 99, "not a safetensors file")
    save_file({"q": GOOD, "k": GOOD.clone()}, tmp_path / "two.safetensors")
    refused("two.safetensors", (tmp_path / "two.safetensors").read_bytes(), "no tensor called v")
    with pytest.raises(ValueError, match="does not exist"):
        inputs.read_tensors(tmp_path / "none.safetensors")


def test_a_huge_file_is_not_read(tmp_path, monkeypatch):
    file = saved(tmp_path, GOOD)
    monkeypatch.setattr(inputs, "MAX_FILE", 10)
    monkeypatch.setattr(weights, "load_file", lambda *args, **more: pytest.fail("read"))
    with pytest.raises(ValueError, match="larger than"):
        inputs.read_tensors(file)


@pytest.mark.parametrize("wrong, says", [
    ({"dim": 3}, "even"), ({"kinds": ()}, "at least one"), ({"kinds": ("softmax", "softmax")}, "each of them once"),
    ({"kinds": ("nothing",)}, "called 'nothing'"), ({"norm": float("nan")}, "between"), ({"n": 0}, "between 1 and 512"),
    ({"n": 513}, "between"), ({"head": 0}, "Head must"), ({"lesson": "x"}, "no lesson"), ({"rank": 0}, "Rank"),
])
def test_params_that_cannot_be(wrong, says):
    with pytest.raises(ValueError, match=says):
        AttentionParams(**wrong)
