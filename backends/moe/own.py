"""The view "own": a text through a mixture of experts of one's own, and what one of its experts is worth.

First the model reads the text as it is; then once more, with one expert disabled or forced, or with its routers'
answers worked out here, which must change nothing.
"""
from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from backends import device, stop
from backends.moe import classes
from backends.moe.choices import DISABLED, FORCED, NONE, UNCHANGED, Change, Rule, balance, chosen, shares, spread
from backends.moe.mixtures import Choice, Mixture, Pass, Shipped, load, touched
from backends.moe.params import MOST, MoeParams
from backends.moe.reading import HELD, OWN, held
from backends.moe.results import Load, Own
from backends.result import Check, Work, check

SHUFFLES = 20


def own(params: MoeParams) -> Work:
    """The view on the shelf's model: first as it is, then with what is changed."""
    model = load(params.mixture)
    change = touched(model, params.change, params.site, params.one)
    text = clean(params.text) if params.text else bytes(held(params.seed).tolist()).decode("utf-8", "ignore")
    tokens, labels = model.spelled(text)
    if len(tokens) < 2:
        raise ValueError("The text has one token; at least 2 are needed, since the loss is of a token after another.")
    whole, tokens = len(tokens), tokens[:MOST]
    plain = model.read(tokens)
    body = described(model, plain, change, params.seed)
    body = replace(body, source=OWN if params.text else HELD, whole=whole, labels=labels[:MOST])
    yield body, said(model, body), None
    other = model.read(tokens, change)
    changed = None if change.kind == NONE else other.loss
    yield replace(body, changed=changed), said(model, body), checks(model, plain, other, change)


def clean(text: str) -> str:
    """The text without halves of surrogate pairs, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode()


def described(model: Mixture | Shipped, plain: Pass, change: Change = UNCHANGED, seed: int = 0) -> Own:
    """What one reading says of the model's routers, and whom a change would meet."""
    k, e = plain.choices[0].experts.shape[1], plain.choices[0].logits.shape[1]
    loads = loads_of(model, plain, seed)
    numbers = [one.layer for one in loads]
    at = numbers.index(change.layer or numbers[0])
    pair = tuple(numbers[max(0, min(at, len(numbers) - 2)) :][:2])
    both = together(*(one.experts for one in loads if one.layer in pair), e) if len(pair) == 2 else None
    held_by = int((loads[at].experts == change.expert).sum())
    met = {NONE: 0, DISABLED: held_by, FORCED: len(plain.losses) + 1 - held_by}[change.kind]
    return Own(model.title, model.kind, "", len(plain.losses) + 1, 0, model.depth, e, k, loads, plain.loss,
               math.log(vocabulary(model)), change.kind, numbers[at], change.expert, None, met, pooled(model, plain),
               model.reported(plain), pair, both, ())


def pooled(model: Mixture | Shipped, found: Pass) -> float:
    """The balance of all routed layers' tokens, one below the other."""
    p = [shares(rule, one.logits) for rule, one in zip(rules(model), found.choices, strict=True)]
    return balance(torch.cat([one.experts for one in found.choices]), torch.cat(p))


def rules(model: Mixture | Shipped) -> tuple[Rule, ...]:
    """Of each routed layer."""
    return tuple(one.rule for one in model.layers)


def vocabulary(model: Mixture | Shipped) -> int:
    """How many tokens there are to guess from."""
    return 256 if isinstance(model, Shipped) else model.checkpoint.network.config.vocab_size


def loads_of(model: Mixture | Shipped, found: Pass, seed: int) -> tuple[Load, ...]:
    """Every routed layer, in order."""
    experts = [device.array(one.experts) for one in found.choices]
    made = []
    for site, one, mine, after in zip(model.layers, found.choices, experts, [*experts[1:], None], strict=True):
        stop.check()
        e = one.logits.shape[1]
        counts = np.bincount(mine.ravel(), minlength=e)
        told, chance = linked(mine, after, e, seed) if after is not None else (None, None)
        made.append(Load(site.number, site.module, tuple(counts.tolist()), entropy(counts),
                         balance(one.experts, shares(site.rule, one.logits)), told, chance, mine,
                         device.array(one.weights)))
    return tuple(made)


def entropy(counts: np.ndarray) -> float:
    """Of the load, in bits."""
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log2(share)).sum())


def together(a: np.ndarray, b: np.ndarray, e: int) -> np.ndarray:
    """(e, e): tokens on which an expert of the one layer, a (n, k), and one of the other, b (n, k), both work."""
    counts = np.zeros((e, e), np.int64)
    np.add.at(counts, (a[:, :, None], b[:, None, :]), 1)
    return counts


def linked(a: np.ndarray, b: np.ndarray, e: int, seed: int) -> tuple[float, float]:
    """(bits that one of a token's experts a (n, k) tells of one of b, the mean of the same with the rows of b
    shuffled)."""
    random = np.random.default_rng(seed)
    chance = [classes.information(together(a, b[random.permutation(len(b))], e)) for _ in range(SHUFFLES)]
    return classes.information(together(a, b, e)), float(np.mean(chance))


def said(model: Mixture | Shipped, body: Own) -> str:
    """What the reader must know of the model and of the text, in sentences."""
    rule = rules(model)[0]
    parts = ["This byte model ships. A mixture of experts of your own is read here once it lies in the folder that "
             "GLASSBOX_MODELS names."] if isinstance(model, Shipped) else []
    parts += [f"{body.tokens} tokens of held-out Python, from the standard library."] if body.source == HELD else []
    parts += [f"Only the first {body.tokens} of {body.whole} tokens are read."] if body.whole > body.tokens else []
    numbers = ", ".join(str(one.layer) for one in body.loads)
    parts.append(f"Layers with experts: {numbers}, of {body.depth}, numbered from 1.")
    return " ".join([*parts, worded(rule)])


def worded(rule: Rule) -> str:
    """The rule in one sentence."""
    if rule.kind == "chosen":
        return f"Its rule (GPT-OSS): the {rule.k} largest logits, softmax over those alone."
    if rule.kind == "sigmoid":
        return (f"Its rule (DeepSeek-V3, arXiv 2412.19437): the {rule.k} largest sigmoid scores + bias, from "
                f"{rule.open} of {rule.groups} groups; weights from the scores alone, times {rule.scale:g}.")
    end = "renormalised" if rule.normed else "not renormalised"
    return f"Its rule: softmax over all experts, the {rule.k} largest, {end}."


def checks(model: Mixture | Shipped, plain: Pass, other: Pass, change: Change) -> tuple[Check, ...]:
    """What holds of both readings."""
    gap = max(misfit(rule, one) for rule, one in zip(rules(model), plain.choices, strict=True))
    k = rules(model)[0].k
    twice = sum(abs(int((spread(c.experts, torch.ones_like(c.weights), c.logits.shape[1]) > 0).sum())
                    - k * len(c.logits)) for c in plain.choices)
    found = [check("our rule = the model's choice", gap, model.exact,
                   "largest difference of a weight, worked out here, to what the experts were given"),
             check("every token k experts", twice, 0, "assignments missing or doubled, in all layers")]
    if (theirs := model.reported(plain)) is not None:
        found.append(check("pooled balance = aux_loss", abs(pooled(model, plain) - theirs), 10 * model.exact,
                           "difference to what the network reports"))
    return (*found, did(model, plain, other, change))


def misfit(rule: Rule, one: Choice) -> float:
    """The largest difference of a weight by `chosen` to what the experts of a layer were given."""
    e = one.logits.shape[1]
    ours = spread(*chosen(rule, one.logits), e)
    return (ours - spread(one.experts, one.weights, e)).abs().max().item()


def did(model: Mixture | Shipped, plain: Pass, other: Pass, change: Change) -> Check:
    """That the second reading is what was asked for."""
    if change.kind == NONE:
        gap = (plain.losses - other.losses).abs().mean().item()
        return check("read again = the same", gap, 10 * model.exact,
                     "mean difference of a token's loss when the routers' answers are worked out here")
    one = next(c for c in other.choices if c.layer == change.layer)
    mine = one.experts == change.expert
    if change.kind == DISABLED:
        return check("the disabled expert gets nothing", (one.weights * mine).sum(), 0,
                     "sum of the weights given to it")
    return check("the forced expert gets every token", int((~mine.any(-1)).sum()), 0, "tokens that miss it")
