"""Small pieces of HTML and CSV, as pure functions. Every text that is not ours is escaped here, and kept from
translation."""

import csv
import io
import json
from collections.abc import Iterable
from html import escape
from typing import Any

from ui.core.tab import Preset, Source, Tab, Table

ROWS, COLUMNS = 40, 12
"""What a table twin shows; the download has every row."""


def number(value: Any) -> str:
    """A number as a person reads it: whole numbers whole, others with four significant digits; other things as text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def checks(results: tuple[Any, ...]) -> str:
    """The strip of live checks (``backends.result.Check``)."""
    return _list([_check(c.ok, c.name, f"{number(c.value)} ≤ {number(c.bound)}" if c.ok else
                         f"{number(c.value)} > {number(c.bound)}", c.text) for c in results])


def observed(preset: Preset, held: bool) -> str:
    """The observation of the preset that is on screen, and whether it holds."""
    return _list([_check(held, preset.name, "", preset.observation)])


def _list(items: list[str]) -> str:
    return f'<ul class="gb-checks" aria-live="polite">{"".join(items)}</ul>' if items else ""


def _check(ok: bool, name: str, figures: str, text: str) -> str:
    mark, word = ("✓", "holds") if ok else ("✗", "does not hold")
    return (
        f'<li data-ok="{str(ok).lower()}"><span class="gb-mark" role="img" aria-label="{word}">{mark}</span>'
        f"<b>{escape(name)}</b> <code>{escape(figures)}</code> <span>{escape(text)}</span></li>"
    )


def note(text: str) -> str:
    """A sentence in small type; nothing for an empty one. What stands after a line break goes when the run ends."""
    said, _, left = text.partition("\n")
    while_it_runs = f' <span class="gb-left">{escape(left)}</span>' if left else ""
    return f'<p class="gb-note">{escape(said)}{while_it_runs}</p>' if text else ""


def table(rows: Table, caption: str = "", kind: str = "gb-table") -> str:
    """A table twin: the first ``ROWS`` rows and ``COLUMNS`` columns, and a sentence when there are more."""
    more = len(rows.rows) > ROWS or len(rows.columns) > COLUMNS
    size = f"{len(rows.rows)} rows, {len(rows.columns)} columns; the download has all of them."
    head, body = cells(rows.columns[:COLUMNS], "th"), [cells(row[:COLUMNS]) for row in rows.rows[:ROWS]]
    return ruled([head], body, caption, kind) + (note(size) if more else "")


def ruled(heads: Iterable[str], rows: Iterable[str], caption: str = "", kind: str = "gb-small") -> str:
    """A table of rows that ``cells`` made, which scrolls by itself where it is too wide."""
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    head, body = ("".join(f"<tr>{row}</tr>" for row in part) for part in (heads, rows))
    return f'<div class="{kind}" tabindex="0"><table>{title}<thead>{head}</thead><tbody>{body}</tbody></table></div>'


def cells(values: Iterable[Any], tag: str = "td", kind: str = "", across: int = 1, names: bool = False) -> str:
    """Cells of a table's row, each ``across`` columns wide; "th" for headings. ``names`` are not translated."""
    more = (f' class="{kind}"' if kind else "") + ' translate="no"' * names
    more += f' colspan="{across}"' if across > 1 else ""
    more += f' scope="{"col" if across == 1 else "colgroup"}"' if tag == "th" else ""
    return "".join(f"<{tag}{more}>{escape(number(v))}</{tag}>" for v in values)


def details(name: str, summary: str, inside: str) -> str:
    """HTML that is folded away under a line of text; it stays as the visitor left it when its ``name`` comes again."""
    return f'<details class="gb-more" data-fold="{name}"><summary>{escape(summary)}</summary>{inside}</details>'


def code(text: str, label: str) -> str:
    """A block of text to take along: a press selects all of it, a button copies it."""
    button = '<button type="button" class="gb-quiet" data-copy>Copy</button>'
    return (f'<figure class="gb-code"><figcaption>{escape(label)}{button}</figcaption>'
            f'<pre tabindex="0" translate="no">{escape(text)}</pre></figure>')


def csv_of(rows: Table) -> str:
    """The table as CSV with a header line."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(rows.columns)
    writer.writerows(rows.rows)
    return out.getvalue()


def json_of(rows: Table) -> str:
    """The table as JSON: a list with one object for each row."""
    return json.dumps([dict(zip(rows.columns, row, strict=True)) for row in rows.rows], ensure_ascii=False,
                      indent=1, default=str)


def says(message: dict[str, Any]) -> str:
    """The attribute of a button that sends this message through its tab's wire."""
    return f'data-say="{escape(json.dumps(message, separators=(",", ":")))}"'


def head(tab: Tab) -> str:
    """Title, question, *copy link* and *copy Python*, the place of ``ui.core.prose.opening``, and a button for each
    preset."""
    copies = "".join(f'<button type="button" id="{tab.slug}-{kind}" class="gb-quiet" '
                     f'{says({"kind": kind})}>{label}</button>'
                     for kind, label in (("link", "Copy link"), ("python", "Copy Python")))
    return (f'<div class="gb-head"><div class="gb-heading"><h2 class="gb-title">{escape(tab.title)}</h2>'
            f'<p class="gb-question">{escape(tab.question)}</p></div>{copies}</div>'
            f'<div id="{tab.slug}-opening" class="gb-opening"><div class="gb-intro"></div></div>{presets(tab)}')


def presets(tab: Tab) -> str:
    """A button for each preset; nothing without presets."""
    chips = "".join(f'<button type="button" id="{tab.slug}-preset-{i}" class="gb-chip" '
                    f'data-preset="{i}">{escape(p.name)}</button>' for i, p in enumerate(tab.presets))
    return f'<div class="gb-presets" role="group" aria-label="Presets">{chips}</div>' if chips else ""


def running(slug: str) -> str:
    """Run, Stop, the place of a run that waits, and what is known of its time before, above a streamed view."""
    return (f'<div class="gb-run" id="{slug}-going"><button type="button" id="{slug}-go" class="gb-primary" '
            'data-long="begin">Run</button>'
            f'<button type="button" id="{slug}-stop" class="gb-quiet" data-long="stop">Stop</button>'
            f'<p class="gb-note" id="{slug}-stale" hidden>The settings have changed: Run shows what they do.</p>'
            f'<p class="gb-note" id="{slug}-place" role="status"></p>'
            f'<p class="gb-note" id="{slug}-forecast"></p></div>')


def downloads(slug: str) -> str:
    """The buttons that save what is on screen: rows from the kept result, pictures from the page itself."""
    kinds = [("csv", "CSV", says({"kind": "rows", "format": "csv"})),
             ("json", "JSON", says({"kind": "rows", "format": "json"})), ("png", "PNG", 'data-picture="png"'),
             ("svg", "SVG", 'data-picture="svg"')]
    buttons = "".join(f'<button type="button" id="{slug}-{name}" class="gb-quiet" {what}>{label}</button>'
                      for name, label, what in kinds)
    pin = f'<button type="button" id="{slug}-pin" class="gb-quiet" {says({"kind": "pin"})}>Pin</button>'
    return f'<div class="gb-downloads" role="group" aria-label="Download">{pin}<span>Download</span>{buttons}</div>'


def upload(slug: str, source: Source, index: int) -> str:
    """The button that opens a file for a source, and what was found in it."""
    count = f'<p class="gb-count" id="{slug}-bytes" role="status" data-most="{source.most}"></p>'
    most = count if source.kind == "text" else ""
    accept = f' accept="{source.accept}"' if source.accept else ""
    file = (f'<label class="gb-quiet gb-upload" id="{slug}-upload-{index}">{escape(source.label)}'
            f'<input type="file" data-source="{index}"{accept}></label>')
    return (most + file * (source.kind != "shelf") + (fetching(slug, index) if source.fetch else "")
            + f'<p class="gb-note" data-held="{index}" role="status"></p>')


def fetching(slug: str, index: int, here: bool = False) -> str:
    """The buttons that fetch what a source offers and stop: beside it, after what could be fetched in words, where
    answers show them; or ``here``, where it is missed, with how far it is."""
    name = "here" if here else "hub"
    buttons = (f'<button type="button" class="gb-quiet" id="{slug}-{name}" '
               f'{says({"kind": "fetch", "source": index})}>Download</button>'
               '<button type="button" class="gb-quiet gb-halt" data-long="stop">Stop</button>')
    if here:
        return f'<div class="gb-downloads">{buttons}<span data-held="{index}" role="status"></span></div>'
    return (f'<p class="gb-note" id="{slug}-offer" data-offer="{index}" role="status"></p>'
            f'<span class="gb-fetch" hidden>{buttons}</span>')


def pictures(slug: str, source: Source, index: int, samples: list[dict[str, str]]) -> str:
    """A row of sample pictures, and a button for a picture of one's own; files may be dropped on it."""
    thumbs = "".join(
        f'<button type="button" class="gb-sample" data-mark="{source.field}" data-value="{s["id"]}" '
        f'title="{escape(s["title"])}" '
        f'{says({"kind": "set", "values": {source.field: s["id"]}})}><img src="{s["thumb"]}" '
        f'alt="{escape(s["title"])}" loading="lazy">'
        "</button>" for s in samples)
    return (f'<div class="gb-samples" role="group" aria-label="Sample pictures" data-drop="{index}">'
            f"{thumbs}{upload(slug, source, index)}</div>")
