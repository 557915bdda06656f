"""What each entry of ``ui/measured.json`` is: one function, which measures it and says its values as they are read."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from backends import weights


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f}".removesuffix(".0")


def mixers() -> dict[str, str]:
    """The race of the six mixers, as recorded: nats per byte at the end, recall after 300 and 400 steps and at the
    end."""
    runs, values = weights.curves("mixers.json"), {}
    for name in ("softmax", "transnormer", "reversed", "performer", "norm", "elu1"):
        entry = next(one for one in weights.manifest() if one.name == f"bytes-{name}")
        values[name] = f"{entry.metric['value']:.2f}"
        curves = [{point["step"]: point["accuracy"] for point in run["curve"]} for run in runs[f"mqar-{name}"]]
        last = max(curves[0])
        for key, step in (("300", 300), ("400", 400), ("end", last)):
            values[f"{name}_{key}"] = _percent(float(np.mean([curve[step] for curve in curves])), int(key == "end"))
    return values


def epsilon() -> dict[str, str]:
    """How far performer-pytorch's epsilon moves the output, in per cent."""
    from backends.attention import inputs
    from backends.attention.lessons import favor
    from backends.attention.params import AttentionParams

    random = AttentionParams(source="synthetic", lesson="favor")
    cases = {"random": random, "short": replace(random, norm=0.5), "text": AttentionParams(lesson="favor")}
    return {name: f"{100 * favor.shifted(case, inputs.load(case), favor.EPS):.2g}" for name, case in cases.items()}


def mixtures() -> dict[str, str]:
    """Losses and loads of the shipped mixtures, as recorded, and what pooling makes of the free one's layers."""
    from backends.moe import answer
    from backends.moe.params import MoeParams

    found = {one.name: one.metric["value"] for one in weights.manifest() if one.name.startswith("moe")}
    courses = {one.name: one for one in answer(MoeParams(view="training")).body.courses}
    own = answer(MoeParams(view="own", mixture="moe-free")).body
    return {"moe": f"{found['moe']:.3f}", "free": f"{found['moe-free']:.3f}", "dense": f"{found['moe-dense']:.3f}",
            "full": f"{max(courses['moe'].spread()):.1f}", "full_free": f"{max(courses['moe-free'].spread()):.1f}",
            "pooled": f"{own.pooled:.1f}", "layer": f"{min(one.balance for one in own.loads):.1f}"}


def classes() -> dict[str, str]:
    """What experts tell of bytes, in bits, on the held-out modules."""
    from backends.moe import answer
    from backends.moe.params import MoeParams

    two, four = answer(MoeParams(view="classes")).body.tables
    return {"two": f"{two.bits:.2f}", "four": f"{four.bits:.2f}", "most": f"{two.entropy:.2f}",
            "byte_two": f"{two.byte:.1f}", "byte_four": f"{four.byte:.1f}",
            "adds_two": f"{two.beyond - two.within:.2f}", "adds_four": f"{four.beyond - four.within:.2f}"}


def lengths() -> dict[str, str]:
    """Losses of the ways to read long texts: the figures of `benchmarks.rope --found`."""
    from backends.rope import evaluate
    from backends.rope.params import RopeParams
    from benchmarks import rope

    def texts(repeat: int) -> torch.Tensor:
        return torch.cat([evaluate.held_out(RopeParams(repeat=repeat, seed=seed), rope.COUNT, rope.FOUND[-1] + 1)
                          for seed in rope.SEEDS])

    def row(name: str, tokens: torch.Tensor, window: int = 64) -> dict[str, tuple[str, str]]:
        parts = rope._row(name, tokens, window).items()
        return {length: (f"{float(said.split()[0]):.2f}", f"{float(said.split()[2]):.0f}") for length, said in parts}

    plain, again, far, near = texts(0), texts(rope.REPEAT), "2048 bytes", "256 bytes"
    names = ("none", "pi", "ntk2", "yarn", "rerope", "rerope_logn", "ntk", "keynorm", "logn_rerope", "lminfinite",
             "window")
    rows = {name: row(name, plain) for name in names}
    keys = {name: rope._keys(name, 512).split(" of ") for name in ("none", "pi")}
    return {"within": rows["none"][near][0],
            **{name: rows[name][far][0] for name in names[:6]},
            "ntk_double": rows["ntk"]["512 bytes"][0], "ntk2_double": rows["ntk2"]["512 bytes"][0],
            "keynorm_in": rows["keynorm"][near][0], "logn_in": rows["logn_rerope"][near][0],
            "logn_rerope": rows["logn_rerope"][far][0], "keynorm_right": rows["keynorm"][far][1],
            "none_right": rows["none"][far][1], "rerope256": row("rerope", plain, 256)[far][0],
            "lminfinite": rows["lminfinite"][far][0], "window": rows["window"][far][0],
            "window_repeat": row("window", again)[far][0], "rerope_logn_repeat": row("rerope_logn", again)[far][0],
            "keys_pi": keys["pi"][0], "keys_none": keys["none"][0], "keys": keys["none"][1]}


def sink() -> dict[str, str]:
    """What dropping the sink costs behind a window, in nats."""
    from backends.rope import answer
    from backends.rope.params import RopeParams

    _, window, one = (regime.loss for regime in answer(RopeParams(view="sinks")).body.regimes[:3])
    return {"costs": f"{window - one:.3f}"}


def legs() -> dict[str, str]:
    """Error of LegS, in per cent of the signal."""
    from backends.memory import answer
    from backends.memory.params import MemoryParams

    def off(digits: int = 0, **given: Any) -> str:
        return _percent(answer(MemoryParams(memories=("legs",), **given)).body.recalls[0].total, digits)

    return {**{f"n{n}": off(size=n) for n in (8, 16, 32)}, "bilinear": off(1), "backward": off(rule="backward"),
            "forward": off(rule="forward")}


def skew() -> dict[str, str]:
    """Condition numbers of the eigenvectors of LegS."""
    from backends.memory import answer
    from backends.memory.params import MemoryParams

    body = answer(MemoryParams(view="nplr")).body
    return {f"n{n}": f"{body.direct[body.sizes.index(n)]:.1e}".replace("e+0", "e").replace("e+", "e") for n in (8, 16)}


def copying() -> dict[str, str]:
    """Selective copying, as recorded: lowest and highest of three seeds."""
    runs, values = weights.curves("copying.json"), {}
    for name in ("ssd", "lti"):
        for key, far in (("", "1"), ("_far", "4")):
            shares = [run["far"][far] for run in runs[f"copy-{name}"]]
            values |= {f"{name}{key}_low": _percent(min(shares), int(name == "ssd" and not key)),
                       f"{name}{key}_high": _percent(max(shares))}
    heads = [sum(ratio >= 5 for layer in run["ratios"] for ratio in layer) for run in runs["copy-ssd"]]
    return values | {"heads_low": str(min(heads)), "heads_high": str(max(heads))}


def dial() -> dict[str, str]:
    """The norm of softmax's Jacobian at d = 64 without a scale and with 1/sqrt(d)."""
    from backends.scale import answer
    from backends.scale.params import ScaleParams

    body = answer(ScaleParams()).body
    none, root = (next(row for row in rows if row.d == 64).jacobian for rows in (body.sweep, body.rooted))
    return {"none_half": f"{none[2]:.2f}", "sqrt_half": f"{root[2]:.2f}", "none_tenth": f"{none[0]:.3f}",
            "sqrt_tenth": f"{root[0]:.2f}"}


def entropy() -> dict[str, str]:
    """Entropy of the byte model's heads over log n at 256 keys under 1/sqrt(d), in per cent, over three seeds."""
    from backends.scale import answer
    from backends.scale.params import ScaleParams

    def share(**given: Any) -> float:
        body = answer(ScaleParams(view="entropy", **given)).body
        curve, at = next(one for one in body.curves if one.name == "sqrt"), body.lengths.index(256)
        return curve.entropy[at] / float(np.log(256))

    found = {layer: [share(source="bytes", layer=layer, head=head, seed=seed) for head in range(1, 5)
                     for seed in range(3)] for layer in range(1, 5)}
    deep = [one for layer in (2, 3, 4) for one in found[layer]]
    return {"deep_low": _percent(min(deep)), "deep_high": _percent(max(deep)), "first_low": _percent(min(found[1])),
            "first_high": _percent(max(found[1])), "random": _percent(share())}


def routes() -> dict[str, str]:
    """The step at which each route falls below 1 nat: lowest and highest of four seeds (three at other rates)."""
    from backends.scale import answer
    from backends.scale.params import ScaleParams

    values: dict[str, str] = {}
    for name, rate, count, kept in (("adam", 0.003, 4, ("t5", "sqrt", "none", "mup")),
                                    ("fast", 0.01, 3, ("t5", "sqrt")), ("wild", 0.03, 3, ("t5", "sqrt"))):
        runs = [{one.name: one.below for one in
                 answer(ScaleParams(view="training", rate=rate, routes=kept, seed=seed)).body.courses}
                for seed in range(count)]
        for route in kept:
            steps = [run[route] for run in runs]
            values |= {f"{route}_{name}_low": str(min(steps)), f"{route}_{name}_high": str(max(steps))}
    return values


def width() -> dict[str, str]:
    """With which power of the width the attention logits move under muP, over widths 32 to 256."""
    from backends.scale import width as check
    from backends.scale.params import ScaleParams

    sizes, params = [32, 64, 128, 256], ScaleParams(view="width")
    return {key: f"{-check.slope(sizes, [check.moved('mup', size, params, steps)[1] for size in sizes]):.2f}"
            for key, steps in (("four", 4), ("many", 128))}


def regions() -> dict[str, str]:
    """What the shipped Swin reached, as the manifest has it: `backends.train.swin_tiny --measure`, and on photographs
    `benchmarks.swin_regions`."""
    of = next(one for one in weights.manifest() if one.name == "swin-regions").measured
    there = of["photographs"]
    ious = {key: f"{there[key]:.2f}" for key in ("now", "like", "before", "teacher")}
    ious |= {key: f"{of[f'iou_{key}']:.2f}" for key in ("best", "colour", "untrained")}
    lifts = {f"{name}{end}": f"{bound(of[key]):.2f}" for name, key in (("lift", "lift"), ("plain", "lift_untrained"))
             for end, bound in (("_low", min), ("_high", max))}
    return ious | lifts | {"clicks": str(there["clicks"])}


def outlined() -> dict[str, str]:
    """How much of what the shipped Swin calls a clicked region lies in the outline of it."""
    from backends import swin
    from backends.swin.params import SwinParams
    from ui.tabs.swin import outlines

    asked = {"wall": ("chelsea", 0.3, 0.92), "table": ("coffee", 0.7, 0.92), "helmet": ("astronaut", 0.85, 0.75)}
    found = {name: swin.answer(SwinParams(view="model", picture=picture, y=y, x=x)).body.lesson.alike
             for name, (picture, y, x) in asked.items()}
    return {name: _percent(outlines.within(asked[name][0], alike)) for name, alike in found.items()}


def bent() -> dict[str, str]:
    """What the three deformable layers and their twin reached, as the manifest has it: `backends.train.deform_tiny
    --measure`."""
    of = next(one for one in weights.manifest() if one.name == "deform-looks").measured
    values = {"right": _percent(of["strong"]["accuracy"]), "twin": _percent(of["strong"]["plain"])}
    for bend in ("mild", "strong"):
        for key, name in (("own", "inside weighted"), ("grid", "inside grid"), ("wide", "inside wide grid")):
            values[f"{bend}_{key}"] = _percent(of[bend][name])
    return values


def looks() -> dict[str, str]:
    """What the layers that learned on photographs reached, as recorded: `backends.train.deform_photo`, and
    `benchmarks.looks` on labelled photographs."""
    runs = [one["held"] | {"kind": one["kind"]} for one in weights.curves("seek.json")]
    photographs = weights.entry("seek-aimed").measured["photographs"]
    mine = [one for one in runs if one["kind"] == "aimed"]
    won = sum(one["points"] > max(one["grid"], one["wide"]) and one["weighted"] > max(one["grid"], one["wide_weighted"])
              for one in mine)
    values = {"seeds": str(len(mine)), "won": str(won)}
    for kind, group in (("aimed", mine), ("star", [one for one in runs if one["kind"] == "star"]),
                        ("photo", [photographs])):
        for key, name in (("own", "weighted"), ("grid", "grid"), ("wide", "wide_weighted")):
            values[f"{kind}_{key}"] = _percent(float(np.mean([one[name] for one in group])))
    for key, name in (("px", "spread"), ("px_grid", "spread_grid")):
        values[f"aimed_{key}"] = f"{np.mean([one[name] for one in mine]):.0f}"
    for kind in ("aimed", "grid"):
        values[f"{kind}_iou"] = f"{np.mean([one['iou'] for one in runs if one['kind'] == kind]):.2f}"
    return values
