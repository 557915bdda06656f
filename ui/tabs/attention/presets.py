"""Presets of the Attention tab. Each teaches one thing, and a test holds it to the observation that it promises.

The thresholds are what the mechanism gives with room to spare, measured over several seeds and then rounded away from
the measurement.
"""

from dataclasses import replace
from typing import Any

from backends import smollm
from backends.attention.params import AttentionParams
from ui.core.tab import Preset

RANDOM = AttentionParams(source="synthetic")


def _metric(result: Any, name: str) -> dict[str, float]:
    """One figure of every card, by kind."""
    return {card.kind: card.metrics[name] for card in result.body.cards}


def _spreads(result: Any) -> bool:
    support = _metric(result, "support")
    return support["elu1"] > 3 * support["softmax"] and all(card.residual < 1e-5 for card in result.body.cards)


def _dies(result: Any) -> bool:
    error, negative = _metric(result, "error"), _metric(result, "negative")
    return min(error["performer"], error["performer_hyp"]) > 1 and negative["performer_trig"] > 1 / 3


def _waves_win(result: Any) -> bool:
    error, negative = _metric(result, "error"), _metric(result, "negative")
    return error["performer_trig"] < 0.5 * error["performer"] < 0.1 and negative["performer_trig"] == 0


def _collapses(result: Any) -> bool:
    support, top1 = _metric(result, "support"), _metric(result, "top1")
    return support["unscaled"] < 0.1 * support["softmax"] and top1["unscaled"] > 0.7


def _low_rank(result: Any) -> bool:
    rank = _metric(result, "rank")
    return rank["softmax"] > 100 and max(rank[kind] for kind in ("elu1", "relu", "efficient", "norm")) <= 16


def _leaks(result: Any) -> bool:
    [card] = [card for card in result.body.cards if card.kind == "linformer"]
    return not card.causal and any("future" in check.name and not check.ok for check in result.checks)


def _crosses(result: Any) -> bool:
    lesson = result.body.lesson
    pairs = zip(lesson.quadratic_seconds, lesson.linear_seconds, strict=True)
    last = [slow / fast for slow, fast in pairs if slow is not None][-1]
    return lesson.crossover_seconds is not None and last > 10


def _root_law(result: Any) -> bool:
    lesson = result.body.lesson
    sine = lesson.error[1] / lesson.theory[1]
    wide = all(-0.65 < slope < -0.2 for slope in lesson.slope)
    return wide and -0.55 < lesson.slope[1] < -0.45 and float((sine - 1).abs().max()) < 0.05


def _tail(result: Any) -> bool:
    lesson = result.body.lesson
    return float((lesson.error[0] / lesson.theory[0]).max()) < 0.05 and float(lesson.non_positive[1].min()) > 0.15


def _explodes(result: Any) -> bool:
    lesson = result.body.lesson
    softmax, linear, norm = (lesson.weight[k].tolist() for k in range(3))
    decade = 5
    growth = [kind[0] / kind[decade] for kind in (linear, norm)]
    return max(softmax) <= 0.25 and linear[0] > 1000 and growth[0] > 9.9 and growth[1] < 5


def _races(result: Any) -> bool:
    lesson = result.body.lesson
    last = dict(zip(lesson.models, lesson.loss[:, -1].tolist(), strict=True))
    recall = {model: lesson.recall[m].mean(0) for m, model in enumerate(lesson.models)}
    later = bool((recall["elu1"] < recall["norm"])[5:].all())
    order = ("softmax", "transnormer", "reversed", "performer", "norm", "elu1")
    learned = float(min(r[-1] for r in recall.values())) > 0.95
    return sorted(last, key=last.__getitem__) == list(order) and later and learned


def _dilutes(result: Any) -> bool:
    lesson, near = result.body.lesson, 1
    mass = {model: lesson.mass[m, :, near].tolist() for m, model in enumerate(lesson.models)}
    nearer = all(a > b for a, b in zip(mass["softmax"], mass["elu1"], strict=True))
    early, late = mass["transnormer"][:2], mass["transnormer"][2:]
    first, last = mass["reversed"][:2], mass["reversed"][2:]
    return nearer and min(early) > 0.8 > 0.6 > max(late) and max(first) < 0.6 < 0.8 < min(last)


def _forgets(result: Any) -> bool:
    fresh = result.body.lesson.fresh
    return float(fresh[0]) < 1e-5 and float(fresh[-1]) > 0.8 and result.body.lesson.residual < 1e-5


def _rewrites(result: Any) -> bool:
    return float(result.body.lesson.fresh.max()) < 1e-4 and float(result.body.lesson.recall[0]) > 0.5


def _crawls(result: Any) -> bool:
    return result.body.lesson.reach[-1] < 0.4


def _jumps(result: Any) -> bool:
    return result.body.lesson.reach[1] == 1.0 and result.body.lesson.pairs < 0.3 * result.body.lesson.full_pairs


def _mean(result: Any, layer: int) -> float:
    """Mean weight that the heads of a layer, from 1, put on the first token."""
    return float(result.body.first[layer - 1].mean())


def _rests(result: Any) -> bool:
    return _mean(result, 15) > 0.5 and _mean(result, 26) > 0.75 and _mean(result, 12) < 0.1


def _copies(result: Any) -> bool:
    return float(result.body.induction.max()) > 0.5 and float(result.body.baseline.max()) < 0.05


def _looks_back(result: Any) -> bool:
    body = result.body
    return float(body.previous.max()) > 0.4 and max(float(body.first.max()), float(body.induction.max())) < 0.1


def _cannot_rest(result: Any) -> bool:
    sink = _metric(result, "sink")
    own = [check.ok for check in result.checks if check.name == "softmax is the model's own"]
    return own == [True] and sink["softmax"] > 0.8 and max(sink["elu1"], sink["cosformer"], sink["norm"]) < 0.2


def _loss(result: Any) -> dict[str, float]:
    """What each kind loses more than the model, in nats."""
    return {price.kind: price.loss - result.body.own.loss for price in result.body.prices}


def _kept_up(result: Any) -> bool:
    more = _loss(result)
    return more["longformer"] < 0.3 and min(more["elu1"], more["performer"], more["norm"]) > 1.5


def _ruined(result: Any) -> bool:
    more = _loss(result)
    return more["longformer"] < 0.5 and min(more["elu1"], more["performer"], more["norm"]) > 3


def _bears(result: Any) -> bool:
    more = _loss(result)
    return max(more["elu1"], more["cosformer"], more["diag"]) < 0.4


WHOLE = AttentionParams(source="model", model=smollm.ID)
PRESETS: tuple[Preset, ...] = (
    Preset(
        "Side by side",
        AttentionParams(layer=2, head=2),
        "The same q, k, v of a trained layer: elu + 1 spreads a query over more than three times as many keys as "
        "softmax, and every matrix times V is the output (residuals below 1e-5).",
        _spreads,
    ),
    Preset(
        "A sentence",
        AttentionParams(text="The cat sat on the mat because the cat was tired.", layer=2, head=2),
        "The cat and its sentence, byte by byte: with the same q, k, v elu + 1 spreads a query over more than three "
        "times as many bytes as softmax.",
        _spreads,
    ),
    Preset(
        "All heads of a real model",
        replace(WHOLE, lesson="heads"),
        "SmolLM2 on this code: the heads of layer 15 put more than half of their weight on the first token, those of "
        "layer 26 more than three quarters, those of layer 12 less than a tenth.",
        _rests,
    ),
    Preset(
        "An induction head",
        replace(WHOLE, lesson="heads", order="induction"),
        "Random tokens, read twice: one of SmolLM2's 270 heads puts more than half of its weight on the token after "
        "the earlier equal one. Without a repeat no head puts 5 % there.",
        _copies,
    ),
    Preset(
        "No other kind rests there",
        replace(WHOLE, layer=26, head=2, kinds=("softmax", "elu1", "cosformer", "norm", "longformer")),
        "Layer 26, head 2 of SmolLM2 puts more than 80 % of its weight on the first token. With the same q, k, v, "
        "elu + 1, cosFormer and NormAttention put less than 20 % there.",
        _cannot_rest,
    ),
    Preset(
        "What a kind costs a real model",
        replace(WHOLE, lesson="cost"),
        "SmolLM2 with another kind in all layers, not trained again: Longformer costs less than half a nat a token; "
        "elu + 1, positive Performer and NormAttention cost more than 3.",
        _ruined,
    ),
    Preset(
        "One layer bears it",
        replace(WHOLE, lesson="cost", scope="layer", layer=15, kinds=("softmax", "elu1", "cosformer", "diag")),
        "In layer 15 of SmolLM2 alone, elu + 1, cosFormer and DiagAttention cost less than 0.4 nats a token.",
        _bears,
    ),
    Preset(
        "All heads of the small model",
        AttentionParams(lesson="heads", order="previous"),
        "One of the 16 heads puts more than 40 % of its weight on the previous byte. None rests on the first byte or "
        "is an induction head: both scores stay below 10 %.",
        _looks_back,
    ),
    Preset(
        "What a kind costs",
        AttentionParams(lesson="cost"),
        "The small model with another kind in all layers: Longformer costs less than 0.3 nats a byte; elu + 1, "
        "positive Performer and NormAttention cost more than 1.5.",
        _kept_up,
    ),
    Preset(
        "Where Performer dies",
        replace(RANDOM, norm=2.0, kinds=("softmax", "performer", "performer_hyp", "performer_trig", "elu1")),
        "Twice the norm: positive features are farther from softmax than no attention at all (error above 1), and "
        "more than a third of the sin/cos rows have no positive sum.",
        _dies,
    ),
    Preset(
        "Where sin/cos wins",
        replace(RANDOM, norm=0.25, kinds=("softmax", "performer", "performer_hyp", "performer_trig", "elu1")),
        "A quarter of the norm: sin/cos features err less than half as much as positive ones, and no row sum is lost.",
        _waves_win,
    ),
    Preset(
        "No 1/sqrt(d)",
        replace(RANDOM, dim=64, kinds=("softmax", "unscaled")),
        "d = 64: without the scale a query keeps fewer than a tenth of softmax's effective keys, and its first one "
        "takes over 0.7.",
        _collapses,
    ),
    Preset(
        "Rank at most d",
        replace(RANDOM, dim=16, causal=False, rank=16,
                kinds=("softmax", "elu1", "relu", "efficient", "norm", "linformer")),
        "Without a causal mask: every matrix of 16 features has rank 16 at most, softmax's is over 100.",
        _low_rank,
    ),
    Preset(
        "Linformer sees the future",
        replace(RANDOM, kinds=("softmax", "elu1", "linformer")),
        "Asked to be causal, Linformer is not: earlier outputs change when later keys and values do, and the check "
        "says so.",
        _leaks,
    ),
    Preset(
        "Bracket the product",
        replace(RANDOM, kinds=("softmax", "elu1"), lesson="bracket"),
        "On this machine the measured times cross, and at the largest n that was run Q (KᵀV) is more than ten times "
        "faster.",
        _crosses,
    ),
    Preset(
        "FAVOR+ error against m",
        replace(RANDOM, norm=0.5, orthogonal=False, kinds=("softmax", "performer", "performer_trig"), lesson="favor"),
        "Short q and k: errors fall like m to the power −1/2. The slope of sin/cos lies between −0.55 and −0.45, those "
        "of the others, which rare features make uncertain, between −0.65 and −0.2; sin/cos is within 5 % of its "
        "closed form.",
        _root_law,
    ),
    Preset(
        "A tail that is never drawn",
        replace(RANDOM, orthogonal=False, kinds=("softmax", "performer", "performer_trig"), lesson="favor"),
        "Unit-normal q and k: 12 draws of positive features see less than 5 % of the closed form, whose average lives "
        "in a tail that is never drawn; at every m over 15 % of the sin/cos rows have no positive sum.",
        _tail,
    ),
    Preset(
        "Gradient microscope",
        replace(RANDOM, kinds=("softmax", "elu1", "norm"), lesson="gradient"),
        "From scores of 1e-3 to 1e-4 the gradient of linear attention grows tenfold, to over 1000; NormAttention's "
        "grows less than fivefold; softmax's stays below 1/4.",
        _explodes,
    ),
    Preset(
        "Six mixers, one race",
        AttentionParams(kinds=("softmax", "elu1", "norm", "diag"), lesson="training"),
        "On bytes: softmax, TransNormer, reversed, Performer, NormAttention, elu + 1, from best to worst. At recall "
        "elu + 1 is behind NormAttention from step 300 on, and still every model ends over 95 %.",
        _races,
    ),
    Preset(
        "Dilution of trained models",
        AttentionParams(kinds=("softmax", "elu1", "norm", "diag"), lesson="dilution"),
        "In every layer the softmax model keeps more weight within a tenth of the length than the elu + 1 model. "
        "TransNormer is local early (over 0.8) and diluted late (under 0.6), its reverse the other way round.",
        _dilutes,
    ),
    Preset(
        "An RNN that only adds",
        replace(RANDOM, kinds=("softmax", "elu1"), lesson="state", step=64),
        "Step by step gives the same output. The first value reads back exactly at once, the last one with an error "
        "over 0.8.",
        _forgets,
    ),
    Preset(
        "The delta rule",
        replace(RANDOM, kinds=("softmax", "elu1"), lesson="state", step=64, delta=True),
        "Every value reads back exactly right after it was written, yet the first one is overwritten by later keys "
        "(error over 0.5).",
        _rewrites,
    ),
    Preset(
        "A window crawls",
        replace(RANDOM, kinds=("softmax", "local"), window=8, lesson="mask", depth=3),
        "A window of 8 keys: after three layers fewer than 40 % of the allowed pairs are reached.",
        _crawls,
    ),
    Preset(
        "A stride jumps",
        replace(RANDOM, kinds=("softmax", "strided"), stride=12, lesson="mask", depth=2),
        "Neighbours and every 12th key: fewer than 30 % of the pairs, and two layers reach all of them.",
        _jumps,
    ),
)
