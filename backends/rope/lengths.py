"""The curve of the RoPE tab on a real model: the same last tokens of a text, predicted from ever more context.

Letters: n tokens of context, L trained length.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from backends import models
from backends.result import Work
from backends.rope import evaluate, forecast, jobs, real
from backends.rope.jobs import CONFIGURED
from backends.rope.methods import METHODS, ON_ROPE
from backends.rope.params import RopeParams
from backends.rope.real import Setup, all_losses, losses
from backends.rope.results import Curve, Line


def last_losses(chosen: Setup, tokens: Tensor, name: str, tail: int = evaluate.TAIL) -> tuple[Tensor, Tensor]:
    """(loss in nats, guessed right), each (b, tail), of the last tokens of texts (b, n + 1), one text at a time."""
    found = [all_losses(chosen, text.to(chosen.checkpoint.device), name)[:, -tail:] for text in tokens]
    both = torch.stack(found, 1)
    return both[0], both[1] > 0


def planned(trained: int, size: int, lengths: tuple[int, ...]) -> tuple[int, ...]:
    """Lengths, short ones first, that a text of `size` tokens allows: those named, or parts of the trained one.
    ValueError when there is none."""
    wanted = jobs.lengths(trained, lengths)
    found = tuple(n for n in wanted if evaluate.TAIL <= n < size)
    if not found:
        raise ValueError(f"The text has {size} tokens; more than {max(evaluate.TAIL, wanted[0])} are needed.")
    return found


def curve(chosen: Setup, tokens: Tensor, methods: tuple[str, ...], lengths: tuple[int, ...] = (), samples: int = 1,
          source: str = evaluate.OWN) -> Iterator[tuple[Curve, str, float]]:
    """(growing curve, what is read now, share of the work that is done) after each piece of tokens (n,), one text,
    short contexts first.

    Raises ValueError for a method that does not run on a model that was trained with RoPE, and for a text that is too
    short."""
    wrong = [name for name in methods if name not in (*ON_ROPE, CONFIGURED)]
    if wrong or not methods:
        raise ValueError(f"The method {wrong[0]!r} cannot be run on this model; known are "
                         f"{', '.join((CONFIGURED, *ON_ROPE))}." if wrong else "Please choose at least one method.")
    lengths = planned(chosen.rules.trained, len(tokens), lengths)
    texts = evaluate.tails(tokens, lengths[-1], samples).to(chosen.checkpoint.device)
    lines = {name: Line(name, METHODS[name].label if name in METHODS else "as configured") for name in methods}
    body = Curve(chosen.rules.trained, evaluate.TAIL, len(texts), source, lengths, tuple(lines.values()), "tokens")
    work = jobs.points(methods, lengths, len(texts))
    whole, done, own = sum(forecast.cost(n) for n, _ in work) * len(texts), 0.0, None
    yield body, "", 0.0
    for n, name in work:
        found: list[tuple[Tensor, Tensor]] = []
        label = lines[name].label if name in lines else "the model itself"
        for spent in _read(chosen, texts[:, -n - 1 :], name, found):
            yield body, f"Reading {n} tokens: {label}.", (done + spent) / whole
        done += spent
        means = tuple(torch.stack([one[k].float().mean() for one in found]) for k in (0, 1))
        if own is None:
            own = means
        if name in lines:
            lines[name] = evaluate.extended(lines[name], n, means, own)
            body = replace(body, lines=tuple(lines.values()))
            yield body, "", done / whole


def _read(chosen: Setup, texts: Tensor, name: str, found: list[tuple[Tensor, Tensor]]) -> Iterator[float]:
    """What is spent on texts (b, n + 1) after each piece; of each the last losses and right guesses go into `found`."""
    spent = 0.0
    for text in texts:
        parts: list[Tensor] = []
        for part in losses(chosen, text, name):
            parts.append(part)
            at = sum(x.shape[1] for x in parts)
            yield spent + forecast.cost(at)
        found.append(tuple(torch.cat(parts, 1)[:, -evaluate.TAIL :]))
        spent += forecast.cost(at)


def view(params: RopeParams) -> Work:
    """The view "curve" on a real model."""
    chosen = real.setup(models.load(params.model), params.reads, **params.shared)
    (tokens, source), trained, kind = real.read(params, chosen), chosen.rules.trained, real.kind(chosen)
    methods = (*jobs.named(params), *(() if kind == jobs.DEFAULT else (CONFIGURED,)))
    short = any(n >= len(tokens) for n in jobs.lengths(trained, params.lengths))
    said = [f"Contexts longer than the text, {len(tokens)} tokens, are left out."] if short else []
    clock = forecast.Clock(forecast.seconds(params.model, forecast.curve(params, trained, kind, len(tokens) - 1)))
    for body, now, share in curve(chosen, tokens, methods, params.lengths, params.samples, source):
        now = " ".join(filter(None, (now, clock.left(share))))
        yield body, real.said(params, chosen, *said, now=now), None
    yield body, real.said(params, chosen, *said), real.checks(chosen, jobs.named(params), tokens)
