"""The home view: a tile for each tab, the tour, and a card for each preset, as HTML that the browser fetches.

A step of the tour is a preset of its tab, so that its sentence is an observation that tests evaluate. Pictures
of presets lie in ``assets/gallery`` under the digest of their link; ``python -m tests.gallery`` makes those that are
missing.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from pathlib import Path

from ui.core import permalink
from ui.core.tab import Preset, Tab

GALLERY = Path(__file__).resolve().parent.parent.parent / "assets" / "gallery"


def picture(tab: Tab, preset: Preset) -> str:
    """The name of a preset's picture: it changes with what the preset shows."""
    whole = permalink.encode(tab.slug, preset.params)
    return f"{tab.slug}-{hashlib.sha256(whole.encode()).hexdigest()[:10]}.webp"


def link(tab: Tab, preset: Preset) -> str:
    """The query of a preset, as it is copied from the page."""
    return permalink.short(tab, preset.params)


def files(tabs: Sequence[Tab]) -> dict[str, Callable[[], bytes]]:
    """The page's files by their address under ``glass/``: ``home.html``, the pictures that there are, and what the
    presets of each tab say."""
    drawn = {f"gallery/{path.name}": path.read_bytes for path in GALLERY.glob("*.webp")}
    said = {f"presets/{tab.slug}.json": partial(presets, tab) for tab in tabs}
    return {"home.html": lambda: html(tabs).encode(), **drawn, **said}


def presets(tab: Tab) -> bytes:
    """The query and the observation of each preset, as JSON: what marks and explains its button."""
    return json.dumps([{"link": link(tab, p), "says": p.observation} for p in tab.presets]).encode()


def html(tabs: Sequence[Tab]) -> str:
    """Tiles of the tabs, the presets of each, and the steps of the tour, which the browser shows one by one."""
    tiles = "".join(_tile(tab) for tab in tabs)
    rows = [(tab, "".join(_card(tab, preset) for preset in tab.presets)) for tab in tabs if tab.presets]
    cards = "".join(f'<h3>{escape(tab.title)}</h3><div class="gb-cards-row">{row}</div>' for tab, row in rows)
    steps = "".join(f'<li data-link="{escape(link(tab, preset))}"><b>{escape(tab.title)}: {escape(preset.name)}</b>'
                    f"<p>{escape(preset.observation)}</p></li>"
                    for tab in tabs for preset in tab.presets if preset.name == tab.tour)
    return (f'<div class="gb-tiles">{tiles}</div><h2>Everything that can be seen</h2>{cards}'
            f'<ol class="gb-steps" hidden>{steps}</ol>')


def _tile(tab: Tab) -> str:
    names = [name for name in (picture(tab, preset) for preset in tab.presets) if (GALLERY / name).is_file()]
    return (f'<a class="gb-tile" href="?tab={tab.slug}" data-visit="{tab.slug}">'
            f'<span class="gb-living" data-pictures="{" ".join(names)}"></span>'
            f"<b>{escape(tab.title)}</b><span>{escape(tab.question)}</span></a>")


def _card(tab: Tab, preset: Preset) -> str:
    name, query = picture(tab, preset), escape(link(tab, preset))
    drawn = f'<img src="glass/gallery/{name}" alt="" loading="lazy" width="320" height="200">'
    return (f'<a class="gb-card-of" href="?{query}" data-visit="{tab.slug}">'
            f'{drawn if (GALLERY / name).is_file() else ""}<b>{escape(preset.name)}</b>'
            f"<span>{escape(preset.observation)}</span></a>")
