"""Models that read a text: words of tokens, q, k and v as the model uses them, all its heads, and other kinds in the
place of its softmax; held against transformers' own attention on tiny networks of families with all that a softmax may
have, and on SmolLM2."""
import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from tokenizers import Tokenizer, normalizers
from tokenizers.models import BPE
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from backends import checkpoints, models, smollm
from backends.attention import answer, cost, readers, sheet, words
from backends.attention.params import KINDS, AttentionParams
from backends.lm.pretrained import attended, weights
from tests.families import network, written

FAMILIES = ("llama", "mistral-windowed", "gemma2", "gemma3_text", "gpt_oss", "deepseek_v3", "gpt_neox", "phi3")
TEXT = "def f(x): return x + 1 # a text of some length"
REAL = AttentionParams(source="model", model="folder:tiny", text=TEXT, kinds=("softmax", "elu1", "diag"))


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Puts a tiny network of a family on the shelf, in float32."""
    def put(family):
        written(tmp_path / family / "tiny", family)
        monkeypatch.setenv("GLASSBOX_MODELS", str(tmp_path / family))
        monkeypatch.setattr(models, "precision", lambda device: torch.float32)
        models._loaded().clear()
        readers.KEPT.clear()
        return checkpoints.load(tmp_path / family / "tiny")
    yield put
    models._loaded().clear()
    readers.KEPT.clear()


@pytest.mark.parametrize("text, labels, pieces", [
    ("a注\n", ("a", "注 1/3", "注 2/3", "注 3/3", "↵"), ("a", "注", "", "", "↵")),
    ("é\t\x07", ("é 1/2", "é 2/2", "⇥", "\\x07"), ("é", "", "⇥", "\\x07")),
    ("👍", ("👍 1/4", "👍 2/4", "👍 3/4", "👍 4/4"), ("👍", "", "", "")),
    ("\u200d", ("U+200D 1/3", "U+200D 2/3", "U+200D 3/3"), ("", "", "")),
])
def test_bytes_read_as_the_characters_that_they_are_of(text, labels, pieces):
    assert words.of_bytes(text) == words.Words(labels, pieces)


def test_tokens_read_as_what_they_come_from():
    text = " 👍ab  c注"
    spans = [(0, 0), (0, 2), (1, 2), (1, 2), (2, 4), (6, 7), (7, 8), (7, 8)]
    found = words.of_spans(text, spans, ["<s>", *"abcdefg"])
    assert found.labels == ("<s>", " 👍 1/3", "👍 2/3", "👍 3/3", "ab", "  c", "注 1/2", "注 2/2")
    assert found.pieces == ("", " 👍", "", "", "ab", "  c", "注", "") and "".join(found.pieces) == text
    assert found.first(2).labels == ("<s>", " 👍 1/3")


@pytest.mark.parametrize("family", FAMILIES)
def test_softmax_of_every_head_is_what_transformers_uses(family, tiny):
    found = tiny(family)
    ids = found.encoded(TEXT)
    with torch.no_grad():
        truth = network(family)(ids[None], output_attentions=True).attentions
    for layer, head in ((1, 1), (2, 4), (4, 3)):
        result = answer(replace(REAL, layer=layer, head=head))
        card = result.body.cards[0]
        assert torch.allclose(card.weights[0], truth[layer - 1][0, head - 1], atol=1e-5)
        assert all(check.ok for check in result.checks) and len(result.checks) == 6
        assert any(check.name == "softmax is the model's own" for check in result.checks)
        assert "".join(result.body.pieces) == TEXT and result.body.head == 0
    if family == "gpt_oss":
        assert "learned sink" in result.notice and float(card.weights.sum(-1).min()) < 0.9


def test_the_model_s_own_map_is_checked(tiny, monkeypatch):
    tiny("gemma2")
    monkeypatch.setattr(readers, "folded", lambda heads: (heads.q[0], heads.k[0], heads.v[0]))
    own = next(check for check in answer(replace(REAL, layer=2)).checks if check.name.endswith("own"))
    assert not own.ok and own.value > 1e-3
    names = [check.name for check in answer(replace(REAL, layer=2, norm=0.5)).checks]
    assert own.name not in names


def test_what_a_real_model_cannot_do_is_one_sentence(tiny):
    tiny("llama")
    for change, says in (({"layer": 5}, "has 4 layers"), ({"head": 5}, "has 4 heads"), ({"text": ""}, "text is empty"),
                         ({"model": "folder:none"}, "no model called"), ({"lesson": "cost", "text": "x"}, "two tokens"),
                         ({"lesson": "cost", "scope": "layer", "layer": 9}, "has 4 layers"),
                         ({"lesson": "cost", "kinds": ("linformer",)}, "can be causal")):
        with pytest.raises(ValueError, match=says):
            answer(replace(REAL, **change))
    long = answer(replace(REAL, text="ab" * 400, kinds=("softmax",)))
    assert len(long.body.labels) == 512 and long.notice == "Only the first 512 tokens of the text are used."


def test_another_head_of_the_same_text_reads_nothing_again(tiny, monkeypatch):
    tiny("llama")
    first = answer(REAL).body
    monkeypatch.setattr(readers, "attended", lambda heads: pytest.fail("read again"))
    assert answer(replace(REAL, layer=3, head=2)).body.digest != first.digest


@pytest.mark.parametrize("family", ["llama", "gpt_oss", "mistral-windowed"])
def test_a_sheet_measures_every_head_as_a_loop_does(family, tiny):
    found = tiny(family)
    before, result = answer.stream(replace(REAL, lesson="heads"))
    body = result.body
    assert not before.finished and before.body.induction is None and all(check.ok for check in result.checks)
    ids, seen = found.encoded(TEXT), []
    model = readers.reader(REAL)
    model.logits(ids, lambda heads: (seen.append(weights(heads)[0]), attended(heads))[1])
    n = len(ids)
    for layer, head in ((0, 0), (3, 2)):
        a = seen[layer][head].tolist()
        rows = [[x / sum(row) for x in row] for row in a]
        later = range(1, n)
        wanted = (sum(a[i][0] for i in later), sum(a[i][i - 1] for i in later),
                  sum(-x * math.log(x) for i in later for x in rows[i] if x > 0),
                  sum(x * (i - j) for i in later for j, x in enumerate(rows[i])))
        scores = (body.first, body.previous, body.entropy, body.reach)
        assert [float(s[layer, head]) for s in scores] == pytest.approx([w / (n - 1) for w in wanted], rel=1e-4)
        side = body.maps.shape[-1]
        ends = [at * n // side for at in range(side + 1)]
        cells = [[max(a[i][j] for i in range(*rows) for j in range(*columns)) for columns in pairwise(ends)]
                 for rows in pairwise(ends)]
        assert (body.maps[layer, head] - (255 * torch.tensor(cells).sqrt()).round()).abs().max() <= 1


def test_a_head_that_copies_has_an_induction_score_of_one():
    a = torch.zeros(2, 13, 13)
    for i in range(7, 13):
        a[0, i, i - 5], a[1, i, i - 6] = 1.0, 1.0
    assert sheet.induction(a, 6, 1).tolist() == [1.0, 0.0]


def test_the_small_maps_of_any_model_travel_together():
    for layers, heads in ((30, 9), (32, 32), (80, 64), (126, 128)):
        model = replace(readers.reader(AttentionParams()), layers=layers, heads=heads)
        side = sheet.side(model, 512)
        assert 1 <= side <= sheet.SIDE and (layers * heads * side * (side + 1) // 2 <= sheet.CELLS or side < 4)
    assert sheet.side(model, 2) <= 2 and sheet.pooled(torch.ones(1, 7, 7).tril(), 3)[0].triu(1).max() == 0


@pytest.mark.parametrize("family", ["llama", "gpt_oss", "gemma2"])
def test_softmax_in_its_own_place_costs_nothing_and_others_stand_in_for_every_layer(family, tiny):
    tiny(family)
    params = replace(REAL, lesson="cost", kinds=("elu1", "linformer", "softmax"))
    *grown, result = answer.stream(params)
    body, own = result.body, result.body.own.loss
    assert [len(r.body.prices) for r in grown] == [0, 1] and "Left out, since they see the future: Linformer." in \
        result.notice and result.checks[0].ok
    loss = {price.kind: price.loss for price in body.prices}
    assert abs(loss["softmax"] - own) < 1e-4 < abs(loss["elu1"] - own)
    one = answer(replace(params, scope="layer", layer=2)).body.prices[0].loss
    assert one not in (own, loss["elu1"]) and body.alike == pytest.approx(math.log(96))


def test_a_kind_in_all_layers_of_the_small_model_gives_the_past_no_sight_of_the_future():
    model = readers.reader(AttentionParams())
    tokens = model.read(TEXT)[0]
    other = torch.cat([tokens[:-1], tokens[-1:] + 1])
    for kind in KINDS.values():
        if kind.causal:
            way = cost.replaced(kind.name, 0, AttentionParams())
            one, two = (model.logits(x, way)[:-1] for x in (tokens, other))
            assert torch.allclose(one, two, atol=1e-3), kind.name


def test_random_tokens_follow_the_seed_and_are_words():
    model = readers.reader(AttentionParams())
    assert model.random(40, 1).tolist() == model.random(40, 1).tolist() != model.random(40, 2).tolist()
    assert len(set(model.random(200, 0).tolist())) == 95 and model.random(200, 0).min() >= 32


def test_a_space_that_a_tokenizer_puts_before_a_text_is_no_part_of_it():
    vocab = {"<unk>": 0} | {f"<0x{i:02X}>": i + 1 for i in range(256)} | {c: 257 + i for i, c in enumerate("▁abc")}
    made = Tokenizer(BPE(vocab=vocab, merges=[], byte_fallback=True, unk_token="<unk>"))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    found = words.of_tokens(PreTrainedTokenizerFast(tokenizer_object=made), "a 注")[1]
    assert found.labels == ("▁", "a", " ", "注 1/3", "注 2/3", "注 3/3")
    assert found.pieces == ("", "a", " ", "注", "", "")


def test_the_words_of_a_real_tokenizer_make_up_the_text(smollm_home):
    tokenizer = AutoTokenizer.from_pretrained(smollm.folder())
    text = "注意力 👍🏽 has café,\n\n\t早安 \u200d x"
    ids, found = words.of_tokens(tokenizer, text)
    assert len(ids) == len(found.labels) > 20 and found.labels[:2] == ("注 1/2", "注 2/2") and found.pieces[1] == ""
    assert "".join(found.pieces).replace("↵", "\n").replace("⇥", "\t") == text
    assert not any("\ufffd" in label for label in found.labels)
