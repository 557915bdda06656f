"""What transformers 5.18 takes for a model family where its config.json names nothing, and families whose attention
does more than the file says.  By model_type; held together with transformers by a test.
"""
from __future__ import annotations

_LOCAL = {"head_dim": 256, "rope_theta": 1e6, "rope_local_base_freq": 1e4}
_HALF = {"head_dim": 128, "partial_rotary_factor": 0.5}
_BASES = {1e6: ("mixtral", "qwen2_vl_text", "qwen2_5_vl_text", "phimoe", "minimax", "lfm2"),
          5e5: ("olmo3", "cohere", "qwen3_vl_text", "mllama_text_model", "bitnet", "ernie4_5", "ernie4_5_moe"),
          5e6: ("minimax_m2",), 1e5: ("helium",), 1.5e5: ("gpt_oss",), 1.2e7: ("apertus",)}
_SHARES = {0.5: ("phi", "nemotron", "persimmon", "glm4_moe"), 0.25: ("gpt_neox", "stablelm")}

DEFAULTS: dict[str, dict[str, float]] = {
    **{name: {"rope_theta": base} for base, names in _BASES.items() for name in names},
    **{name: {"partial_rotary_factor": share} for share, names in _SHARES.items() for name in names},
    "gemma": {"head_dim": 256}, "gemma2": {"head_dim": 256}, "glm": _HALF, "glm4": _HALF,
    "qwen3": {"head_dim": 128}, "qwen3_next": {"head_dim": 256, "partial_rotary_factor": 0.25},
    "gemma3_text": {**_LOCAL, "max_position_embeddings": 131_072},
    "gemma3n_text": {**_LOCAL, "max_position_embeddings": 32_768},
    "modernbert": {"rope_theta": 1.6e5, "rope_local_base_freq": 1e4},
    "llama": {"hidden_size": 4096, "num_attention_heads": 32},
    "llama4_text": {"rope_theta": 5e5, "no_rope_layer_interval": 4},
    "smollm3": {"rope_theta": 2e6, "no_rope_layer_interval": 4},
    "gptj": {"rotary_dim": 64}, "codegen": {"rotary_dim": 64},
}
SCALED = ("gemma3", "gemma3_text")
"""Their max_position_embeddings is the length after linear scaling; other files name the length before it."""
PLAIN_SLIDING = ("gemma3_text", "gemma3n_text", "olmo3")
"""Their block is for the full-attention layers alone; the sliding ones have plain RoPE."""
NOPE_FULL = ("cohere2", "exaone4")
"""Their full-attention layers have no rotation where others have a sliding window."""
