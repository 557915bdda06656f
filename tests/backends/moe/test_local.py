"""Checkpoints of one's own: tiny random mixtures of experts that are written to disk, against the experts that
transformers visits."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, MixtralConfig, OlmoeConfig, Qwen2MoeConfig, Qwen3MoeConfig

from backends.moe import local
from tests.families import tokenizer

SIZES = {"vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 4, "intermediate_size": 24, "num_experts_per_tok": 2, "initializer_range": 0.4}
KINDS = {MixtralConfig: {"num_local_experts": 4}, OlmoeConfig: {"num_experts": 6},
         Qwen2MoeConfig: {"num_experts": 6, "moe_intermediate_size": 24, "shared_expert_intermediate_size": 24,
                          "decoder_sparse_step": 1},
         Qwen3MoeConfig: {"num_experts": 6, "moe_intermediate_size": 24, "head_dim": 8, "decoder_sparse_step": 1}}
TOKENS = torch.randint(0, 96, (40,), generator=torch.Generator().manual_seed(0))


def written(folder, kind):
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(kind(**SIZES, **KINDS[kind])).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_go_where_the_network_sends_them(tmp_path, kind):
    mixture = local.load(written(tmp_path, kind))
    visited = []
    for layer in mixture.model.network.model.layers:
        layer.mlp.experts.register_forward_pre_hook(lambda _, given: visited.append(given[1]))
    routed = local.routings(mixture, TOKENS)
    assert len(routed) == 2 and mixture.k == 2
    for one, index in zip(routed, visited, strict=True):
        assert torch.equal(one.kept, torch.zeros_like(one.kept).scatter(1, index, True))
    printed = list(local.rows(routed, ["w"] * 40))
    assert [sum(row["loads"]) for row in printed[:2]] == [80, 80] and len(printed) == 42
    assert all(len(experts) == 2 for row in printed[2:] for experts in row["experts"])


def test_other_folders_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"no config\.json"):
        local.load(tmp_path)
    (tmp_path / "config.json").write_text("[")
    with pytest.raises(ValueError, match="not JSON"):
        local.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(ValueError, match="'llama' is not known here"):
        local.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mixtral"} | SIZES | KINDS[MixtralConfig]))
    with pytest.raises(ValueError, match="no weights that can be read"):
        local.load(tmp_path)
