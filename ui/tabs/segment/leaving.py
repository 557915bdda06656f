"""What leaves the Segment tab and comes back: files, COCO files of other tools, links, Python, outlines of masks.

Each function answers one message of the wire for ``page``, a ``SegmentPage``: it takes the session, the request, the
message and what the page's values hold, and yields what the answer fills.
"""

import json
import secrets
from functools import partial
from html import escape
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from ui.core import export, permalink
from ui.core.lanes import Place
from ui.core.page import Answer
from ui.parts import markup
from ui.tabs.segment.shown import waits
from ui.tabs.segment.state import Params

LABELS = {"picture": "Picture", "model": "Model", "objects": "Objects", "active": "Selected object",
          "inside": "Opened box"}
"""What a pin calls the settings that have no widget."""


async def outline(page: Any, session: str, request: gr.Request, message: dict[str, Any],
                  given: tuple[Any, ...]) -> Answer:
    """The mask of the active object as rings of vertices."""
    from ui.tabs.segment import answers

    rings = []
    if message["epoch"] == given[0]["epoch"]:
        rings = await page.frame.lanes.one(lambda: answers.outline(session, page.read(*given), page.frame.kept))
    same = {name: message[name] for name in ("epoch", "key")}
    yield page.out(notes={"kind": "outline", **same, "rings": rings})


async def take(page: Any, session: str, request: gr.Request, message: dict[str, Any],
               given: tuple[Any, ...]) -> Answer:
    """A file for the browser to save, from what is kept of what is on screen; of many ``pictures`` a long run."""
    from ui.tabs.segment import downloads

    params, kind, kept, many = page.read(*given), message["what"], page.frame.kept, message.get("pictures")
    if many is None:
        regions = message.get("of") == "regions"
        made = await page.frame.lanes.one(lambda: downloads.file_of(session, params, kind, kept, regions))
    else:
        make, made = partial(downloads.files_of, session, params, kind, many, kept), None
        async for item in page.long(request, "segment export", make):
            made = item
            if isinstance(item, str | Place):
                yield page.out(finding=markup.note(waits(item) if isinstance(item, Place) else item))
    if not isinstance(made, downloads.File):
        return
    if lacks := downloads.left_out(made):
        gr.Info(escape(lacks), title="About this file")
    file = save_bytes_to_cache(made.content, made.name, page.folder)
    yield page.out(notes={"kind": "file", "name": made.name, "file": file, "nonce": secrets.token_hex(4)},
                   **({} if many is None else {"finding": ""}))


async def bring(page: Any, session: str, request: gr.Request, message: dict[str, Any],
                given: tuple[Any, ...]) -> Answer:
    """Objects of a COCO file for the picture on screen; the canvas adds them to its own."""
    from ui.tabs.segment import downloads

    params = page.read(*given)
    objects, lacks = await page.frame.lanes.one(lambda: downloads.read(session, params, message["path"]))
    if lacks:
        gr.Info(escape(lacks), title="About this file")
    yield page.out(notes={"kind": "import", "objects": objects, "epoch": given[0]["epoch"]})


async def share_link(page: Any, session: str, request: gr.Request, message: dict[str, Any],
                     given: tuple[Any, ...]) -> Answer:
    """The link to what is on screen."""
    params = page.read(*given)
    lost = page.tab.caveat(params)
    if lost:
        gr.Info(escape(lost), title="About this link")
    yield page.out(wire={"share": "link", "text": permalink.encode(page.tab.slug, params)})


async def pin(page: Any, session: str, request: gr.Request, message: dict[str, Any], given: tuple[Any, ...]) -> Answer:
    """What the canvas shows, to stand beside what comes next."""
    params = page.read(*given)
    pinned = await page.frame.lanes.one(lambda: _pinned(page, session, params))
    yield page.out(wire={"pin": pinned})


def _pinned(page: Any, session: str, params: Any) -> dict[str, Any]:
    from ui.tabs.segment import answers

    masks = [mask for _, mask, _ in answers.objects_of(session, params, page.frame.kept)]
    if not masks:
        raise ValueError("There is nothing on screen yet to pin.")
    found = export.pinned(page.tab, params, json.dumps(masks), "SHA-256 of the masks' run lengths as JSON", False)
    usual = {name: str(getattr(Params(), name)) for name in LABELS}
    return found | {"labels": found["labels"] | LABELS, "defaults": found["defaults"] | usual, "short": found["link"]}


async def share_python(page: Any, session: str, request: gr.Request, message: dict[str, Any],
                       given: tuple[Any, ...]) -> Answer:
    """Python for what is on screen."""
    yield page.out(wire={"share": "python", "text": page.tab.snippet(page.read(*given))})
