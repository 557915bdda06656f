"""Figures that others published, with their source: shown beside what is measured here, and never mixed with it.

Su's models have 100 M parameters (GAU, 24 layers) and were trained on 512 tokens; the figures are next-token accuracies
in %.  "tested" rows use log n at test time only, "trained" rows from the first step on.  CosA with log n stands twice
in the article, with 48.95 and with 48.39: the first is quoted.
"""
from __future__ import annotations

from dataclasses import dataclass

SU_SOURCE = ("Su Jianlin, kexue.fm/archives/9706, 9708, 9731 and 9859, reviewed in 9948: trained on 512 tokens, "
             "accuracy in %")
LLAMA2_SOURCE = "Su Jianlin, kexue.fm/archives/9708: LLaMA2-13B, loss"
STREAMING_SOURCE = ("Xiao 2023, arXiv 2309.17453: LLaMA-2-13B, perplexity on the first book of PG19, cache of "
                    "1024 tokens")


@dataclass(frozen=True)
class Published:
    """One row.  `method`: ours that is nearest, "" if none; `label`: the author's; accuracies in %: at 512 tokens, at
    4096 tokens of repeated text, at 4096 tokens of text that does not repeat."""

    method: str
    label: str
    short: float
    repeated: float
    fresh: float


PUBLISHED: tuple[Published, ...] = tuple(Published(*row) for row in (
    ("none", "Baseline", 49.41, 24.17, 23.16),
    ("logn_trained", "Baseline, log n trained", 49.40, 24.60, 24.02),
    ("pi", "PI", 49.41, 15.04, 13.54),
    ("ntk", "NTK, old", 49.41, 51.28, 39.27),
    ("", "NTK, old, log n trained", 49.40, 61.71, 43.75),
    ("", "NTK-fixed", 49.41, 51.86, 39.61),
    ("", "NTK-fixed, log n tested", 49.41, 55.94, 41.11),
    ("", "NTK-fixed, log n trained", 49.40, 62.85, 44.14),
    ("ntk_mixed", "NTK-mixed", 49.41, 53.09, 40.12),
    ("", "NTK-mixed, log n tested", 49.41, 59.11, 42.38),
    ("", "NTK-mixed, log n trained", 49.40, 68.91, 45.41),
    ("yarn", "YaRN", 49.41, 80.10, 47.45),
    ("", "YaRN, log n trained", 49.40, 82.57, 46.52),
    ("rerope", "ReRoPE, w 256", 49.41, 77.90, 48.48),
    ("rerope_logn", "ReRoPE, w 256, log n tested", 49.41, 82.40, 48.85),
    ("logn_rerope", "ReRoPE, w 256, log n trained", 49.40, 85.12, 49.07),
    ("", "ReRoPE, w 64, log n trained", 49.40, 84.38, 48.14),
    ("", "ReRoPE, w 128, log n trained", 49.40, 85.47, 48.87),
    ("", "ReRoPE, w 384, log n trained", 49.40, 83.24, 48.62),
    ("", "ReRoPE, w 512, log n trained", 49.40, 15.84, 10.83),
    ("leaky", "Leaky ReRoPE, w 128, k 16, log n trained", 49.40, 85.15, 49.10),
    ("hwfa", "HWFA", 48.70, 80.84, 48.15),
    ("", "HWFA2, w 64, 2 full layers", 49.46, 84.43, 49.36),
    ("keynorm", "KeyNorm, KNA", 49.60, 61.08, 47.69),
    ("", "KeyNorm, CosA", 49.73, 58.90, 46.98),
    ("", "KeyNorm, CosA, log n trained", 49.67, 64.74, 48.95),
    ("", "QueryNorm, QNA", 49.55, 22.45, 22.18),
    ("", "Inverse leaky, w 128, log n trained", 49.38, 82.25, 48.32),
))

LLAMA2: tuple[tuple[str, dict[int, float]], ...] = (
    ("RoPE", {4096: 1.4967, 8192: 8.8615}),
    ("NTK", {4096: 1.6081, 8192: 1.5417, 16384: 1.5163}),
    ("ReRoPE, w 1024", {4096: 1.4996, 8192: 1.4267, 16384: 1.4001}),
)
"""Loss by context length in tokens."""

STREAMING: tuple[tuple[str, float], ...] = (("0 + 1024: a window", 5158.07), ("4 + 1020: four sinks", 5.40),
                                            ("4 newlines + 1020", 5.60))
"""Perplexity by what the cache holds: first tokens + last tokens."""
