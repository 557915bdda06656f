"""Mixtures of experts that read a text, with what each routed layer chose: a real one through its own network, watched
by hooks, or a byte model that ships.

Layers are numbered from 1, those that are not routed counted (`decoder_sparse_step` and `mlp_only_layers` of Qwen-MoE,
`first_k_dense_replace` of DeepSeek-V3): layer 4 is the network's `model.layers.3`.
Letters: n tokens, e experts, k of them per token.
"""
from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends import models
from backends.checkpoints import Checkpoint
from backends.lm import shelf
from backends.lm.experts import Experts
from backends.moe import reading
from backends.moe.choices import NONE, Change, Rule, chosen, rule_of, spread
from backends.moe.params import KINDS, LENGTH, SHIPPED
from backends.moe.views import labels

PIECE = 64                      # tokens whose logits are held in float32 at once
DENSE = "{} is a dense model: there are no experts for its tokens to go to."


@dataclass(frozen=True)
class Choice:
    """What the router of one layer said, (n, e), and what its experts were given: who works on a token and with which
    weight, the largest first."""

    layer: int
    logits: Annotated[Tensor, "n e"]
    experts: Annotated[Tensor, "n k"]
    weights: Annotated[Tensor, "n k"]


@dataclass(frozen=True)
class Pass:
    """One reading of n tokens: nats of each but the first, and every routed layer in order."""

    losses: Annotated[Tensor, "m"]
    choices: tuple[Choice, ...]

    @property
    def loss(self) -> float:
        """Mean nats per token."""
        return self.losses.mean().item()


@dataclass(frozen=True)
class Site:
    """One routed layer of a network: its number, the name of its module, router, experts and rule."""

    number: int
    module: str
    router: nn.Module
    experts: nn.Module
    rule: Rule


@dataclass(frozen=True)
class Mixture:
    """A model from the shelf, or from a folder, whose tokens choose experts.  `exact`: how far numbers of its precision
    may be off."""

    title: str
    checkpoint: Checkpoint
    layers: tuple[Site, ...]

    @property
    def depth(self) -> int:
        """Layers, routed or not."""
        return len(self.checkpoint.network.base_model.layers)

    @property
    def exact(self) -> float:
        """1e-5 for float32; bfloat16 has three digits."""
        return 1e-5 if self.checkpoint.network.dtype == torch.float32 else 1e-2

    @property
    def kind(self) -> str:
        """Its model_type."""
        return self.checkpoint.network.config.model_type

    def spelled(self, text: str) -> tuple[Tensor, tuple[str, ...]]:
        """Tokens (n,) on the model's device, and what each is shown as.  ValueError for an empty text."""
        tokens = self.checkpoint.encoded(text)
        tokenizer = self.checkpoint.tokenizer
        if not getattr(tokenizer, "is_fast", False):
            return tokens.to(self.checkpoint.device), tuple(self.checkpoint.words(tokens))
        given = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return tokens.to(self.checkpoint.device), characters(text, given["offset_mapping"])

    @torch.no_grad()
    def read(self, tokens: Tensor, change: Change | None = None) -> Pass:
        """The text through the network as it is, or, with a change, with its routers' answers worked out by `chosen`,
        the change included."""
        logits: dict[int, Tensor] = {}
        given: dict[int, tuple[Tensor, Tensor]] = {}

        def routed(one: Site, out: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
            logits[one.number] = out[0]
            if change is None:
                return None
            experts, weights = chosen(one.rule, out[0], change.at(one.number))
            return out[0], weights.to(out[1].dtype), experts

        with reader() as heard:
            for one in self.layers:
                heard(one.router.register_forward_hook, lambda _, x, out, one=one: routed(one, out))
                heard(one.experts.register_forward_pre_hook,
                      lambda _, x, one=one: given.update({one.number: x[1:3]}))
            out = self.checkpoint.network(tokens[None], use_cache=False).logits[0]
        found = (Choice(at, logits[at], *_falling(*given[at])) for at in sorted(logits))
        return Pass(_nats(out, tokens), tuple(found))

    def reported(self, found: Pass) -> float | None:
        """The network's own aux_loss for this reading; None where it has none (DeepSeek-V3)."""
        function = getattr(sys.modules[type(self.checkpoint.network).__module__], "load_balancing_loss_func", None)
        rows = tuple(one.logits for one in found.choices)
        return function(rows, rows[0].shape[1], self.layers[0].rule.k).item() if function else None


_reader: ContextVar[object] = ContextVar("reader", default=None)


@contextmanager
def reader() -> Iterator[Callable[..., None]]:
    """Inside it `heard(register, hook)` sets a hook of a module, which hears this reader's forward passes alone: others
    may run the same network."""
    mine = object()
    with ExitStack() as stack:
        def heard(register: Callable[..., Any], hook: Callable[..., Any]) -> None:
            stack.callback(register(lambda *given: hook(*given) if _reader.get() is mine else None).remove)

        stack.callback(_reader.reset, _reader.set(mine))
        yield heard


def _falling(experts: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Both (n, k), the largest weight first."""
    order = weights.argsort(dim=-1, descending=True, stable=True)
    return experts.gather(1, order), weights.gather(1, order).float()


def _nats(logits: Tensor, tokens: Tensor) -> Tensor:
    """(n - 1,) of logits (n, vocab)."""
    parts = zip(logits[:-1].split(PIECE), tokens[1:].split(PIECE), strict=True)
    return torch.cat([F.cross_entropy(some.float(), next_, reduction="none") for some, next_ in parts])


def characters(text: str, offsets: list[tuple[int, int]]) -> tuple[str, ...]:
    """What each token is shown as, by its characters [first, last) of the text: those that no earlier token showed, or
    a dot for a further piece of a character.  Without these dots they are the text."""
    out, done = [], 0
    for _, last in offsets:
        out.append(text[done:last] or "·")
        done = max(done, last)
    return tuple(out)


def mixture(checkpoint: Checkpoint, title: str) -> Mixture:
    """The routed layers of a checkpoint.  ValueError, one sentence, where there are none."""
    network = checkpoint.network
    found = []
    for number, layer in enumerate(network.base_model.layers, 1):
        block = getattr(layer, "mlp", None)
        if hasattr(block, "experts"):
            router = getattr(block, "gate", None) or block.router
            rule = rule_of(network.config, getattr(router, "e_score_correction_bias", None))
            module = f"{network.base_model_prefix}.layers.{number - 1}.mlp"
            found.append(Site(number, module, router, block.experts, rule))
    if network.config.model_type not in KINDS or not found:
        raise ValueError(DENSE.format(title))
    return Mixture(title, checkpoint, tuple(found))


def load(name: str) -> Mixture | Shipped:
    """The model of the shelf with this id, or a byte model that ships.  ValueError, one sentence, for a dense one."""
    if name in SHIPPED:
        return Shipped(name)
    one = models.offered().get(name)
    if one is not None and one.kind and one.kind not in KINDS:
        raise ValueError(DENSE.format(one.title))
    return mixture(models.load(name), models.titles()[name])


@dataclass(frozen=True)
class Shipped:
    """A byte model that ships, read as `Mixture` is: as it is by its own forward pass, with a change by
    `reading.read`."""

    name: str
    exact = 1e-5
    kind = "bytes"

    @property
    def title(self) -> str:
        """As the page calls it."""
        return SHIPPED[self.name]

    @property
    def depth(self) -> int:
        """Layers, routed or not."""
        return len(shelf.routed(self.name).blocks)

    @property
    def layers(self) -> tuple[Site, ...]:
        """Its routed layers."""
        rule = Rule("softmax", reading.TRAINED.k)
        return tuple(Site(number, f"blocks.{number - 1}.mlp", block.mlp.router, block.mlp, rule)
                     for number, block in enumerate(shelf.routed(self.name).blocks, 1)
                     if isinstance(block.mlp, Experts))

    def spelled(self, text: str) -> tuple[Tensor, tuple[str, ...]]:
        """Bytes (n,), and what each is shown as."""
        tokens = shelf.tokens(text)
        return tokens, labels(bytes(tokens.tolist()))

    def read(self, tokens: Tensor, change: Change | None = None) -> Pass:
        """As `Mixture.read`, in windows of the trained length."""
        return self._own(tokens) if change is None else self._ruled(tokens, change)

    @torch.no_grad()
    def _own(self, tokens: Tensor) -> Pass:
        model, n, found = shelf.routed(self.name), len(tokens), {}
        size = min(LENGTH, n)
        with reader() as heard:
            for one in self.layers:
                heard(one.experts.register_forward_hook,
                      lambda _, x, out, one=one: found.update({one.number: out[1]}))
            logits = model(F.pad(tokens, (0, -n % size)).view(-1, size)).flatten(0, 1)[:n]
        return Pass(_nats(logits, tokens), tuple(
            Choice(at, r.logits[:n], *_falling(r.chosen[:n], r.gates[:n])) for at, r in sorted(found.items())))

    def _ruled(self, tokens: Tensor, change: Change) -> Pass:
        rule, choices = self.layers[0].rule, []

        def routed(number: int, logits: Tensor) -> reading.Routed:
            experts, weights = chosen(rule, logits, change.at(number))
            choices.append(Choice(number, logits, *_falling(experts, weights)))
            gates = spread(experts, weights, logits.shape[1])
            return replace(reading.as_trained(number, logits), wanted=gates > 0, kept=gates > 0, gates=gates)

        found = reading.read(shelf.routed(self.name), tokens, routed)
        return Pass(found.loss(tokens), tuple(choices))

    def reported(self, found: Pass) -> float | None:
        """None: the byte models report no aux_loss."""
        return None


def touched(found: Mixture | Shipped, kind: str, layer: int, expert: int) -> Change:
    """A change that the model has a place for.  `layer`: 0 for the first routed one.  ValueError, one sentence."""
    numbers = [one.number for one in found.layers]
    layer = layer or numbers[0]
    if layer not in numbers:
        raise ValueError(f"Layer {layer} of {found.title} is not routed; those that are: "
                         f"{', '.join(map(str, numbers))}.")
    count = found.layers[0].router.weight.shape[0]
    if kind != NONE and expert >= count:
        raise ValueError(f"There is no expert {expert}: {found.title} has {count} in a layer, numbered from 0.")
    return Change(kind, layer, expert)
