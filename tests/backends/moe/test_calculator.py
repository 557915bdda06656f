"""Sizes of public models against the networks that transformers builds from the same numbers, and against what their
authors say."""

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    DeepseekV3Config,
    MixtralConfig,
    OlmoeConfig,
    Qwen2MoeConfig,
    Qwen3MoeConfig,
)

from backends.moe import calculator
from backends.moe.calculator import MODELS, Latent, Model, bill, parts, visited

KINDS = {"Mixtral-8x7B": MixtralConfig, "Mixtral-8x22B": MixtralConfig, "Qwen1.5-MoE-A2.7B": Qwen2MoeConfig,
         "OLMoE-1B-7B": OlmoeConfig, "Qwen3-30B-A3B": Qwen3MoeConfig, "Qwen3-235B-A22B": Qwen3MoeConfig}


def built(name, m):
    """Number of parameters of transformers' network of these sizes, without memory."""
    sizes = {"hidden_size": m.width, "num_hidden_layers": m.layers, "num_attention_heads": m.heads,
             "num_key_value_heads": m.groups, "vocab_size": m.vocab, "num_experts_per_tok": m.k,
             "tie_word_embeddings": False}
    if name == "DeepSeek-V3":
        low = m.latent
        config = DeepseekV3Config(**sizes, intermediate_size=m.dense, moe_intermediate_size=m.hidden,
                                  n_routed_experts=m.experts, n_shared_experts=1, first_k_dense_replace=m.first,
                                  q_lora_rank=low.query, kv_lora_rank=low.cache, qk_nope_head_dim=low.plain,
                                  qk_rope_head_dim=low.rotated, v_head_dim=low.value, n_group=1, topk_group=1)
    else:
        more = ({"num_local_experts": m.experts} if KINDS[name] is MixtralConfig
                else {"num_experts": m.experts, "decoder_sparse_step": 1})
        more |= ({"moe_intermediate_size": m.hidden} if KINDS[name] in (Qwen2MoeConfig, Qwen3MoeConfig)
                 else {"intermediate_size": m.hidden})
        more |= {"shared_expert_intermediate_size": m.shared} if m.shared else {}
        more |= {} if KINDS[name] is OlmoeConfig or KINDS[name] is Qwen2MoeConfig else {"head_dim": m.head}
        config = KINDS[name](**sizes, **more)
    with torch.device("meta"):
        network = AutoModelForCausalLM.from_config(config)
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("name", MODELS)
def test_parameters_are_those_of_the_network(name):
    m = MODELS[name]
    few = {"layers": 3, "vocab": 1000, "first": min(m.first, 1)}
    small = Model(**{**vars(m), **few})
    assert sum(part.total for part in parts(small)) == built(name, small)


@pytest.mark.parametrize("name", MODELS)
def test_totals_are_what_the_authors_say(name):
    found = bill(name, 1, 4096, 1.0)
    assert found.total / 1e9 == pytest.approx(found.published[0], rel=0.005)
    assert found.active / 1e9 == pytest.approx(found.published[1], rel=0.03)
    assert dict(found.bytes)["bfloat16"] == 2 * found.total and found.active < found.total < found.naive


def test_costs_by_hand():
    found = bill("Mixtral-8x7B", 3, 1000, 2.0)
    assert found.cache_token == 2 * 32 * 8 * 128 * 2 and found.cache == 3000 * found.cache_token
    expert = 3 * 4096 * 14336
    rest = found.total - 32 * 8 * expert - 32000 * 4096
    assert found.read == pytest.approx(2 * (rest + 32 * found.visited * expert))
    assert found.least == pytest.approx(found.read / 2e12 * 1e3)
    assert bill("DeepSeek-V3", 1, 1, 1.0).cache_token == 61 * (512 + 64) * 2
    assert isinstance(MODELS["DeepSeek-V3"].latent, Latent)
    assert calculator.attention(MODELS["Mixtral-8x7B"])[0] == 41_943_040


def test_visited_experts_are_those_of_a_simulation():
    random = torch.Generator().manual_seed(0)
    for batch in (1, 4, 32):
        draws = torch.rand(4000, batch, 16, generator=random).argsort(-1)[..., :3]
        seen = torch.zeros(4000, 16).scatter(1, draws.flatten(1), 1.0).sum(1).mean().item()
        assert seen == pytest.approx(visited(16, 3, batch), abs=0.1)
