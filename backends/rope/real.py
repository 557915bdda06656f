"""A long text read by a real language model, by one method after the other.

The text goes through in pieces, with a cache of keys and values, so that one pass gives the loss at every position.
Where distances change, keys are kept un-rotated, so every method of `backends.rope.methods` runs, and reading in pieces
is reading at once.  Layers with a window of their own see no further than they did in training: their clocks stay.
Letters: n tokens of context, L trained length.
"""
from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from backends import models, stop
from backends.checkpoints import Checkpoint
from backends.device import HOST
from backends.lm.pretrained import Heads, Turn, Way, attended, attending, wide
from backends.result import Check, Work, check
from backends.rope import forecast, jobs
from backends.rope.attend import attend
from backends.rope.config import Model, read_config
from backends.rope.evaluate import scored
from backends.rope.jobs import ANEW, CONFIGURED, GROWING, REFERENCE
from backends.rope.methods import METHODS, ON_ROPE, Keep, Plan, Rules, plan
from backends.rope.params import RopeParams, rules_for
from backends.rope.results import Live, Track

PIECE = 512
ROWS = 16                       # of logits that are looked at together: they fit into a core's cache
TAIL = 1024                     # last tokens, whose mean loss is compared
POINTS = 96                     # of a curve, at most
PROBE = 96                      # tokens of the checks


@dataclass(frozen=True)
class Setup:
    """A model, what its configuration says of RoPE, and the rules of the methods for it."""

    checkpoint: Checkpoint
    described: Model
    rules: Rules

    def way(self, name: str, n: int) -> tuple[Way, Turn]:
        """(attention of the method for n tokens, rotation that it wants).  ValueError for what cannot run on the model.

        Where only frequencies and logits change, the keys are kept rotated, which is quicker."""
        if name == CONFIGURED:
            return attended, True
        rule = "dynamic" if name in GROWING else name
        if rule not in ON_ROPE:
            raise ValueError(f"The method {name[:40]!r} cannot be run on this model.")
        made = plan(rule, n, self.described.head_dim, self.rules)
        if made.far or made.keep or name == ANEW or not self._alike:
            return partial(self._turned, rule, n), False
        return partial(self._scaled, made.logit), made.theta

    @property
    def _alike(self) -> bool:
        """Whether all layers see everything and turn at the same rates."""
        config = self.checkpoint.network.config
        kinds = set(getattr(config, "layer_types", None) or ("full_attention",))
        windowed = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
        return kinds == {"full_attention"} and not windowed

    def _scaled(self, logit: Any, heads: Heads) -> Tensor:
        """Rotated already; the method's factor on the logits of each query is left."""
        q, scaling = self._bare(heads)
        if logit is not None:
            n, m = heads.k.shape[2], q.shape[2]
            q = q * logit(torch.arange(n - m, n, device=q.device, dtype=torch.float32))[:, None].to(q.dtype)
        return attended(replace(heads, q=q, scaling=scaling))

    def _bare(self, heads: Heads) -> tuple[Tensor, float]:
        """Queries, and the factor on q . k without what YaRN put into it (DeepSeek).  ValueError for attention that the
        methods would change besides."""
        if heads.softcap is not None or heads.sinks is not None:
            raise ValueError("This model caps its scores or has learned sinks, which the methods here would take away; "
                             "it runs as configured alone.")
        deepseek = self.checkpoint.network.config.model_type == "deepseek_v3"
        return heads.q, heads.q.shape[-1] ** -0.5 if deepseek else heads.scaling

    def _turned(self, name: str, n: int, heads: Heads) -> Tensor:
        q, scaling = self._bare(heads)
        if heads.rotary is None:
            return attended(heads)
        first, width = heads.rotary
        base = self._base(heads.window is not None)
        made = plan("none" if heads.window else name, n, width, replace(self.rules, base=base))
        if heads.window is not None:
            made = replace(made, keep=Keep(heads.window))
        d, h = q.shape[-1], q.shape[1]
        order = arranged(d, first, width)
        q, k = q[..., order] * (scaling * d**0.5), wide(heads.k[..., order], h)
        return attend(padded(made, d), q, k, wide(heads.v, h))

    def _base(self, windowed: bool) -> float:
        """rope_theta of this kind of layer: Gemma 3 has two."""
        found = self.checkpoint.network.config.rope_parameters
        inner = found.get("sliding_attention" if windowed else "full_attention", found)
        return float(inner["rope_theta"])


def arranged(d: int, first: int, width: int) -> list[int]:
    """The order of a head's d channels in which those that RoPE turns, `width` from `first` on, come first in both
    halves: channel i turns with channel i + d/2, and the others, whose clocks stand still, follow."""
    half, rest = width // 2, [c for c in range(d) if not first <= c < first + width]
    cut = d // 2 - half
    return [*range(first, first + half), *rest[:cut], *range(first + half, first + width), *rest[cut:]]


def padded(made: Plan, d: int) -> Plan:
    """The plan for heads of d channels, of which the rest does not turn."""
    still = made.theta.new_zeros(d // 2 - len(made.theta))
    return replace(made, theta=torch.cat([made.theta, still]))


def setup(checkpoint: Checkpoint, trained: int = 0, **given: Any) -> Setup:
    """A model with the rules for it; `given`: settings of the rules, and a trained length in place of its own."""
    described = read_config(json.dumps(checkpoint.config, default=str))
    return Setup(checkpoint, described, rules_for(described.base, trained or described.trained, **given))


def losses(chosen: Setup, tokens: Tensor, name: str, piece: int = 0) -> Iterator[Tensor]:
    """(2, m): loss in nats and whether the guess was right, of each next `piece` (0: PIECE) of tokens (n + 1,)."""
    from transformers import DynamicCache
    network, cache, n = chosen.checkpoint.network, DynamicCache(), len(tokens) - 1
    piece = piece or PIECE
    for start in range(0, n, piece):
        end = min(n, start + piece)
        way, turned = chosen.way(name, end if name in GROWING else n)
        with torch.no_grad(), attending(partial(_checked, way), turned):
            logits = network(tokens[None, start:end], past_key_values=cache, use_cache=True).logits
        rows = zip(logits.split(ROWS, 1), tokens[None, start + 1 : end + 1].split(ROWS, 1))
        yield torch.cat([torch.cat(scored(some.float(), next_ones)).float() for some, next_ones in rows], 1)


def all_losses(chosen: Setup, tokens: Tensor, name: str, piece: int = 0) -> Tensor:
    """(2, n): those of all pieces."""
    return torch.cat(list(losses(chosen, tokens, name, piece)), 1)


def _checked(way: Way, heads: Heads) -> Tensor:
    stop.check()
    return way(heads)


def read(params: RopeParams, chosen: Setup, most: int | None = None) -> tuple[Tensor, str]:
    """(tokens, at most `most`, where they are from): your text, else the one that ships."""
    text = params.text or jobs.SHIPPED.read_text("utf-8")
    source = "your own text" if params.text else "the GNU GPL 3 and the GNU FDL 1.3"
    found = chosen.checkpoint.encoded(text)[:most]
    if len(found) < 65:
        raise ValueError(f"Your text has {len(found)} tokens; at least 65 are needed.")
    return found.to(chosen.checkpoint.device), source


def live(params: RopeParams) -> Work:
    """The view "live" on a real model: each method along the whole text, laid out for its length; past the trained
    length also the last tokens with no more context than that."""
    chosen = setup(models.load(params.model), params.reads, **params.shared)
    tokens, source = read(params, chosen, params.tokens + 1)
    n, trained = len(tokens) - 1, chosen.rules.trained
    runs, smooth, tail = jobs.along(params, trained, kind(chosen), n), max(64, -(-n // POINTS)), min(TAIL, n // 4)
    body = Live(trained, n, smooth, source, tuple(Track(name, label) for name, label, _ in runs), "tokens", tail)
    clock = forecast.Clock(forecast.seconds(params.model, [(n - first, name) for name, _, first in runs]))
    work, done = sum(forecast.cost(n - first) for *_, first in runs), 0.0
    yield body, said(params, chosen, now=clock.left(0)), None
    for index, (name, _, first) in enumerate(runs):
        parts: list[Tensor] = []
        for part in losses(chosen, tokens[first:], "none" if name == REFERENCE else name):
            parts.append(part)
            values = torch.cat(parts, 1)
            track = _track(body.tracks[index], values, first, smooth, tail, n)
            body = replace(body, tracks=(*body.tracks[:index], track, *body.tracks[index + 1 :]))
            now = clock.left((done + forecast.cost(values.shape[1])) / work)
            yield body, said(params, chosen, now=now), None
        done += forecast.cost(n - first)
    yield body, said(params, chosen), checks(chosen, jobs.named(params), tokens)


def kind(chosen: Setup) -> str:
    """The rope_type of the model's own rule."""
    return chosen.described.block.get("rope_type", jobs.DEFAULT)


def said(params: RopeParams, chosen: Setup, *more: str, now: str = "") -> str:
    """The numbers of the model, what is left out, and `more`, in sentences; what goes on `now` after a line break."""
    rules = chosen.rules
    said = [f"{models.titles()[params.model]}: L = {rules.trained}, w = {rules.window}, tau = {rules.tau:g}."]
    gone = [METHODS[name].label for name in params.methods if name not in ON_ROPE]
    said += [f"Left out, since no such model was trained: {', '.join(gone)}."] if gone else []
    return "\n".join(filter(None, (" ".join([*said, *filter(None, more)]), now)))


def _track(track: Track, values: Tensor, first: int, smooth: int, tail: int, n: int) -> Track:
    """The line with (2, m) losses and right guesses from position `first` on: means over `smooth` tokens each."""
    groups = values.to(HOST).split(smooth, 1)
    at = tuple(first + k * smooth + g.shape[1] / 2 for k, g in enumerate(groups))
    loss, right = zip(*(g.mean(1).tolist() for g in groups))
    whole = first + values.shape[1] == n
    return replace(track, at=at, loss=loss, accuracy=right,
                   tail=values[0, -tail:].mean().item() if whole else None)


def checks(chosen: Setup, names: list[str], tokens: Tensor) -> tuple[Check, ...]:
    """Checks on the start of the very text, by the model that read it."""
    tokens = tokens[:PROBE]
    bound = 1e-3 if chosen.checkpoint.network.dtype == torch.float32 else 0.1      # bfloat16 has three digits
    other = torch.cat([tokens[:-1], (tokens[-1:] + 1) % chosen.checkpoint.network.config.vocab_size])
    whole = {name: all_losses(chosen, tokens, name)[0] for name in names}
    pieces = max(_gap(all_losses(chosen, tokens, name, 50)[0], whole[name]) for name in names)
    past = max(_gap(all_losses(chosen, other, name)[0, :-1], whole[name][:-1]) for name in names)
    text = "the mean difference of a token's loss"
    found = (check("pieces are the whole", pieces, bound, f"{text} between reading in pieces and at once"),
             check("the past stays", past, bound / 100, f"{text} before the last token, when that changes"))
    if kind(chosen) != jobs.DEFAULT:
        return found
    gap = _gap(all_losses(chosen, tokens, "none")[0], all_losses(chosen, tokens, CONFIGURED)[0])
    return check("untouched is the model itself", gap, bound, f"{text} to the model's own attention"), *found


def _gap(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().mean().item()
