"""The view of a model of one's own: its tokens by expert, loads, entropy, what one layer's experts tell of the next
one's, and what an expert is worth. numpy only."""

import colorsys
from typing import Any

import numpy as np

from ui.core.tab import Table
from ui.parts import plots
from ui.parts.packed import packed
from ui.tabs.moe.sheets import EXPERTS

KEY = ("Coloured by the expert with the largest weight; the same number in another layer is another expert. Hover, or "
       "use arrow keys, for a token's experts and their weights.")
CHIPS = 16
"""Experts that can be pressed: those with the largest loads."""
DRAWN = 48
"""Experts of a layer in the matrix of two layers: those with the largest loads."""
TITLES = ("load, times the mean", "entropy of the load", "what an expert tells of the next", "tokens that two share")
GAP = 104
"""Pixels between two panels."""
TURN = 0.618034
"""Of the colour circle, from one expert to the next: the golden ratio, so that near numbers look unlike."""


def colours(count: int) -> list[str]:
    """A colour for each of ``count`` experts, the house's for up to eight."""
    if count <= len(EXPERTS):
        return list(EXPERTS[:count])
    rgb = (colorsys.hls_to_rgb(e * TURN % 1, 0.42 + 0.16 * (e % 3) / 2, 0.6) for e in range(count))
    return ["#" + "".join(f"{round(255 * v):02x}" for v in one) for one in rgb]


def busiest(load: Any, most: int) -> list[int]:
    """The experts with the largest loads, by number."""
    return sorted(np.argsort(np.negative(load.counts), kind="stable")[:most].tolist())


def scene(params: Any, body: Any) -> dict[str, Any]:
    """The tokens for the stage, in the chosen layer and the routed one beside it: of each token its experts and their
    weights."""
    layers = [{"layer": load.layer, "experts": packed(load.experts.astype("<u2")),
               "weights": packed(load.weights.astype("<f4"))} for load in body.shown]
    mine = next(load for load in body.shown if load.layer == body.layer)
    return {"kind": "routed", "unit": "token", "labels": list(body.labels), "k": body.k, "note": KEY,
            "colours": colours(body.experts), "chips": busiest(mine, CHIPS), "layers": layers}


def figure(body: Any) -> Any:
    """Loads by layer and expert; entropy of the loads; what a token's expert tells of the next; the two layers on the
    stage against each other."""
    pairs = body.together is not None
    heights = [90 + 16 * min(len(body.loads), 24), 170, *((170, 330) if pairs else ())]
    titles = tuple(f"<b>{title}</b>" for title in TITLES)[: len(heights)]
    made = plots.panels(len(heights), 1, ("expert", "layer", "layer", f"expert of layer {body.pair[-1]}"),
                        ("layer", "bits", "bits", f"expert of layer {body.pair[0]}"), titles,
                        height=sum(heights) + GAP * len(heights) + 20, row_heights=heights,
                        vertical_spacing=GAP / (sum(heights) + GAP * (len(heights) - 1)))
    layers = [str(load.layer) for load in body.loads]
    _heat(made, [[c * body.experts / sum(load.counts) for c in load.counts] for load in body.loads],
          [str(e) for e in range(body.experts)], layers, 1, "layer %{y}, expert %{x}: %{z:.3g} times the mean")
    _bars(made, layers, [load.entropy for load in body.loads], 2, "bits of layer %{x}: %{y:.3f}")
    made.add_scatter(x=[layers[0], layers[-1]], y=[np.log2(body.experts)] * 2, mode="lines", name="even: log2 e", row=2,
                     col=1, line={"color": plots.INK, "dash": "dash", "width": 1.5})
    if pairs:
        _pairs(made, body, layers)
    made.update_yaxes(autorange="reversed", row=1, col=1)
    return made.update_layout(bargap=0.3, barmode="group", margin={"t": 72},
                              legend={"y": 0.995, "yanchor": "top", "yref": "container"})


def _pairs(made: Any, body: Any, layers: list[str]) -> None:
    """What an expert tells of the next layer's, and the tokens that two experts share."""
    told = [load for load in body.loads if load.told is not None]
    _bars(made, layers[:-1], [load.told for load in told], 3, "from layer %{x}: %{y:.4f} bits", "this text")
    _bars(made, layers[:-1], [load.chance for load in told], 3, "%{y:.4f} bits with tokens shuffled", "shuffled", 6)
    rows, columns = (busiest(load, DRAWN) for load in body.shown)
    _heat(made, body.together[np.ix_(rows, columns)].tolist(), list(map(str, columns)), list(map(str, rows)), 4,
          "experts %{y} and %{x}: %{z} tokens")
    made.update_yaxes(autorange="reversed", row=4, col=1)


def _bars(made: Any, x: list[str], y: list[float], row: int, hover: str, name: str = "",
          colour: int = 0) -> None:
    made.add_bar(x=x, y=y, name=name, showlegend=bool(name), marker_color=plots.CATEGORIES[colour], row=row, col=1,
                 hovertemplate=hover + "<extra></extra>")
    made.update_xaxes(type="category", row=row, col=1)


def _heat(made: Any, z: list[list[float]], x: list[str], y: list[str], row: int, hover: str) -> None:
    """A matrix with its scale beside it."""
    rounded = [[round(v, 3) for v in one] for one in z]
    top = max(map(max, rounded))
    low, high = made.layout["yaxis" if row == 1 else f"yaxis{row}"].domain
    scale = {"len": high - low, "y": (low + high) / 2, "thickness": 10, "outlinewidth": 0, "nticks": 4}
    made.add_heatmap(z=rounded, x=x, y=y, colorscale=plots.MAGNITUDE, zmin=0, zmax=top, colorbar=scale, row=row, col=1,
                     hovertemplate=hover + "<extra></extra>", xgap=int(len(x) <= 24), ygap=int(len(y) <= 24))
    made.update_xaxes(type="category", showgrid=False, row=row, col=1)
    made.update_yaxes(type="category", showgrid=False, row=row, col=1)


def table(body: Any) -> Table:
    """One row for each routed layer and expert."""
    rows = ((load.layer, load.module, e, count, count * body.experts / sum(load.counts), load.entropy, load.balance,
             *("" if v is None else v for v in (load.told, load.chance)))
            for load in body.loads for e, count in enumerate(load.counts))
    return Table(("layer", "module", "expert", "tokens", "times the mean load", "entropy of the load, bits",
                  f"balance loss ({body.k} = even)", "bits told of the next layer", "the same, shuffled"), tuple(rows))


def words(params: Any, body: Any) -> str:
    """Loss, what the change does to it, loads, and the balance loss pooled and by layer."""
    return " ".join(filter(None, (_lost(body), _moved(body), _uneven(body), _pooled(body))))


def _lost(body: Any) -> str:
    return f"Loss {body.loss:.4f} nats per token over {body.tokens} tokens; guessing has {body.guess:.4f}."


def _moved(body: Any) -> str:
    """What was done to one expert, and its price."""
    if body.change == "none":
        return ""
    where = f"expert {body.expert} of layer {body.layer}"
    price = "the loss is being measured" if body.changed is None else (
        f"the loss is {body.changed:.4f}, {body.changed - body.loss:+.4f}")
    if body.change == "disabled":
        return f"Without {where}, which has {body.met} tokens, {price}; its logit is -inf before the choice."
    return (f"With {where} forced on the {body.met} tokens that go elsewhere, {price}; it takes the place of their "
            "last chosen one, with the weight that the rule gives it.")


def _uneven(body: Any) -> str:
    """The most uneven layer."""
    load = max(body.loads, key=lambda one: one.skew)
    unused = sum(count == 0 for one in body.loads for count in one.counts)
    idle = f"; {unused} of {len(body.loads) * body.experts} experts get no token" if unused else ""
    return f"The largest load has {load.skew:.2f} times the mean, in layer {load.layer}{idle}."


def _pooled(body: Any) -> str:
    """The balance loss as transformers reports it, beside those of the layers."""
    mean = sum(load.balance for load in body.loads) / len(body.loads)
    top = max(body.loads, key=lambda one: one.balance)
    own = (f"The model's own aux_loss is {body.reported:.3f}" if body.reported is not None else
           f"Its balance loss, as transformers' aux_loss counts it, is {body.pooled:.3f}")
    said = (f"{own}: all layers pooled, {body.k} = even. Layer by layer its mean is {mean:.3f}, the largest "
            f"{top.balance:.3f} in layer {top.layer}.")
    if len(body.loads) < 2:
        return said
    hidden = mean - body.pooled
    if hidden > 0.02 * body.k:
        return (f"{said} Pooling hides {hidden:.3f}: layers that each crowd other experts look even when their counts "
                "are added.")
    return f"{said} Pooling hides little here: {hidden:.3f}."
