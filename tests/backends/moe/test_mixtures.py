"""Mixtures of experts of one's own, as tiny random networks of every family: what their experts are really given, our
rules against that, layer numbers, a disabled and a forced expert, balance losses, and tokens in every script."""

import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch.nn import functional as F
from transformers import PreTrainedTokenizerFast

from backends import checkpoints
from backends.lm.pretrained import ROUTED
from backends.moe import mixtures, own
from backends.moe.choices import Change, Rule, balance, chosen, shares, spread
from backends.moe.params import KINDS, MOST, MoeParams
from tests.families import TOKENS, written

VARIANTS = {name: (name, {}) for name in ROUTED} | {
    "qwen2 sparse": ("qwen2_moe", {"decoder_sparse_step": 2}),
    "qwen2 some": ("qwen2_moe", {"mlp_only_layers": [0, 3]}),
    "qwen3 both": ("qwen3_moe", {"decoder_sparse_step": 2, "mlp_only_layers": [1], "norm_topk_prob": True}),
    "olmoe normed": ("olmoe", {"norm_topk_prob": True}),
    "deepseek deep": ("deepseek_v3", {"first_k_dense_replace": 3, "norm_topk_prob": False}),
    "deepseek groups": ("deepseek_v3", {"n_routed_experts": 12, "num_local_experts": 12, "n_group": 4, "topk_group": 2,
                                        "num_experts_per_tok": 3, "routed_scaling_factor": 1.7}),
}
NUMBERS = {"deepseek_v3": [2, 3, 4], "deepseek groups": [2, 3, 4], "deepseek deep": [4], "qwen2 sparse": [2, 4],
           "qwen2 some": [2, 3], "qwen3 both": [4]}
"""Layers with experts, from 1, where the first ones or some between are dense."""


@pytest.fixture(scope="module", params=VARIANTS)
def found(request, tmp_path_factory):
    """(name, mixture): each family, written to disk and read; DeepSeek's bias, zero when new, is drawn."""
    name, more = VARIANTS[request.param]
    folder = written(tmp_path_factory.mktemp("moe") / "it", name, **more)
    made = mixtures.mixture(checkpoints.load(folder), "it")
    for site in made.layers:
        if site.rule.bias is not None:
            site.rule.bias.copy_(torch.randn(len(site.rule.bias), generator=torch.Generator().manual_seed(1)) / 4)
    return request.param, made


def test_the_kinds_are_those_whose_attention_is_known():
    assert KINDS == ROUTED


def test_layers_are_numbered_as_the_network_has_them(found):
    name, made = found
    assert [site.number for site in made.layers] == NUMBERS.get(name, [1, 2, 3, 4]) and made.depth == 4
    for site in made.layers:
        block = made.checkpoint.network.get_submodule(site.module)
        assert block is made.checkpoint.network.model.layers[site.number - 1].mlp and block.experts is site.experts


def test_our_rule_is_what_the_experts_were_given(found):
    _, made = found
    tokens, seen = TOKENS[0, :80], {}
    hooks = [site.experts.register_forward_pre_hook(lambda _, x, at=site.number: seen.update({at: x[1:3]}))
             for site in made.layers]
    logits = made.checkpoint.network(tokens[None], use_cache=False).logits[0]
    for hook in hooks:
        hook.remove()
    read = made.read(tokens)
    torch.testing.assert_close(read.losses, F.cross_entropy(logits[:-1], tokens[1:], reduction="none"))
    for site, one in zip(made.layers, read.choices, strict=True):
        e = one.logits.shape[1]
        real = spread(*seen[site.number], e)
        torch.testing.assert_close(spread(one.experts, one.weights, e), real, atol=1e-6, rtol=0)
        torch.testing.assert_close(spread(*chosen(site.rule, one.logits), e), real, atol=1e-5, rtol=0)
        assert (one.weights[:, :-1] >= one.weights[:, 1:]).all()


def test_the_routers_answers_worked_out_here_change_nothing(found):
    _, made = found
    torch.testing.assert_close(made.read(TOKENS[0, :80], Change()).losses, made.read(TOKENS[0, :80]).losses, atol=1e-5,
                               rtol=0)


@pytest.mark.parametrize("kind", ["disabled", "forced"])
def test_an_expert_is_disabled_or_forced_in_its_layer_alone(found, kind):
    _, made = found
    site = made.layers[-1]
    change = Change(kind, site.number, 1)
    plain, other = made.read(TOKENS[0, :80]), made.read(TOKENS[0, :80], change)
    for before, after in zip(plain.choices[:-1], other.choices[:-1], strict=True):
        assert torch.equal(before.experts, after.experts)
    had, has = ((one.choices[-1].experts == 1).any(-1) for one in (plain, other))
    weights = (other.choices[-1].weights * (other.choices[-1].experts == 1)).sum(-1)
    assert had.any() and not had.all()
    assert (not weights.any()) if kind == "disabled" else (has.all() and (weights > 0).all())
    same = had if kind == "forced" else ~had
    divided = site.rule.kind == "sigmoid" or not site.rule.normed      # other groups open, or probabilities grow
    if kind == "forced" or not divided:
        torch.testing.assert_close(other.choices[-1].weights[same], plain.choices[-1].weights[same], atol=1e-5, rtol=0)
    assert (plain.losses - other.losses).abs().max() > 1e-4
    assert not own.did(made, plain, plain, change).ok and own.did(made, plain, other, change).ok


def by_hand(row, rule, bias):
    """DeepSeek-V3's choice for one token, as its report words it."""
    scores = 1 / (1 + np.exp(-row))
    size = len(row) // rule.groups
    groups = [range(g * size, (g + 1) * size) for g in range(rule.groups)]
    best = sorted(groups, key=lambda g: -sum(sorted(scores[i] + bias[i] for i in g)[-2:]))[: rule.open]
    kept = sorted((i for g in best for i in g), key=lambda i: -(scores[i] + bias[i]))[: rule.k]
    total = sum(scores[i] for i in kept) if rule.normed else 1.0
    return {i: rule.scale * scores[i] / total for i in kept}


def test_deepseek_s_groups_bias_and_factor_by_hand():
    random = np.random.default_rng(0)
    logits, bias = random.normal(size=(40, 12)), random.normal(size=12) / 3
    rule = Rule("sigmoid", 3, True, torch.tensor(bias), 4, 2, 2.5)
    experts, weights = chosen(rule, torch.tensor(logits))
    for row, mine, given in zip(logits, experts.tolist(), weights.tolist(), strict=True):
        assert dict(zip(mine, given, strict=True)) == pytest.approx(by_hand(row, rule, bias), abs=1e-5)


def test_gpt_oss_s_weights_are_of_the_chosen_alone():
    logits = torch.tensor([[1.0, 3.0, 2.0, -1.0]])
    experts, weights = chosen(Rule("chosen", 2), logits)
    assert experts.tolist() == [[1, 2]]
    torch.testing.assert_close(weights, torch.tensor([[3.0, 2.0]]).softmax(-1))


def test_no_one_takes_the_place_of_a_disabled_expert_when_all_are_chosen():
    logits = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    for rule in (Rule("softmax", 4), Rule("chosen", 4), Rule("sigmoid", 4, bias=torch.ones(4))):
        experts, weights = chosen(rule, logits, Change("disabled", 0, 2))
        assert not (weights * (experts == 2)).any()
        torch.testing.assert_close(weights.sum(-1), torch.ones(9))


def test_the_pooled_balance_is_the_networks_aux_loss_and_knows_no_padding(found):
    _, made = found
    tokens = TOKENS[0, :80]
    read = made.read(tokens)
    pooled = own.pooled(made, read)
    if made.kind == "deepseek_v3":
        assert made.reported(read) is None
        return
    theirs = made.checkpoint.network(tokens[None], output_router_logits=True, use_cache=False).aux_loss.item()
    assert pooled == pytest.approx(theirs, rel=1e-5) and made.reported(read) == pytest.approx(theirs, rel=1e-5)
    function = sys.modules[type(made.checkpoint.network).__module__].load_balancing_loss_func
    rows = tuple(torch.cat([one.logits, torch.randn(20, 4)]) for one in read.choices)
    mask = torch.cat([torch.ones(1, 80), torch.zeros(1, 20)], 1)
    assert function(rows, 4, 2, mask).item() == pytest.approx(pooled, rel=1e-5)


def test_two_layers_that_each_crowd_one_expert_look_even_when_pooled():
    rows = [F.one_hot(torch.full((50,), at), 2) * 20.0 for at in (0, 1)]
    rule = Rule("softmax", 1)
    one, two = ((chosen(rule, x)[0], shares(rule, x)) for x in rows)
    assert balance(*one) == pytest.approx(2, abs=1e-4) and balance(*two) == pytest.approx(2, abs=1e-4)
    assert balance(torch.cat([one[0], two[0]]), torch.cat([one[1], two[1]])) == pytest.approx(1, abs=1e-4)


def test_loads_entropy_and_what_layers_tell_of_each_other_by_hand(found):
    _, made = found
    body = own.described(made, made.read(TOKENS[0, :80]))
    for load in body.loads:
        counts = [sum(e in row for row in load.experts.tolist()) for e in range(body.experts)]
        assert list(load.counts) == counts and sum(counts) == 80 * body.k
        share = [c / sum(counts) for c in counts if c]
        assert load.entropy == pytest.approx(-sum(p * np.log2(p) for p in share))
    assert [load.told is None for load in body.loads] == [False] * (len(body.loads) - 1) + [True]
    if len(body.pair) == 2:
        a, b = (load.experts for load in body.shown)
        assert body.together[1, 2] == sum(1 in x and 2 in y for x, y in zip(a.tolist(), b.tolist(), strict=True))


def test_equal_layers_tell_each_other_all_and_shuffled_ones_little():
    a = np.random.default_rng(0).integers(0, 4, (400, 1))
    told, chance = own.linked(a, a, 4, 0)
    assert told == pytest.approx(own.entropy(np.bincount(a[:, 0]))) and chance < 0.05


def hooks(made):
    """How many each router and its experts have."""
    parts = [part for site in made.layers for part in (site.router, site.experts)]
    return [len(part._forward_hooks) + len(part._forward_pre_hooks) for part in parts]


def test_readers_of_one_network_do_not_hear_each_other(found):
    _, made = found
    alone = made.read(TOKENS[0, :60]).choices[-1]
    results, start, before = [], threading.Barrier(3), hooks(made)

    def work(tokens):
        start.wait()
        results.append((len(tokens), made.read(tokens, Change("disabled", made.layers[-1].number, 0))))

    others = [threading.Thread(target=work, args=(TOKENS[1, :n],)) for n in (40, 90)]
    for one in others:
        one.start()
    start.wait()
    for _ in range(5):
        assert torch.equal(made.read(TOKENS[0, :60]).choices[-1].experts, alone.experts)
    for one in others:
        one.join()
    assert all(len(read.choices[-1].logits) == n for n, read in results) and len(results) == 2
    assert hooks(made) == before


def byte_level():
    """A byte-level tokenizer, as GPT-2's, without merges: one token a byte."""
    vocab = {letter: at for at, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    made = Tokenizer(models.BPE(vocab, []))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=made)


@pytest.mark.parametrize("text", ["你好 a", "🙂🎉 ok\n", "été", " שלום"])
def test_pieces_of_characters_are_shown_as_the_characters(found, text):
    _, made = found
    tokens, labels = replace(made, checkpoint=replace(made.checkpoint, tokenizer=byte_level())).spelled(text)
    assert len(tokens) == len(labels) == len(text.encode())
    assert "".join(label for label in labels if label != "·") == text
    assert labels.count("·") == len(text.encode()) - len(text)


def test_what_the_shelf_has_is_read_and_a_dense_model_is_refused(tmp_path, monkeypatch):
    for name in ("mixtral", "llama"):
        written(tmp_path / name, name)
    monkeypatch.setenv("GLASSBOX_MODELS", str(tmp_path))
    params = MoeParams(view="own", mixture="folder:mixtral", text="Hello, experts! " * 40, change="disabled", one=2)
    first, last = own.own(params)
    assert first[0].changed is None and first[2] is None and last[0].changed != last[0].loss
    assert last[0].tokens == MOST and last[0].whole == 640 and len(last[0].labels) == MOST
    assert f"Only the first {MOST} of 640 tokens are read." in last[1] and all(check.ok for check in last[2])
    for change, sentence in (({"mixture": "folder:llama"}, "dense model"), ({"mixture": "folder:no"}, "no model call"),
                             ({"site": 9}, "not routed; those that are: 1, 2, 3, 4"), ({"one": 4}, "no expert 4"),
                             ({"text": "x"}, "one token")):
        with pytest.raises(ValueError, match=sentence):
            next(own.own(replace(params, **change)))
