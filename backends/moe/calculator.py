"""What a public mixture of experts weighs and costs: parameters from the sizes in its config.json, bytes, cache, work
per token.

With D width, F hidden size, E experts, k of them per token, H heads of d channels, G key-value heads, V tokens in the
vocabulary: attention D d (2 H + 2 G); one expert 3 D F (SwiGLU); router D E; embedding and output V D each; norms 2 D a
layer.  Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1) keeps c + r numbers a token and layer
instead of 2 G d.
"""
from __future__ import annotations

from dataclasses import dataclass, fields

from backends.moe.params import PUBLIC

PRECISIONS = {"float32": 4.0, "bfloat16": 2.0, "float8": 1.0, "4 bit": 0.5}
CACHED = 2                      # bytes of a number in the key-value cache, bfloat16


@dataclass(frozen=True)
class Latent:
    """Sizes of multi-head latent attention: ranks of the query and of the cache, channels without and with rotation,
    and of values."""

    query: int
    cache: int
    plain: int
    rotated: int
    value: int


@dataclass(frozen=True)
class Model:
    """Sizes from a model's config.json.  `shared`: hidden size of the expert that every token visits; `gated`: whether
    it has a gate of its own; `dense`, `first`: hidden size of the first layers that are not routed, and how many;
    `bias`: on q, k and v; `norms`: numbers of the norms of q and k in a layer; `published`: total and active parameters
    in billions as its authors say, in `source`."""

    layers: int
    width: int
    hidden: int
    experts: int
    k: int
    heads: int
    groups: int
    head: int
    vocab: int
    published: tuple[float, float]
    source: str
    shared: int = 0
    gated: bool = False
    dense: int = 0
    first: int = 0
    bias: bool = False
    norms: int = 0
    latent: Latent | None = None


MODELS = dict(zip(PUBLIC, (
    Model(32, 4096, 14336, 8, 2, 32, 8, 128, 32000, (46.7, 12.9), "mistral.ai/news/mixtral-of-experts"),
    Model(56, 6144, 16384, 8, 2, 48, 8, 128, 32768, (141, 39), "mistral.ai/news/mixtral-8x22b"),
    Model(24, 2048, 1408, 60, 4, 16, 16, 128, 151936, (14.3, 2.7), "qwenlm.github.io/blog/qwen-moe", shared=5632,
          gated=True, bias=True),
    Model(16, 2048, 1024, 64, 8, 16, 16, 128, 50304, (6.9, 1.3), "arXiv 2409.02060", norms=2 * 2048),
    Model(48, 2048, 768, 128, 8, 32, 4, 128, 151936, (30.5, 3.3), "arXiv 2505.09388", norms=2 * 128),
    Model(94, 4096, 1536, 128, 8, 64, 4, 128, 151936, (235, 22), "arXiv 2505.09388", norms=2 * 128),
    Model(61, 7168, 2048, 256, 8, 128, 128, 128, 129280, (671, 37), "arXiv 2412.19437", shared=2048,
          dense=18432, first=3, latent=Latent(1536, 512, 128, 64, 128)),
), strict=True))


@dataclass(frozen=True)
class Part:
    """Parameters of one part of a model: all of them, and those that one token uses."""

    name: str
    total: int
    active: int
    formula: str


@dataclass(frozen=True)
class Bill:
    """A model's parameters by part, and what they cost.  `bytes`: of all weights by precision; `cache`: bytes of the
    key-value cache of all sequences, `cache_token`: of one token; `flops`: 2 per active parameter that multiplies, per
    token; `visited`: experts of a layer that a step of `batch` tokens is expected to visit, E (1 - (1 - k/E)^batch),
    were all equally likely; `read`: weight bytes of such a step at bfloat16; `least`: milliseconds to read them, per
    step; `naive`: parameters if everything but the experts were there E times too; `sizes`: the model's own, by name;
    `latent`: whether its attention is."""

    model: str
    experts: int
    k: int
    layers: int
    parts: tuple[Part, ...]
    total: int
    active: int
    published: tuple[float, float]
    source: str
    bytes: tuple[tuple[str, float], ...]
    cache: int
    cache_token: int
    flops: int
    batch: int
    context: int
    visited: float
    read: float
    least: float
    naive: int
    sizes: tuple[tuple[str, int], ...]
    latent: bool


def attention(m: Model) -> tuple[int, str]:
    """Parameters of one attention layer, and how they are counted."""
    if m.latent:
        ranks = m.latent
        inner = ranks.plain + ranks.rotated
        down = m.width * (ranks.query + ranks.cache + ranks.rotated) + ranks.query + ranks.cache
        up = ranks.query * m.heads * inner + ranks.cache * m.heads * (ranks.plain + ranks.value)
        return down + up + m.heads * ranks.value * m.width, "D (q + c + r) + q H (n + r) + c H (n + v) + H v D + norms"
    extra = (m.heads + 2 * m.groups) * m.head * m.bias + m.norms
    return (m.width * m.head * (2 * m.heads + 2 * m.groups) + extra,
            "D d (2 H + 2 G)" + " + bias" * m.bias + " + norms" * bool(m.norms))


def parts(m: Model) -> tuple[Part, ...]:
    """The model's parameters, part by part."""
    routed, each = m.layers - m.first, 3 * m.width * m.hidden
    one, formula = attention(m)
    rows = [
        Part("Routed experts", routed * m.experts * each, routed * m.k * each, "layers E 3 D F; k for E when active"),
        Part("Shared expert", *[routed * (3 * m.width * m.shared + m.gated * m.width)] * 2, "layers 3 D F"),
        Part("Dense layers", *[m.first * 3 * m.width * m.dense] * 2, "layers 3 D F"),
        Part("Routers", *[routed * m.width * m.experts] * 2, "layers D E"),
        Part("Attention", *[m.layers * one] * 2, f"layers ({formula})"),
        Part("Embedding and output", *[2 * m.vocab * m.width] * 2, "2 V D"),
        Part("Norms", *[(2 * m.layers + 1) * m.width] * 2, "(2 layers + 1) D"),
    ]
    return tuple(row for row in rows if row.total)


def visited(experts: int, k: int, batch: int) -> float:
    """Experts of a layer that `batch` tokens are expected to visit when all are equally likely."""
    return experts * (1 - (1 - k / experts) ** batch)


def bill(name: str, batch: int, context: int, bandwidth: float) -> Bill:
    """The whole account of one model for `batch` sequences of `context` tokens on a machine that reads `bandwidth`
    TB/s."""
    m = MODELS[name]
    rows = parts(m)
    total, active = (sum(getattr(row, field) for row in rows) for field in ("total", "active"))
    numbers = m.latent.cache + m.latent.rotated if m.latent else 2 * m.groups * m.head
    token = m.layers * numbers * CACHED
    seen = visited(m.experts, m.k, batch)
    each = 3 * m.width * m.hidden
    read = 2.0 * (total - rows[0].total - m.vocab * m.width + (m.layers - m.first) * seen * each)
    stored = tuple((precision, total * size) for precision, size in PRECISIONS.items())
    sizes = tuple((field.name, getattr(m, field.name)) for field in fields(m) if field.type == "int")
    naive = total + (m.experts - 1) * (total - rows[0].total)
    return Bill(name, m.experts, m.k, m.layers, rows, total, active, m.published, m.source, stored,
                batch * context * token, token,
                2 * (active - m.vocab * m.width), batch, context, seen, read, read / bandwidth / 1e9, naive, sizes,
                m.latent is not None)
