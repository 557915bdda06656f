"""Language models that read a text, the small byte model and those of the shelf, alike: what each layer's attention is
given goes to a function (`pretrained.Way`), which answers for it.

Letters: n tokens, h heads, g key heads, d channels of a head, V tokens that a model knows.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from backends import device, models, stop, threads, weights
from backends.attention import words
from backends.attention.params import MAX_TOKENS, AttentionParams
from backends.attention.words import Words
from backends.cache import ByteLRU
from backends.drawn import hosted, seeded
from backends.lm import rotary, shelf
from backends.lm.model import Decoder
from backends.lm.pretrained import Heads, Way, attended, attending, wide

BYTE = "softmax"                    # of the byte models, the one with softmax in every layer
PRINTABLE = tuple(range(32, 127))
KEPT = ByteLRU(256 << 20)
"""q, k, v of all layers on the last texts: another layer or head of the same text is shown at once."""


@dataclass(frozen=True)
class Reader:
    """A model.  `logits(tokens (n,), way)` gives (n, V); `cut(text)` the tokens, how they read, and a sentence on what
    was left out; `ids`: tokens that stand for text; `before`: those that begin every text; `exactly`: whether it
    computes in float32."""

    id: str
    title: str
    unit: str
    layers: int
    heads: int
    ids: tuple[int, ...]
    before: tuple[int, ...]
    exactly: bool
    cut: Callable[[str], tuple[list[int], Words, str]]
    logits: Callable[[Tensor, Way], Tensor]

    def read(self, text: str) -> tuple[Tensor, Words, str]:
        """(tokens (n,), how they read, a sentence or "").  Raises ValueError for an empty text."""
        found, said, notice = self.cut(text)
        return torch.tensor(found[:MAX_TOKENS], dtype=torch.long, device=device.HOST), said.first(MAX_TOKENS), notice

    def random(self, count: int, seed: int) -> Tensor:
        """(count,) different tokens, drawn among those that stand for text, or as many as there are."""
        order = hosted(torch.randperm)(len(self.ids), generator=seeded(seed))[:count]
        return hosted(torch.tensor)(self.ids)[order]


def reader(params: AttentionParams) -> Reader:
    """The model that the settings name: one of the shelf, else the small byte model.  Raises ValueError."""
    return _shelved(params.model) if params.source == "model" else _bytes()


def clean(text: str) -> str:
    """The text without halves of characters.  Raises ValueError for an empty one."""
    if not text:
        raise ValueError("The text is empty; please type at least one character.")
    return text.encode("utf-8", "replace").decode("utf-8")


def short(text: str) -> tuple[str, str]:
    """The text as at most MAX_TOKENS bytes of UTF-8, never through a character, and a sentence if that shortened
    it."""
    data = clean(text[: MAX_TOKENS + 1]).encode("utf-8")
    found = data[:MAX_TOKENS].decode("utf-8", "ignore")
    notice = f"Only the first {len(found.encode('utf-8'))} bytes of the text are used. "
    return found, notice if len(data) > MAX_TOKENS else ""


def _bytes() -> Reader:
    try:
        model = shelf.load(BYTE)
    except weights.WeightsError as error:
        raise ValueError(str(error)) from None
    length = model.config.length

    def cut(text: str) -> tuple[list[int], Words, str]:
        found, notice = short(text)
        data = list(found.encode("utf-8"))
        if len(data) > length:
            notice += (f"The model was trained on {length} bytes at a time; what comes after is longer than it ever "
                       "saw.")
        return data, words.of_bytes(found), notice.strip()
    return Reader(models.BYTES, "The small byte model", "byte", len(model.blocks), model.config.heads, PRINTABLE, (),
                  True, cut, lambda tokens, way: threads.alone(_decoded, model, tokens, way))


@torch.no_grad()
def _decoded(model: Decoder, tokens: Tensor, way: Way) -> Tensor:
    """(n, V): the decoder's forward pass with its attention done by `way`."""
    x = model.embed(tokens[None].to(model.device))
    for layer, block in enumerate(model.blocks):
        mixer = block.mixer
        q, k, v = mixer.parts(block.before(x))
        at = torch.arange(q.shape[2], device=q.device)
        q, k = (rotary.rotate(part, at, mixer.theta) for part in (q, k))
        y = way(Heads(layer, q, k, v, q.shape[-1] ** -0.5))
        x = x + mixer.leave(y.transpose(1, 2).flatten(2))
        x = x + block.mlp(block.between(x))
    return F.linear(model.norm(x), model.embed.weight)[0]


def _shelved(name: str) -> Reader:
    found = models.load(name)
    network, tokenizer = found.network, found.tokenizer

    def cut(text: str) -> tuple[list[int], Words, str]:
        ids, said = words.of_tokens(tokenizer, clean(text))
        return ids, said, f"Only the first {MAX_TOKENS} tokens of the text are used." * (len(ids) > MAX_TOKENS)

    def logits(tokens: Tensor, way: Way) -> Tensor:
        with torch.no_grad(), attending(way):
            return network(tokens[None].to(network.device), use_cache=False).logits[0]
    config, special = network.config, set(tokenizer.all_special_ids)
    ids = tuple(i for i in range(min(len(tokenizer), config.vocab_size)) if i not in special)
    before = tuple(i for i in tokenizer("")["input_ids"] if i == tokenizer.bos_token_id)
    return Reader(name, models.titles()[name], "token", config.num_hidden_layers, config.num_attention_heads, ids,
                  before, network.dtype == torch.float32, cut, logits)


def caught(model: Reader, tokens: Tensor) -> tuple[Heads, ...]:
    """What the attention of every layer is given for these tokens; kept for the last texts."""
    def compute() -> tuple[tuple[Heads, ...], int]:
        found: list[Heads] = []

        def look(heads: Heads) -> Tensor:
            stop.check()
            found.append(replace(heads, v=heads.v.contiguous()))
            return attended(heads)
        model.logits(tokens, look)
        return tuple(found), sum(x.nbytes for one in found for x in (one.q, one.k, one.v))
    return KEPT.get_or_compute(key(model, tokens), compute)[0]


def key(model: Reader, tokens: Tensor) -> tuple[str, str, tuple[int, ...]]:
    """Under which it is kept."""
    return model.id, str(device.default()), tuple(tokens.tolist())


def plain(heads: Heads, only: slice = slice(None)) -> Heads:
    """The query heads `only`, with keys and values of their own each, float32 on the device of the mechanisms."""
    h = heads.q.shape[1]
    q, k, v = (x[:, only].to(device.exact(), torch.float32)
               for x in (heads.q, wide(heads.k, h), wide(heads.v, h)))
    sinks = None if heads.sinks is None else heads.sinks[only].to(q.device, q.dtype)
    return replace(heads, q=q, k=k, v=v, sinks=sinks)


def folded(heads: Heads) -> tuple[Tensor, Tensor, Tensor]:
    """q, k, v (h, n, d) of one text whose logits are q . k / sqrt(d): the model's own factor goes into q."""
    return heads.q[0] * (heads.scaling * heads.q.shape[-1] ** 0.5), heads.k[0], heads.v[0]
