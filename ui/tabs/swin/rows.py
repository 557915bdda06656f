"""Tables of the Swin tab: the rows behind what each view draws."""

from typing import Any

from ui.core.tab import Table


def _roll_rows(body: Any) -> Table:
    one = body.board.layout
    given, partners = body.board.row.ravel(), set(body.board.partners)
    found = []
    for token, (window, place) in enumerate(one.places.tolist()):
        row, column = divmod(token, one.size[1])
        at = (window // one.grid[1] * one.window[0] + place // one.window[1],
              window % one.grid[1] * one.window[1] + place % one.window[1])
        found.append((row, column, *at, window, int(one.region[at]), str(token in partners), float(given[token])))
    return Table(("row", "column", "row after roll", "column after roll", "window", "region", "partner", "weight"),
                 tuple(found))


def _map_rows(name: str) -> Any:
    def make(body: Any) -> Table:
        values = getattr(body.lesson, name)
        head = ("row \\ column", *map(str, range(values.shape[1])))
        return Table(head, tuple((str(i), *line) for i, line in enumerate(values.tolist())))

    return make


def _bias_rows(body: Any) -> Table:
    table = body.lesson.tables[body.lesson.head]
    (mh, mw) = (table.shape[0] + 1) // 2, (table.shape[1] + 1) // 2
    head = ("dy \\ dx", *map(str, range(1 - mw, mw)))
    return Table(head, tuple((str(i + 1 - mh), *line) for i, line in enumerate(table.tolist())))


def _cosine_rows(body: Any) -> Table:
    b = body.lesson
    lines = zip(b.largest_dot, b.largest_cosine, b.support_dot, b.support_cosine, strict=True)
    head = ("head", "largest |dot|", "largest |scaled cosine|", "effective keys, dot", "effective keys, cosine")
    return Table(head, tuple((h + 1, *line) for h, line in enumerate(lines)))


def _merge_rows(body: Any) -> Table:
    head = ("stage", "rows", "columns", "px per token", "channels", "zeros added before (rows, columns)", "window",
            "shift", "windows")
    lines = (
        (k + 1, *s.size, s.pixels, s.channels, f"{s.padded[0]}, {s.padded[1]}", _pair(s.window),
         _pair(s.shift), s.windows)
        for k, s in enumerate(body.lesson.stages)
    )
    return Table(head, tuple(lines))


def _network_rows(body: Any) -> Table:
    head = ("part", "rows", "columns", "channels", "heads", "window", "shift", "windows", "padded to", "multiply-adds")
    named = {"embed": "patch embedding", "merge": "merging"}
    lines = []
    for p in body.lesson.parts:
        block = p.kind == "block"
        name = f"block {p.stage + 1}·{p.block + 1}" if block else named[p.kind]
        sizes = (p.heads, _pair(p.window), _pair(p.shift), p.windows) if block else ("", "", "", "")
        lines.append((name, *p.size, p.channels, *sizes, _pair(p.padded) if p.padded[0] else "", p.work))
    return Table(head, tuple(lines))


def _rollout_rows(body: Any) -> Table:
    head = ("stage", "block", "patches reached", "in effect", "in effect, equal weights", "moved", "on padding")
    return Table(head, tuple((f.stage + 1, f.block + 1, f.reached, f.support, f.equal, f.moved, f.padding)
                             for f in body.lesson.flows))


def _pair(pair: tuple[int, int]) -> str:
    return f"{pair[0]} x {pair[1]}"


def _cost_rows(body: Any) -> Table:
    head = ("map", "padded to", "projections, whole", "projections, windows", "whole map", "windows", "whole / windows",
            "MB whole", "MB windows", "s whole", "s windows")
    lines = []
    for p in (body.lesson.asked, *body.lesson.prices):
        ratio = p.global_attention / p.window_attention
        seconds = ["" if s is None else s for s in (p.global_seconds, p.window_seconds)]
        mega = p.global_bytes / 1e6, p.window_bytes / 1e6
        work = p.global_projections, p.window_projections
        work += p.global_attention, p.window_attention
        lines.append((_pair(p.size), _pair(p.padded), *work, ratio, *mega, *seconds))
    return Table(head, tuple(lines))


def _model_rows(body: Any) -> Table:
    head = ("stage", "block", "map", "window", "shift", "visible places", "head", "weight on itself",
            "places in effect", "share of the visible", "weight on padding")
    lines = []
    for row in body.lesson.blocks:
        for h, figures in enumerate(row.heads):
            name = str(h) if h else "mean"
            where = row.stage + 1, row.block + 1, _pair(row.map), _pair(row.window), _pair(row.shift), row.visible
            lines.append((*where, name, figures.itself, figures.support, figures.share, figures.padding))
    return Table(head, tuple(lines))


TABLES = {
    "network": _network_rows, "roll": _roll_rows, "reach": _map_rows("first"), "leak": _map_rows("share"),
    "orders": _map_rows("difference"), "bias": _bias_rows, "cosine": _cosine_rows, "merge": _merge_rows,
    "cost": _cost_rows, "model": _model_rows, "rollout": _rollout_rows,
}
