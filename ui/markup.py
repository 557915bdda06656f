"""Small pieces of HTML and CSV, as pure functions. Every text that is not ours is escaped here."""

import csv
import io
from html import escape
from typing import Any

from ui.tab import Preset, Tab, Table, View

ROWS, COLUMNS = 40, 12
"""What a table twin shows; the download has every row."""


def both(english: str, chinese: str, tag: str = "span") -> str:
    """The same text in two languages, escaped; the page's language switch shows one of them."""
    return f'<{tag} class="gb-en" lang="en">{escape(english)}</{tag}><{tag} class="gb-zh" lang="zh">{escape(chinese)}</{tag}>'


def number(value: Any) -> str:
    """A number as a person reads it: whole numbers whole, others with four significant digits; other things as text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def checks(results: tuple[Any, ...], preset: Preset | None = None, held: bool = False) -> str:
    """The strip of live checks (``shapes.Check``), and the observation of the preset that is on screen."""
    items = [_check(c.ok, c.name, f"{number(c.value)} (bound {number(c.bound)})", c.text) for c in results]
    if preset is not None:
        items.append(_check(held, preset.name, "", preset.observation))
    return f'<ul class="gb-checks" aria-live="polite">{"".join(items)}</ul>' if items else ""


def _check(ok: bool, name: str, figures: str, text: str) -> str:
    mark, word = ("✓", "holds") if ok else ("✗", "does not hold")
    return (
        f'<li data-ok="{str(ok).lower()}"><span class="gb-mark" role="img" aria-label="{word}">{mark}</span>'
        f"<b>{escape(name)}</b> <code>{escape(figures)}</code> <span>{escape(text)}</span></li>"
    )


def table(rows: Table, caption: str) -> str:
    """A table twin: the first ``ROWS`` rows and ``COLUMNS`` columns, and a sentence when there are more."""
    head = "".join(f'<th scope="col">{escape(str(c))}</th>' for c in rows.columns[:COLUMNS])
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows.rows[:ROWS])
    more = len(rows.rows) > ROWS or len(rows.columns) > COLUMNS
    size = f"{len(rows.rows)} rows, {len(rows.columns)} columns"
    note = f'<p class="gb-note">{size}; the download has all of them.</p>' if more else ""
    return (
        f'<div class="gb-table" tabindex="0"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{note}"
    )


def _cells(row: tuple[Any, ...]) -> str:
    return "".join(f"<td>{escape(number(v))}</td>" for v in row[:COLUMNS])


def table_of(view: View, result: Any, drawn: Any = None) -> Table:
    """The rows behind a view: its own ``table``, the ``Table`` it draws, or the traces of its plotly figure.

    ``drawn`` is ``view.draw(result)`` when the caller has it already.
    """
    if view.table is not None:
        return view.table(result)
    drawn = view.draw(result) if drawn is None else drawn
    if isinstance(drawn, Table):
        return drawn
    return _traces(drawn.data) if hasattr(drawn, "data") else Table((), ())


def _traces(traces: Any) -> Table:
    """A single map as a grid (one row for each y), lines and bars as rows of trace, x, y."""
    if len(traces) == 1 and getattr(traces[0], "z", None) is not None:
        return _grid(traces[0])
    rows: list[tuple[Any, ...]] = []
    for index, trace in enumerate(traces):
        points = zip(_list(trace.x), _list(trace.y), strict=False)
        rows += [(trace.name or f"{index + 1}", x, y) for x, y in points]
    return Table(("trace", "x", "y"), tuple(rows))


def _grid(trace: Any) -> Table:
    lines = [_list(line) for line in trace.z]
    across = _list(trace.x) or range(len(lines[0]) if lines else 0)
    down = _list(trace.y) or range(len(lines))
    return Table(("y \\ x", *map(str, across)), tuple((y, *line) for y, line in zip(down, lines, strict=False)))


def _list(values: Any) -> list[Any]:
    return [] if values is None else [_item(v) for v in values]


def _item(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def csv_of(rows: Table) -> str:
    """The table as CSV with a header line."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(rows.columns)
    writer.writerows(rows.rows)
    return out.getvalue()


def title(tab: Tab, chinese_title: str, chinese_question: str) -> str:
    """The heading of a tab: its title and its one-line question, in both languages."""
    question = both(tab.question, chinese_question)
    return f'<h2 class="gb-title">{both(tab.title, chinese_title)}</h2><p class="gb-question">{question}</p>'


def caption(view: View) -> str:
    """The heading of a figure, with what it draws in one sentence."""
    return f'<h3 class="gb-caption">{escape(view.title)} <small>{escape(view.alt)}</small></h3>'
