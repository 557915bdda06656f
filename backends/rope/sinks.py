"""The sink lab: where an attention head looks when it has nothing to do, and what that costs once the place is gone.

The toy (bigram-backcopy, arXiv 2410.13835) copies the word before a trigger; after any other word its one head has no
work.  StreamingLLM (arXiv 2309.17453) found that large models then look at the first token, and fail when a sliding
window drops it.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from backends.device import HOST
from backends.lm import shelf, tasks
from backends.lm.model import Decoder
from backends.rope.evaluate import last_losses
from backends.rope.params import RopeParams
from backends.rope.results import Regime, Sinks

SHOWN = 48                  # tokens of the map
COSTLY = 0.5                # nats from which losing the first token would count as a collapse
SUNK = 0.5                  # attention on the first token from which it counts as a sink


def masses(model: Decoder, tokens: Tensor, first: int) -> tuple[float, float, Tensor]:
    """(idle, busy, weights): mean attention on token 0 from ordinary words and from triggers at positions >= `first` of
    tokens (b, n), and the one head's weights (b, n, n)."""
    tokens = tokens.to(model.device)
    weights = torch.stack([model.trace(row).layers[0].matrix[0, 0] for row in tokens])
    triggers = (tokens > 0) & (tokens <= tasks.TRIGGERS)
    late = torch.arange(tokens.shape[1], device=tokens.device) >= first
    return weights[..., 0][~triggers & late].mean().item(), weights[..., 0][triggers & late].mean().item(), weights


def drained(model: Decoder) -> float:
    """Length of the first token's value over the mean length of the words' values."""
    block = model.blocks[0]
    words = model.embed(torch.arange(tasks.BACKCOPY_VOCAB, device=model.device)[None])
    values = block.mixer.parts(block.before(words))[2][0, 0].norm(dim=-1)
    return (values[0] / values[1:].mean()).item()


def lab(params: RopeParams) -> Iterator[Sinks]:
    """The view "sinks", one regime more each time.  Raises ValueError for a window that nothing lies beyond."""
    model, trained = shelf.model("sink"), shelf.LENGTHS["sink"].length
    window = params.window or trained // 4
    if window >= trained:
        raise ValueError(f"The window must be smaller than {trained} tokens here, the length that the toy was "
                         "trained on.")
    tokens, targets = tasks.backcopy(params.samples, trained, seed=(1 << 41) + params.seed)
    idle, busy, weights = masses(model, tokens, window)
    words = tokens[0, :SHOWN].tolist()
    uniform = (1 / torch.arange(window + 1, trained + 1, device=HOST)).mean().item()
    found = Sinks(trained, trained, window, params.samples, idle, busy, uniform, drained(model), tuple(words),
                  tuple(0 < w <= tasks.TRIGGERS for w in words), tuple(map(tuple, weights[0, :SHOWN, :SHOWN].tolist())))
    whole = torch.cat([tokens, targets[:, -1:]], 1)
    for name, label, kept in _regimes(params.sinks):
        rules = replace(params.rules, trained=trained, window=window, sinks=kept)
        loss = last_losses(model, whole, name, rules, trained - window)[0].mean(1)
        made = Regime(name, label, *(f(loss).item() for f in (torch.mean, torch.min, torch.max)))
        found = replace(found, regimes=(*found.regimes, made))
        yield replace(found, verdict=_verdict(found))


def _regimes(sinks: int) -> tuple[tuple[str, str, int], ...]:
    """(method, label, sinks that are kept)."""
    several = (("sinks", f"window + {sinks} sinks", sinks),) if sinks > 1 else ()
    return (("none", "everything", 0), ("window", "window alone", 0), ("sinks", "window + 1 sink", 1), *several,
            ("sinks_text", "window + 1 sink, text positions", 1))


def _verdict(found: Sinks) -> str:
    """What the figures so far say."""
    if found.idle <= SUNK:
        there = f"No sink here: idle queries give the first token {found.idle:.2f} of their weight."
    else:
        there = (f"A sink: idle queries give the first token {found.idle:.2f} of their weight, busy ones "
                 f"{found.busy:.4f}.")
    if len(found.regimes) < 2:
        return there
    cost = found.regimes[1].loss - found.regimes[0].loss
    size = "a collapse" if cost >= COSTLY else "no collapse in a model this shallow"
    return f"{there} Dropping it costs {cost:.4f} nats: {size}."
