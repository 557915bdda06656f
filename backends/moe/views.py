"""The views of the MoE tab that read a text with the shipped models: bodies of `results`, from parameters."""
from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from backends import device
from backends.lm import shelf
from backends.moe import classes
from backends.moe.params import LENGTH, LIMITED, MoeParams
from backends.moe.reading import HELD, Reading, read, rule_of, source
from backends.moe.results import Capacity, Classes, Layer, Precision, Rounding, Table, Text, Trade
from backends.moe.routers import Routed, route

NONE = 255                         # in `Layer.main`: no expert took the token
FACTORS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0)
ROOMY = 1e6                        # a capacity factor that gives every token a place
BINS = 16
SCALES = tuple(2.0**x for x in range(-2, 7))
LABELS = {"moe": "with balance and z-loss", "moe-free": "without auxiliary losses"}


def layer(number: int, routed: Routed) -> Layer:
    """What is shown of one routing of t tokens."""
    kept, asked = routed.kept, routed.wanted
    took = kept.sum(-1)
    state = torch.where(took == 0, 2, torch.where(took < asked.sum(-1), 1, 0))
    main = torch.where(took == 0, NONE, routed.gates.argmax(-1))
    ls = routed.losses
    return Layer(number, tuple(asked.sum(0).tolist()), tuple(kept.sum(0).tolist()), sum(routed.capacity)
                 if routed.capacity else None, int((state == 1).sum()), int((state == 2).sum()),
                 *(v.item() for v in (ls.switch, ls.first, ls.mixtral, ls.z, ls.importance, ls.load)),
                 tuple(routed.bias.tolist()), routed.off, *(device.array(x.to(torch.uint8)) for x in (main, state)),
                 device.array(routed.probabilities), device.array(routed.gates))


@device.kept(4)
def trained_loss(model: str, tokens: bytes) -> float:
    """Mean nats per byte as the model was trained."""
    own = torch.tensor(list(tokens), device=device.exact())
    return read(shelf.routed(model), own).loss(own).mean().item()


def text(params: MoeParams) -> tuple[Text, Reading, Tensor]:
    """The view "text", and what it was made from: the reading and its bytes (t,)."""
    tokens, where = source(params)
    own, data = shelf.routed(params.model), bytes(tokens.tolist())
    found = read(own, tokens, rule_of(params, params.rules))
    loss = unlimited = found.loss(tokens).mean().item()
    if any(visit.routed.dropped.any() for visit in found.visits):
        unlimited = read(own, tokens, rule_of(params, replace(params.rules, factor=ROOMY))).loss(tokens).mean().item()
    layers = tuple(layer(v.layer, v.routed) for v in found.visits)
    body = Text(params.model, params.router, where, len(tokens), -(-len(tokens) // LENGTH), loss, unlimited,
                trained_loss(params.model, data), math.log(own.config.vocab), layers, labels(data))
    return body, found, tokens


def labels(data: bytes) -> tuple[str, ...]:
    """What each byte is shown as: its character; of a character of several bytes, the first shows it and the others a
    dot."""
    out: list[str] = []
    for char in data.decode("utf-8", "surrogateescape"):
        size = len(char.encode("utf-8", "surrogateescape"))
        shown = "\N{REPLACEMENT CHARACTER}" if "\ud800" <= char <= "\udfff" else char
        out += [shown, *"·" * (size - 1)]
    return tuple(out)


def table(params: MoeParams) -> Classes:
    """The view "classes": experts against token classes, on held-out modules or the user's text, as the model was
    trained."""
    if params.counted == "text":
        tokens, where = source(params)
        data = np.array(tokens.tolist(), np.uint8)
        kinds = classes.classes(data.tobytes())
    else:
        (data, kinds), where = classes.held_out(), HELD
    tables = tuple(_table(number, kept, kinds, data, params.seed)
                   for number, kept in took(params.model, data.tobytes()))
    return Classes(params.model, where, len(data), classes.CLASSES, tables)


@device.kept(4)
def took(model: str, data: bytes) -> tuple[tuple[int, np.ndarray], ...]:
    """Of each routed layer, as trained: its number, and which experts took each byte, (t, e) bool."""
    found = read(shelf.routed(model), torch.tensor(list(data), device=device.exact()))
    return tuple((visit.layer, device.array(visit.routed.kept)) for visit in found.visits)


def _table(number: int, kept: np.ndarray, kinds: np.ndarray, data: np.ndarray, seed: int) -> Table:
    counts, control = classes.table(kept, kinds), classes.shuffled(kept, kinds, seed)
    top = tuple(tuple(shown(b) for b in row) for row in classes.favourites(kept, data))
    return Table(number, tuple(map(tuple, counts.tolist())), classes.information(counts), float(control.mean()),
                 float(control.max()), float(classes.shifted(kept, kinds, seed).mean()), classes.entropy(kinds),
                 *classes.bytewise(kept, data, kinds, seed), top)


def shown(byte: int) -> str:
    """A byte as a short word."""
    names = {9: "⇥", 10: "↵", 32: "␣"}
    return names.get(byte, chr(byte) if 32 < byte < 127 else f"0x{byte:02x}")


def limited(params: MoeParams) -> str:
    """The router of the capacity view: the chosen one if its experts have limited places, else Switch's."""
    return params.router if params.router in LIMITED else "switch"


def capacity(params: MoeParams) -> Iterator[Capacity]:
    """The view "capacity": what is dropped, what stays empty, what it costs, and the loss, for both orders, factor by
    factor."""
    tokens, where = source(params)
    name, at = limited(params), params.factor
    factors = tuple(sorted({*FACTORS, at}))
    own = shelf.routed(params.model)
    place = 4 * own.config.width * own.config.hidden // own.config.k
    roomy = read(own, tokens, lambda _, logits: route(name, logits, replace(params.rules, factor=ROOMY)))
    base = trained_loss(params.model, bytes(tokens.tolist())), roomy.loss(tokens).mean().item()
    trades = {order: Trade(order) for order in ("text", "priority")}
    middles = tuple((b + 0.5) * len(tokens) / BINS for b in range(BINS))
    for done, factor in enumerate(factors, 1):
        for order, trade in trades.items():
            rules = replace(params.rules, factor=factor, order=order)
            found = read(own, tokens, lambda _, logits, rules=rules: route(name, logits, rules))
            trades[order] = _more(trade, found, tokens, place, factor == at)
        yield Capacity(params.model, name, where, len(tokens), *base, factors, factors[:done], at, middles,
                       tuple(trades.values()))


def _more(trade: Trade, found: Reading, tokens: Tensor, place: int, whole: bool) -> Trade:
    """`trade` with one more factor; `place`: operations of one; `whole`: also by place in the text."""
    rows = [_shares(v.routed) for v in found.visits]
    mean = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
    mean |= {"loss": found.loss(tokens).mean().item(), "flops": mean["places"] * len(rows) * place}
    more: dict[str, tuple[float, ...]] = {name: (*getattr(trade, name), value) for name, value in mean.items()}
    if whole:
        dropped = torch.stack([v.routed.dropped.sum(-1) / v.routed.wanted.sum(-1) for v in found.visits]).mean(0)
        more["where"] = tuple(part.mean().item() if len(part) else 0.0 for part in dropped.tensor_split(BINS))
    return replace(trade, **more)


def _shares(routed: Routed) -> dict[str, float]:
    asked, kept = int(routed.wanted.sum()), int(routed.kept.sum())
    room = sum(routed.capacity) * routed.kept.shape[1]
    return {"dropped": (asked - kept) / asked, "lost": (routed.kept.sum(-1) == 0).float().mean().item(),
            "padding": 1 - kept / room, "places": room / len(routed.kept)}


def precision(params: MoeParams) -> Precision:
    """The view "precision": both models' routers with their weights times a scale, in bfloat16 throughout against
    float32."""
    tokens, where = source(params)
    return Precision(where, len(tokens), params.k, SCALES, tuple(_rounding(name, tokens, params.k) for name in LABELS))


def _rounding(name: str, tokens: Tensor, k: int) -> Rounding:
    model = shelf.routed(name)
    found = read(model, tokens)
    weights = [block.mlp.router.weight for block in model.blocks if hasattr(block.mlp, "router")]
    rows: list[list[float]] = []
    for scale in SCALES:
        parts = [rounded(v.hidden, scale * w, k) for v, w in zip(found.visits, weights, strict=True)]
        rows.append([max(p[0] for p in parts), *(sum(p[at] for p in parts) / len(parts) for at in range(1, 5))])
    return Rounding(name, LABELS[name], *(tuple(column) for column in zip(*rows, strict=True)))


@torch.no_grad()
def rounded(hidden: Tensor, weight: Tensor, k: int) -> tuple[float, float, float, float, float]:
    """(largest and mean change of a probability, share of other first experts, of other sets of k, mean logsumexp^2) of
    a router in bfloat16, product and softmax both, against float32.  hidden (t, D), weight (e, D).  Experts are
    compared by their logits: of large ones the probabilities underflow to ties in float32 too."""
    exact, rough = hidden @ weight.T, hidden.bfloat16() @ weight.bfloat16().T
    gap = (rough.softmax(-1).float() - exact.softmax(-1)).abs()
    first = (rough.argmax(-1) != exact.argmax(-1)).float().mean().item()
    sets = [x.float().topk(k, -1).indices.sort(-1).values for x in (exact, rough)]
    return (gap.max().item(), gap.mean().item(), first, (sets[0] != sets[1]).any(-1).float().mean().item(),
            exact.logsumexp(-1).square().mean().item())

