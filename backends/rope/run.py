"""The views of the RoPE tab.

Each view carries checks on its own input; what they compare is worked out twice by different code.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch

from backends import device, models
from backends.drawn import normal, seeded
from backends.lm import rotary, shelf, tasks
from backends.result import Check, Work, check
from backends.rope import (
    blocks,
    calculator,
    described,
    distances,
    evaluate,
    frequencies,
    hidden,
    lengths,
    passkey,
    real,
    sinks,
)
from backends.rope.attend import attend
from backends.rope.config import Model
from backends.rope.evaluate import Reader
from backends.rope.methods import METHODS, Rules, plan
from backends.rope.params import OWN, RopeParams

PROBE = 96                  # tokens of the small texts that checks read
FEW = 48                    # of those whose every pair of tokens is worked out by itself
MAX_FREQUENCIES = 9 * 512    # of one result: pairs times methods
PAIRED = ("ntk", "ntk2", "dynamic")      # methods that need a fastest and a slowest pair, so two of them
STRETCH = 8.0               # what the methods are laid out for in those checks


def notice(params: RopeParams) -> str:
    """What was left out, in a sentence for each reason; "" if nothing was."""
    drawn = [METHODS[name].label for name in params.methods if not METHODS[name].runs]
    other = [METHODS[name].label for name in params.methods if METHODS[name].runs and METHODS[name].model != "rope-lm"]
    said = []
    if params.view in ("curve", "live", "clocks") and drawn:
        said.append(f"Left out, since no model here was trained for it: {', '.join(drawn)}.")
    if params.view == "tax" and drawn + other:
        said.append(f"Left out, since it does not run on the untouched model: {', '.join(drawn + other)}.")
    if params.view in ("clocks", "distance", "calculator"):
        said += _single(params) + _own_notice(params)
    if params.view == "curve" and params.text:
        own = len(shelf.tokens(params.text))
        gone = [n for n in evaluate.wanted(params) if own <= n]
        said += [f"Contexts longer than your text, {own} bytes, are left out."] if gone else []
    return " ".join(said)


def _asked(params: RopeParams) -> tuple[str, ...]:
    """The methods that a view of the calculator's model is asked for."""
    asked = {"clocks": evaluate.runnable, "calculator": lambda _: calculator.CALCULATED}
    return asked.get(params.view, lambda given: given.methods)(params)


def _fitting(params: RopeParams) -> tuple[str, ...]:
    """Of these, those that a head of so few channels can have; all of them, to be refused, when none can."""
    names = _asked(params)
    return tuple(name for name in names if params.head_dim > 2 or name not in PAIRED) or names


def _single(params: RopeParams) -> list[str]:
    gone = [METHODS[name].label for name in _asked(params) if name not in _fitting(params)]
    return [f"Left out at a head dimension of 2, whose single pair cannot be both untouched and divided by s: "
            f"{', '.join(gone)}."] if gone else []


def _own_notice(params: RopeParams) -> list[str]:
    model = params.configured
    if model and not own(params):
        return [f"As configured is left out: it is for {model.head_dim} rotated channels and base {model.base:.12g}."]
    lacking = params.view == "calculator" and params.method == OWN and not model
    return ["As configured is left out: please load a model's config.json first."] if lacking else []


def own(params: RopeParams) -> Model | None:
    """The model whose own rule is drawn: None without one, and when the settings have become those of another."""
    model = params.configured
    same = model and model.known and model.head_dim == params.head_dim
    return model if same and math.isclose(model.base, params.base, rel_tol=1e-6) else None


def _calculated(params: RopeParams) -> Iterator[calculator.Calculation]:
    names = _fitting(params)
    most = MAX_FREQUENCIES * 2 // params.head_dim
    if len(names) > most:
        raise ValueError(f"Please choose at most {most} methods for heads of {params.head_dim} channels.")
    yield calculator.calculate(params.head_dim, params.base, params.trained, params.target, names, params.real,
                               params.partial, own(params))


def _painted(params: RopeParams) -> Iterator[tuple[distances.Painted, ...]]:
    n, d, model, first = params.target, params.head_dim, own(params), ()
    if model:
        p, _ = calculator.own_plan(model.rules[0], model, n)
        first = (distances.painted(p, described.label(model, model.rules[0]), n, d, params.real),)
    yield *first, *(distances.paint(name, n, d, params.real) for name in _fitting(params))


def _untouched(name: str, tokens: torch.Tensor) -> Check:
    """The Reader without a method against the model's own forward."""
    model = shelf.model(name)
    tokens = tokens.to(model.device)
    with torch.no_grad():
        gap = (Reader(model, "none", tokens.shape[1], Rules()).read(tokens) - model(tokens)).abs().max().item()
    return check("untouched is the model itself", gap, 1e-3,
                 "the largest difference of a logit to the model's own forward pass")


def _causal(name: str, methods: tuple[str, ...], tokens: torch.Tensor, rules: Rules) -> Check:
    """Another last token changes no earlier logit, whatever the method."""
    other = tokens.clone()
    other[:, -1] = (other[:, -1] + 1) % shelf.LENGTHS[name].vocab
    gap = 0.0
    for method in methods:
        model = shelf.model(name if METHODS[method].model == "rope-lm" else METHODS[method].model)
        old, new = (Reader(model, method, tokens.shape[1], rules).read(x)[:, :-1] for x in (tokens, other))
        gap = max(gap, (old - new).abs().max().item())
    return check("the past stays", gap, 1e-4, "how much earlier logits change when the last token does")


def _pieces(methods: tuple[str, ...], tokens: torch.Tensor, rules: Rules) -> Check:
    """Reading in uneven pieces against reading at once."""
    gap = 0.0
    for method in methods:
        at_once, slowly = (Reader(shelf.model(METHODS[method].model), method, tokens.shape[1], rules) for _ in range(2))
        parts = torch.cat([slowly.read(part) for part in tokens.split((7, 30, tokens.shape[1] - 37), 1)], 1)
        gap = max(gap, (at_once.read(tokens) - parts).abs().max().item())
    return check("pieces are the whole", gap, 1e-3,
                 "the largest difference of a logit between reading in pieces and at once")


def _read(params: RopeParams, body: Any) -> tuple[Check, ...]:
    """Checks of the views that read bytes, on the start of the very text, laid out for STRETCH trained lengths."""
    text = shelf.tokens(params.text)[:PROBE] if params.text else evaluate.held_out(params, 1, PROBE)[0]
    tokens, rules = text[None], replace(params.rules, scale=STRETCH)
    ran = tuple(name for name in params.methods if METHODS[name].runs)
    return _untouched("rope-lm", tokens), _causal("rope-lm", ran, tokens, rules), _pieces(ran, tokens, rules)


def _taxed(params: RopeParams, body: Any) -> tuple[Check, ...]:
    free = [abs(price.tax) for price in body.prices if price.method in ("none", "dynamic", "logn")]
    same = ([check("free inside the trained length", max(free), 1e-6, "the largest tax of what changes nothing there")]
            if free else [])
    return *same, *_read(params, body)


def _found(params: RopeParams, body: Any) -> tuple[Check, ...]:
    tokens, _ = tasks.passkey(1, PROBE, params.seed, 0.5)
    pair = (params.left, params.right)
    return _untouched("passkey", tokens), _causal("passkey", pair, tokens, replace(params.rules, scale=STRETCH))


def _sunk(params: RopeParams, body: Any) -> tuple[Check, ...]:
    tokens, _ = tasks.backcopy(1, PROBE, seed=params.seed)
    other, model = tokens.clone(), shelf.model("sink")
    other[:, 0] = 1
    late = min(body.window, PROBE // 2)
    rules = replace(params.rules, trained=body.trained, window=late)
    old, new = (Reader(model, "window", PROBE, rules).read(x)[:, late:] for x in (tokens, other))
    rows = max(abs(sum(row) - 1) for row in body.weights)
    return (_untouched("sink", tokens),
            check("rows sum to 1", rows, 1e-5, "the largest distance of a row of the map from 1"),
            check("what left the window is gone", (old - new).abs().max().item(), 1e-4,
                  "how much logits beyond the window change when the first token does"))


def _laid_out(params: RopeParams, body: Any) -> tuple[Check, ...]:
    """Methods at their own trained length, and NTK-aware scaling's two ends."""
    d, rules = params.head_dim, replace(params.real, scale=1.0)
    old = rotary.frequencies(d, params.base)
    names = [row.name for row in body.rows if row.name in METHODS and row.name != "dynamic"]
    gap = (max(((plan(name, params.trained, d, rules).theta - old).abs() / old).max().item() for name in names)
           if names else 0.0)
    checks = [check("s = 1 changes nothing", gap, 1e-6,
                    "the largest relative change of a frequency at the trained length")]
    checks += [_rests(own(params))] if own(params) else []
    for row in body.rows:
        if row.name == "ntk":
            ends = max(abs(row.theta[0].item() / old[0].item() - 1),
                       abs(row.theta[-1].item() * body.scale / old[-1].item() - 1))
            checks.append(check("NTK's ends", ends, 1e-5,
                                "the fastest pair untouched, the slowest divided by s, relative error"))
    return tuple(checks)


def _rests(model: Model) -> Check:
    """The model's own rules with factor 1, at the length from which they act, against plain RoPE."""
    gap = 0.0
    for rule in model.rules:
        theta, _ = frequencies.from_block(blocks.at_rest(rule.block), rule.head_dim, model.longest, model.longest)
        base = model.base if rule is model.rules[0] else float(rule.block["rope_theta"])
        old = rotary.frequencies(rule.head_dim, base)
        gap = max(gap, ((theta - old).abs() / old).max().item())
    return check("as configured, with factor 1", gap, 1e-6,
                 "the largest relative change of a frequency that is left when the model's own factor is 1")


def _drawn(params: RopeParams, body: Any) -> tuple[Check, ...]:
    """The distances that are drawn against the attention that runs, pair by pair in float64, on random q, k, v of FEW
    tokens."""
    random = seeded(params.seed)
    q, k, v = (normal(1, 1, FEW, params.head_dim, random=random).to(device.exact()) for _ in range(3))
    window = min(params.real.window, FEW // 3)
    rules, gap = replace(params.real, window=window, trained=min(params.trained, FEW // 2)), 0.0
    ran = [name for name in _fitting(params) if METHODS[name].runs]
    for name in ran:
        p = plan(name, FEW, params.head_dim, rules)
        gap = max(gap, (attend(p, q, k, v) - distances.slowly(p, q, k, v)).abs().max().item())
    text = "the attention that runs against one worked out pair by pair from the distances"
    return (check("what is drawn is what runs", gap, 1e-3, text),) if ran else ()


def _view(work: Callable[[RopeParams], Iterator[Any]],
          checks: Callable[..., tuple[Check, ...]]) -> Callable[[RopeParams], Work]:
    """A view whose results are the bodies of `work`; the last one comes again with its checks."""
    def steps(params: RopeParams) -> Work:
        body, said = None, notice(params)
        for body in work(params):
            yield body, said, None
        yield body, said, checks(params, body)

    return steps


def _by_model(shipped: Callable[[RopeParams], Work],
              chosen: Callable[[RopeParams], Work]) -> Callable[[RopeParams], Work]:
    """The view of the shipped models, or of a real one that was chosen."""
    return lambda params: (shipped if params.model == models.BYTES else chosen)(params)


VIEWS: dict[str, Callable[[RopeParams], Work]] = {
    "curve": _by_model(_view(evaluate.curve, _read), lengths.view),
    "live": _by_model(_view(evaluate.live, _read), real.live),
    "tax": _view(evaluate.tax, _taxed),
    "passkey": _by_model(_view(passkey.grids, _found), hidden.grids),
    "sinks": _view(sinks.lab, _sunk), "clocks": _view(_calculated, _laid_out),
    "calculator": _view(_calculated, _laid_out), "distance": _view(_painted, _drawn),
}
