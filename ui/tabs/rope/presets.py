"""Presets of the RoPE tab. Each teaches one thing, and a test holds it to the observation that it promises.

Thresholds lie well away from what was measured; where a published order does not hold on this small model, the
sentence says so.
"""

from typing import Any

from backends.rope.params import RopeParams
from ui.core.tab import Preset

LLAMA = {"head_dim": 128, "base": 10_000.0, "trained": 4096, "target": 32_768}
LLAMA3 = {"head_dim": 128, "base": 500_000.0, "trained": 8192, "target": 131_072, "method": "own",
          "own": '{"head_dim":128,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,'
                 '"high_freq_factor":4.0,"original_max_position_embeddings":8192},"max_position_embeddings":131072,'
                 '"rope_theta":500000.0}'}


def _orders(result: Any) -> bool:
    loss = {line.method: line.loss[-1] for line in result.body.lines}
    rank = [loss[name] for name in ("rerope", "yarn", "ntk2", "pi", "none")]
    return rank == sorted(rank) and loss["none"] > result.body.lines[0].loss[2] + 0.8


def _far_back(result: Any) -> bool:
    loss = {line.method: line.loss[-1] for line in result.body.lines}
    return loss["window"] > max(loss["rerope_logn"], loss["yarn"]) + 0.5


def _shares(result: Any) -> tuple[list[list[float]], ...]:
    samples = result.body.samples
    return tuple([[count / samples for count in row] for row in grid.right] for grid in result.body.grids)


def _worse(result: Any) -> bool:
    plain, squeezed = ([row[-1] for row in rows] for rows in _shares(result))
    return result.body.lengths[-1] == 512 and sum(plain) / 5 > 0.2 and sum(squeezed) / 5 < 0.15


def _forgets(result: Any) -> bool:
    none, window = _shares(result)
    far = range(2, len(result.body.lengths))
    lost = all(row[k] == 0 for row in window[:2] for k in far)
    return lost and all(window[-1][k] == 1 for k in far) and max(none[1][3:]) < 0.3


def _collapses(result: Any) -> bool:
    rows = _shares(result)[1]
    inside, far = (sum(row[result.body.lengths.index(n)] for row in rows) / len(rows) for n in (256, 1024))
    return inside > 0.9 and far < 0.6


def _cures(result: Any) -> bool:
    plain, scaled = _shares(result)
    at = result.body.lengths.index(2048)
    return sum(row[at] for row in scaled) / 5 > 0.9 > 0.6 > sum(row[at] for row in plain) / 5


def _sinks(result: Any) -> bool:
    body = result.body
    everything, window, one = (regime.loss for regime in body.regimes[:3])
    return body.idle > 0.8 and body.busy < 0.01 and one < window and window - everything < 0.5


def _taxed(result: Any) -> bool:
    tax = {price.method: price.tax for price in result.body.prices}
    return tax["pi"] > 1 and tax["dynamic"] == 0 and max(tax["yarn"], tax["ntk"]) < 0.3 and tax["rerope"] < 0.05


def _squeezes(result: Any) -> bool:
    rows = {row.name: row.states for row in result.body.rows}
    both = "squeezed" in rows["pi"] and "stretched" in rows["none"]
    return both and "stretched" not in rows["yarn"] + rows["rerope"]


def _unfinished(result: Any) -> bool:
    yarn = next(row for row in result.body.rows if row.name == "yarn_hf")
    return len(result.body.unfinished) == 18 and yarn.block["rope_type"] == "yarn" and "stretched" not in yarn.states


def _halfway(result: Any) -> bool:
    rows = {row.name: row.states for row in result.body.rows}
    return rows["own"].count("stretched") == 29 and "stretched" not in rows["yarn_hf"]


def _painted(result: Any) -> bool:
    none, rerope, window, _ = result.body
    within = not rerope.outside.any() and float(rerope.value.nan_to_num(0).max()) <= 64
    return bool(none.outside.any()) and within and bool(window.hidden.any())


def _real(result: Any) -> bool:
    tail = {track.method: track.tail for track in result.body.tracks}
    mended = max(loss for method, loss in tail.items() if method not in ("none", "reference"))
    return tail["none"] > tail["reference"] + 1 and mended < tail["reference"] + 0.1


def _hidden(result: Any) -> bool:
    whole, window = ([share for row in grid.right for share in row] for grid in result.body.grids)
    return min(whole) > 0.8 and max(window[:8]) < 0.5


PRESETS = (
    Preset(
        "The order at eight times the length",
        RopeParams(methods=("none", "pi", "ntk2", "yarn", "rerope", "window"), samples=8),
        "At 8 times the trained length the loss falls from RoPE untouched, which loses more than 0.8 nats, over PI, "
        "NTK (2s) and YaRN to ReRoPE. In the published order PI is worse than doing nothing; in the bytes of this "
        "small model it is not.",
        _orders,
    ),
    Preset(
        "A real model past its end",
        RopeParams(view="live", model="smollm2-135m", methods=("none", "ntk", "yarn_hf"), scale=2.0),
        "SmolLM2 was trained on 8192 tokens. On the last 1024 before token 12288 RoPE untouched loses more than a nat "
        "over reading them with 8192 tokens of context; NTK and YaRN, laid out for twice the length, at most 0.1.",
        _real,
    ),
    Preset(
        "A number that a real model finds",
        RopeParams(view="passkey", model="smollm2-135m", left="none", right="window", window=65, samples=1,
                   lengths=(512, 1024)),
        "SmolLM2 says more than 80 % of the digits, however deep the number lies in 512 or 1024 tokens; with a window "
        "of 65 tokens less than half of them, unless it lies at the end.",
        _hidden,
    ),
    Preset(
        "Worse than doing nothing",
        RopeParams(view="passkey", left="none", right="pi", samples=8, longest=2),
        "At twice the trained length RoPE untouched still finds more than 20 % of the keys, position interpolation "
        "less than 15 %.",
        _worse,
    ),
    Preset(
        "What lies far back",
        RopeParams(methods=("none", "pi", "ntk2", "yarn", "rerope_logn", "window"), samples=8, repeat=120),
        "On texts that repeat every 120 bytes a window of 64 loses more than 0.5 nats over YaRN and over ReRoPE with "
        "log n, at 8 times the length; on plain bytes it keeps up with them.",
        _far_back,
    ),
    Preset(
        "A window forgets",
        RopeParams(view="passkey", left="none", right="window", samples=4),
        "Beyond the trained length the window never finds a key that lies outside it, and always one inside; RoPE "
        "untouched finds less than 30 % from four times the length on.",
        _forgets,
    ),
    Preset(
        "ReRoPE needs log n",
        RopeParams(view="passkey", left="rerope", right="rerope_logn", samples=4),
        "At 8 times the length ReRoPE alone finds less than 60 % of the keys, since attention spreads over ever more "
        "words; with log n it finds more than 90 %.",
        _cures,
    ),
    Preset(
        "ReRoPE with w = L",
        RopeParams(view="passkey", left="none", right="rerope", window=256, longest=4, samples=8),
        "With w at the trained length ReRoPE finds more than 90 % of the keys there and less than 60 % at four times "
        "that. On plain bytes the same setting does not collapse.",
        _collapses,
    ),
    Preset(
        "An attention sink",
        RopeParams(view="sinks", window=32, samples=16),
        "The idle head gives the first token more than 80 % of its weight, and a busy one less than 1 %. Dropping the"
        " token costs less than 0.5 nats here, and keeping it takes the cost away: published collapses are of deep "
        "models.",
        _sinks,
    ),
    Preset(
        "What it costs inside",
        RopeParams(view="tax", methods=("pi", "ntk", "ntk2", "yarn", "dynamic", "rerope"), samples=8),
        "Laid out for 8 times the length, PI loses more than a nat on texts of the trained length; NTK and YaRN lose "
        "less than 0.3, ReRoPE less than 0.05, Dynamic NTK nothing.",
        _taxed,
    ),
    Preset(
        "Clocks that never went round",
        RopeParams(view="clocks", methods=("none", "pi", "ntk", "yarn", "rerope")),
        "Untouched, slow pairs are stretched beyond the arc that they were trained on; PI squeezes fast ones that "
        "needed no help; YaRN and ReRoPE stretch none.",
        _squeezes,
    ),
    Preset(
        "What distance a query sees",
        RopeParams(view="distance", methods=("none", "rerope", "window", "selfextend")),
        "RoPE untouched reaches distances that the slowest pair never saw, ReRoPE none beyond w = 64; the window "
        "hides what lies further back.",
        _painted,
    ),
    Preset(
        "LLaMA, 4k to 32k",
        RopeParams(view="calculator", **LLAMA),
        "18 of 64 pairs never completed a turn within 4096 tokens; YaRN as transformers has it stretches none of "
        "them.",
        _unfinished,
    ),
    Preset(
        "Llama 3.1, as configured",
        RopeParams(view="calculator", **LLAMA3),
        "Its own rule divides by 8, though 131072 is 16 times its first 8192 tokens: 29 of 64 pairs reach angles "
        "beyond those; YaRN with 16 leaves none.",
        _halfway,
    ),
)
