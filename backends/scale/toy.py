"""A two-layer pre-norm decoder small enough to train while one watches, and its task: say a random string again.

x = x + attention(RMSNorm(x)); x = x + W_2 GELU(W_1 RMSNorm(x)).  No biases; learned positions; weights N(0, 1/fan-in),
embeddings N(0, 1).
The routes differ in what stands before softmax and in the first W_q alone:
sqrt   q.k / sqrt(d), W_q of variance 1/D            (Vaswani 2017, arXiv 1706.03762)
none   q.k, W_q of variance 1/D
t5     q.k, W_q of variance 1/(D d)                  (T5's `_init_weights`; the logits start as those of sqrt)
mup    q.k / d, W_q of variance 1/D                  (Yang et al. 2022, arXiv 2203.03466, definition 4.1)
Letters: D width, d head dimension, V symbols.  Task: V^n strings of n symbols written twice; the second copy is
predicted, so a model must look back by n - 1 places.
"""
from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends import device
from backends.drawn import hosted, normal, seeded

SYMBOLS, STRING = 16, 12
POWERS = {"sqrt": 0.5, "none": 0.0, "t5": 0.0, "mup": 1.0}


class Attention(nn.Module):
    """Causal attention with logits q.k `scale`; `logits` keeps those of the last call, (b, h, n, n) before the mask."""

    def __init__(self, width: int, heads: int, scale: float) -> None:
        super().__init__()
        self.heads, self.scale, self.logits = heads, scale, torch.empty(0)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """(b, n, D) -> (b, n, D)."""
        q, k, v = (part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.q, self.k, self.v))
        self.logits = self.scale * (q @ k.mT)
        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(1)
        return self.o((self.logits.masked_fill(later, -torch.inf).softmax(-1) @ v).transpose(1, 2).flatten(2))


class Toy(nn.Module):
    """Tokens (b, n) -> logits (b, n, V)."""

    def __init__(self, width: int, heads: int, scale: float) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(SYMBOLS, width), nn.Embedding(2 * STRING - 1, width)
        self.mix = nn.ModuleList(Attention(width, heads, scale) for _ in range(2))
        self.up = nn.ModuleList(nn.Linear(width, 2 * width, bias=False) for _ in range(2))
        self.down = nn.ModuleList(nn.Linear(2 * width, width, bias=False) for _ in range(2))
        self.out = nn.Linear(width, SYMBOLS, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits for the token after each."""
        x = self.hidden(tokens)
        return self.out(F.rms_norm(x, x.shape[-1:]))

    def hidden(self, tokens: Tensor) -> Tensor:
        """The residual stream (b, n, D) after both layers."""
        x = self.embed(tokens.to(self.out.weight.device)) + self.place.weight[: tokens.shape[1]]
        for mix, up, down in zip(self.mix, self.up, self.down, strict=True):
            x = x + mix(F.rms_norm(x, x.shape[-1:]))
            x = x + down(F.gelu(up(F.rms_norm(x, x.shape[-1:]))))
        return x


def made(route: str, width: int, heads: int, seed: int) -> Toy:
    """The model of a route: from the same draws, T5's W_q is the others' over sqrt(d); on the device that computes."""
    d = width // heads
    toy, random = hosted(Toy)(width, heads, d ** -POWERS[route]), seeded(seed)
    with torch.no_grad():
        for p in toy.parameters():
            p.copy_(normal(*p.shape, random=random) * p.shape[1] ** -0.5)
        for table in (toy.embed, toy.place):
            table.weight.mul_(width**0.5)
        if route == "t5":
            for mix in toy.mix:
                mix.q.weight.mul_(d**-0.5)
    return toy.to(device.exact())


@hosted
def batch(count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """(tokens, what follows each), both (count, 2 STRING - 1); -100 where nothing is asked; on the host."""
    string = torch.randint(SYMBOLS, (count, STRING), generator=random)
    whole = torch.cat((string, string), 1)
    wanted = whole[:, 1:].clone()
    wanted[:, : STRING - 1] = -100
    return whole[:, :-1], wanted


def loss(toy: Toy, tokens: Tensor, wanted: Tensor) -> Tensor:
    """Mean cross-entropy, nats."""
    logits = toy(tokens).flatten(0, 1)
    return F.cross_entropy(logits, wanted.flatten().to(logits.device))
