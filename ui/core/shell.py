"""The page around the tabs: header, status, restoring of links, its own files, and what ``launch`` needs to know about
the look."""

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from backends import images
from ui.core import language, prose
from ui.core.frame import Frame
from ui.core.page import draw
from ui.core.tab import Tab
from ui.parts import pictures

ROOT = Path(__file__).resolve().parent.parent.parent
HEADER = """
<a class="gb-skip" href="#gb-tabs" data-glassbox="skip">Skip to the tab</a>
<div class="gb-brand"><h1 translate="no">Glassbox</h1>
<p>Change the mechanism, keep your input, watch what breaks.</p></div>"""
TOOLS = """
<div class="gb-tools" role="group" aria-label="Page settings">
<button type="button" data-glassbox="home">Home</button>
<button type="button" data-glassbox="tour">Tour</button>
<button type="button" data-glassbox="language" aria-label="Language: English or Chinese" translate="no">
<span class="gb-en">中文</span><span class="gb-zh">EN</span></button>
<button type="button" data-glassbox="theme" aria-label="Light or dark colours">
<span class="gb-light-only">Dark</span><span class="gb-dark-only">Light</span></button>
</div>"""
WAITING = '<span class="gb-dot" data-state="wait"></span><span>Starting</span>'
FRAME_SCRIPT = "import(new URL('glass/js/frame.js', location.origin + location.pathname.replace(/\\/?$/, '/')))"
MANIFEST = ("document.querySelector('link[rel=manifest]').href = "
            "new URL('glass/manifest.json', location.origin + location.pathname.replace(/\\/?$/, '/'))")
"""Gradio's own stands at the root of the address, which is another's under a sub-path."""
SCRIPT = f'<script type="module">{FRAME_SCRIPT}; {MANIFEST};</script>'
APP = {"name": "Glassbox", "start_url": "..", "scope": "..", "display": "standalone",
       "icons": [{"src": "icon.svg", "sizes": "any", "type": "image/svg+xml"}]}
"""The manifest of the page as an app to install; addresses are relative to it, which gradio's own are not."""


class Blocks(gr.Blocks):
    """Gradio's page, whose configuration says everything once: it is a part of the first HTML."""

    def get_config_file(self) -> dict[str, Any]:
        """The configuration without examples, and without the forms of a value that are as its general one."""
        config = super().get_config_file()
        for one in config["components"]:
            one.pop("example_inputs", None)
            one["component_class_id"] = (one["component_class_id"] or "")[:8]     # 64 for custom components
            for form in ("api_info_as_input", "api_info_as_output"):
                if form in one and one[form] == one["api_info"]:
                    del one[form]
        return config


def build(tabs: tuple[Tab, ...], frame: Frame | None = None) -> Blocks:
    """The whole page with ``tabs`` in their order."""
    frame = frame or Frame()
    with Blocks(title="Glassbox", analytics_enabled=False, fill_width=True, delete_cache=(600, 3600)) as page:
        with gr.Row(elem_id="gb-header"):
            gr.HTML(HEADER, elem_id="gb-headline")
            gr.HTML(WAITING, elem_id="gb-status")
            gr.HTML(TOOLS, elem_id="gb-settings")
        with gr.Tabs(elem_id="gb-tabs") as shelf:
            for tab in tabs:
                _leaf(tab, frame)
        page.load(None, None, shelf, js=_said("ready", [tab.slug for tab in tabs]))
        page.unload(frame.forget)
    frame.forgets.append(partial(thinned, page))
    page.frame, page.tabs = frame, tabs
    return page


def thinned(page: Blocks, session: str) -> None:
    """Gradio holds a copy of the whole page's configuration, a megabyte, for each of its last 200 visitors, to share
    links of its own. Of one who has left only the state stays, for who comes back."""
    holder = getattr(page, "state_holder", None)                      # there once the page is launched
    if holder and session in holder.session_data:
        holder.session_data[session].config_values = {}


def _leaf(tab: Tab, frame: Frame) -> None:
    with gr.Tab(tab.title, id=tab.slug, elem_id=f"tab-{tab.slug}") as leaf:
        (tab.page or draw)(tab, frame)
    leaf.select(None, None, None, js=_said("opened", tab.slug))


def _said(name: str, value: Any) -> str:
    """The script of an event that calls one function of ``assets/js/frame.js``."""
    return f"() => {FRAME_SCRIPT}.then((frame) => frame.{name}({json.dumps(value)}))"


def state_of_machine() -> dict[str, str]:
    """Whether all is well ("ok" or "bad"), and the device and the shipped weights in one line. Imports torch, so the
    browser asks for it when the page is on screen."""
    from backends import device, weights

    try:
        name = str(device.default())
        shipped = [entry for entry in weights.manifest() if entry.file]
        ready = sum(weights.available(entry.name) for entry in shipped)
    except (ValueError, RuntimeError) as error:
        return {"state": "bad", "text": str(error)}
    return {"state": "ok" if shipped and ready == len(shipped) else "bad",
            "text": f"{name}, weights {ready} of {len(shipped)}"}


def files() -> dict[str, Callable[[], bytes]]:
    """The page's own files by their address under ``glass/``: scripts of the frame and of each room, samples, the
    catalogue."""
    found = {f"js/{path.name}": path.read_bytes for path in (ROOT / "assets" / "js").glob("*.js")}
    found |= {f"tabs/{path.parent.name}/{path.name}": path.read_bytes for path in (ROOT / "ui" / "tabs").glob("*/*.js")}
    found |= {f"thumbs/{name}.webp": partial(pictures.thumbnail, name) for name in images.SAMPLES}
    for slug in (path.parent.name for path in (ROOT / "ui" / "tabs").glob("*/__init__.py")):
        found |= {f"prose/{slug}.html": partial(prose.html, slug),
                  f"prose/{slug}.opening.html": partial(prose.opening, slug),
                  f"prose/{slug}.views.html": partial(prose.html, slug, True)}
    found |= {"manifest.json": json.dumps(APP).encode, "icon.svg": (ROOT / "assets" / "favicon.svg").read_bytes}
    return found | {"zh.json": language.served}


def look() -> dict[str, Any]:
    """Theme, styles and script for ``launch``: system fonts and own files, so that the page asks nobody else."""
    sheets = [*sorted((ROOT / "assets" / "css").glob("*.css")), *sorted((ROOT / "ui" / "tabs").glob("*/*.css"))]
    css = re.sub(r"/\*.*?\*/|\s+", " ", "".join(path.read_text("utf-8") for path in sheets), flags=re.DOTALL)
    return {"theme": theme(), "css": re.sub(r" ?([{},]) ?|(?<!')(;) ", r"\1\2", css), "head": SCRIPT}


def theme() -> gr.themes.Base:
    """Neutral greys and one accent; colours are set in assets/css, this picks fonts, sizes and radii."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_sm,
        font=["system-ui", "-apple-system", "Segoe UI", "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"],
    )
