"""Presets of the MoE tab. Each teaches one thing, and a test holds it to the observation that it promises."""

from typing import Any

from backends.moe.params import MoeParams
from ui.core.tab import Preset
from ui.tabs.moe.figures import late_loss


def _even(result: Any) -> bool:
    mean = 2 * result.body.tokens / 8
    return all(max(layer.kept) < 1.5 * mean and min(layer.kept) > 0.5 * mean for layer in result.body.layers)


def _routed(result: Any) -> bool:
    return all(sum(layer.kept) == 2 * result.body.tokens and max(layer.kept) > 1.5 * result.body.tokens / 4
               and min(layer.kept) > 0 for layer in result.body.layers)


def _lost(result: Any) -> bool:
    return result.body.far and min(layer.skew for layer in result.body.layers) > 3.5


def _hidden(result: Any) -> bool:
    return min(load.balance for load in result.body.loads) > result.body.pooled + 1


def _crowded(result: Any) -> bool:
    asked, kept = (sum(sum(getattr(layer, name)) for layer in result.body.layers) for name in ("asked", "kept"))
    return kept < 0.7 * asked and result.body.loss > result.body.unlimited + 0.05 and result.body.layers[0].lost > 0


def _missed(result: Any) -> bool:
    return result.body.loss > result.body.trained + 0.05


def _knows(result: Any) -> bool:
    above = all(t.bits > 50 * t.highest and t.bits > 30 * t.shifted for t in result.body.tables)
    return above and all(t.bits < 0.1 * t.entropy and t.byte > 4 * (t.beyond - t.within) > 0.2
                         for t in result.body.tables)


def _late(result: Any) -> bool:
    text, priority = (trade.where for trade in result.body.trades)
    half = len(text) // 2
    return sum(text[half:]) > 3 * sum(text[:half]) and sum(priority[half:]) < 2 * sum(priority[:half])


def _chosen(result: Any) -> bool:
    first, choice, free = (panel.layer for panel in result.body.panels)
    spread = [max(layer.kept) / (sum(layer.kept) / len(layer.kept)) for layer in (first, choice, free)]
    return spread[0] > 1.3 and spread[1] == 1 and spread[2] < 1.15


def _collapsed(result: Any) -> bool:
    variation = {course.name: course.variation()[0] for course in result.body.courses}
    late = {course.name: sum(course.loss[-4:]) / 4 for course in result.body.courses}
    return variation["0"] > 0.9 > 0.5 > variation["0.1"] and abs(late["0"] - late["0.1"]) < 0.05


def _steered(result: Any) -> bool:
    variation = {course.name: course.variation()[0] for course in result.body.courses}
    late = {course.name: sum(course.loss[-4:]) / 4 for course in result.body.courses}
    return variation["0"] > 0.8 > 0.4 > variation["bias"] and abs(late["0"] - late["bias"]) < 0.05


def _recorded(result: Any) -> bool:
    balanced, free = result.body.courses
    even = max(balanced.spread()) < 1.5 and min(free.spread()) > 2.5 and sum(free.dead()) == 0
    late = [late_loss(losses) for losses in (balanced.loss, free.loss, result.body.dense)]
    return even and late == sorted(late) and late[2] > late[0] + 0.02


def _rounded(result: Any) -> bool:
    balanced, free = result.body.models
    at = result.body.scales.index(1.0)
    return (free.z[at] > 10 * balanced.z[at] and balanced.first[at] < 0.01
            and balanced.error[-1] > 10 * balanced.error[0])


def _weighs(result: Any) -> bool:
    return 46.6e9 < result.body.total < 46.8e9 and 12.8e9 < result.body.active < 13e9 and result.body.naive > 56e9


PRESETS = (
    Preset(
        "A balanced router",
        MoeParams(),
        "Trained with a balance loss, no expert gets more than 1.5 times the mean load, nor less than half.",
        _even,
    ),
    Preset(
        "A sentence, routed",
        MoeParams(text="The cat sat on the mat because the cat was tired."),
        "Each byte of the sentence goes to two of eight experts: in both layers the fullest gets over 1.5 times the "
        "mean load, and none is idle.",
        _routed,
    ),
    Preset(
        "Too few places",
        MoeParams(router="switch", factor=0.5),
        "At half the capacity over 30 % of the assignments are dropped; these bytes pass through the residual alone, "
        "and the loss is more "
        "than 0.05 nats above that of the same rule without a limit.",
        _crowded,
    ),
    Preset(
        "Without one expert",
        MoeParams(touch="disable", expert=1),
        "Disabling one of eight experts costs more than 0.05 nats per byte.",
        _missed,
    ),
    Preset(
        "Far from home",
        MoeParams(text="今天天气很好，我们去公园散步。湖边有许多人在钓鱼，孩子们放风筝，老人们下棋。\n"),
        "On Chinese text the model, trained on Python source, is no better than nine tenths of ln 256, and one expert "
        "of each layer gets over 3.5 times the mean load.",
        _lost,
    ),
    Preset(
        "What pooling hides",
        MoeParams(view="own", mixture="moe-free"),
        "Trained without auxiliary losses, each layer crowds another expert: the balance loss of both layers pooled is "
        "over 1 below that of either, where 2 is even.",
        _hidden,
    ),
    Preset(
        "Bytes, not grammar",
        MoeParams(view="classes"),
        "The expert tells over 50 times more of a byte's class than shuffled classes would, and over 30 times more "
        "than shifted ones, but "
        "less than a tenth of what there is to know. The byte alone tells over four times as much of its experts as "
        "its class adds to it.",
        _knows,
    ),
    Preset(
        "Late tokens lose",
        MoeParams(view="capacity", text="", router="switch", factor=0.75),
        "Served in order, the second half of the text loses more than three times what the first half loses; served by "
        "the larger p, less "
        "than twice.",
        _late,
    ),
    Preset(
        "Who chooses whom",
        MoeParams(view="plane", router="switch", k=1),
        "Half of the tokens lie in one cluster: Switch's fullest expert has over 1.3 times the mean although places "
        "are limited, expert "
        "choice is even, and the bias router nearly so.",
        _chosen,
    ),
    Preset(
        "Collapse, now",
        MoeParams(view="race", steps=100, alphas=("0", "0.1")),
        "After 100 steps the loads vary by more than 0.9 of their mean without a balance loss, and by less than half "
        "of it with the weight "
        "0.1; the losses lie within 0.05 nats.",
        _collapsed,
    ),
    Preset(
        "Balanced without a loss",
        MoeParams(view="race", steps=100, alphas=("0", "bias")),
        "A bias on the choice, moved after each step towards the mean load, is enough: after 100 steps the loads vary "
        "by less than 0.4 of their mean, without it by more than 0.8; the losses lie within 0.05 nats.",
        _steered,
    ),
    Preset(
        "Two trainings",
        MoeParams(view="training"),
        "With auxiliary losses the largest load ends below 1.5 times the mean; without them above 2.5 times in both "
        "layers, though none "
        "dies. Over the last 500 steps the balanced model has the lowest loss, and the dense one is over 0.02 "
        "nats behind.",
        _recorded,
    ),
    Preset(
        "What bfloat16 does",
        MoeParams(view="precision", text=""),
        "Trained with balance and z-loss, logsumexp squared is over ten times smaller than without. As they are, fewer "
        "than 1 % of the "
        "bytes get another first expert; larger weights make the largest error larger.",
        _rounded,
    ),
    Preset(
        "47 billion, not 56",
        MoeParams(view="calculator"),
        "Mixtral 8x7B has 46.7 billion parameters, not the 8 x 7 = 56 of its name, and uses 12.9 of them for a "
        "token: its experts are eight, its attention is one.",
        _weighs,
    ),
)
