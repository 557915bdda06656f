"""The decoder: pre-norm residual blocks of one token mixer and (but for Mamba's) one feed-forward each, tied embedding.

x = x + mixer(RMSNorm(x)); x = x + feed_forward(RMSNorm(x)); logits = RMSNorm(x) E^T.  Weights start as N(0, 1 /
fan-in), the projections back into the residual stream shrunk by sqrt(2 layers) as in GPT-2.  (N(0, 0.02) is too small
for widths of 64 and 128: after 75 steps on bytes it stood at 2.41 nats, this at 2.30.)  Letters: see `backends.lm`.
"""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.lm import mixers
from backends.lm.experts import Experts, Routing
from backends.lm.ssd import StateSpace


@dataclass(frozen=True)
class Config:
    """Sizes of a decoder.  `mixers`: one kind per layer, of `mixers.KINDS` or "ssd" (selective) or "lti" (its
    time-invariant twin); `routed`: the layers (from 0) whose feed-forward is a mixture of `experts`, `k` per token,
    each of hidden size `hidden` / k, so that a token costs what it costs in a dense layer; `hidden`: 0 for no
    feed-forward at all, as in Mamba; `conv`: width of the short convolution over q, k, v (0: none); `length`: tokens it
    was trained on."""

    mixers: tuple[str, ...] = ("softmax",) * 4
    width: int = 128
    heads: int = 4
    hidden: int = 512
    vocab: int = 256
    length: int = 256
    base: float = 10_000.0
    conv: int = 0
    state: int = 16
    routed: tuple[int, ...] = ()
    experts: int = 8
    k: int = 2

    @property
    def layers(self) -> int:
        """How many blocks there are."""
        return len(self.mixers)


@dataclass(frozen=True)
class Trace:
    """`loss` (n - 1,): nats for token i + 1 given tokens 0..i; `layers`: one LayerTrace per attention layer."""

    loss: Tensor
    layers: tuple[mixers.LayerTrace, ...]


class FeedForward(nn.Module):
    """(b, n, D) -> (b, n, D): D -> hidden -> D with GELU."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The two layers."""
        return self.down(F.gelu(self.up(x)))


def mixer_of(config: Config, kind: str) -> nn.Module:
    """The token mixer called `kind`.  Raises ValueError for an unknown one."""
    if kind in ("ssd", "lti"):
        return StateSpace(config.width, config.heads, config.state, selective=kind == "ssd")
    if kind not in mixers.KINDS:
        raise ValueError(f"There is no mixer called {kind!r}.")
    return mixers.Attention(kind, config.width, config.heads, config.base, config.conv)


def feed_forward_of(config: Config, routed: bool) -> nn.Module:
    """A dense feed-forward, or a mixture of experts."""
    wide = config.hidden // config.k if routed else config.hidden
    return Experts(config.width, wide, config.experts, config.k) if routed else FeedForward(config.width, wide)


class Block(nn.Module):
    """One residual block; `forward` also returns the routing of a mixture of experts, else None."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.before = nn.RMSNorm(config.width, 1e-6)
        self.between = nn.RMSNorm(config.width, 1e-6) if config.hidden else None
        self.mixer = mixer_of(config, config.mixers[layer])
        self.mlp = feed_forward_of(config, layer in config.routed) if config.hidden else None

    def forward(self, x: Tensor) -> tuple[Tensor, Routing | None]:
        """(b, n, D) -> (b, n, D) and the routing."""
        x = x + self.mixer(self.before(x))
        if self.mlp is None:
            return x, None
        out = self.mlp(self.between(x))
        y, routing = out if isinstance(out, tuple) else (out, None)
        return x + y, routing


class Decoder(nn.Module):
    """Tokens (b, n) -> logits (b, n, V)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab, config.width)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.layers))
        self.norm = nn.RMSNorm(config.width, 1e-6)
        self.apply(_start)
        for name, p in self.named_parameters():
            if name.endswith(("leave.weight", "mlp.down.weight", "mlp.down")):
                with torch.no_grad():
                    p.mul_((2 * config.layers) ** -0.5)

    @property
    def device(self) -> torch.device:
        """Where the weights lie, and so where tokens must."""
        return self.embed.weight.device

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (b, n, V) for the token after each; causal."""
        return self.run(tokens)[0]

    def run(self, tokens: Tensor) -> tuple[Tensor, tuple[Routing, ...]]:
        """Logits, and the routing of each mixture-of-experts layer in order."""
        x, routings = self.embed(tokens), []
        for block in self.blocks:
            x, routing = block(x)
            routings += [routing] if routing is not None else []
        return F.linear(self.norm(x), self.embed.weight), tuple(routings)

    @torch.no_grad()
    def trace(self, tokens: Tensor) -> Trace:
        """Loss per token and every attention layer's inside, for one sequence (n,) with n >= 1."""
        x, seen = self.embed(tokens[None]), []
        for block in self.blocks:
            if isinstance(block.mixer, mixers.Attention):
                seen.append(block.mixer.trace(block.before(x)))
            x, _ = block(x)
        logits = F.linear(self.norm(x), self.embed.weight)[0]
        return Trace(F.cross_entropy(logits[:-1], tokens[1:], reduction="none"), tuple(seen))


def _start(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=module.weight.shape[-1] ** -0.5)
