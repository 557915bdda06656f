"""Tiny random networks of every family of real models, and folders of them as their makers would save them."""

import importlib
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

SIZES = {"vocab_size": 96, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4,
         "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64, "initializer_range": 0.4,
         "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "attention_dropout": 0.0}
EXPERTS = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
LLAMA3 = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32}
LINEAR = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 3.0}
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 8.0, "beta_fast": 32.0, "beta_slow": 1.0, "mscale": 1.0,
        "mscale_all_dim": 1.0, "original_max_position_embeddings": 16}
ORIGINAL = {"original_max_position_embeddings": 64}
TWO_KINDS = ["sliding_attention", "full_attention"] * 2
FAMILIES = {
    "llama": ("LlamaConfig", {}), "llama-llama3": ("LlamaConfig", {"rope_parameters": LLAMA3}),
    "llama-linear": ("LlamaConfig", {"rope_parameters": LINEAR}),
    "mistral": ("MistralConfig", {"sliding_window": None}),
    "mistral-windowed": ("MistralConfig", {"sliding_window": 9}),
    "qwen2": ("Qwen2Config", {}),
    "qwen2-windowed": ("Qwen2Config", {"use_sliding_window": True, "sliding_window": 9, "max_window_layers": 2}),
    "qwen3": ("Qwen3Config", {}), "gemma": ("GemmaConfig", {}),
    "gemma2": ("Gemma2Config", {"sliding_window": 9, "attn_logit_softcapping": 3.0, "query_pre_attn_scalar": 16}),
    "gemma3_text": ("Gemma3TextConfig", {"sliding_window": 9, "query_pre_attn_scalar": 16, "layer_types": TWO_KINDS}),
    "phi3": ("Phi3Config", {"sliding_window": None, **ORIGINAL}),
    "phi3-partial": ("Phi3Config", {"partial_rotary_factor": 0.5, **ORIGINAL}),
    "olmo2": ("Olmo2Config", {}),
    "gpt_neox": ("GPTNeoXConfig", {"rotary_pct": 0.5}), "smollm3": ("SmolLM3Config", {}),
    "mixtral": ("MixtralConfig", EXPERTS), "olmoe": ("OlmoeConfig", EXPERTS),
    "qwen2_moe": ("Qwen2MoeConfig", {**EXPERTS, "shared_expert_intermediate_size": 24}),
    "qwen3_moe": ("Qwen3MoeConfig", EXPERTS),
    "deepseek_v3": ("DeepseekV3Config", {
        "n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24, "n_group": 2, "topk_group": 1,
        "first_k_dense_replace": 1, "kv_lora_rank": 16, "q_lora_rank": 24, "qk_rope_head_dim": 8,
        "num_key_value_heads": 4, "qk_nope_head_dim": 8, "v_head_dim": 12, "rope_parameters": YARN}),
    "gpt_oss": ("GptOssConfig", {**EXPERTS, "sliding_window": 9}),
}
TOKENS = torch.randint(3, 96, (2, 201), generator=torch.Generator().manual_seed(0))


def network(name: str, **more: Any) -> torch.nn.Module:
    """A tiny random network of the family, its weights amplified so that attention matters; ``more`` goes to its
    configuration."""
    kind, own = FAMILIES[name]
    config = getattr(importlib.import_module("transformers"), kind)(**{**SIZES, **own, **more})
    torch.manual_seed(0)
    made = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for key, value in made.named_parameters():
            if "sinks" in key or key.endswith("router.bias"):
                value.normal_()
    return made


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a letter: printable ASCII, the letter with code 32 + i as token i; others as the question mark."""
    vocab = {chr(32 + i): i for i in range(95)}
    made = Tokenizer(models.WordLevel(vocab, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="?")


def written(folder: Path, name: str = "llama", **more: Any) -> Path:
    """A folder with such a network and its tokenizer."""
    network(name, **more).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder
