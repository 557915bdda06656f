"""Trained decoders with a method in place of their own attention: losses of the same bytes from ever more context, and
along one text.

A Reader takes a text in pieces.  It keeps keys and values un-rotated, so a piece is rotated by the plan of the whole
text, and reading in pieces gives what reading at once gives (held together by tests).  Memory: keys and values of each
layer, and the scores of one chunk.  Letters: b texts, n bytes of context, L trained length.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from backends import threads
from backends.device import HOST
from backends.lm import corpus, mixers, shelf, tasks
from backends.lm.model import Decoder
from backends.rope.attend import attend
from backends.rope.methods import METHODS, Rules, plan
from backends.rope.params import RopeParams
from backends.rope.results import Curve, Line, Live, Price, Tax, Track

TAIL = 64
LENGTHS = (64, 128, 256, 512, 1024, 2048, 3072, 4096)
MOST = 16_384               # tokens of a named length
TOGETHER = 4096             # tokens of all texts that are read at once: more is slower, and takes more memory
PIECE = 1024                # bytes that are read at once along a long text
# bytes of a long text times methods that are read side by side: 4 KB of keys and values each
ALONGSIDE = 1 << 17
POINTS = 96                # of a curve along a text, at most
BYTE_MODELS = ("rope-lm", "logn-lm", "keynorm-lm")
OWN = "your own text"
HELD = "held-out modules of Python's standard library"
Found = tuple[Tensor, Tensor]       # loss in nats and whether the guess was right


class Reader:
    """A trained decoder that reads up to `n` tokens with the method `name`."""

    def __init__(self, model: Decoder, name: str, n: int, rules: Rules) -> None:
        self.model, self.seen, self.n = model, 0, n
        self.plan = plan(name, n, model.config.width // model.config.heads, rules)
        self.past: list[tuple[Tensor, Tensor]] = []

    @torch.no_grad()
    def read(self, tokens: Tensor, last: int | None = None) -> Tensor:
        """Logits (b, m, vocab) after each of the next tokens (b, m); `last`: only after the last so many."""
        x, layers = self.model.embed(tokens.to(self.model.device)), len(self.model.blocks)
        for layer, block in enumerate(self.model.blocks):
            q, k, v = block.mixer.parts(block.before(x))
            q, k = mixers.standardised(block.mixer.kind, q, k, self.seen)
            k, v = self._kept(layer, k, v)
            if last is not None and layer == layers - 1:
                q, x = q[:, :, -last:], x[:, -last:]
            x = x + block.mixer.leave(attend(self.plan, q, k, v).transpose(1, 2).flatten(2))
            x = x + block.mlp(block.between(x))
        self.seen += tokens.shape[1]
        return F.linear(self.model.norm(x), self.model.embed.weight)

    def _kept(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values of a layer, these ones added: written into room for the whole text, which is taken
        once."""
        first, end = self.seen, self.seen + k.shape[2]
        if layer == len(self.past):
            self.past.append(tuple(x.new_empty(*x.shape[:2], self.n, x.shape[3]) for x in (k, v)))
        for room, x in zip(self.past[layer], (k, v)):
            room[:, :, first:end] = x
        return tuple(room[:, :, :end] for room in self.past[layer])


def last_losses(model: Decoder, tokens: Tensor, name: str, rules: Rules, tail: int = TAIL) -> tuple[Tensor, Tensor]:
    """(loss in nats, guessed right), each (b, tail): the last `tail` of tokens (b, n + 1), predicted from the n before
    the last."""
    n = tokens.shape[1] - 1
    groups = tokens.to(model.device).split(max(1, TOGETHER // n))
    parts = [scored(Reader(model, name, n, rules).read(group[:, :-1], tail), group[:, -tail:]) for group in groups]
    loss, right = zip(*parts)
    return torch.cat(loss), torch.cat(right)


def scored(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """(loss in nats, guessed right), each (b, m), of logits (b, m, vocab) and the tokens (b, m) that came."""
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)
    return loss, logits.argmax(-1) == targets


def runnable(params: RopeParams, models: tuple[str, ...] = BYTE_MODELS) -> tuple[str, ...]:
    """The chosen methods that run on one of `models`.  Raises ValueError when there is none."""
    names = tuple(name for name in params.methods if METHODS[name].runs and METHODS[name].model in models)
    if not names:
        raise ValueError("None of the chosen methods can be run here; please add one that can.")
    return names


def wanted(params: RopeParams, usual: tuple[int, ...] = LENGTHS) -> tuple[int, ...]:
    """Lengths that a small model shall read, short ones first.  ValueError for one beyond its memory."""
    found = tuple(sorted(set(params.lengths))) or tuple(n for n in usual if n <= params.longest * params.rules.trained)
    if found[-1] > MOST:
        raise ValueError(f"The small models of this page read at most {MOST} tokens; please name shorter lengths.")
    return found


def texts(params: RopeParams) -> tuple[Tensor, tuple[int, ...], str]:
    """(tokens (b, longest + 1), context lengths, where they are from).  Raises ValueError for a text shorter than the
    tail."""
    lengths = wanted(params)
    if not params.text:
        return held_out(params, params.samples, lengths[-1] + 1), lengths, source(params)
    own = shelf.tokens(params.text)
    if len(own) <= TAIL:
        raise ValueError(f"Your text has {len(own)} bytes; at least {TAIL + 1} are needed: the last {TAIL} are what "
                         "is predicted.")
    lengths = tuple(n for n in lengths if n < len(own))
    if not lengths:
        raise ValueError(f"Your text has {len(own)} bytes, fewer than all lengths that are named.")
    return tails(own, lengths[-1], params.samples), lengths, OWN


def held_out(params: RopeParams, count: int, n: int) -> Tensor:
    """`count` held-out texts (count, n), plain, or their first `repeat` bytes over and over."""
    found = corpus.windows(True, count, n, params.seed)
    return tasks.repeats(found, min(params.repeat, n)) if params.repeat else found


def source(params: RopeParams) -> str:
    """Where the texts that are read are from."""
    return OWN if params.text else f"{HELD}, {params.repeat} bytes over and over" if params.repeat else HELD


def tails(own: Tensor, n: int, samples: int) -> Tensor:
    """At most `samples` windows (b, n + 1) of one text (m,), m > n: the last one, and others that end evenly spread
    before it."""
    ends = sorted({round(e) for e in torch.linspace(n + 1, len(own), samples, device=HOST).tolist()} | {len(own)},
                  reverse=True)[:samples]
    return torch.stack([own[e - n - 1 : e] for e in ends])


def curve(params: RopeParams) -> Iterator[Curve]:
    """The view "curve", a point of one method more each time, short contexts first."""
    lines = {name: Line(name, METHODS[name].label) for name in runnable(params)}
    tokens, lengths, origin = texts(params)
    points = [(n, name) for n in lengths for name in lines]

    def point(at: tuple[int, str]) -> Found:
        n, name = at
        return last_losses(shelf.model(METHODS[name].model), tokens[:, -n - 1 :], name, params.rules)

    own = means(point((max([n for n in lengths if n <= params.rules.trained], default=lengths[0]), "none")))
    for (n, name), found in zip(points, threads.each(point, points)):
        lines[name] = extended(lines[name], n, means(found), own)
        yield Curve(params.rules.trained, TAIL, len(tokens), origin, lengths, tuple(lines.values()))


def means(found: Found) -> Found:
    """Loss and share of right guesses of each text: (b, m) -> (b,)."""
    return found[0].float().mean(1), found[1].float().mean(1)


def extended(line: Line, n: int, found: Found, own: Found) -> Line:
    """`line` with one more length; found: loss and accuracy of each text (b,); own: what the untouched model makes of
    each within its trained length, by which texts differ before any method acts.  The band has that taken out, so that
    it is the spread of the effect."""
    more = {"lengths": (n,)}
    for field, x, plain in zip(("loss", "accuracy"), found, own):
        gap = x - plain
        low, high = (x.mean() + end - gap.mean() for end in (gap.min(), gap.max()))
        more |= {field: (x.mean().item(),), f"{field}_low": (low.item(),), f"{field}_high": (high.item(),)}
    return replace(line, **{field: getattr(line, field) + value for field, value in more.items()})


def live(params: RopeParams) -> Iterator[Live]:
    """The view "live": one whole text, PIECE bytes at a time, each method laid out for the whole length.

    All bytes before are context, however long the text is.  As many methods go side by side as ALONGSIDE allows; the
    others follow."""
    names, own = runnable(params), shelf.tokens(params.text)
    if params.text and len(own) <= TAIL:
        raise ValueError(f"Your text has {len(own)} bytes; at least {TAIL + 1} are needed.")
    tokens = own if params.text else held_out(params, 1, params.longest * params.rules.trained + 1)[0].to(own.device)
    n = len(tokens) - 1
    smooth = max(32, -(-n // POINTS))
    tracks, abreast = {name: Track(name, METHODS[name].label) for name in names}, max(1, ALONGSIDE // n)
    for at in range(0, len(names), abreast):
        for name, values in _along(tokens, names[at : at + abreast], params.rules):
            tracks[name] = _smoothed(tracks[name], values, smooth)
            yield Live(params.rules.trained, n, smooth, source(params), tuple(tracks.values()))


def _along(tokens: Tensor, names: tuple[str, ...], rules: Rules) -> Iterator[tuple[str, Tensor]]:
    """(method, (2, m) losses and right guesses of the first m bytes), piece by piece, all methods at each piece."""
    n = len(tokens) - 1
    readers = {name: Reader(shelf.model(METHODS[name].model), name, n, rules) for name in names}
    found: dict[str, list[Tensor]] = {name: [] for name in names}
    for start in range(0, n, PIECE):
        end = min(n, start + PIECE)

        def piece(name: str, start: int = start, end: int = end) -> Tensor:
            losses = scored(readers[name].read(tokens[None, start:end]), tokens[None, start + 1 : end + 1])
            return torch.stack([x[0].float() for x in losses])

        for name, values in zip(names, threads.each(piece, names)):
            found[name].append(values)
            yield name, torch.cat(found[name], 1)


def _smoothed(track: Track, values: Tensor, size: int) -> Track:
    """Means of (2, n) losses and right guesses over `size` bytes each; the last one over what is left."""
    groups = values.split(size, 1)
    at = [(k + 0.5 * (g.shape[1] / size)) * size for k, g in enumerate(groups)]
    loss, right = zip(*(g.mean(1).tolist() for g in groups))
    return replace(track, at=tuple(at), loss=loss, accuracy=right)


def tax(params: RopeParams) -> Iterator[Tax]:
    """The view "tax": every method laid out for `longest` trained lengths, on texts of one: mean loss less the
    untouched model's."""
    names, trained = runnable(params, ("rope-lm",)), params.rules.trained
    if params.text:
        short = replace(params, longest=1, lengths=())
        tokens, lengths, _ = texts(short)
        if lengths[-1] < trained:
            raise ValueError(f"Your text is shorter than the trained length, {trained} bytes, which this view reads.")
    else:
        tokens = held_out(params, params.samples, trained + 1)
    rules = replace(params.rules, scale=params.scale or float(params.longest))
    base = _mean(tokens, "none", rules)
    prices: tuple[Price, ...] = ()
    for name in names:
        loss = _mean(tokens, name, rules)
        gap = loss - base
        prices += (Price(name, METHODS[name].label, loss.mean().item(),
                         *(f(gap).item() for f in (torch.mean, torch.min, torch.max))),)
        yield Tax(trained, trained, rules.scale, len(tokens), base.mean().item(), prices)


def _mean(tokens: Tensor, name: str, rules: Rules) -> Tensor:
    """Mean loss of each text (b,)."""
    return last_losses(shelf.model(METHODS[name].model), tokens, name, rules, tokens.shape[1] - 1)[0].mean(1)
