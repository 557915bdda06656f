"""Checkpoints of one's own: tiny random Llamas that are written to disk, against what transformers itself makes of
them."""
import json

import pytest
import torch
from torch.nn import functional as F
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, MistralConfig, Qwen2Config, Qwen3Config

from backends import checkpoints
from backends.rope import calculator, local
from backends.rope.methods import ON_ROPE, Rules, plan

L, D, N = 64, 8, 200
SIZES = {"vocab_size": 96, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "head_dim": D, "max_position_embeddings": L, "initializer_range": 0.4,
         "tie_word_embeddings": False}
TOKENS = torch.randint(0, 96, (2, N + 1), generator=torch.Generator().manual_seed(0))


def written(folder, kind=LlamaConfig, **more):
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(kind(**SIZES, **more)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return written(tmp_path_factory.mktemp("llama"))


def theirs(folder, tokens, block=None, positions=None):
    """Losses and guesses of the last 64 tokens by transformers alone, with another rope_parameters block."""
    config = LlamaConfig.from_pretrained(folder)
    if block is not None:
        config.rope_parameters, config.max_position_embeddings = block, positions
    logits = LlamaForCausalLM.from_pretrained(folder, config=config).eval()(tokens[:, :-1]).logits[:, -64:]
    return F.cross_entropy(logits.transpose(1, 2), tokens[:, -64:], reduction="none").detach()


@pytest.mark.parametrize("name", calculator.CALCULATED)
def test_a_method_gives_what_transformers_makes_of_its_block(llama, name):
    checkpoint = local.load(llama)
    rules = local.rules_for(checkpoint.described)
    rules = Rules(trained=L, tau=4.0, window=16)
    row = calculator.calculate(D, 10_000.0, L, N, (name,), rules).rows[0]
    loss, right = local.last_losses(checkpoint, TOKENS, name, rules)
    truth = theirs(llama, TOKENS, row.block, row.positions)
    assert right.shape == (2, 64) and (loss - truth).abs().max() < 2e-3
    assert name == "none" or (truth - theirs(llama, TOKENS)).abs().max() > 0.02


@pytest.mark.parametrize("name", [name for name in ON_ROPE if name not in calculator.CALCULATED])
def test_what_no_block_can_say_runs_and_changes_nothing_within_the_window(llama, name):
    checkpoint = local.load(llama)
    far, inside = (local.last_losses(checkpoint, TOKENS[:, -n:], name, Rules(trained=L, window=24))[0]
                   for n in (N + 1, L + 1))
    assert (far - theirs(llama, TOKENS)).abs().max() > 0.02
    wide = local.last_losses(checkpoint, TOKENS[:, -L - 1 :], name, Rules(trained=L, window=L))[0]
    assert (wide - theirs(llama, TOKENS[:, -L - 1 :])).abs().max() < 2e-3 and inside.isfinite().all()


@pytest.mark.parametrize(("kind", "more"), [
    (MistralConfig, {"sliding_window": None}), (Qwen2Config, {}), (Qwen3Config, {}),
    (LlamaConfig, {"tie_word_embeddings": True})])
def test_relatives_of_llama_read_as_they_do_by_themselves(tmp_path, kind, more):
    written(tmp_path, kind, **({k: v for k, v in more.items() if k not in SIZES}))
    truth = AutoModelForCausalLM.from_pretrained(tmp_path).eval()(TOKENS[:, :-1]).logits[:, -64:]
    loss, right = local.last_losses(local.load(tmp_path), TOKENS, "none", Rules(trained=L))
    assert torch.allclose(loss, F.cross_entropy(truth.transpose(1, 2), TOKENS[:, -64:], reduction="none"), atol=1e-3)
    assert (right == (truth.argmax(-1) == TOKENS[:, -64:])).float().mean() > 0.99


def test_the_curve_grows_over_the_same_tokens(llama):
    checkpoint = local.load(llama)
    rules = local.rules_for(checkpoint.described)
    assert (rules.window, rules.trained, rules.base) == (16, 64, 10_000.0)
    text = TOKENS.flatten()
    steps = list(local.curve(checkpoint, text, ("none", "rerope"), rules, longest=3, samples=2))
    assert [sum(len(line.lengths) for line in step.lines) for step in steps] == list(range(1, 7))
    last = steps[-1]
    assert last.plan == (64, 128, 192) and last.samples == 2 and local._newest(steps[1])["method"] == "rerope"
    ends = [len(text), 193]
    by_hand, plain = ([local.last_losses(checkpoint, text[None, e - size - 1 : e], name, rules)[0].mean().item()
                       for e in ends]
                      for name, size in (("rerope", 128), ("none", 64)))
    effects = [found - own for found, own in zip(by_hand, plain)]
    assert last.lines[1].loss[1] == pytest.approx(sum(by_hand) / 2, abs=1e-5)
    assert last.lines[1].loss_low[1] == pytest.approx(sum(by_hand) / 2 + min(effects) - sum(effects) / 2, abs=1e-5)


@pytest.mark.parametrize(("change", "said"), [
    ({"model_type": "gpt_neox"}, "not known here"),
    ({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}, "changed or partial already"),
    ({"sliding_window": 32, "model_type": "mistral"}, "sliding window"),
    ({"hidden_size": 64}, "do not fit"),
])
def test_other_checkpoints_are_refused_in_a_sentence(llama, tmp_path, change, said):
    for file in llama.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(ValueError, match=said):
        local.load(tmp_path)


def test_missing_files_and_wrong_wishes_are_said_in_a_sentence(llama, tmp_path):
    with pytest.raises(ValueError, match=r"no config\.json"):
        local.load(tmp_path)
    (tmp_path / "config.json").write_bytes((llama / "config.json").read_bytes())
    with pytest.raises(ValueError, match="no safetensors weights"):
        local.load(tmp_path)
    with pytest.raises(ValueError, match="no tokenizer"):
        checkpoints.encoded(llama, "text")
    checkpoint = local.load(llama)
    rules = local.rules_for(checkpoint.described)
    with pytest.raises(ValueError, match="'keynorm' cannot be run"):
        next(local.curve(checkpoint, TOKENS[0], ("keynorm",), rules))
    with pytest.raises(ValueError, match="40 tokens"):
        next(local.curve(checkpoint, TOKENS[0, :40], ("none",), rules))


def test_a_method_s_plan_is_what_reaches_the_attention(llama):
    q, k = torch.randn(1, 4, 5, D), torch.randn(1, 2, 5, D)
    with pytest.raises(ValueError, match="a way of its own"):
        local.attention(torch.nn.Identity(), q, k, k, None, plan("none", 5, D), scaling=1.0)
