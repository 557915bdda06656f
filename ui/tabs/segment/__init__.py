"""The Segment tab: click on a thing, get the thing."""

from typing import Any

from ui.core.tab import Source, Tab
from ui.tabs.segment import endpoints
from ui.tabs.segment.presets import PRESETS
from ui.tabs.segment.state import Params


def drawn(tab: Tab, frame: Any) -> Any:
    """The tab's own page, a ``page.SegmentPage``."""
    from ui.tabs.segment import page

    return page.drawn(tab, frame)


def caveat(params: Params) -> str:
    """What a copied link cannot carry, in one sentence; empty when it carries everything."""
    own = [word for word, value in (("picture", params.picture), ("checkpoint", params.model))
           if value.startswith("own-")]
    clicks = "the clicks on the picture stay with it" if "picture" in own else "the clicks do"
    lost = f"Your own {' and '.join(own)} cannot travel in a link; {clicks}." if own else ""
    masks = any(step.held for thing in params.things for step in thing.steps)
    return " ".join(filter(None, [lost, "Imported masks cannot travel in a link." if masks else ""]))


TAB = Tab(
    slug="segment",
    title="Segment",
    question="What lies between a click and the mask?",
    params=Params,
    run=endpoints.run,
    presets=PRESETS,
    tour="One click, one cat",
    sources=(Source("model", "model", "Load my checkpoint (.safetensors)", accept=".safetensors", name="checkpoint"),),
    page=drawn,
    snippet=endpoints.script,
    caveat=caveat,
)
