"""Scenes, figures, tables and sentences of the opened box: results of ``backends.segment.inside``. numpy only.

A map travels as one byte a cell. Magnitudes: |v| = bound * (level / 255)^2. Signed ones: level 128 and more above zero,
127 and less at or below, |v| = bound * (steps from there / 127)^2, so the cells above 127 are exactly those above zero.
Others: linear from the lowest to the highest. Colours: three bytes a cell, zero at 127.5, each component scaled by its
own largest. All lie over the picture: ``over`` says how far a map reaches, in widths and heights of the picture, as its
last cells may reach over the edge.
"""

from collections.abc import Iterator
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from ui.core.tab import Table
from ui.parts import markup, plots
from ui.parts.packed import packed

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST = 128 * 128
"""Cells of a map that travel at most; of a larger one every second, third ... row and column."""
TOKENS = 4
"""Other tokens whose attention is shown, averaged over heads."""
FINE, STRIDE = 4, 8
"""px of the model's input in a cell of low-resolution logits, and of tiny's maps."""


def signed(values: np.ndarray) -> dict[str, Any]:
    """Numbers of both signs as {"data", "bound", "kind"}."""
    bound = float(np.abs(values).max()) or 1.0
    steps = np.floor(127 * np.sqrt(np.abs(values) / bound)).astype(int)
    levels = np.where(values > 0, 128 + steps, 127 - steps).clip(0, 255).astype(np.uint8)
    return {"data": packed(levels), "bound": bound, "kind": "signed"}


def magnitude(values: np.ndarray) -> dict[str, Any]:
    """Numbers from zero on."""
    bound = float(values.max()) or 1.0
    return {"data": packed(np.rint(255 * np.sqrt(values.clip(0) / bound)).astype(np.uint8)), "bound": bound,
            "kind": "magnitude"}


def between(values: np.ndarray) -> dict[str, Any]:
    """Numbers by their place between the lowest and the highest."""
    low, bound = float(values.min()), float(values.max())
    levels = np.rint(255 * (values - low) / ((bound - low) or 1.0)).astype(np.uint8)
    return {"data": packed(levels), "low": low, "bound": bound, "kind": "between"}


def colours(values: np.ndarray) -> dict[str, Any]:
    """Components (r, c, 3) as red, green and blue."""
    bound = np.abs(values).max((0, 1)).clip(1e-12)
    levels = np.rint(127.5 + 127.5 * values / bound).astype(np.uint8)
    return {"data": packed(levels), "bound": bound.tolist(), "kind": "colours"}


def placed(name: str, values: np.ndarray, stride: int, size: tuple[int, int], pack: Any) -> dict[str, Any]:
    """One map (r, c) or (r, c, 3), with its place over the picture; stride and size (h, w) in the same pixels."""
    rows, columns = values.shape[:2]
    k = 1
    while rows * columns > MOST * k * k:
        k += 1
    thin = values[k // 2 :: k, k // 2 :: k]
    over = [columns * stride / size[1], rows * stride / size[0]]
    return {"name": name, "rows": thin.shape[0], "columns": thin.shape[1], "over": over, **pack(thin)}


# --- every map of a view: (group, name, values, stride, how it is packed) ---

def encoder_maps(body: Any) -> Iterator[tuple[Any, ...]]:
    """Principal components, level by level."""
    for level in body.levels:
        yield "", f"{level.name}, stride {level.stride}", level.components, level.stride, colours


def click_maps(body: Any) -> Iterator[tuple[Any, ...]]:
    """What the click adds, for either kind of decoder."""
    yield from _sam_maps(body) if hasattr(body, "attention") else _tiny_maps(body)


def _tiny_maps(body: Any) -> Iterator[tuple[Any, ...]]:
    first = "What the decoder is given"
    yield first, "coarse guess", body.coarse, FINE, signed
    yield first, "boundary", body.boundary, STRIDE, magnitude
    for wall, values in sorted(zip(body.walls, body.distance, strict=True), key=itemgetter(0)):
        yield first, f"geodesic distance, walls at {wall:g}", values, STRIDE, between
    away = () if body.away is None else zip(body.walls, body.away, strict=True)
    for wall, values in sorted(away, key=itemgetter(0)):
        yield first, f"distance from excluding clicks, walls at {wall:g}", values, STRIDE, between
    for head, values in enumerate(body.alike):
        yield "Similarity with what was clicked", f"similarity, head {head + 1}", values, STRIDE, between
    for head, values in enumerate(() if body.against is None else body.against):
        yield "Similarity with what was excluded", f"similarity to excluded, head {head + 1}", values, STRIDE, between


def _sam_maps(body: Any) -> Iterator[tuple[Any, ...]]:
    last, token = len(body.attention) - 1, 1 + body.token
    for at, layer in enumerate(body.attention):
        name = "final layer" if at == last else f"layer {at + 1}"
        for head, values in enumerate(layer[:, token]):
            yield "Attention of the mask token on screen", f"{name}, head {head + 1}", values, 4 * FINE, magnitude
    others = [n for n in range(len(body.tokens)) if n == 0 or n > 4][:TOKENS]
    for n in others:
        values = body.attention[-1].mean(0)[n]
        yield "Other tokens, final layer, mean of heads", f"token {body.tokens[n]}", values, 4 * FINE, magnitude
    for k, values in enumerate(body.masks):
        yield "What each mask token draws", f"logits of mask token {k}", values[2::4, 2::4], 4 * FINE, signed


def cut_maps(body: Any) -> Iterator[tuple[Any, ...]]:
    """Low-resolution logits of every mask."""
    for k, values in enumerate(body.logits):
        yield "As the decoder gives them", f"logits of mask {k + 1}", values, FINE, signed


MAPS = {"encoder": encoder_maps, "click": click_maps, "logits": cut_maps, "band": cut_maps}


def points(params: Any) -> dict[str, Any]:
    """Clicks and the last box, as the stage marks them, in pixels of the picture."""
    boxes = [list(step.box) for step in params.steps if step.box]
    return {"points": [list(step.point) for step in params.steps if step.point], "box": boxes[-1] if boxes else None}


def shown(params: Any, body: Any) -> dict[str, Any]:
    """The scene of a view that has maps."""
    maps = [{"group": group, **placed(name, values, stride, body.input_size, pack)}
            for group, name, values, stride, pack in MAPS[params.view](body)]
    return {"kind": "maps", "maps": maps, **points(params)}


def cut(params: Any, body: Any) -> list[dict[str, Any]]:
    """A threshold to drag, or a band about it, over the picture; below it the low-resolution logits."""
    rows, columns = body.full.shape
    full = {"rows": rows, "columns": columns, "over": [1, 1], **signed(body.full)}
    told = {"offset": body.offset, "every": body.every, "area": body.area}
    return [{"kind": "cut", "band": params.view == "band", "map": full, **told, **points(params)}, shown(params, body)]


def changes(params: Any, body: Any) -> dict[str, Any]:
    """Which pixels each step that is left out takes along."""
    rows, columns = body.changes.shape[1:]
    maps = [{"group": "", "name": f"without step {at + 1}", "rows": rows, "columns": columns, "over": [1, 1],
             "data": packed(change), "bound": 1, "kind": "change", "without": at}
            for at, change in zip(body.steps, body.changes, strict=True)]
    return {"kind": "maps", "maps": maps, **points(params)}


def rating(body: Any) -> "go.Figure":
    """Predicted against true IoU of every mask, one colour a step; the chosen ones are full."""
    figure = plots.figure("IoU with the truth", "predicted IoU", height=380)
    figure.add_scatter(x=[0, 1], y=[0, 1], name="right", mode="lines", line={"color": plots.INK, "dash": "dot"})
    for t, (true, predicted) in enumerate(zip(body.true, body.predicted, strict=True)):
        full = ["circle" if k == body.chosen[t] else "circle-open" for k in range(len(true))]
        figure.add_scatter(x=true.tolist(), y=predicted.tolist(), name=f"step {t + 1}", mode="markers+text",
                           text=[str(k + 1) for k in range(len(true))], textposition="top center",
                           marker={"symbol": full, "size": 11, "color": plots.CATEGORIES[t % len(plots.CATEGORIES)]})
    figure.update_xaxes(range=[-0.04, 1.06])
    return figure.update_yaxes(range=[-0.04, 1.1])


# --- tables ---

def maps_table(view: str) -> Any:
    """The table of a view with maps: each with its cells and its range."""
    def table(body: Any) -> Table:
        rows = tuple((name, stride, values.shape[0], values.shape[1], float(values.min()), float(values.max()))
                     for _, name, values, stride, _ in MAPS[view](body))
        return Table(("map", "px of the input in a cell", "rows", "columns", "lowest", "highest"), rows)
    return table


def cells(view: str) -> Any:
    """``part`` of a view with maps: every cell of one of them."""
    def part(body: Any, name: str) -> Table:
        found = {one: values for _, one, values, _, _ in MAPS[view](body)}
        if name not in found:
            raise ValueError("There is no such map on screen.")
        values = found[name]
        at = np.indices(values.shape[:2]).reshape(2, -1).T
        rest = values.reshape(len(at), -1)
        names = ("value",) if rest.shape[1] == 1 else ("component 1", "component 2", "component 3")
        return Table(("row", "column", *names), tuple((*map(int, rc), *map(float, v)) for rc, v in zip(at, rest,
                                                                                                       strict=True)))
    return part


def cut_table(body: Any) -> Table:
    """Every mask: areas at both thresholds, and its stability."""
    rows = tuple((f"mask {k + 1}", "yes" if k == body.chosen else "no", int(strict), int(loose), float(stable))
                 for k, (strict, loose, stable) in enumerate(zip(body.strict, body.loose, body.stability, strict=True)))
    return Table(("mask", "on screen", "px above +1", "px above -1", "stability"), rows)


def rating_table(body: Any) -> Table:
    """Every mask of every step."""
    rows = tuple((t + 1, k + 1, "yes" if k == body.chosen[t] else "no", float(body.predicted[t, k]),
                  float(body.true[t, k])) for t in range(len(body.true)) for k in range(body.true.shape[1]))
    return Table(("step", "mask", "chosen", "predicted IoU", "IoU with the truth"), rows)


def left_table(body: Any) -> Table:
    """Every step that was left out."""
    rows = tuple((at + 1, iou, area, area - body.area)
                 for at, iou, area in zip(body.steps, body.iou, body.areas, strict=True))
    return Table(("step left out", "IoU with all", "px without it", "px more"), rows)


# --- sentences ---

def encoder_words(params: Any, body: Any) -> str:
    """What the levels are."""
    last = body.levels[-1]
    return (f"Once per picture: {len(body.levels)} levels of the encoder, the first three principal components of each "
            f"as red, green and blue. At the last one they explain {100 * last.share.sum():.0f} % of the variance "
            f"of its {last.channels} channels.")


def click_words(params: Any, body: Any) -> str:
    """What the click adds."""
    if hasattr(body, "attention"):
        layers, heads = body.attention.shape[:2]
        return (f"Each click is a token. Mask token {body.token} drew the mask on screen: here is what it looked at, "
                f"in {layers} layers of {heads} heads.")
    return (f"The geodesic distance is a walk that pays at boundaries: with walls at {body.walls[0]:g} on average "
            f"{body.within:.1f} inside of the mask and {body.beyond:.1f} outside of it.")


def logits_words(params: Any, body: Any) -> str:
    """What the threshold does."""
    clean = f" Clean masks then fill or drop {body.cleaned} px." if body.cleaned else ""
    return (f"Every pixel has a logit; those above the threshold are the mask, {body.area} px at 0. Drag the threshold "
            f"and watch what gives way first.{clean}")


def band_words(params: Any, body: Any) -> str:
    """What stability means."""
    stable, k = float(body.stability[body.chosen]), body.chosen
    return (f"Move the threshold from +1 to -1 and the mask grows from {int(body.strict[k])} to {int(body.loose[k])} "
            f"px: its stability is their ratio, {stable:.3f}.")


def rating_words(params: Any, body: Any) -> str:
    """What the truth is, and how far the head is off."""
    off = np.abs(body.predicted - body.true)
    if body.known:
        return ("The truth is the rendered object that the mask overlaps best. "
                f"The IoU head is {off.mean():.2f} off on average.")
    if len(off) == 1:
        return ("No truth is known for this picture, and after a single step the mask could only be compared with "
                "itself. Go on until the object is right: it then counts as the truth.")
    return (f"No truth is known for this picture, so the object as you finished it counts as one. "
            f"In the steps before, the IoU head is {off[:-1].mean():.2f} off on average.")


def left_words(params: Any, body: Any) -> str:
    """Which click matters most."""
    if not body.steps:
        return ""
    least = int(np.argmin(body.iou))
    return (f"Step {body.steps[least] + 1} matters most: without it the IoU with the mask on screen is "
            f"{body.iou[least]:.2f}. Orange goes with the click, pink comes without it.")


def tokens_below(params: Any, body: Any) -> str:
    """The cosines between mask tokens, as they enter and leave."""
    if not hasattr(body, "attention"):
        return ""
    heads = [markup.cells(("cosine",), "th") + markup.cells([f"mask {k}" for k in range(4)], "th", "", 1, True)]
    tables = [markup.ruled(heads, [markup.cells((f"mask {i}",), "td", "", 1, True) + markup.cells(map(float, row))
                                   for i, row in enumerate(values)], title)
              for title, values in (("Mask tokens as they enter", body.before), ("as they leave", body.after))]
    return "".join(tables)


TABLES = {"encoder": maps_table("encoder"), "click": maps_table("click"), "logits": maps_table("logits"),
          "band": cut_table, "rating": rating_table, "left": left_table}
FIGURES = {"rating": rating}
STAGES = {"encoder": shown, "click": shown, "logits": cut, "band": cut, "left": changes}
WORDS = {"encoder": encoder_words, "click": click_words, "logits": logits_words, "band": band_words,
         "rating": rating_words, "left": left_words}
BELOW = {"click": tokens_below}
PARTS = {view: cells(view) for view in MAPS}
