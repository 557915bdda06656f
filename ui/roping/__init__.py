"""Parts of the RoPE tab."""
