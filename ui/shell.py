"""The page frame: header, tabs, status, restoring of links, and what ``launch`` needs to know about the look."""

import logging
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from ui import permalink
from ui.build import PRIVATE, Built, render, warn
from ui.markup import both
from ui.tab import Tab

ASSETS = Path(__file__).resolve().parent.parent / "assets"
SENTENCE = both(
    "Change the mechanism, keep your input, watch what breaks.",
    "改变机制，保留你的输入，看什么会失效。",
)
HEADER = f"""
<div class="gb-brand"><h1>Glassbox</h1><p>{SENTENCE}</p></div>"""
TOOLS = """
<div class="gb-tools" role="group" aria-label="Page settings">
<button type="button" data-glassbox="language" aria-label="Language: English or Chinese">
<span class="gb-en">中文</span><span class="gb-zh">EN</span></button>
<button type="button" data-glassbox="theme" aria-label="Light or dark colours">
<span class="gb-light-only">Dark</span><span class="gb-dark-only">Light</span></button>
</div>"""
WAITING = f'<span class="gb-dot" data-state="wait"></span>{both("Starting", "正在启动")}'
log = logging.getLogger("glassbox")


def build(tabs: tuple[Tab, ...]) -> gr.Blocks:
    """The whole page with ``tabs`` in their order."""
    with gr.Blocks(title="Glassbox", analytics_enabled=False, fill_width=True, delete_cache=(600, 3600)) as page:
        with gr.Row(elem_id="gb-header"):
            gr.HTML(HEADER, elem_id="gb-headline")
            status = gr.HTML(WAITING, elem_id="gb-status")
            gr.HTML(TOOLS, elem_id="gb-settings")
        with gr.Tabs(elem_id="gb-tabs") as shelf:
            built = [_draw(tab) for tab in tabs]
        _restores(page, tabs, built, shelf)
        page.load(state_of_machine, None, status, **PRIVATE)
    return page


def _draw(tab: Tab) -> Built:
    with gr.Tab(tab.title, id=tab.slug, elem_id=f"tab-{tab.slug}") as leaf:
        built = render(tab)
    leaf.select(None, None, None, js=f"() => glassbox.opened('{tab.slug}', {str(not tab.streams).lower()})")
    return built


def _restores(page: gr.Blocks, tabs: tuple[Tab, ...], built: list[Built], shelf: gr.Tabs) -> None:
    """On load: select the tab that the address names, write its state into the widgets, then press its Run button."""
    if not tabs:
        return
    order = gr.Textbox(visible=False)
    outputs = [shelf, order, *(value for b in built for value in b.values)]
    restored = page.load(restorer(tabs, built), None, outputs, **PRIVATE)
    restored.then(None, order, None, js="(order) => glassbox.ready(order)")


def restorer(tabs: tuple[Tab, ...], built: list[Built]) -> Callable[[gr.Request], list[Any]]:
    """The handler of the page's load event.

    It returns the selected tab, "slug" or "slug run" (whether a link with a state came, so that a long run starts too),
    then the values of all tabs' components in order: new ones for the linked tab, nothing for the others.
    """
    slugs = [tab.slug for tab in tabs]

    def restore(request: gr.Request) -> list[Any]:
        query = dict(request.query_params)
        named = query.get("tab", slugs[0])
        slug = named if named in slugs else slugs[0]
        linked = "v" in query and named == slug
        values: list[Any] = []
        for tab, one in zip(tabs, built, strict=True):
            here = linked and tab.slug == slug
            values += _values(tab, one, query) if here else [gr.skip()] * len(one.values)
        return [gr.Tabs(selected=slug), f"{slug} run" if linked else slug, *values]

    return restore


def _values(tab: Tab, built: Built, query: dict[str, str]) -> list[Any]:
    params, sentences = permalink.decode(tab.params, query)
    if sentences:
        warn(ValueError(" ".join(sentences)))
    return built.write(params)


def state_of_machine() -> str:
    """Device and shipped weights in one line of HTML. Imports torch, so it runs after the page is on screen."""
    from backends import device, weights

    try:
        name = str(device.default())
        shipped = [entry for entry in weights.manifest() if entry.file]
        ready = sum(weights.available(entry.name) for entry in shipped)
    except (ValueError, RuntimeError) as error:
        return f'<span class="gb-dot" data-state="bad"></span>{escape(str(error))}'
    state = "ok" if shipped and ready == len(shipped) else "bad"
    text = both(f"{name}, weights {ready} of {len(shipped)}", f"{name}，权重 {ready}/{len(shipped)}")
    return f'<span class="gb-dot" data-state="{state}"></span>{text}'


def look() -> dict[str, Any]:
    """Theme, styles and script for ``launch``: system fonts and inline text, so that the page asks nobody else."""
    script = "\n".join(path.read_text("utf-8") for path in sorted((ASSETS / "js").glob("*.js")))
    styles = "\n".join(path.read_text("utf-8") for path in sorted((ASSETS / "css").glob("*.css")))
    return {"theme": theme(), "css": styles, "head": f"<script>{script}</script>"}


def theme() -> gr.themes.Base:
    """Neutral greys and one accent; colours are set in assets/css, this picks fonts, sizes and radii."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_sm,
        font=["system-ui", "-apple-system", "Segoe UI", "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"],
    )
