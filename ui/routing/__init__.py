"""Parts of the MoE tab."""
