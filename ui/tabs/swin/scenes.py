"""Scenes of the Swin tab's stages: results of ``backends.swin`` as what ``stage.js`` draws. numpy only.

Weights travel as one byte each, |w| = bound * (level / 255)^2, so that a hundredth of the largest is a tenth of the
scale; what is drawn against equal weights as one byte of a logarithm.
"""

from typing import Any

import numpy as np

from ui.parts.packed import packed

OCTAVES = 4
"""Factors of two from 1 to either end of a logarithmic byte."""


def weights(values: Any) -> dict[str, Any]:
    """Weights >= 0 of any shape as {"data", "bound"}."""
    found = np.asarray(values, np.float64)
    bound = float(found.max()) if found.size and found.max() > 0 else 1.0
    return {"data": packed(np.rint(255 * np.sqrt(np.clip(found / bound, 0.0, 1.0))).astype(np.uint8)), "bound": bound}


def board(params: Any, body: Any) -> dict[str, Any]:
    """The stage: where every token stands, its region, the attention of all windows, and what the view lays over the
    picture; for two libraries, the other one's as well, and of both the attention of the chosen window alone."""
    two, used = params.view == "orders", params.used
    scene = _windows(body.board, used, two)
    if two:
        scene["other"] = _windows(body.lesson.other, used, True)
    return scene | {"kind": "board", "step": params.step, "overlay": overlay(params.view, body.lesson)}


def _windows(shown: Any, params: Any, alone: bool) -> dict[str, Any]:
    one = shown.layout
    return {
        "view": params.view,
        "rows": one.size[0],
        "columns": one.size[1],
        "window": list(one.window),
        "shift": list(one.shift),
        "padded": list(one.padded),
        "order": one.order,
        "masked": params.masked,
        "steps": list(shown.steps),
        "source": one.source.ravel().tolist(),
        "region": one.region.ravel().tolist(),
        "crossed": one.crossed.ravel().tolist(),
        "token": list(shown.token),
        "blocked": shown.blocked,
        "strangers": shown.strangers,
        "through": shown.through,
        "leak": shown.leak,
        "weights": weights(shown.weights[shown.window] if alone else shown.weights),
        "held": shown.window if alone else None,
    }


def overlay(view: str, body: Any) -> dict[str, Any] | None:
    """What lies over the picture in its own coordinates: layers of reach, shares that leak, differences of the
    libraries."""
    if view == "reach":
        return {"kind": "layers", "first": body.first.ravel().tolist(), "depth": body.depth}
    if view == "leak":
        return {"kind": "share", **weights(body.share)}
    if view == "orders":
        return {"kind": "difference", **weights(body.difference), "largest": body.largest, "scale": body.scale}
    return None


def biased(params: Any, body: Any) -> list[dict[str, Any]]:
    """The stage, and below it the table of the drawn head as float32, those of all heads as one byte a cell (128 is
    zero, each scaled to its own largest), and the edits."""
    lesson = body.lesson
    heads, rows, columns = lesson.tables.shape
    bounds = np.abs(lesson.tables).max((1, 2), keepdims=True)
    levels = np.rint(128 + 127 * lesson.tables / np.where(bounds > 0, bounds, 1)).astype(np.uint8)
    table = {
        "kind": "bias",
        "heads": heads,
        "rows": rows,
        "columns": columns,
        "data": packed(lesson.tables[lesson.head].astype(np.float32)),
        "small": packed(levels),
        "head": lesson.head,
        "edits": [list(edit) for edit in params.edits],
    }
    return [board(params, body), table]


def merge(params: Any, body: Any) -> dict[str, Any]:
    """The pyramid: sizes and windows of its stages, and the two orders of four neighbours."""
    stages = [{"rows": s.size[0], "columns": s.size[1], "pixels": s.pixels, "channels": s.channels,
               "padded": list(s.padded), "window": list(s.window), "shift": list(s.shift), "windows": s.windows}
              for s in body.lesson.stages]
    lesson = body.lesson
    return {"kind": "merge", "stages": stages, "token": list(params.token), "order": lesson.order,
            "unshuffle": lesson.unshuffle}


def model(params: Any, body: Any) -> dict[str, Any]:
    """Real attention of the clicked patch: every block's mean, and all heads of the chosen block."""
    one = body.lesson
    alike = None if one.alike is None else {"rows": one.alike.shape[0], "columns": one.alike.shape[1],
                                            **weights(one.alike)}
    return {"kind": "model", "name": one.name, "seen": list(one.seen), "place": [params.y, params.x],
            "chosen": one.chosen,
            "head": one.head, "alike": alike, "region": params.region,
            "blocks": [_block(row, at == one.chosen) for at, row in enumerate(one.blocks)]}


def _block(row: Any, chosen: bool) -> dict[str, Any]:
    mean = row.weights.mean(0, keepdims=True)
    return {
        "stage": row.stage,
        "block": row.block,
        "map": list(row.map),
        "window": list(row.window),
        "shift": list(row.shift),
        "token": list(row.token),
        "corner": list(row.corner),
        "inside": list(row.inside),
        "visible": row.visible,
        "figures": [[h.itself, h.support, h.share, h.padding] for h in (row.heads if chosen else row.heads[:1])],
        **weights(np.concatenate([mean, row.weights]) if chosen else mean),
    }


def octaves(times: Any) -> str:
    """Factors, 1 where nothing is changed, as one byte each: 128 is 1, ``OCTAVES`` factors of two lie on either side; 0
    is nothing at all."""
    found = np.asarray(times, np.float64)
    with np.errstate(divide="ignore"):
        levels = np.clip(128 + 127 / OCTAVES * np.log2(found), 1, 255)
    return packed(np.where(found > 0, np.rint(levels), 0).astype(np.uint8))


def network(params: Any, body: Any) -> dict[str, Any]:
    """The parts of the whole network, in order."""
    one = body.lesson
    parts = [{"kind": p.kind, "stage": p.stage, "block": p.block, "number": p.number, "size": list(p.size),
              "channels": p.channels, "heads": p.heads, "window": list(p.window), "shift": list(p.shift),
              "padded": list(p.padded), "windows": p.windows, "work": p.work, "side": p.side} for p in one.parts]
    return {"kind": "network", "name": one.name, "seen": list(one.seen), "parts": parts, "chosen": one.chosen,
            "after": one.after}


def rollout(params: Any, body: Any) -> dict[str, Any]:
    """Rollout of the clicked patch, of equal weights, and their ratio, over the patches of the first map."""
    one = body.lesson
    flow = one.flows[one.chosen]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(one.equal > 0, one.real / one.equal, 0)
    maps = [octaves(one.real * flow.reached), octaves(one.equal * flow.reached), octaves(ratio)]
    return {"kind": "rollout", "name": one.name, "rows": one.real.shape[0], "columns": one.real.shape[1],
            "place": [params.y, params.x], "size": list(one.size), "token": list(one.token), "chosen": one.chosen,
            "blocks": [[f.stage, f.block] for f in one.flows], "maps": maps, "octaves": OCTAVES,
            "flow": [flow.reached, flow.support, flow.equal, flow.moved, flow.padding]}


STAGES = {**dict.fromkeys(("roll", "reach", "leak", "orders", "cosine"), board), "bias": biased, "merge": merge,
          "model": model, "network": network, "rollout": rollout}
