"""The views of the MoE tab.

Each view carries checks on its own input; what they compare is worked out twice by different code.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from backends import device
from backends.device import HOST
from backends.drawn import normal, seeded
from backends.lm import shelf
from backends.moe import calculator, collapse, own, plane, reading, views
from backends.moe.params import ROUTERS, MoeParams
from backends.moe.reading import HELD, read
from backends.moe.results import Layer
from backends.moe.routers import route
from backends.result import Check, Work, check


def notice(params: MoeParams, body: Any) -> str:
    """What the reader must know of the input or the rule, in sentences; "" if nothing."""
    said, router = [], ROUTERS[params.router]
    if getattr(body, "source", "") == HELD:
        said.append(f"{body.tokens} bytes of held-out Python, from the standard library.")
    if params.view == "capacity" and body.router != params.router:
        said.append(f"{router.label} limits no expert's places, so {ROUTERS[body.router].label} is shown.")
    if params.view == "race" and 1 in (params.k, *(1 for name in params.alphas if name == "top1")):
        said.append("With one expert per token its weight is the router's own probability, as in Switch: renormalised "
                    "it would always be 1, and the loss would teach the router nothing.")
    if params.view in ("text", "plane") and params.touch != "force":
        said.append(f"{router.label}: {router.note}")
        if not router.causal:
            said.append("It is not causal: where a token goes depends on later tokens, so a decoder cannot "
                        "generate with it.")
        elif router.places and params.order == "priority":
            said.append("Served by priority it is not causal: a later token can take an earlier one's place.")
        if router.name == "free" and params.updates:
            said.append("The bias is fitted to these very tokens, later ones too; in training it follows past batches "
                        "and is then fixed.")
    return " ".join(said)


def counted(layers: tuple[Layer, ...]) -> Check:
    """Kept + dropped = asked, the dropped ones counted token by token."""
    gap = 0
    for one in layers:
        dropped = [max(0, a - k) for a, k in zip(one.asked, one.kept, strict=True)]
        gap += (abs(sum(one.kept) + sum(dropped) - sum(one.asked))
                + sum(k > a for a, k in zip(one.asked, one.kept, strict=True)))
        gap += abs(int((np.asarray(one.gates) > 0).sum()) - sum(one.kept))
        gap += sum(k > one.capacity for k in one.kept) if one.capacity is not None else 0
    return check("kept + dropped = asked", gap, 0,
                 "assignments that are missing, counted twice or beyond an expert's places")


def _text(params: MoeParams) -> Work:
    body, found, tokens = views.text(params)
    row = max(v.routed.gates.sum(-1).max().item() for v in found.visits) - 1
    yield body, notice(params, body), (
        counted(body.layers), *_passed(found),
        check("gates sum to at most 1", row, 1e-5, "how far a token's weights exceed 1"), _own(params.model, tokens))


def _passed(found: reading.Reading) -> Iterator[Check]:
    """Where tokens were lost: what became of their residual stream."""
    lost = [(v.after - v.before)[v.routed.kept.sum(-1) == 0].abs() for v in found.visits]
    if count := sum(map(len, lost)):
        moved = max(x.max().item() for x in lost if len(x))
        yield check("the lost pass unchanged", moved, 0,
                    f"largest change of the residual stream at the {count} that no expert took")


def _own(model: str, tokens: torch.Tensor) -> Check:
    """Our reading with the trained rule against the model's own forward, on the first window."""
    own = shelf.routed(model)
    part = tokens[: reading.LENGTH]
    with torch.no_grad():
        gap = (read(own, part).logits - own(part[None])[0]).abs().max().item()
    return check("as trained = the model itself", gap, 1e-4,
                 "the largest difference of a logit to the model's own forward pass")


def _classes(params: MoeParams) -> Work:
    body = views.table(params)
    assigned = max(abs(sum(map(sum, t.counts)) - 2 * body.tokens) for t in body.tables)
    gap = max(abs(t.bits - _entropies(np.asarray(t.counts, float))) for t in body.tables)
    chance = max(max(t.highest, t.shifted) / max(t.bits, 1e-12) for t in body.tables)
    yield body, notice(params, body), (
        check("every token twice", assigned, 0, "assignments more or less than k = 2 for each token"),
        check("the same from entropies", gap, 1e-9, "difference to H(expert) + H(class) - H(both), bits"),
        check("above both controls", chance, 1, "shuffled or shifted classes' bits over the true ones"))


def _entropies(counts: np.ndarray) -> float:
    """H(row) + H(column) - H(both) of a table of counts."""
    def h(n: np.ndarray) -> float:
        p = n[n > 0] / n.sum()
        return float(-(p * np.log2(p)).sum())

    return h(counts.sum(1)) + h(counts.sum(0)) - h(counts.ravel())


def _capacity(params: MoeParams) -> Work:
    body = None
    for body in views.capacity(params):
        yield body, notice(params, body), None
    ups = max(b - a for trade in body.trades for a, b in zip(trade.dropped, trade.dropped[1:]))
    text = "the largest rise of the dropped share from one factor to the next"
    yield body, notice(params, body), (check("more places, fewer dropped", ups, 0.02, text),
                                       _own(params.model, reading.source(params)[0]))


def _plane(params: MoeParams) -> Work:
    body = plane.plane(params)
    layers = tuple(panel.layer for panel in body.panels)
    x, c = (torch.tensor(points, dtype=torch.float64, device=HOST) for points in (body.points, body.prototypes))
    near = torch.cdist(x, c).argmin(-1)
    far = (torch.tensor(layers[0].p, device=HOST).argmax(-1) != near).float().mean().item()
    yield body, notice(params, body), (counted(layers),
                                       check("nearest is first", far, 0.01,
                                             "share of tokens whose largest logit is not the nearest expert's"))


def _race(params: MoeParams) -> Work:
    body = None
    for body in collapse.race(params):
        yield body, notice(params, body), None
    yield body, notice(params, body), (_shares(body), _through())


def _shares(body: Any) -> Check:
    """Loads are counts over k t, as they were taken or stored with four digits: nothing here makes them sum to 1."""
    gap = max(abs(sum(load) - 1) for course in body.courses for step in course.loads for load in step)
    return check("loads sum to 1", gap, 1e-3,
                 "the largest distance of a step's loads from 1: every token took k experts")


def _through() -> Check:
    """The balance loss's gradient against the one with the counts held fixed, on random logits."""
    x = normal(64, 8, random=seeded(0)).to(device.exact())
    with torch.enable_grad():
        a, b = (x.clone().requires_grad_() for _ in range(2))
        route("mixtral", a, reading.TRAINED).losses.switch.backward()
        share = torch.bincount(x.topk(2, -1).indices.flatten(), minlength=8) / 128
        (8 * (share * b.softmax(-1).mean(0)).sum()).backward()
    return check("the gradient flows through P only", (a.grad - b.grad).abs().max().item(), 1e-7,
                 "difference to the gradient with the counts f held fixed")


def _training(params: MoeParams) -> Work:
    body = collapse.recorded(params)
    yield body, notice(params, body), (_shares(body),)


def _precision(params: MoeParams) -> Work:
    body = views.precision(params)
    tokens, _ = reading.source(params)
    visit = read(shelf.routed("moe"), tokens[: reading.LENGTH]).visits[0]
    weight = shelf.routed("moe").blocks[visit.layer - 1].mlp.router.weight
    exact = (visit.hidden.double() @ weight.double().T).softmax(-1)
    gap = (visit.routed.probabilities - exact).abs().max().item()
    text = "the largest error of a probability of the float32 router against float64"
    yield body, notice(params, body), (check("float32 is exact enough", gap, 1e-4, text),)


def _bill(params: MoeParams) -> Work:
    body = calculator.bill(params.public, params.batch, params.context, params.bandwidth)
    off = [abs(ours / 1e9 / theirs - 1) for ours, theirs in zip((body.total, body.active), body.published, strict=True)]
    texts = [f"relative distance from {billion:g} billion, {body.source}" for billion in body.published]
    yield body, notice(params, body), (check("as published, in all", off[0], 0.02, texts[0]),
                                       check("as published, active", off[1], 0.04, texts[1]))


VIEWS: dict[str, Callable[[MoeParams], Work]] = {
    "text": _text, "own": own.own, "classes": _classes, "capacity": _capacity, "plane": _plane, "race": _race,
    "training": _training, "precision": _precision, "calculator": _bill,
}
