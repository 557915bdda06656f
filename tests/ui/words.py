"""Texts that a page shows, for tests of the catalogue of languages."""

import re
from html.parser import HTMLParser

from ui.parts import markup

PROSE = ("gb-en", "gb-zh")


class Texts(HTMLParser):
    """The texts and spoken labels of a piece of HTML that are not kept from translation."""

    def __init__(self):
        super().__init__()
        self.found, self.open = [], []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        quiet = (given.get("translate") == "no" or tag in ("style", "script", "svg", "code")
                 or given.get("class") in PROSE)
        if tag not in ("input", "img", "br", "meta", "i"):
            self.open.append(quiet)
        if not any(self.open) and not quiet:
            self.found += [given[name] for name in ("aria-label", "title", "placeholder", "alt") if given.get(name)]

    def handle_endtag(self, tag):
        if tag not in ("input", "img", "br", "meta", "i") and self.open:
            self.open.pop()

    def handle_data(self, data):
        if data.strip() and data != "${value}" and not any(self.open):
            self.found.append(data.strip())


def texts_of(html):
    parser = Texts()
    parser.feed(html)
    return parser.found


def shown(tab, params, results):
    """What a tab shows of the results of one view; of scenes, which scripts word, the sheets alone."""
    view = tab.view(params)
    for result in results:
        yield from sheets(view.stage(params, result.body)) if view.stage else ()
        yield from (*result.notice.split("\n"), view.words(params, result.body) if view.words else "")
        html = markup.checks(result.checks) + markup.table(view.table(result.body))
        yield from texts_of(html + (view.below(params, result.body) if view.below else ""))
        yield from plotted(view.figure(result.body)) if view.figure else ()


def sheets(scene):
    """Titles, notes and cells of scenes that are tables; short counts, such as 46.7 B, are no words."""
    for one in scene if isinstance(scene, list) else [scene]:
        for table in one["tables"] if one and one.get("kind") == "sheet" else ():
            yield from (table["title"], *table["notes"], *table["head"])
            yield from (cell for row in table["rows"] for cell in row
                        if not re.fullmatch(r"[\d.]+ ([TBMk]|GB|ms)", cell))


def plotted(figure):
    """Titles, annotations, legend and named ticks of a plotly figure."""
    yield from (axis.title.text or "" for axis in (*figure.select_xaxes(), *figure.select_yaxes()))
    yield from (re.sub(r"</?b>", "", note.text or "") for note in figure.layout.annotations)
    for trace in figure.data:
        yield trace.name or "" if trace.showlegend is not False else ""
        ticks = (*(trace.x or ()), *(trace.y or ())) if trace.type == "bar" else ()
        yield from (tick for tick in ticks if isinstance(tick, str))
