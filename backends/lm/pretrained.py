"""Real language models, run by transformers, whose attention is ours: what a layer's attention is given (`Heads`) goes
to the function that the caller chose, and so can be looked at, worked out in another way, or turned by other clocks.

    with attending(lambda heads: attended(heads)):          # the default: as the model is configured
        logits = network(tokens).logits
    with attending(mine, turned=False): ...                 # queries and keys come as they were before their rotation

b texts, h query heads, g key heads (h a multiple of g), m queries, n keys, d channels of a head.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.device import HOST

NAME = "glassbox"               # of this attention, as transformers knows it
CHUNK = 256                     # queries whose scores are held at once
NEAR = 64                       # of them where the scores of a group's heads should fit into a core's cache
DENSE = ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi3", "olmo2", "gpt_neox",
         "smollm3")
ROUTED = ("mixtral", "olmoe", "qwen2_moe", "qwen3_moe", "deepseek_v3", "gpt_oss")
FAMILIES = (*DENSE, *ROUTED)
"""Model types whose attention is held against transformers' own by tests."""


@dataclass(frozen=True)
class Heads:
    """What the attention of layer `layer` (from 0) is given.

    `scaling`: factor on q . k; `window`: keys that a query sees, itself included, None for all; `softcap`: scores s
    become softcap tanh(s / softcap); `sinks`: a logit per head that takes part in the softmax and brings no value
    (GPT-OSS); `rotary`: (first, width) of the channels that RoPE turns, None where the layer has no rotation."""

    layer: int
    q: Annotated[Tensor, "b h m d"]
    k: Annotated[Tensor, "b g n d"]
    v: Annotated[Tensor, "b g n e"]
    scaling: float
    window: int | None = None
    softcap: float | None = None
    sinks: Annotated[Tensor, "h"] | None = None
    rotary: tuple[int, int] | None = None


Way = Callable[[Heads], Tensor]
"""From Heads to the values' means, (b, h, m, e)."""


def wide(x: Tensor, heads: int) -> Tensor:
    """Keys or values (b, g, n, d), each group's repeated for its query heads: (b, heads, n, d)."""
    return x if x.shape[1] == heads else x.repeat_interleave(heads // x.shape[1], 1)


def weights(heads: Heads, first: int = 0, last: int | None = None) -> Tensor:
    """Attention weights (b, h, last - first, n) of these queries; rows sum to 1, but for what a sink takes."""
    q, k = heads.q[:, :, first:last], wide(heads.k, heads.q.shape[1])
    scores = q @ k.transpose(-1, -2) * heads.scaling
    if heads.softcap is not None:
        scores = heads.softcap * (scores / heads.softcap).tanh()
    scores = scores.masked_fill(~seen(heads, first, last), -torch.inf)
    if heads.sinks is None:
        return scores.float().softmax(-1).to(q.dtype)
    sink = heads.sinks.reshape(1, -1, 1, 1).expand(*scores.shape[:-1], 1).to(scores.dtype)
    return torch.cat([scores, sink], -1).float().softmax(-1)[..., :-1].to(q.dtype)


def seen(heads: Heads, first: int = 0, last: int | None = None) -> Tensor:
    """(queries, n) bool: which keys the queries first .. last - 1 see; the queries are the last m of the n tokens."""
    n, m = heads.k.shape[2], heads.q.shape[2]
    return _reached(torch.arange(n - m, n, device=heads.q.device)[first:last], torch.arange(n, device=heads.q.device),
                    heads.window)


def _reached(i: Tensor, j: Tensor, window: int | None) -> Tensor:
    """(queries, keys) bool: whether the query at place i sees the key at place j."""
    gap = i[:, None] - j
    return gap >= 0 if window is None else (gap >= 0) & (gap < window)


def attended(heads: Heads) -> Tensor:
    """The values' means (b, h, m, e) as the model is configured; pieces of queries, so that memory is CHUNK x n."""
    m = heads.q.shape[2]
    if heads.softcap is None and heads.sinks is None:
        return _plain(heads)
    v = wide(heads.v, heads.q.shape[1])
    return torch.cat([weights(heads, a, min(a + CHUNK, m)) @ v for a in range(0, m, CHUNK)], 2)


def _plain(heads: Heads) -> Tensor:
    """Softmax attention without a cap or a sink, by torch's own kernel, but for bfloat16 on a CPU without AMX, where
    that kernel multiplies no quicker than float32."""
    m, half = heads.q.shape[2], heads.q.device.type == HOST and heads.q.dtype == torch.bfloat16
    if half and not torch.cpu._is_amx_tile_supported():
        return torch.cat([near(heads, a, min(a + NEAR, m)) for a in range(0, m, NEAR)], 2)
    whole = heads.q.shape[2] == heads.k.shape[2] and heads.window is None
    mask = {"is_causal": True} if whole else {"attn_mask": _bias(heads)}
    return F.scaled_dot_product_attention(heads.q, heads.k, heads.v, scale=heads.scaling, enable_gqa=True, **mask)


def near(heads: Heads, first: int, last: int) -> Tensor:
    """The values' means (b, h, last - first, e) of these queries, without a cap or a sink: two products for the heads
    that share keys, over the keys that any of the queries sees; one group after the other, in the same memory."""
    (b, h, m, d), (g, n) = heads.q.shape, heads.k.shape[1:3]
    start, end = n - m + first, n - m + last
    begin = 0 if heads.window is None else max(0, start + 1 - heads.window)
    i, j = (torch.arange(a, end, device=heads.q.device) for a in (start, begin))
    q = (heads.q[:, :, first:last] * heads.scaling).reshape(b * g, -1, d)
    k, v = (x.flatten(0, 1)[:, begin:end] for x in (heads.k, heads.v))
    edges = [(edge, ~_reached(i, j[edge], heads.window)) for edge in (slice(len(i)), slice(-len(i), None))]
    means = torch.stack([_means(*group, edges) for group in zip(q, k, v)])
    return means.reshape(b, h, len(i), -1)


def _means(q: Tensor, k: Tensor, v: Tensor, edges: list[tuple[slice, Tensor]]) -> Tensor:
    """Of one group; `edges`: keys that some of the queries do not see, and which; all see those in between."""
    scores = q @ k.T
    for edge, hidden in edges:
        scores.unflatten(0, (-1, len(hidden)))[..., edge].masked_fill_(hidden, -torch.inf)
    return scores.softmax(-1) @ v


def _bias(heads: Heads) -> Tensor:
    """0 for a key that a query sees, else minus infinity, (m, n) of the queries' type; made once for all layers that
    see the same."""
    made, kind = _now().biases, (heads.q.shape[2], heads.k.shape[2], heads.window)
    if kind not in made:
        made[kind] = heads.q.new_zeros(kind[:2]).masked_fill_(~seen(heads), -torch.inf)
    return made[kind]


Turn = bool | Tensor
"""How q and k are rotated: True, as the model is configured; False, not at all; or radians per token of each pair."""


class _Choice(NamedTuple):
    """What `attending` chose, and the biases of its layers by (m, n, window)."""

    way: Way
    turned: Turn
    biases: dict[tuple[int | None, ...], Tensor]


_chosen: ContextVar[_Choice] = ContextVar("attending")


def _now() -> _Choice:
    """The choice; outside of `attending`, the model as it is configured."""
    return _chosen.get(_Choice(attended, True, {}))


@contextmanager
def attending(way: Way, turned: Turn = True) -> Iterator[None]:
    """Inside it, every layer's attention is `way`, of queries and keys that are rotated like `turned`."""
    token = _chosen.set(_Choice(way, turned, {}))
    try:
        yield
    finally:
        _chosen.reset(token)


class Clock(nn.Module):
    """A model's rotary embedding: its own, or one that stands still, (cos, sin) = (1, 0), or goes at other rates, as
    `attending` asks."""

    def __init__(self, own: nn.Module) -> None:
        super().__init__()
        self.own = own

    def forward(self, x: Tensor, position_ids: Tensor, *more: Any) -> tuple[Tensor, Tensor]:
        """As transformers calls it: hidden states (b, n, D), positions (b, n), the kind of layer where there are
        several -> (cos, sin) (b, n, d), or (b, n, d / 2) where the family wants them so."""
        cos, sin = self.own(x, position_ids, *more)
        turned = _now().turned
        if turned is True:
            return cos, sin
        if turned is False:
            return torch.ones_like(cos), torch.zeros_like(sin)
        angle = position_ids[..., None].float() * turned.to(x.device)
        angle = angle.repeat(1, 1, cos.shape[-1] // angle.shape[-1])
        return angle.cos().to(x.dtype), angle.sin().to(x.dtype)


def _attention(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float,
               sliding_window: int | None = None, softcap: float | None = None, s_aux: Tensor | None = None,
               **more: Any) -> tuple[Tensor, None]:
    """`Heads` as transformers gives them -> (b, m, h, e)."""
    if mask is not None:
        raise ValueError("This model masks its attention in a way of its own, which is not known here.")
    heads = Heads(module.layer_idx, query, key, value, scaling, sliding_window, softcap, s_aux, _rotary(module, query))
    return _now().way(heads).transpose(1, 2).contiguous(), None


def _rotary(module: nn.Module, query: Tensor) -> tuple[int, int] | None:
    """(first, width) of the channels of a head that RoPE turns."""
    d, config = query.shape[-1], module.config
    if not getattr(module, "use_rope", True):
        return None
    if getattr(config, "qk_rope_head_dim", None):
        return d - config.qk_rope_head_dim, config.qk_rope_head_dim
    share = (getattr(config, "rope_parameters", None) or {}).get("partial_rotary_factor", 1.0)
    return 0, int(d * share)


def register() -> None:
    """Makes this attention known to transformers under NAME."""
    from transformers import AttentionInterface
    from transformers.utils import logging
    logging.disable_progress_bar()
    AttentionInterface.register(NAME, _attention)


def held(network: nn.Module) -> nn.Module:
    """The network, read with NAME, with a rotary embedding that `attending` can hold still; in evaluation mode."""
    body = network.base_model
    body.rotary_emb = Clock(body.rotary_emb)
    return network.eval().requires_grad_(False)


def caught(network: nn.Module, tokens: Tensor, layers: tuple[int, ...] | None = None) -> tuple[list[Heads], Tensor]:
    """(`Heads` of these layers, all when None, in order, as the model uses them; logits (n, vocab)) for tokens (n,)."""
    found: list[Heads] = []

    def look(heads: Heads) -> Tensor:
        if layers is None or heads.layer in layers:
            found.append(heads)
        return attended(heads)

    with torch.no_grad(), attending(look):
        logits = network(tokens[None].to(network.device), use_cache=False).logits[0]
    return found, logits
