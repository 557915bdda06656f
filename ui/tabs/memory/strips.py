"""The figure of the Memory tab's selective view: strips over a string's places, and both implied attention maps.
numpy only."""

from typing import Any

import numpy as np

from ui.parts import plots

DRAWN, STRIP = 96, 192
"""Most rows of a matrix, and columns of a strip, that are drawn."""
LETTERED = 48
"""Letters for which there is room below a string."""
MAPS = 6
"""Row of the figure with both maps."""
AXES: dict[str, dict[str, Any]] = {
    "coloraxis": {"cmin": -8, "cmax": 8, "colorscale": plots.SIGNED,
                  "colorbar": {"tickvals": [-8, 0, 8], "ticktext": ["÷256", "1", "×256"]}},
    "coloraxis2": {"cmin": 0, "cmax": 1, "colorscale": plots.MAGNITUDE,
                   "colorbar": {"tickvals": [0, 0.5, 1], "tickformat": ".0%"}},
    "coloraxis3": {"cmin": -1, "cmax": 1, "colorscale": plots.SIGNED,
                   "colorbar": {"tickvals": [-1, 0, 1], "ticktext": ["−max", "0", "max"]}},
}
"""Of the step sizes, of what is read, and of the maps: each is shared by both models."""


def pooled(values: np.ndarray, most: int) -> np.ndarray:
    """Along the last axis, at most so many entries: of equally many neighbours each the one with the largest
    magnitude."""
    n = values.shape[-1]
    step = max(1, -(-n // most))
    groups = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, -n % step)]).reshape(*values.shape[:-1], -1, step)
    return np.take_along_axis(groups, np.abs(groups).argmax(-1)[..., None], -1)[..., 0]


def _places(n: int, most: int) -> list[float]:
    """Columns of what `pooled` leaves of n places: the middles of the places that each stands for."""
    step = max(1, -(-n // most))
    starts = np.arange(0, n, step)
    return ((starts + np.minimum(starts + step, n) - 1) / 2).tolist()


def _ticks(string: str) -> dict[str, Any]:
    """Marks at the data, which are letters, and at the first read-out, "?", where there is room."""
    marks: list[int] = []
    for at, letter in enumerate(string):
        if (letter.isalpha() or letter == "?") and (not marks or at - marks[-1] >= len(string) / LETTERED):
            marks.append(at)
    return {"tickangle": 0, "tickfont": {"size": 10}, "tickvals": marks, "ticktext": [string[at] for at in marks]}


def _strip(figure: Any, row: int, values: np.ndarray, rows: list[str], look: dict[str, Any]) -> None:
    """On row ``row`` of the figure, one row of cells for each row of values, pooled; `look` colours them."""
    place = {"row": row, "col": 1}
    figure.add_heatmap(z=pooled(values, STRIP), x=_places(values.shape[-1], STRIP), y=rows, **look, **place)
    figure.update_yaxes(autorange="reversed", type="category", dtick=-(-len(rows) // 4), tickfont={"size": 9}, **place)


def _steps(one: Any) -> np.ndarray:
    """Powers of 2: each head's step sizes over their median."""
    return np.round(np.log2(one.dt / np.median(one.dt, 1, keepdims=True)), 2)


def _keys(figure: Any) -> None:
    """A scale of the colours at the right of both panels that share it."""
    for axis, ends in zip(AXES, (("yaxis", "yaxis2"), ("yaxis3", "yaxis4"), ("yaxis5", "yaxis6")), strict=True):
        high, low = figure.layout[ends[0]].domain[1], figure.layout[ends[1]].domain[0]
        bar = {"y": (high + low) / 2, "len": high - low, "thickness": 8, "outlinewidth": 0, "xpad": 4,
               "tickangle": 90, "tickfont": {"size": 10}}
        figure.update_layout({axis: AXES[axis] | {"colorbar": AXES[axis]["colorbar"] | bar}})


def _reader(figure: Any, k: int, body: Any) -> None:
    """Of model k: step sizes, what its read-outs get from where, and its implied attention."""
    one, n, ticks = body.readers[k], len(body.string), _ticks(body.string)
    look = {"coloraxis": "coloraxis",
            "hovertemplate": "head %{y}, place %{x:.0f}: 2^%{z} times the median<extra></extra>"}
    _strip(figure, 1 + k, _steps(one), [str(h) for h in range(len(one.dt))], look)
    look = {"coloraxis": "coloraxis2",
            "hovertemplate": "read-out %{y}, place %{x:.0f}: %{z:.1%}<extra></extra>"}
    _strip(figure, 3 + k, np.round(one.reads, 3), [f"{m + 1}: {letter}" for m, letter in enumerate(one.answers)], look)
    place, cells, at = {"row": MAPS, "col": 1 + k}, pooled(pooled(one.matrix, DRAWN).T, DRAWN).T, _places(n, DRAWN)
    look = {"coloraxis": "coloraxis3",
            "hovertemplate": "read at %{y}, written at %{x}: %{z:.2f} of the largest<extra></extra>"}
    values = np.round(cells / (float(np.abs(cells).max()) or 1.0), 2)
    figure.add_heatmap(z=values, x=at, y=at, **look, **place)
    figure.update_yaxes(ticks | {"range": [n - 0.5, -0.5], "showticklabels": k == 0}, **place)
    for row, column in ((1 + k, 1), (3 + k, 1), (MAPS, 1 + k)):
        figure.update_xaxes(ticks | {"range": [-0.5, n - 0.5]}, row=row, col=column)


def selective(body: Any) -> Any:
    """Of both models: each head's step size over its median, what every read-out gets from where, and the layer's
    implied attention."""
    names = [one.label.split()[-1] for one in body.readers]        # short: they must fit into a phone's width
    moved = ["dt over its median" if _steps(one).any() else "dt, 1 everywhere" for one in body.readers]
    titles = [*(f"{name}: {said}" for name, said in zip(names, moved, strict=True)),
              *(f"{name}: what its read-outs read" for name in names), *names]
    wide: list[Any] = [{"colspan": 2}, None]
    room: list[Any] = [None, None]                                 # for the words above both maps
    ys = ("head", "", "head", "", "read-out", "", "read-out", "", "", "", "read at", "")
    figure = plots.panels(MAPS, 2, ("",) * 10 + ("written at",) * 2, ys, titles, 940,
                          specs=[*[wide] * 4, room, [{}, {}]], row_heights=[0.08] * 4 + [0.001, 0.68],
                          vertical_spacing=0.05, horizontal_spacing=0.06)
    for k in range(len(body.readers)):
        _reader(figure, k, body)
    _keys(figure)
    words = f"Layer {body.layer}, head {body.head}: implied attention"
    figure.add_annotation(text=words, x=0.5, y=figure.layout.yaxis5.domain[1] + 0.025, xref="paper", yref="paper",
                          yanchor="bottom", showarrow=False)
    return figure
